"""撤回 and 更正 on the phone: of which conversation, when the hub asks first, and what the agent hears."""

import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.conversation.state import CHANGEABLE
from hub.domain.events import AnyEvent
from tests.domain.agent.test_entity import ME, MINUTE, SECOND, answers, notes, shown


def asked(events: list[AnyEvent]) -> list[tuple[int, str]]:
    return [(event.no, event.text) for event in events if isinstance(event, e.ChangeAsked)]


def test_without_a_number_the_current_conversation_is_meant_and_asked() -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    assert rig.type("撤回") == [e.ChangeAsked("c12-x", 12)]
    assert agent.reactions(rig.log[-1][0]) == [("c12-x", c.ChangeMessage(ME))]
    assert rig.type("更正 七点") == [e.ChangeAsked("c12-x", 12, "七点")]
    assert agent.reactions(rig.log[-1][0]) == [("c12-x", c.ChangeMessage(ME, "七点"))]


def test_a_number_names_the_conversation_and_makes_it_the_current_one_as_with_any_text() -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    assert rig.type("#15 更正 七点") == [
        e.ChangeAsked("c15-x", 15, "七点"),
        e.StickyChosen("c15-x", 15),
        e.NoteWaiting("→ #15 李四"),
    ]


@pytest.mark.parametrize(
    ("typed", "note"),
    [
        ("撤回", "未办到：撤回哪个会话？请写：#12 撤回"),
        ("更正 七点", "未发送：更正哪个会话？请写：#12 更正 新的内容\n七点"),
        ("#18 更正 七点", "未发送：#18 不是你的会话\n七点"),
    ],
)
def test_where_it_is_not_clear_nothing_is_changed_and_the_text_comes_back(typed: str, note: str) -> None:
    rig = shown(12, 15)
    events = rig.type(typed)
    assert asked(events) == []
    assert notes(events) == [note]


def test_a_text_that_still_waits_for_its_number_is_the_one_that_is_taken_back() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    assert rig.type("撤回") == [
        e.HeldDropped("您好"),
        e.NoteWaiting("未发送：已取消\n您好", returns=True),
    ]


@pytest.mark.parametrize("typed", ["#12 撤回", "#12 更正 七点"])
def test_while_a_text_waits_or_comes_back_the_last_one_may_not_be_the_one_that_is_meant(typed: str) -> None:
    rig = shown(12, 15)
    rig.type("您好")
    assert asked(rig.type(typed)) == [], "it is held"
    rig.type("取消")
    assert asked(rig.type(typed)) == [], "it is on its way back"
    rig.send()
    rig.wait(4 * SECOND)
    rig.type("#12")
    assert [no for no, _ in asked(rig.type(typed))] == [12]


def test_one_that_was_written_before_the_phone_showed_a_text_come_back_may_be_for_that_one() -> None:
    rig = shown(12, 15)
    rig.type("#12 一")
    rig.type("#18 二")
    written = rig.now_ms
    rig.wait(2 * SECOND)
    assert "二" in rig.send()
    rig.wait(2 * SECOND)
    assert asked(rig.type("#12 撤回", sent_at_ms=written)) == []
    rig.wait(2 * SECOND)
    assert [no for no, _ in asked(rig.type("#12 撤回"))] == [12]


def test_one_that_comes_after_a_later_text_would_change_the_wrong_one() -> None:
    rig = shown(12)
    rig.type("#12 一")
    rig.wait(3 * SECOND)
    rig.type("#12 二")
    assert asked(rig.type("#12 撤回", sent_at_ms=rig.now_ms - 2 * SECOND)) == []


@pytest.mark.parametrize(
    ("command", "note"),
    [
        (c.TellChanged("c12-x", 12, "七点开门…"), "已撤回 #12：「七点开门…」"),
        (c.TellChanged("c12-x", 12, "七点", "八点"), "已更正 #12：「七点」→「八点」"),
        (c.TellUndelivered("c12-x", 12, "", "too old", changes=True), "没有撤回 #12：too old"),
        (c.TellUndelivered("c12-x", 12, "八点", "too old", changes=True), "没有更正 #12：too old\n「八点」"),
        (c.TellRefused("c12-x", 12, "", "email 不能撤回已发出的消息"), "未办到：#12 email 不能撤回已发出的消息"),
        (c.TellRefused("c12-x", 12, "八点", "email 不能更正已发出的消息"),
         "未发送：#12 email 不能更正已发出的消息\n八点"),
    ],
)  # fmt: skip
def test_the_agent_hears_what_became_of_it(command: c.AnyCommand, note: str) -> None:
    assert notes(shown(12).do(command)) == [note]


def test_an_old_question_that_is_shown_late_makes_it_unclear_which_text_was_the_last() -> None:
    rig = shown(12, 15)
    rig.type("一")
    rig.send()
    rig.type("二")
    assert rig.wait(3 * SECOND).attempt(), "it asks about both"
    assert answers(rig.type("#12")) == [(12, "一")]
    assert answers(rig.type("三")) == [(12, "三")]
    rig.verdict("sent")
    rig.wait(SECOND).type("#12")  # to the agent 一 is sent only now, and is the last
    rig.wait(2 * MINUTE).do(c.Tick())
    while agent.next_due(rig.state) is not None:
        rig.send()
    rig.wait(SECOND)
    assert notes(rig.type("#12 撤回")) == ["未办到：不清楚是哪一条：刚才问您的文字，有的早已发出"]
    for n in range(CHANGEABLE):
        assert notes(rig.type("#12 撤回"))[0].startswith("未办到"), f"after {n}, older ones could be meant"
        rig.type(f"新的 {n}")
    assert e.ChangeAsked("c12-x", 12, "") in rig.type("#12 撤回")
