"""What an agent may type, and what it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.agent_words import (
    Answer,
    Cancel,
    Close,
    Correct,
    Duty,
    Help,
    ListOwn,
    Misspelt,
    Plain,
    Recall,
    Said,
    Switch,
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
        ("转接 @li", Transfer("li")),
        ("转接＠小李", Transfer("小李")),
        ("转接 #12 @售后 二组", Transfer("售后 二组", 12)),
        ("转接 12 @li", Transfer("li", 12)),
        ("transfer #12 @Li", Transfer("Li", 12)),
        ("转接", Help()),
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
        ("你好 #12", Plain("你好 #12")),
    ],
)
def test_words_mean(typed: str, said: Said) -> None:
    assert parse(typed) == said


@pytest.mark.parametrize("begins", ["结束", "转接", "转接 12", "撤回", "更正", "更正 #12", "#12 更正", "#12"])
def test_a_text_that_is_nearly_all_blanks_holds_nobody_up(begins: str) -> None:
    """Read in one go: where it is looked at again from each of its blanks, it takes an hour."""
    assert isinstance(parse(begins + " " * 1_000_000 + "x"), Plain | Answer | Correct)


@given(st.text(alphabet=st.sampled_from("#＃12转接结束撤回更正 @＠\nlist您好:："), max_size=20))
def test_what_begins_with_a_hash_is_never_plain(typed: str) -> None:
    if typed.strip()[:1] in ("#", "＃"):
        assert not isinstance(parse(typed), Plain)
