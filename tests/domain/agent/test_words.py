"""What an agent may type, and what it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.agent.words import (
    Answer,
    Cancel,
    Close,
    Correct,
    Doubtful,
    Duty,
    Help,
    Hold,
    Keep,
    ListOwn,
    ListWaiting,
    Misspelt,
    Note,
    Plain,
    Quick,
    Recall,
    Said,
    Switch,
    Take,
    Transfer,
    parse,
)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("上班", Duty(on=True)),
        ("  ON\n", Duty(on=True)),
        ("下班", Duty(on=False)),
        ("off", Duty(on=False)),
        ("列表", ListOwn()),
        ("List", ListOwn()),
        ("帮助", Help()),
        ("?", Help()),
        ("？", Help()),
        ("取消", Cancel()),
        ("cancel", Cancel()),
        ("结束", Close()),
        ("结束 #12", Close(12)),
        ("结束＃１２", Close(12)),
        ("结束 12", Close(12)),
        ("close #12", Close(12)),
        ("ＣＬＯＳＥ ＃１２", Close(12)),
        ("结束 #12 已退款", Close(12, "已退款")),
        ("结束#12：已退款\n谢谢", Close(12, "已退款\n谢谢")),
        ("close #12 Refunded", Close(12, "Refunded")),
        ("结束 #12 #15", Misspelt()),
        ("转接 @li", Transfer("li")),
        ("转接＠小李", Transfer("小李")),
        ("转接 #12 @售后 二组", Transfer("售后 二组", 12)),
        ("转接 12 @li", Transfer("li", 12)),
        ("transfer #12 @Li", Transfer("Li", 12)),
        ("转接 #12 @小李 要发票\n急", Transfer("小李 要发票\n急", 12)),
        ("转接", Help()),
        ("排队", ListWaiting()),
        ("Waiting", ListWaiting()),
        ("下一位", Take()),
        ("next", Take()),
        ("接入 #12", Take(12)),
        ("接入12", Take(12)),
        ("TAKE ＃12", Take(12)),
        ("接入", Help()),
        ("挂起", Hold(on=True)),
        ("Hold", Hold(on=True)),
        ("挂起 12", Hold(on=True, no=12)),
        ("hold #12", Hold(on=True, no=12)),
        ("恢复", Hold(on=False)),
        ("恢复 #12", Hold(on=False, no=12)),
        ("resume #12", Hold(on=False, no=12)),
        ("备注 客户很急", Note("客户很急")),
        ("备注 #12 客户很急\n要发票", Note("客户很急\n要发票", 12)),
        ("备注＃１２：Ａ级", Note("Ａ级", 12)),
        ("note #12 in a hurry", Note("in a hurry", 12)),
        ("#12 备注 客户很急", Note("客户很急", 12)),
        ("#12 备注", Switch(12)),
        ("备注", Help()),
        ("快捷 地址", Quick("地址")),
        ("/地址", Quick("地址")),
        ("／Address", Quick("Address")),
        ("快捷 #12 地址", Quick("地址", 12)),
        ("quick #12 address", Quick("address", 12)),
        ("#12 /地址", Quick("地址", 12, sure=False, text="/地址")),
        ("Quick question", Quick("question", sure=False, text="Quick question")),
        ("快捷", Help()),
        ("保留", Keep()),
        ("keep", Keep(sure=False)),
        ("撤回", Recall()),
        (" Recall", Recall()),
        ("撤回 #12", Recall(12)),
        ("#12 撤回", Recall(12)),
        ("＃12 RECALL", Recall(12)),
        ("更正 七点开门", Correct("七点开门")),
        ("Correction we open at 7\nand close at 9", Correct("we open at 7\nand close at 9")),
        ("#12 更正 七点开门", Correct("七点开门", 12)),
        ("更正 #12 七点开门", Correct("七点开门", 12)),
        ("更正", Help()),
        ("#12 更正", Switch(12)),
        ("更正 #12", Misspelt()),
        ("更正 #12 #15 七点", Misspelt()),
        ("#12 更正 #15 七点", Misspelt()),
        ("撤回了吗", Plain("撤回了吗")),
        ("#12 撤回了", Answer(12, "撤回了")),
        ("更正：七点开门", Plain("更正：七点开门")),
        ("Correction.", Plain("Correction.")),
        ("correction", Plain("correction")),
        ("#12 correction", Answer(12, "correction")),
        ("Correction: we open at 7", Plain("Correction: we open at 7")),
        ("Correct me if I am wrong", Plain("Correct me if I am wrong")),
        ("corrections follow", Plain("corrections follow")),
        ("#12", Switch(12)),
        (" ＃１２ ", Switch(12)),
        ("# 12", Switch(12)),
        ("#12 您好", Answer(12, "您好")),
        ("#12您好", Answer(12, "您好")),
        ("＃12：您好", Answer(12, "您好")),
        ("#12\n第一行\n第二行", Answer(12, "第一行\n第二行")),
        ("#12 结束", Answer(12, "结束")),
        ("#l2 您好", Misspelt()),
        ("#", Misspelt()),
        ("＃您好", Misspelt()),
        ("#12 #15 您好", Misspelt()),
        ("#1234567890 您好", Misspelt()),
        ("12 件", Plain("12 件")),
        ("上班时间是九点", Plain("上班时间是九点")),
        ("转接一下，请稍等", Plain("转接一下，请稍等")),
        ("transfer your money", Plain("transfer your money")),
        ("结束了吗", Plain("结束了吗")),
        ("close the app and open it again", Plain("close the app and open it again")),
        ("close 12 tabs", Plain("close 12 tabs")),
        ("接入网络就可以", Plain("接入网络就可以")),
        ("take 2", Plain("take 2")),
        ("take it easy", Plain("take it easy")),
        ("next week", Plain("next week")),
        ("下一位就是您", Plain("下一位就是您")),
        ("排队的人很多", Plain("排队的人很多")),
        ("waiting for the parcel", Plain("waiting for the parcel")),
        ("hold on", Plain("hold on")),
        ("挂起来就好", Plain("挂起来就好")),
        ("恢复出厂设置", Plain("恢复出厂设置")),
        ("备注里写尺码", Plain("备注里写尺码")),
        ("Note that we are closed on Monday", Plain("Note that we are closed on Monday")),
        ("note: we close at 6", Plain("note: we close at 6")),
        ("快捷支付也可以", Plain("快捷支付也可以")),
        ("quick", Plain("quick")),
        ("保留三天", Plain("保留三天")),
        ("keep it", Plain("keep it")),
        ("on the way", Plain("on the way")),
        ("/settings/profile", Plain("/settings/profile")),
        ("/::)", Plain("/::)")),
        ("/ 3", Plain("/ 3")),
        ("#12 备注：写尺码", Answer(12, "备注：写尺码")),
        ("#12 note that we close", Answer(12, "note that we close")),
        ("#12 quick answer", Answer(12, "quick answer")),
        ("#12 保留", Answer(12, "保留")),
        ("备注：客户很难缠", Doubtful("备注 #12 内容")),
        ("结束 已退款", Doubtful("结束 #12 原因")),
        ("结束：已退款", Doubtful("结束 #12 原因")),
        ("结束 #0", Doubtful("结束 #12 原因")),
        ("转接 小李", Doubtful("转接 #12 @同事 留言")),
        ("transfer #12 li", Doubtful("transfer #12 @colleague note")),
        ("take #12 bus", Doubtful("take #12")),
        ("note #12", Doubtful("note #12 text")),
        ("备注 #12", Misspelt()),
        ("备注 #l2 很急", Misspelt()),
        ("#12 备注 #15 很急", Misspelt()),
        ("#0 您好", Misspelt()),
        ("你好 #12", Plain("你好 #12")),
    ],
)
def test_words_mean(typed: str, said: Said) -> None:
    assert parse(typed) == said


ZH = "结束|结束 #12|转接|转接 12|转接 #12 @|撤回|更正|更正 #12|#12 更正|接入|挂起|恢复 #|备注|备注 #12|#12 备注|快捷"
EN = "close|transfer 12|recall|correction #12|take #|hold #|note #12|quick|quick #12|/|#12"


@pytest.mark.parametrize("begins", [*ZH.split("|"), *EN.split("|"), "#" + "0" * 99_999])
def test_a_text_that_is_nearly_all_blanks_holds_nobody_up(begins: str) -> None:
    """Read in one go: where it is looked at again from each of its blanks, it takes an hour."""
    said = parse(begins + " " * 1_000_000 + "x")
    assert not isinstance(said, Switch)


@given(st.text(alphabet=st.sampled_from("#＃12转接结束撤回更正 @＠\nlist您好:："), max_size=20))
def test_what_begins_with_a_hash_is_never_plain(typed: str) -> None:
    if typed.strip()[:1] in ("#", "＃"):
        assert not isinstance(parse(typed), Plain)


@given(st.text(alphabet=st.sampled_from("结束了转接备注快捷closenote ，。1a\n"), max_size=12))
def test_without_a_sign_nothing_is_closed_given_away_or_taken(typed: str) -> None:
    """But for the whole words, and those with a number that can mean nothing else."""
    said = parse(typed)
    if isinstance(said, Close | Transfer | Take):
        assert not said.no or typed.strip().lower().replace(" ", "").replace("\n", "") in ("结束1", "close1")
