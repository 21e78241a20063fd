"""What an agent takes back or corrects, wherever the answer has come to, and how they hear that it cannot be."""

from collections.abc import Iterator

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import conversation
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.conversation.outbox import RECEIPTS
from hub.domain.conversation.state import CHANGEABLE
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, FileLimit, Limits
from hub.domain.refusals import NotYours, Unchangeable
from hub.domain.views import agent_view, visitor_view, withheld
from tests.domain.conversation.test_entity import Thread
from tests.domain.conversation.test_outbox import ANN, HOUR, ME, NOON, PICTURE, SECOND, Rig, message

BOTH = Limits(max_text=200, unit="characters", edits_ms=HOUR, recalls_ms=HOUR, files=(FileLimit("image/*", 5000),))
WANG = "a3-wang"
RECEIPTS_OF_ONE = 12


def change(rig: Rig, text: str = "", seq: int = 0) -> list[AnyEvent]:
    """What the agent's command leads to."""
    return rig.relay(c.ChangeMessage(ANN, text, seq))


def refusal(events: list[AnyEvent]) -> str:
    """Why it was not done."""
    (refused,) = events
    assert isinstance(refused, e.AnswerRefused)
    return refused.because


def answered(rig: Rig, text: str = "七点", files: tuple[Attachment, ...] = ()) -> int:
    """An answer that the platform has taken, each part under the receipt r<attempt>."""
    seq = rig.answer(text, files)
    while conversation.next_due(rig.state) is not None:
        rig.attempt()
        take(rig)
    return seq


def take(rig: Rig, receipt: str = "") -> list[AnyEvent]:
    """The platform takes what is on its way."""
    assert rig.state.outbox is not None
    assert rig.state.outbox.attempt is not None
    return rig.verdict(receipt=receipt or f"r{rig.state.outbox.attempt.number}")


def changing(rig: Rig) -> Iterator[tuple[str, str]]:
    """What the platform is asked to put in place of which receipt, each of which it does."""
    while conversation.next_due(rig.state) is not None:
        attempt = rig.attempt()
        yield message(attempt).replaces, attempt.text
        take(rig, message(attempt).replaces)


# --- on a page -------------------------------------------------------------------------------------------------------


@pytest.fixture
def thread() -> Thread:
    thread = Thread()
    thread.post("t1", 1)
    thread.assign(WANG)
    thread.do(c.AnswerMessage(WANG, "七点", "d", 1, (PICTURE,)))
    return thread


def test_on_a_page_an_answer_is_taken_back_at_once_and_everybody_is_told(thread: Thread) -> None:
    answer = thread.state.seq
    (recalled,) = thread.do(c.ChangeMessage(WANG), Origin(3, 1, 1, 0))
    assert recalled == e.MessageRecalled(answer, answer, "A3-WANG", "七点", WANG, 12)
    record = thread.records[-1]
    for view in (visitor_view, agent_view):
        frame = view(record)
        assert frame is not None
        assert (frame.kind, frame.ref, frame.by, frame.text) == ("recalled", answer, "A3-WANG", "")
    assert conversation.reactions(record) == [(WANG, c.TellChanged("c7-abc", 12, "七点"))]


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("x" * 36, "x" * 36), ("x" * 37, "x" * 36 + "…"), ("好" * 2000, "好" * 12 + "…"), ("a\nb", "a b")],
)
def test_which_one_it_was_shows_by_how_it_began(thread: Thread, text: str, quoted: str) -> None:
    thread.do(c.AnswerMessage(WANG, text, "d", 2))
    (recalled,) = thread.do(c.ChangeMessage(WANG))
    assert isinstance(recalled, e.MessageRecalled)
    assert recalled.original == quoted


def test_on_a_page_a_correction_keeps_the_files_and_may_be_corrected_again(thread: Thread) -> None:
    answer = thread.state.seq
    for text in ("八点", "九点"):
        (corrected,) = thread.do(c.ChangeMessage(WANG, text))
        assert isinstance(corrected, e.MessageCorrected)
        assert (corrected.ref, corrected.text, corrected.files) == (answer, text, (PICTURE,))
    frame = visitor_view(thread.records[-1])
    assert frame is not None
    assert (frame.kind, frame.ref, frame.text, frame.files) == ("edited", answer, "九点", (PICTURE,))
    assert thread.state.hidden == (answer, answer + 1), "the visitor reads the last version only"


def test_what_the_visitor_gets_no_more_agents_still_read(thread: Thread) -> None:
    answer = thread.records[-1]
    thread.do(c.ChangeMessage(WANG, "八点"))
    for record in (answer, thread.records[-1]):
        shown, kept = visitor_view(withheld(record)), agent_view(record)
        assert shown is not None
        assert (shown.seq, shown.prev, shown.text, shown.files) == (record.seq, record.prev, "", ())
        assert kept is not None
        assert (kept.text, kept.files) != ("", ())
    assert withheld(thread.records[0]) == thread.records[0]


def test_a_message_that_was_answered_and_taken_back_counts_as_answered(thread: Thread) -> None:
    thread.do(c.ChangeMessage(WANG))
    assert thread.state.backlog.messages() == []


def test_the_answer_before_the_last_can_be_taken_back_too_by_its_seq_or_after_it(thread: Thread) -> None:
    first = thread.state.seq
    for n in range(2, 5):
        thread.do(c.AnswerMessage(WANG, f"{n}", "d", n))
    for seq, gone in ((first + 1, first + 1), (0, first + 3), (0, first + 2), (0, first)):
        (recalled,) = thread.do(c.ChangeMessage(WANG, seq=seq))
        assert isinstance(recalled, e.MessageRecalled)
        assert recalled.ref == gone
    for seq in (0, first, 1, 99):
        with pytest.raises(Unchangeable, match="没有可以撤回的消息"):
            thread.do(c.ChangeMessage(WANG, seq=seq))


def test_only_the_last_answers_of_whom_the_conversation_is_with_can_be_changed(thread: Thread) -> None:
    for n in range(2, CHANGEABLE + 2):
        thread.do(c.AnswerMessage(WANG, f"{n}", "d", n))
    assert len(thread.state.answers) == CHANGEABLE
    thread.assign("a1-li")
    with pytest.raises(NotYours):
        thread.do(c.ChangeMessage(WANG))
    with pytest.raises(Unchangeable):
        thread.do(c.ChangeMessage("a1-li"))
    refused = thread.do(c.ChangeMessage(WANG, "八点"), Origin(3, 1, 2, 0))
    assert refused == [e.AnswerRefused(WANG, 12, "八点", "the conversation is with A1-LI", "A1-LI")]


def test_after_closing_nothing_is_changed_not_even_when_the_visitor_comes_back(thread: Thread) -> None:
    thread.do(c.CloseConversation("admin"))
    refused = thread.do(c.ChangeMessage(WANG), Origin(3, 1, 2, 0))
    assert refused == [e.AnswerRefused(WANG, 12, "", "the conversation is closed")]
    thread.post("t1", 2)
    thread.assign(WANG)
    with pytest.raises(Unchangeable):
        thread.do(c.ChangeMessage(WANG))


# --- what waits for a platform ---------------------------------------------------------------------------------------


def test_what_waits_is_never_sent_once_it_is_taken_back() -> None:
    rig = Rig(BOTH)
    first, second = rig.answer("one"), rig.answer("two")
    rig.attempt()
    (recalled,) = change(rig)
    assert recalled == e.MessageRecalled(second, second, "小安", "two", ANN, 12)
    assert rig.told[-1] == (ANN, c.TellChanged(ME, 12, "two"))
    rig.verdict()
    assert conversation.next_due(rig.state) is None
    assert rig.state.answers[-1].seq == first


@pytest.mark.parametrize("limits", [Limits(), BOTH], ids=["channel that cannot", "channel that can"])
def test_what_waits_is_sent_once_in_its_new_words(limits: Limits) -> None:
    rig = Rig(limits)
    rig.answer("one")
    rig.attempt()
    seq, third = rig.answer("two"), rig.answer("three")
    (corrected,) = change(rig, "2", seq)
    assert isinstance(corrected, e.MessageCorrected)
    rig.verdict()
    sent = rig.deliver_all()
    assert [(attempt.text, message(attempt).refs) for attempt in sent] == [("2", (seq,)), ("three", (third,))]


def test_what_the_platform_has_put_off_waits_as_well() -> None:
    for text, left in (("", []), ("2", ["2"])):
        rig = Rig()
        rig.answer("one")
        rig.attempt()
        rig.verdict("retry", because="busy", retry_at_ms=rig.now_ms + SECOND)
        refused, dropped, done = change(rig, text)
        assert isinstance(refused, e.AttemptRefused)
        assert dropped == e.DeliveryDropped(1, ANN)
        assert isinstance(done, e.MessageRecalled | e.MessageCorrected)
        assert [command for _, command in rig.told] == [c.TellChanged(ME, 12, "one", text)], "nothing has failed"
        assert [attempt.text for attempt in rig.deliver_all()] == left


def test_a_dead_letter_is_dropped_or_goes_again_in_its_new_words() -> None:
    for text, left in (("", []), ("better", ["better"])):
        rig = Rig()
        rig.answer("rude")
        rig.attempt()
        rig.verdict("refused", because="too rude")
        dropped, _ = change(rig, text)
        assert dropped == e.DeliveryDropped(1, ANN)
        assert [attempt.text for attempt in rig.deliver_all()] == left


# --- what a platform has ---------------------------------------------------------------------------------------------


def test_a_correction_replaces_what_was_sent_and_is_said_to_be_one_when_it_is() -> None:
    rig = Rig(BOTH)
    seq = answered(rig)
    rig.told.clear()
    (begun,) = change(rig, "八点")
    assert isinstance(begun, e.ChangeBegun)
    assert rig.told == [], "it is not done yet"
    attempt = rig.attempt()
    assert (attempt.text, message(attempt).replaces, message(attempt).refs) == ("八点", "r1", (seq,))
    assert attempt.attempt == 2
    sent, corrected = take(rig, "r1")
    assert sent == e.AttemptSent(2, "r1")
    assert corrected == e.MessageCorrected(seq, seq, "八点", "小安", "七点", (), to=ANN, no=12)
    assert rig.told == [(ANN, c.TellChanged(ME, 12, "七点", "八点"))]


def test_the_next_change_names_the_receipt_that_the_last_one_got() -> None:
    rig = Rig(BOTH)
    answered(rig)
    change(rig, "八点")
    rig.attempt()
    take(rig, "other")
    change(rig, "九点")
    assert message(rig.attempt()).replaces == "other"


def test_all_parts_are_taken_back_in_their_order_and_then_it_is_gone() -> None:
    rig = Rig(BOTH)
    seq = answered(rig, "好" * 450)
    change(rig)
    assert list(changing(rig)) == [("r1", ""), ("r2", ""), ("r3", "")]
    recalled = [record.event for record in rig.log if isinstance(record.event, e.MessageRecalled)]
    assert [event.ref for event in recalled] == [seq]
    assert isinstance(rig.log[-1].event, e.MessageRecalled)


def test_a_shorter_text_takes_the_parts_back_that_it_does_not_need() -> None:
    rig = Rig(BOTH)
    answered(rig, "好" * 450)
    change(rig, "短")
    assert list(changing(rig)) == [("r1", "短"), ("r2", ""), ("r3", "")]
    change(rig, "再短")
    assert list(changing(rig)) == [("r1", "再短")]


def test_files_are_taken_back_with_their_text_and_keep_it_from_being_corrected() -> None:
    rig = Rig(BOTH)
    answered(rig, "look", (PICTURE,))
    assert refusal(change(rig, "see")) == "telegram 不能更正带图片或文件的消息：请先撤回，再重新发送"
    change(rig)
    assert list(changing(rig)) == [("r1", ""), ("r2", "")]


def test_a_part_that_was_refused_is_dropped_and_the_others_are_taken_back() -> None:
    rig = Rig(BOTH)
    seq = rig.answer("好" * 450)
    rig.attempt()
    take(rig)
    rig.attempt()
    rig.verdict("refused", because="no")
    assert refusal(change(rig, "短")) == "只送达了一部分：请先撤回，再重新发送"
    dropped, begun = change(rig)
    assert (type(dropped), type(begun)) == (e.DeliveryDropped, e.ChangeBegun)
    assert list(changing(rig)) == [("r1", "")]
    assert rig.log[-1].event == e.MessageRecalled(seq, seq, "小安", "好" * 12 + "…", ANN, 12)


def test_parts_that_wait_for_their_turn_are_not_sent_any_more() -> None:
    rig = Rig(BOTH)
    rig.answer("好" * 450)
    rig.attempt()
    take(rig)
    change(rig)
    assert list(changing(rig)) == [("r1", "")]


def test_an_unknown_outcome_of_a_change_is_tried_again_though_the_platform_knows_no_repeats() -> None:
    rig = Rig(BOTH)
    answered(rig)
    change(rig, "八点")
    first = rig.attempt()
    (delayed,) = rig.verdict("unknown", because="reset")
    assert isinstance(delayed, e.AttemptDelayed)
    assert refusal(change(rig)) == "它正在发送，请稍后再试"
    rig.now_ms = delayed.retry_at_ms
    again = rig.attempt()
    assert (again.text, again.message, again.tries) == (first.text, first.message, 2)
    (delayed,) = conversation.resume(rig.state, rig.now_ms)
    assert isinstance(delayed, e.AttemptDelayed), "a new owner repeats it, too"


def test_a_change_that_waits_or_was_refused_makes_room_for_the_next_one() -> None:
    rig = Rig(BOTH)
    seq = answered(rig)
    change(rig, "八点")
    change(rig, "九点")
    rig.attempt()
    (refused,) = rig.verdict("refused", because="too old")
    assert isinstance(refused, e.AttemptRefused)
    assert (refused.text, refused.refs, refused.changes, refused.agent) == ("九点", (seq,), True, ANN)
    assert rig.told[-1] == (ANN, c.TellUndelivered(ME, 12, "九点", "too old", changes=True))
    frame = agent_view(rig.log[-1])
    assert frame is not None
    assert (frame.kind, frame.refs) == ("unchanged", (seq,))
    dropped, begun = change(rig, "十点")
    assert (type(dropped), type(begun)) == (e.DeliveryDropped, e.ChangeBegun)
    assert list(changing(rig)) == [("r1", "十点")]


def test_a_change_is_no_answer_that_counts_against_the_window() -> None:
    rig = Rig(Limits(replies=1, edits_ms=HOUR))
    answered(rig)
    change(rig, "八点")
    assert list(changing(rig)) == [("r1", "八点")]
    assert rig.state.outbox is not None
    assert rig.state.outbox.answered == 1


# --- what cannot be done ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "text", "because"),
    [
        (Limits(), "", "telegram 不能撤回已发出的消息"),
        (Limits(recalls_ms=HOUR), "八点", "telegram 不能更正已发出的消息"),
        (Limits(edits_ms=HOUR), "", "telegram 不能撤回已发出的消息"),
        (BOTH, "好" * 201, "新的文字要分 2 条，原来是 1 条：请先撤回，再重新发送"),
    ],
)
def test_what_the_channel_cannot_do_is_said_in_plain_words_and_changes_nothing(
    limits: Limits, text: str, because: str
) -> None:
    rig = Rig(limits)
    answered(rig)
    rig.told.clear()
    assert refusal(change(rig, text)) == because
    assert rig.told == [(ANN, c.TellRefused(ME, 12, text, because))]
    assert conversation.next_due(rig.state) is None
    with pytest.raises(Unchangeable, match=because):
        rig.do(c.ChangeMessage(ANN, text))


def test_after_its_time_it_stands() -> None:
    rig = Rig(BOTH)
    answered(rig)
    rig.now_ms = NOON + HOUR
    assert isinstance(change(rig)[0], e.ChangeBegun)
    rig.now_ms += 1
    assert refusal(change(rig)) == "发出太久了，telegram 不能再撤回"
    (refused,) = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused), "the one that was begun in time is not asked for any more"
    assert (refused.because, refused.changes) == ("发出太久了，telegram 不能再撤回", True)


def test_its_time_is_counted_from_the_first_try_that_may_have_arrived() -> None:
    rig = Rig(msgspec.structs.replace(BOTH, resend_ms=2 * HOUR))
    rig.answer("one")
    rig.attempt()
    (delayed,) = rig.verdict("unknown", because="reset")
    assert isinstance(delayed, e.AttemptDelayed)
    rig.now_ms = NOON + HOUR
    rig.attempt()
    take(rig)
    rig.now_ms += 1
    assert refusal(change(rig)) == "发出太久了，telegram 不能再撤回"


def test_while_it_is_being_sent_nobody_knows_what_to_change() -> None:
    rig = Rig(BOTH)
    rig.answer("one")
    rig.attempt()
    assert refusal(change(rig)) == "它正在发送，请稍后再试"
    take(rig)
    assert isinstance(change(rig)[0], e.ChangeBegun)


def test_what_may_have_arrived_without_a_receipt_cannot_be_taken_back() -> None:
    rig = Rig(BOTH)
    rig.answer("one")
    rig.attempt()
    rig.verdict("unknown", because="reset")
    assert refusal(change(rig)) == "平台没有确认是否送达，不能更改"
    rig.answer("two")
    rig.attempt()
    rig.verdict()
    assert refusal(change(rig)) == "telegram 没有给出这条消息的编号，不能更改"


@pytest.mark.parametrize("decision", [c.RetryDelivery(1, "admin"), c.DropDelivery(1, "admin")])
def test_what_may_have_arrived_cannot_be_taken_back_whatever_became_of_its_dead_letter(decision: AnyCommand) -> None:
    rig = Rig(BOTH)
    seq = rig.answer("one")
    rig.attempt()
    rig.verdict("unknown", because="reset")
    rig.do(decision)
    assert refusal(change(rig, seq=seq)) == "平台没有确认是否送达，不能更改"
    if isinstance(decision, c.RetryDelivery):
        rig.attempt()
        take(rig)
        assert refusal(change(rig, "two", seq)) == "平台没有确认是否送达，不能更改"


def test_a_message_of_which_some_receipts_are_forgotten_is_not_taken_back_in_part() -> None:
    rig = Rig(BOTH)
    first, second, *_ = [answered(rig, "好" * 200 * RECEIPTS_OF_ONE) for _ in range(CHANGEABLE)]
    assert RECEIPTS_OF_ONE * CHANGEABLE > RECEIPTS
    assert refusal(rig.relay(c.ChangeMessage(ANN, seq=first))) == "发出太久了，不能再撤回"
    rig.relay(c.ChangeMessage(ANN, seq=second))
    assert len(list(changing(rig))) == RECEIPTS_OF_ONE


def test_a_message_of_more_parts_than_receipts_are_kept_is_not_taken_back_at_all() -> None:
    rig = Rig(BOTH)
    rig.answer("好" * 200 * (RECEIPTS + 9))
    for n in range(1, RECEIPTS + 9):
        rig.attempt()
        take(rig)
        if n > RECEIPTS:
            assert refusal(change(rig)) == "发出太久了，不能再撤回"
    rig.attempt()
    rig.verdict("refused", because="no")
    assert refusal(change(rig, "短")) == "发出太久了，不能再更正"


def test_what_went_in_one_text_with_others_cannot_be_changed_alone() -> None:
    rig = Rig(Limits(fold_ms=SECOND, max_text=500, edits_ms=HOUR, recalls_ms=HOUR))
    rig.answer("one")
    rig.answer("two")
    rig.now_ms += SECOND
    rig.attempt()
    take(rig)
    assert refusal(change(rig)) == "它已和别的消息合成一条发出，不能单独更改"
