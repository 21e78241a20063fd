"""What the visitor wrote while an answer, or an end, was on its way: it stays in the backlog, and is shown."""

import pytest

from hub.domain import commands as c
from hub.domain import conversation
from hub.domain import events as e
from hub.domain.commands import Origin
from hub.domain.messages import Attachment
from hub.domain.refusals import Unread
from hub.domain.teams import Patience
from tests.domain.conversation.test_entity import ID, NOW, Thread

WANG = "a3-wang"


@pytest.fixture
def thread() -> Thread:
    """Messages 2 and 5, and the agent of both."""
    thread = Thread()
    thread.post("t1", 1, "一")
    thread.do(c.Assign(WANG, "王", 12, "sales", True, patience=Patience(nudge_s=60, close_s=60)))
    thread.post("t1", 2, "二")
    assert left(thread) == [2, 5]
    return thread


def left(thread: Thread) -> list[int]:
    return [line.seq for line in thread.state.backlog.messages()]


def test_an_answer_leaves_what_its_writer_had_not_seen(thread: Thread) -> None:
    thread.do(c.AnswerMessage(WANG, "好", seen=2), Origin(3, 1, 4, 0))
    assert left(thread) == [5]
    thread.do(c.TransferConversation(WANG, team="refunds"))
    (assigned,) = thread.assign("a1-li")
    assert isinstance(assigned, e.Assigned)
    assert [block.text for block in assigned.backlog] == ["二"], "who gets it next is shown it"
    thread.do(c.AnswerMessage("a1-li", "好", seen=5))
    assert left(thread) == []


def test_who_says_nothing_of_what_they_have_seen_has_seen_all(thread: Thread) -> None:
    thread.do(c.AnswerMessage(WANG, "好"))
    assert left(thread) == []


def test_after_such_an_answer_it_is_not_the_visitors_turn(thread: Thread) -> None:
    thread.do(c.AnswerMessage(WANG, "好", seen=2))
    assert conversation.next_due(thread.state) is None, "nobody is asked whether they are still there"
    thread.do(c.AnswerMessage(WANG, "好", seen=5))
    assert conversation.next_due(thread.state) == NOW + 60_000


def test_a_message_that_is_released_is_to_be_read_and_not_what_stood_in_its_place(thread: Thread) -> None:
    thread.post("t1", 3, "三", status="held")
    held = thread.state.seq
    thread.do(c.AnswerMessage(WANG, "好", seen=5))
    thread.do(c.ReleaseMessage(held, "admin"))
    released = thread.state.seq
    assert left(thread) == [released]
    assert conversation.next_due(thread.state) is None
    thread.do(c.AnswerMessage(WANG, "好", seen=held))
    assert left(thread) == [released], "its writer had seen the placeholder"


def test_an_end_that_crosses_with_a_message_is_refused_and_says_which(thread: Thread) -> None:
    assert thread.do(c.CloseConversation(WANG, seen=2), Origin(3, 1, 4, 0)) == [
        e.AnswerRefused(WANG, 12, "", "顾客又写了「二」，请看过再结束")
    ]
    assert conversation.reactions(thread.records[-1]) == [
        (WANG, c.TellRefused(ID, 12, "", "顾客又写了「二」，请看过再结束"))
    ]
    with pytest.raises(Unread, match="「二」") as refusal:
        thread.do(c.CloseConversation(WANG, seen=2))
    assert refusal.value.seq == 5
    thread.do(c.CloseConversation(WANG, seen=5), Origin(3, 1, 5, 0))
    assert thread.state.stage == "closed"


def test_of_several_the_last_is_quoted_and_a_picture_by_its_name(thread: Thread) -> None:
    thread.do(c.PostMessage("t1", 3, "", thread.state.profile, None, (Attachment("k", "cat.png"),)))  # type: ignore[arg-type]
    with pytest.raises(Unread, match=r"「\[cat.png\]」 \(\+1\)"):
        thread.do(c.CloseConversation(WANG, seen=2))


def test_an_answer_at_a_desk_leaves_to_the_phone_what_the_desk_did_not_show(thread: Thread) -> None:
    thread.do(c.AnswerMessage(WANG, "好", "d1", 1, seen=2))
    assert (WANG, c.MarkRead(ID, 2, "好")) in conversation.reactions(thread.records[-1])


def test_who_could_not_be_reached_keeps_what_came_to_them_since(thread: Thread) -> None:
    before = thread.state.assigned
    thread.do(c.TransferConversation(WANG, team="refunds"))
    thread.assign(WANG)
    assert thread.do(c.ReturnConversation(WANG, "gone", before), Origin(3, 1, 4, 0)) == []
    (returned,) = thread.do(c.ReturnConversation(WANG, "gone", thread.state.assigned), Origin(3, 1, 5, 0))
    assert isinstance(returned, e.Returned)
