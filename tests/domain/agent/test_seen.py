"""What an agent had been shown when they wrote: the conversation must not take what came later for answered."""

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.events import AnyEvent
from hub.domain.messages import Block
from tests.domain.agent.test_entity import HOUR, MINUTE, NOON, notes, shown
from tests.domain.agent.test_threads import MailRig
from tests.domain.agent.test_ways import due, serving


def seen(events: list[AnyEvent]) -> list[int | None]:
    return [event.seen for event in events if isinstance(event, e.AnswerChosen | e.CloseAsked)]


def test_an_answer_says_what_the_phone_had_shown_by_then() -> None:
    rig = shown(12)
    rig.show(12, 2, "还在吗")
    assert seen(rig.type("#12 在")) == [1], "the second message waits"
    rig.attempt()
    assert seen(rig.type("#12 在的")) == [1], "it is on its way"
    rig.verdict("sent")
    assert seen(rig.type("#12 您说")) == [2]
    assert seen(rig.type("结束 #12")) == [2]


def test_a_text_that_came_late_is_no_answer_to_what_was_shown_since_it_was_written() -> None:
    rig = shown(12)
    written_ms = rig.now_ms
    rig.wait(MINUTE).show(12, 2, "还在吗")
    rig.send()
    assert seen(rig.type("#12 在", written_ms)) == [1]
    assert seen(rig.type("#12 在的")) == [2]


def test_a_long_message_has_been_shown_when_its_last_part_has() -> None:
    rig = shown(12)
    rig.show(12, 2, "很长" * 2000)
    for _ in range(2):
        rig.send()
        assert seen(rig.type("#12 嗯")) == [1]
    while rig.state.blocks:
        rig.send()
    assert seen(rig.type("#12 好")) == [2]


def test_what_was_read_at_a_desk_has_been_shown() -> None:
    rig = shown(12)
    rig.show(12, 2, "还在吗")
    rig.do(c.MarkRead("c12-x", 2))
    assert seen(rig.type("#12 在")) == [2]


def test_what_may_be_lost_counts_once_the_agent_has_been_told() -> None:
    rig = shown(12)
    rig.show(12, 2, "还在吗")
    rig.attempt()
    told = rig.verdict("refused", because="no")
    assert notes(told) == ["可能没有收到 #12·2：no"]
    assert seen(rig.type("结束 #12")) == [2], "else nobody could end it any more"


def test_a_mail_shows_what_it_carries() -> None:
    rig = MailRig(12)
    rig.do(c.ShowMessage(Block("c12-x", 12, 2, "张三", "还在吗")))
    assert seen(rig.answer(12, "在")) == [1]
    rig.wait(MINUTE)
    rig.mail()
    assert seen(rig.answer(12, "在的")) == [2]


def test_what_was_not_shown_yet_stays_unread_and_unanswered() -> None:
    rig = shown(12)
    rig.show(12, 2, "还在吗")
    rig.type("#12 您好")
    served = rig.state.serving["c12-x"]
    assert (served.unanswered, served.unread_ms) == (1, rig.now_ms)
    rig.send()
    rig.type("#12 在")
    assert (served.unanswered, served.unread_ms) == (0, 0)


def test_a_conversation_that_comes_back_has_shown_nothing_yet() -> None:
    rig = shown(12)
    rig.stop(12)
    rig.wait(HOUR).serve(12)
    assert seen(rig.type("#12 在")) == [0]


def test_who_closes_too_early_is_told_and_keeps_the_conversation() -> None:
    rig = shown(12)
    rig.type("结束 #12")
    rig.do(c.TellRefused("c12-x", 12, "", "顾客又写了「等等」，请看过再结束"))
    assert rig.send().startswith("未办到：#12 顾客又写了「等等」，请看过再结束\n#12 张三 仍是你的会话")


def test_an_answer_at_a_desk_is_told_to_the_phone_also_where_all_had_been_read_there() -> None:
    rig = shown(12)
    rig.do(c.MarkRead("c12-x", 1))
    assert notes(rig.do(c.MarkRead("c12-x", 1, "好的"))) == ["#12 张三 已在工作台答复：「好的」"]


def test_what_another_of_their_channels_has_shown_stays_unread_and_unanswered() -> None:
    rig = serving(12)
    rig.send()
    _, *events = rig.do(c.ReceiveText("m1", "在", rig.now_ms, channel="email", conversation="c12-x"))
    assert seen(events) == [0]
    served = rig.state.serving["c12-x"]
    assert (served.unanswered, served.unread_ms) == (1, NOON)
    assert due(rig) == "email", "they have not looked at their phone"
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (Block("c12-x", 12, 1, "张三", "在吗"),)))
    rig.send()
    _, *events = rig.do(c.ReceiveText("m2", "您说", rig.now_ms, channel="email", conversation="c12-x"))
    assert seen(events) == [1]
    assert (served.unanswered, served.unread_ms) == (0, 0)


def heard(events: list[AnyEvent]) -> list[int]:
    return [event.heard for event in events if isinstance(event, e.AnswerChosen | e.CloseAsked)]


def test_a_failure_has_been_heard_of_when_the_phone_has_shown_it() -> None:
    rig = shown(12)
    rig.do(c.TellUndelivered("c12-x", 12, "您好", "no", seq=7))
    assert heard(rig.type("结束 #12")) == [0]
    written_ms = rig.now_ms
    rig.wait(MINUTE).send()
    assert heard(rig.type("结束 #12", written_ms)) == [0]
    assert heard(rig.type("#12 再说一次")) == [7]
    assert heard(rig.type("结束 #12")) == [7]


def test_who_was_not_let_end_it_because_of_a_failure_has_heard_of_it_by_that() -> None:
    rig = shown(12)
    rig.do(c.TellRefused("c12-x", 12, "", "有回复未送达：no，请看过再结束", failed=7))
    assert rig.send() == "未办到：#12 有回复未送达：no，请看过再结束\n(2)"
    assert heard(rig.type("结束 #12")) == [7]


def test_of_a_change_that_failed_nothing_has_to_be_heard() -> None:
    rig = shown(12)
    rig.do(c.TellUndelivered("c12-x", 12, "您好", "no", changes=True))
    rig.send()
    assert heard(rig.type("结束 #12")) == [0]
