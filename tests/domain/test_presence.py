"""Whether an agent works: a table of situations, with the time as an argument."""

import datetime

import pytest

from hub.domain.presence import Duty, Presence, duty, has_answered, has_missed, has_said, said_until
from hub.domain.teams import Hours, Span

WORK = (Span(9 * 60, 12 * 60), Span(13 * 60 + 30, 18 * 60))
SHIFT = Hours("Asia/Shanghai", (WORK,) * 5 + ((),) * 2)
ALWAYS = Hours("Asia/Shanghai", ((Span(0, 1440),),) * 7)
NEVER = Hours("Asia/Shanghai", ((),) * 7)
MINUTE, HOUR = 60_000, 3_600_000


def at(when: str) -> int:
    """A moment of the week of Monday, 5 January 2026, in Shanghai: `fri 17:30`."""
    day, _, clock = when.partition(" ")
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun", "next-mon", "next-tue"].index(day)
    hour, minute = map(int, clock.split(":"))
    zone = datetime.timezone(datetime.timedelta(hours=8))
    moment = datetime.datetime(2026, 1, 5, hour, minute, tzinfo=zone) + datetime.timedelta(days=days)
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize(
    ("shift", "on", "said", "until"),
    [
        (SHIFT, True, "mon 10:00", "mon 12:00"),
        (SHIFT, True, "mon 12:30", "tue 00:30"),
        (SHIFT, True, "mon 06:00", "mon 18:00"),
        (SHIFT, True, "sat 10:00", "sat 22:00"),
        (SHIFT, False, "mon 10:00", "mon 13:30"),
        (SHIFT, False, "mon 12:30", "mon 13:30"),
        (SHIFT, False, "fri 17:30", "next-mon 09:00"),
        (None, True, "mon 10:00", "mon 22:00"),
        (None, False, "mon 10:00", None),
        (ALWAYS, True, "mon 10:00", None),
        (ALWAYS, False, "mon 10:00", None),
        (NEVER, True, "mon 10:00", "mon 22:00"),
        (NEVER, False, "mon 10:00", None),
    ],
)
def test_what_they_said_holds_until(shift: Hours | None, on: bool, said: str, until: str | None) -> None:
    assert said_until(shift, at(said), on=on) == (at(until) if until else 0)


def said(what: str, when: str, shift: Hours | None) -> Presence:
    return has_said(Presence(), "said", said_until(shift, at(when), on=what == "on"), on=what == "on")


def answered(when: str, front: str = "") -> Presence:
    return Presence(answered_ms=at(when), front_ms=at(front) if front else 0)


@pytest.mark.parametrize(
    ("known", "shift", "now", "on", "because", "until"),
    [
        (Presence(), None, "mon 10:00", False, "silent", None),
        (Presence(), SHIFT, "mon 10:00", True, "shift", "mon 12:00"),
        (Presence(), SHIFT, "mon 12:00", False, "shift", "mon 13:30"),
        (Presence(), SHIFT, "sat 10:00", False, "shift", "next-mon 09:00"),
        (Presence(), ALWAYS, "mon 10:00", True, "shift", None),
        (Presence(), NEVER, "mon 10:00", False, "shift", None),
        # what they said comes before the shift, as long as it holds
        (said("off", "mon 10:00", SHIFT), SHIFT, "mon 11:00", False, "said", "mon 13:30"),
        (said("off", "mon 10:00", SHIFT), SHIFT, "mon 13:30", True, "shift", "mon 18:00"),
        (said("on", "mon 20:00", SHIFT), SHIFT, "tue 07:59", True, "said", "tue 08:00"),
        (said("on", "mon 20:00", SHIFT), SHIFT, "tue 08:00", False, "shift", "tue 09:00"),
        (said("off", "mon 10:00", None), None, "next-tue 10:00", False, "said", None),
        (said("on", "mon 10:00", None), None, "mon 21:59", True, "said", "mon 22:00"),
        (said("on", "mon 10:00", None), None, "mon 22:00", False, "silent", None),
        # an answer speaks for those who have no shift, and have said nothing
        (answered("mon 10:00"), None, "mon 10:14", True, "answered", "mon 10:15"),
        (answered("mon 10:00"), None, "mon 10:15", False, "silent", None),
        (answered("mon 17:55"), SHIFT, "mon 18:00", False, "shift", "tue 09:00"),
        (answered("mon 10:00", "mon 10:20"), None, "mon 10:20", True, "answered", "mon 10:30"),
        (answered("mon 10:00", "mon 10:58"), None, "mon 10:59", True, "answered", "mon 11:00"),
        (answered("mon 10:00", "mon 11:30"), None, "mon 11:30", False, "silent", None),
        (Presence(front_ms=at("mon 10:00")), None, "mon 10:00", False, "silent", None),
        (has_answered(said("off", "mon 10:00", None), at("mon 10:05")), None, "mon 10:06", False, "said", None),
    ],
)
def test_somebody_is_on_duty(
    known: Presence, shift: Hours | None, now: str, on: bool, because: str, until: str | None
) -> None:
    assert duty(known, shift, at(now)) == Duty(on, because, at(until) if until else 0)  # type: ignore[arg-type]


def test_an_answer_and_a_word_end_a_row_of_missed_ones() -> None:
    missed = has_missed(has_missed(Presence()))
    assert missed.misses == 2
    assert has_answered(missed, 1).misses == 0
    assert has_said(missed, "said", 0, on=True).misses == 0
