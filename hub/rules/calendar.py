"""Hours as people write them in teams.yaml: days or dates on the left, times of work on the right."""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

from hub.domain.hours import MINUTES
from hub.domain.teams import Span

Day = TypeVar("Day", bound=Hashable)
Times = tuple[Span, ...]

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_NAMES = rf"daily|(?:{'|'.join(DAYS)})(?:-(?:{'|'.join(DAYS)}))?"
CLOSED = "closed"
LONGEST_DAYS = 366
"""Of one range of dates."""

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-–—]\s*(\d{1,2}):(\d{2})")
_DATES = re.compile(r"(2\d{3}-\d{2}-\d{2})(?:\.\.(2\d{3}-\d{2}-\d{2}))?")


def times_of(text: object) -> Times:
    """The times of work in "09:00-12:00, 13:30-18:00", none in "closed"; an end before its beginning is over midnight.

    Raises ValueError with what is wrong.
    """
    if not isinstance(text, str):
        given = "nothing (in braces, times with a comma stand in quotes)" if text is None else text
        raise ValueError(f"must be times of work like 09:00-12:00, 13:30-18:00, or {CLOSED}, not {given}")  # noqa: TRY004 (pydantic reports only these)
    if text.strip() == CLOSED:
        return ()
    parts = re.split("[,、]", unicodedata.normalize("NFKC", text))
    spans = sorted((_span(part.strip()) for part in parts), key=lambda span: span.start)
    for before, after in itertools.pairwise(spans):
        if after.start < before.end:
            raise ValueError(f"{shown(after)} begins before {shown(before)} has ended: make one of them")
    return tuple(spans)


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text:.40}" is no time of work: write 09:00-18:00, several with a comma, or {CLOSED}')
    start, end = (int(hour) * 60 + int(minute) for hour, minute in ((found[1], found[2]), (found[3], found[4])))
    if int(found[2]) > 59 or int(found[4]) > 59 or start >= MINUTES or end > MINUTES:
        raise ValueError(f'"{text}" is no time of work: a day has 00:00 to 23:59, and ends at 24:00')
    if start == end:
        raise ValueError(f"{text} ends where it begins: a whole day is 00:00-24:00, none is {CLOSED}")
    return Span(start, end if end > start else end + MINUTES)


def shown(span: Span) -> str:
    """The span as it is written."""
    end = span.end if span.end <= MINUTES else span.end - MINUTES
    return f"{clock(span.start)}-{clock(end)}"


def clock(minutes: int) -> str:
    """A time of day as it is written."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def days_of(name: str) -> tuple[int, ...]:
    """The days of the week, 0 is Monday, that "fri", "mon-fri", "sat-mon" or "daily" names. Raises ValueError."""
    if name == "daily":
        return tuple(range(7))
    if re.fullmatch(DAY_NAMES, name) is None:
        raise ValueError(f'"{name}" names no days: write {", ".join(DAYS)}, two with - between, or daily')
    first, _, last = name.partition("-")
    start = DAYS.index(first)
    length = (DAYS.index(last or first) - start) % 7 + 1
    return tuple((start + day) % 7 for day in range(length))


def dates_of(name: str) -> tuple[str, ...]:
    """The dates that "2026-10-01" or "2026-10-01..2026-10-07" names, in this form. Raises ValueError."""
    found = _DATES.fullmatch(name)
    try:
        first, last = (datetime.date.fromisoformat(date) for date in (found[1], found[2] or found[1]))  # type: ignore[index]
    except (TypeError, ValueError):
        raise ValueError(f'"{name:.40}" is no date: write 2026-10-01, or 2026-10-01..2026-10-07 for a range') from None
    count = (last - first).days + 1
    if not 1 <= count <= LONGEST_DAYS:
        what = "ends before it begins" if count < 1 else f"is longer than {LONGEST_DAYS} days"
        raise ValueError(f"{name} {what}: write the first day, two dots, the last day")
    return tuple((first + datetime.timedelta(days=day)).isoformat() for day in range(count))


def settled(entries: Mapping[str, Times], expand: Callable[[str], Sequence[Day]]) -> dict[Day, Times]:
    """The times of each day that is named: those of the narrowest name, of `fri` before `mon-fri` before `daily`."""
    days: dict[Day, Times] = {}
    for name, times in sorted(entries.items(), key=lambda entry: -len(expand(entry[0]))):
        days.update(dict.fromkeys(expand(name), times))
    return days


def clashes(names: Sequence[str], expand: Callable[[str], Sequence[Day]]) -> Iterator[tuple[str, str]]:
    """Names, each with the one before it, that have days in common and neither is the narrower."""
    known = [(name, frozenset(expand(name))) for name in names]
    for (first, days), (second, others) in itertools.combinations(known, 2):
        if days & others and not (days < others or others < days):
            yield second, first


def runs_into(weekly: Sequence[Times]) -> str | None:
    """The first times after midnight that meet those of the next day, in words; None where all end before."""
    for day, times in enumerate(weekly):
        tomorrow = weekly[(day + 1) % 7]
        if times and tomorrow and times[-1].end - MINUTES > tomorrow[0].start:
            next_day = DAYS[(day + 1) % 7]
            return f"{DAYS[day]} {shown(times[-1])} lasts into {next_day} {shown(tomorrow[0])}"
    return None
