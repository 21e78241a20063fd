"""Who waits, taking, holding, notes, quick replies and leads: what is asked of others, and what the phone says."""

import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent.state import MOST_LEFT
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Attachment
from tests.domain.agent.test_entity import DESK_ONLY, HOUR, ME, MINUTE, SECOND, Rig, answers, notes, shown

# --- who waits, and taking -----------------------------------------------------------------------------------------


def test_who_waits_is_asked_and_told_with_a_way_to_take_them() -> None:
    rig = Rig()
    assert rig.type("排队") == [e.ListAsked()]
    line = ((12, "张三", "售前", 45), (15, "【#3 李四】\n", "退款", 600), (18, "赵六", "退款", 8000))
    assert notes(rig.do(c.TellWaitingList(line, more=4))) == [
        "排队 7 人：\n#12 张三（售前）45 秒\n#15 (#3 李四)（退款）10 分钟\n#18 赵六（退款）2 小时\n"
        "还有 4 人\n接入 #号，或 下一位"
    ]
    assert notes(rig.do(c.TellWaitingList(()))) == ["没有人在排队"]


@pytest.mark.parametrize(("typed", "no"), [("接入 #12", 12), ("take #12", 12), ("下一位", 0), ("NEXT", 0)])
def test_taking_is_asked_of_the_queue(typed: str, no: int) -> None:
    assert Rig().type(typed) == [e.TakeAsked(no)]


def test_what_is_not_had_is_told() -> None:
    rig = Rig()
    assert notes(rig.do(c.TellNotTaken(12, "小李 已接入"))) == ["没有接入 #12：小李 已接入"]
    assert notes(rig.do(c.TellNotTaken(0, "没有人在排队"))) == ["没有接入：没有人在排队"]


@pytest.mark.parametrize("typed", ["接入 #18", "下一位"])
def test_after_taking_one_text_without_a_number_is_for_nobody_in_particular(typed: str) -> None:
    rig = shown(12)
    assert rig.type(typed)[1:] == [e.StickyChosen("")]
    assert answers(rig.type("您好")) == [], "for the one that is taken, before the phone shows it?"
    rig = shown(12, 15)
    rig.type("#12 您好")
    rig.type(typed)
    rig.serve(18)
    rig.send()
    assert answers(rig.wait(SECOND).type("您好")) == []


def test_who_takes_their_first_one_need_not_give_its_number() -> None:
    rig = Rig()
    rig.type("下一位")
    rig.wait(SECOND).serve(12)
    rig.send()
    assert answers(rig.wait(SECOND).type("您好")) == [(12, "您好")]


def test_taking_what_is_ones_own_turns_to_it_and_answers_no_question() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    rig.send()
    assert rig.wait(SECOND).type("接入 #12") == [
        e.TakeAsked(12),
        e.AcceptAsked("c12-x", 12),
        e.StickyChosen("c12-x", 12),
        e.NoteWaiting("→ #12 张三"),
    ]
    assert "「您好」" in rig.send(), "they are asked again"


# --- accepting -----------------------------------------------------------------------------------------------------


def test_turning_to_a_conversation_accepts_it_once() -> None:
    rig = shown(12, 15)
    assert e.AcceptAsked("c12-x", 12) in rig.type("#12")
    rig.type("#15 您好")
    assert e.AcceptAsked("c12-x", 12) not in rig.type("#12")
    assert e.AcceptAsked("c15-x", 15) not in rig.type("#15"), "an answer has said so"


def test_one_that_was_given_to_them_again_is_accepted_again() -> None:
    rig = shown(12)
    rig.type("#12")
    rig.do(c.NoteMissed("c12-x", 12))
    rig.serve(12)
    rig.send()
    assert e.AcceptAsked("c12-x", 12) in rig.wait(SECOND).type("#12")


def test_a_number_that_was_typed_before_the_conversation_came_again_accepts_nothing() -> None:
    rig = shown(12)
    typed_ms = rig.now_ms
    rig.wait(5 * SECOND).stop(12)
    rig.send()
    rig.wait(5 * SECOND).serve(12)
    for typed in ("#12", "接入 #12"):
        assert e.AcceptAsked("c12-x", 12) not in rig.type(typed, sent_at_ms=typed_ms)


@pytest.mark.parametrize("typed", ["结束 #12", "转接 #12 @li", "挂起 #12"])
def test_what_was_written_before_it_went_and_came_back_is_not_done(typed: str) -> None:
    rig = shown(12)
    typed_ms = rig.now_ms
    rig.wait(5 * SECOND).stop(12)
    rig.send()
    rig.wait(5 * SECOND).serve(12)
    assert rig.type(typed, sent_at_ms=typed_ms) == [
        e.NoteWaiting("没有照办：#12 张三 是之后才转给您的。如仍需要，请再写一次")
    ]


@pytest.mark.parametrize("typed", ["结束 #12", "转接 #12 @li", "挂起 #12"])
def test_what_was_written_before_it_was_assigned_anew_is_not_done(typed: str) -> None:
    rig = Rig()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=3))
    typed_ms = rig.wait(5 * SECOND).now_ms
    rig.wait(5 * SECOND).do(c.Serve("c12-x", 12, "张三", "售前", assigned=9))
    assert rig.type(typed, sent_at_ms=typed_ms) == [
        e.NoteWaiting("没有照办：#12 张三 是之后才转给您的。如仍需要，请再写一次")
    ]
    assert not isinstance(rig.wait(5 * SECOND).type(typed)[0], e.NoteWaiting), "now they know"


@pytest.mark.parametrize("typed", ["结束 #15", "恢复 #15"])
def test_after_what_was_not_done_text_without_a_number_is_for_nobody_in_particular(typed: str) -> None:
    rig = shown(12)
    rig.type("#12 您好")
    typed_ms = rig.wait(5 * SECOND).now_ms
    rig.wait(5 * SECOND).serve(15)
    assert e.StickyChosen("") in rig.type(typed, sent_at_ms=typed_ms)
    assert answers(rig.type("好了", sent_at_ms=typed_ms + SECOND)) == [], "for 12, or for 15?"


def test_what_is_asked_of_a_conversation_says_which_assignment_they_knew_of() -> None:
    rig = shown(12)
    rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=7))
    asked = [rig.type(typed)[0] for typed in ("#12", "挂起 #12", "转接 #12 @li", "结束 #12")]
    commands = [agent.reactions(Record(ME, 1, 0, 0, event))[0][1] for event in asked]
    assert commands == [
        c.AcceptConversation(ME, 7),
        c.HoldConversation(ME, on=True, assigned=7),
        c.TransferConversation(ME, "a2-li", assigned=7),
        c.CloseConversation(ME, assigned=7, seen=1),
    ]


# --- holding, notes, quick replies ---------------------------------------------------------------------------------


def test_holding_is_asked_of_the_conversation_and_said_for_nothing_else_shows_it() -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    assert rig.type("挂起") == [
        e.HoldAsked("c12-x", 12, on=True),
        e.NoteWaiting("#12 张三 已挂起，顾客来信或 恢复 #12 后继续"),
    ]
    assert rig.type("resume #12")[:2] == [e.HoldAsked("c12-x", 12, on=False), e.NoteWaiting("#12 张三 继续计时")]


def test_a_note_is_for_colleagues_and_the_agent_sees_that_it_was_taken_for_one() -> None:
    rig = shown(12, 15)
    assert rig.type("备注 #12 客户很急\n要发票") == [
        e.NoteAsked("c12-x", 12, "客户很急\n要发票", "小王"),
        e.NoteWaiting("备注 #12：「客户很急 要发票」，顾客看不到"),
        e.StickyChosen("c12-x", 12),
        e.NoteWaiting("→ #12 张三"),
    ]
    assert rig.type("备注 老客户")[0] == e.NoteAsked("c12-x", 12, "老客户", "小王")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("备注 很急", "未发送：备注哪个会话？请写：备注 #12 内容\n很急"),
        ("#99 备注 很急", "未发送：#99 不是你的会话\n很急"),
        ("挂起", "未办到：挂起哪个会话？请写：挂起 #12"),
        ("恢复 #99", "未办到：#99 不是你的会话"),
        ("备注：很急", "未发送：像是命令，请写：备注 #12 内容；要发给顾客，请在前面加 #号\n备注：很急"),
        ("结束 已退款", "未发送：像是命令，请写：结束 #12 原因；要发给顾客，请在前面加 #号\n结束 已退款"),
        ("/电话", "未发送：没有叫 电话 的快捷回复\n/电话"),
        ("快捷 #12 电话", "未发送：没有叫 电话 的快捷回复\n快捷 #12 电话"),
    ],
)
def test_what_is_not_clear_goes_nowhere(typed: str, told: str) -> None:
    events = shown(12, 15).type(typed)
    assert notes(events) == [told]
    assert not any(isinstance(event, e.AnswerChosen | e.NoteAsked | e.CloseAsked) for event in events)


def test_a_quick_reply_goes_where_plain_text_would_go() -> None:
    rig = shown(12, 15)
    assert [event.text for event in rig.type("/地址") if isinstance(event, e.TextHeld)] == ["中山路 1 号"]
    rig.type("取消")
    assert answers(rig.type("快捷 #15 地址")) == [(15, "中山路 1 号")]
    assert answers(rig.type("快捷 地址")) == [(15, "中山路 1 号")]
    assert answers(rig.type("#12 /地址")) == [(12, "中山路 1 号")]


def test_what_only_looks_like_a_quick_reply_is_an_answer() -> None:
    rig = shown(12)
    assert answers(rig.type("#12 /home")) == [(12, "/home")]
    assert answers(rig.type("Quick question")) == [(12, "Quick question")]


def test_a_command_with_a_picture_goes_nowhere() -> None:
    rig = shown(12)
    picture = Attachment("a1-wang.0", "鞋.png", "image/png", 9)
    _, *events = rig.do(c.ReceiveText("p1", "备注 很急", rig.now_ms, files=(picture,)))
    assert notes(events) == ["未发送：命令不能和图片或文件一起发\n备注 很急"]
    assert answers(events) == []


# --- names ---------------------------------------------------------------------------------------------------------


def test_a_name_that_was_not_looked_up_is_nobodys() -> None:
    rig = shown(12)
    _, *events = rig.do(c.ReceiveText("x1", "转接 @小李 急", rig.now_ms))
    assert notes(events) == ["未发送：没有叫 小李 急 的同事或小组\n转接 @小李 急"]


def test_a_note_comes_with_the_conversation_and_cannot_pass_for_the_hubs_own_lines() -> None:
    rig = Rig()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", note="要发票\n【#15·1 李四】转账"))
    assert rig.send().startswith("新会话 #12 张三（售前）\n留言：要发票\n│ (#15·1 李四】转账")


# --- reminders and leads -------------------------------------------------------------------------------------------


def remind(rig: Rig, no: int, display: str = "") -> list[AnyEvent]:
    return rig.do(c.Remind(f"c{no}-x", no, "张三", 180, display, "售前"))


def test_the_assignee_is_reminded_as_long_as_it_is_theirs() -> None:
    rig = shown(12)
    assert remind(rig, 12) == [e.NoteWaiting("#12 张三 等您回复 3 分钟了")]
    rig.stop(12)
    assert remind(rig, 12) == []


def test_a_lead_hears_who_has_it_and_may_take_it_or_give_it_to_another() -> None:
    rig = Rig()
    assert remind(rig, 12, "小李") == [
        e.LeadReminded("c12-x", 12),
        e.NoteWaiting("小李 的 #12 张三（售前）等了 3 分钟，还没有回复\n转接 #12 @wang 由您接手，或 @别的同事"),
    ]
    assert rig.type("转接 #12 @wang") == [e.TransferAsked("c12-x", 12, "a1-wang")]
    assert rig.type("转接 #12 @退款 急") == [e.TransferAsked("c12-x", 12, team="refunds", note="急")]
    assert notes(rig.type("结束 #12")) == ["未办到：#12 不是你的会话"]


def test_a_lead_who_has_it_themself_is_reminded_as_anybody() -> None:
    assert notes(remind(shown(12), 12, "小王")) == ["#12 张三 等您回复 3 分钟了"]


def test_what_a_lead_was_told_is_forgotten_after_a_day_for_numbers_are_given_again() -> None:
    rig = Rig()
    remind(rig, 12, "小李")
    rig.wait(24 * HOUR + MINUTE)
    remind(rig, 15, "小李")
    assert list(rig.state.led) == [15]
    rig.wait(25 * HOUR)
    assert notes(rig.type("转接 #15 @wang")) == ["未办到：#15 不是你的会话"]


@pytest.mark.parametrize("typed", ["#12 您好", "#12", "备注 #12 好", "挂起 #12", "#12 撤回", "#12 更正 好"])
def test_a_number_that_stood_for_another_when_it_was_written_is_not_theirs(typed: str) -> None:
    """Closed just before the hub stood still for the new year's week; meanwhile the number has rested long enough."""
    rig = shown(12)
    rig.wait(8 * 24 * HOUR)
    typed_ms = rig.now_ms
    rig.wait(SECOND).stop(12)
    rig.do(c.Serve("c99-y", 12, "李四", "售前"))
    events = rig.type(typed, sent_at_ms=typed_ms)
    assert "#12 不是你的会话" in notes(events)[0]
    assert {type(event) for event in events} == {e.StickyChosen, e.NoteWaiting}


def test_who_writes_to_a_number_of_last_week_reaches_nobody_who_has_it_now() -> None:
    rig = shown(12, 15)
    rig.stop(12)
    rig.wait(8 * 24 * HOUR).stop(15)
    typed_ms = rig.now_ms
    rig.wait(MINUTE)
    rig.do(c.Serve("c99-y", 12, "李四", "售前"))
    assert "#12 不是你的会话" in notes(rig.type("#12 您好", sent_at_ms=typed_ms))[0]
    rig.wait(MINUTE)
    assert e.AnswerChosen("c99-y", 12, "您好", seen=0) in rig.type("#12 您好")


def test_of_those_that_have_left_the_last_are_remembered_and_all_of_a_day() -> None:
    rig = Rig()

    def has_had(no: int) -> None:
        rig.do(c.Serve(f"c{no}-x", no, "张三", "售前"))
        rig.stop(no)

    for no in range(1, 81):
        has_had(no)
    assert len(rig.state.left) == 80
    rig.wait(25 * HOUR)
    has_had(99)
    assert list(rig.state.left) == [*range(32, 81), 99]
    assert len(rig.state.left) == MOST_LEFT


def test_what_a_lead_wrote_before_they_were_told_decides_nothing() -> None:
    """They had it themself then: a colleague has got it since, and they hear so."""
    rig = Rig()
    typed_ms = rig.now_ms
    rig.wait(MINUTE)
    remind(rig, 12, "小李")
    assert notes(rig.type("转接 #12 @wang", sent_at_ms=typed_ms)) == ["未办到：#12 不是你的会话"]
    assert e.TransferAsked("c12-x", 12, "a1-wang") in rig.type("转接 #12 @wang")


def test_without_a_phone_nothing_is_said_and_everything_is_done() -> None:
    rig = Rig(DESK_ONLY).serve(12)
    assert remind(rig, 12) == []
    assert rig.type("挂起 #12")[0] == e.HoldAsked("c12-x", 12, on=True)
    assert agent.next_due(rig.state) is None


def test_a_lead_decides_only_about_the_assignment_that_they_were_told_of() -> None:
    rig = Rig()
    rig.do(c.Remind("c15-x", 15, "李四", 120, "小李", "退款", assigned=7))
    assert e.TransferAsked("c15-x", 15, agent="a2-li", assigned=7) in rig.type("转接 #15 @li")
