"""What waits to leave for a visitor on a platform, as lists show it."""

import pytest

from hub.domain import commands as c
from hub.domain import conversation
from hub.domain.attempts import Queued
from hub.domain.conversation.waiting import leaves, queued
from hub.domain.messages import Limits
from tests.domain.conversation.test_outbox import ANN, HOUR, ME, NOON, SECOND, Rig

EDITS = Limits(max_text=10, unit="characters", edits_ms=HOUR, recalls_ms=HOUR)


def waiting(rig: Rig) -> list[Queued]:
    return list(queued(rig.state, rig.now_ms))


def shown(rig: Rig) -> list[tuple[str, str]]:
    return [(one.text, one.because) for one in waiting(rig)]


def test_what_has_had_no_attempt_waits_since_it_was_written_and_the_last_comes_first() -> None:
    rig = Rig()
    assert (waiting(rig), leaves(rig.state)) == ([], False)
    one = rig.answer("一")
    rig.now_ms += 5 * SECOND
    two = rig.answer("二" * 300)
    assert waiting(rig) == [
        Queued(NOON + 5 * SECOND, ME, two, "telegram", "chat-1", "二" * 200, (f"{ME}/{two}",)),
        Queued(NOON, ME, one, "telegram", "chat-1", "一", (f"{ME}/{one}",)),
    ]
    assert waiting(rig) == sorted(waiting(rig), reverse=True)
    assert leaves(rig.state)


def test_the_attempt_before_it_says_why_it_has_not_left_and_is_no_longer_one_of_them() -> None:
    rig = Rig()
    rig.answer("一")
    rig.answer("二")
    rig.attempt()
    assert shown(rig) == [("二", "attempt 1 is under way")]
    rig.verdict("retry", because="busy", retry_at_ms=NOON + SECOND)
    assert shown(rig) == [("二", "attempt 1 is tried again before it")]
    rig.now_ms += SECOND
    rig.attempt()
    rig.verdict()
    assert shown(rig) == [("二", "")]
    rig.attempt()
    assert (shown(rig), leaves(rig.state)) == ([], True)
    rig.verdict()
    assert (shown(rig), leaves(rig.state)) == ([], False)


def test_the_pace_of_the_channel_is_a_reason() -> None:
    rig = Rig(Limits(per_minute=1))
    rig.answer("一")
    rig.deliver_all()
    rig.answer("二")
    assert shown(rig) == [("二", "the channel's pace")]
    rig.now_ms += 60 * SECOND
    assert shown(rig) == [("二", "")]


def test_a_message_in_parts_is_the_next_of_them_and_none_while_that_is_on_its_way() -> None:
    rig = Rig(Limits(max_text=10, unit="characters"))
    seq = rig.answer("a" * 25)
    assert [(one.text, one.part, one.parts) for one in waiting(rig)] == [("a" * 25, 1, 1)]
    rig.attempt()
    assert waiting(rig) == []
    rig.now_ms += SECOND
    rig.verdict()
    (rest,) = waiting(rig)
    assert (rest.at_ms, rest.place, rest.part, rest.parts) == (NOON + SECOND, seq, 2, 3)
    assert rest.refs == (f"{ME}/{seq}",)


def test_a_dead_letter_waits_when_a_person_has_sent_it_again() -> None:
    rig = Rig()
    rig.answer("一")
    rig.attempt()
    rig.verdict("refused", because="no")
    assert waiting(rig) == []
    rig.now_ms += HOUR
    rig.do(c.RetryDelivery(1, "admin"))
    assert [(one.text, one.at_ms) for one in waiting(rig)] == [("一", NOON + HOUR)]


def test_what_is_corrected_waits_on_in_its_new_words_and_what_is_taken_back_does_not() -> None:
    rig = Rig(EDITS)
    one = rig.answer("一")
    two = rig.answer("二")
    rig.now_ms += SECOND
    rig.do(c.ChangeMessage(ANN, "三", seq=one))
    assert [(one.text, one.at_ms, one.place) for one in waiting(rig)] == [("二", NOON, two), ("三", NOON, one)]
    rig.do(c.ChangeMessage(ANN, seq=two))
    assert [one.text for one in waiting(rig)] == ["三"]
    rig.attempt()
    rig.verdict(receipt="r1")
    rig.do(c.ChangeMessage(ANN, "四", seq=one))
    assert [(one.text, one.at_ms, one.place) for one in waiting(rig)] == [("四", NOON + SECOND, one)]


@pytest.mark.parametrize("texts", [1, 30])
def test_none_of_those_that_stay_changes_its_place_while_others_leave(texts: int) -> None:
    rig = Rig(Limits(max_text=10, unit="characters", fold_ms=1))
    for n in range(texts):
        rig.answer(f"{n}" * (1 + n % 12))
        rig.now_ms += n % 2
    before = waiting(rig)
    assert len({(one.at_ms, one.place) for one in before}) == texts
    for _ in range(3):
        due = conversation.next_due(rig.state)
        rig.now_ms = max(rig.now_ms, due or 0)
        rig.attempt()
        rig.verdict()
        places = {one.refs: (one.at_ms, one.place) for one in waiting(rig) if one.part == 1}
        assert places.items() <= {one.refs: (one.at_ms, one.place) for one in before}.items()
        if not waiting(rig):
            return


def test_a_visitor_with_a_socket_is_waited_for_by_nothing() -> None:
    state = conversation.new("c1-x")
    assert (list(queued(state, NOON)), leaves(state)) == ([], False)
