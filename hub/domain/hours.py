"""Is it open, until when, and when again: calendars (teams.Hours) against the clock of their time zone.

A time of day is the first moment at which the zone's clock shows it or something later. So a clock that is set back
stands still, as it were, until it has caught up (a shift 01:00-05:00 has an hour more that night, and no edge comes
twice), and a time that the clock jumps over is the moment of the jump (a shift that lies in the gap is left out).

Nothing further ahead than HORIZON_DAYS is looked for.
"""

import bisect
import datetime
import functools
import itertools
from collections.abc import Iterable, Iterator
from zoneinfo import ZoneInfo

from hub.domain.teams import Hours, Span

HORIZON_DAYS = 400
"""A year and its holidays."""

MINUTES = 1440
_HORIZON_MS = HORIZON_DAYS * MINUTES * 60_000
_DAY = datetime.timedelta(days=1)

_ZH_DAYS = ("周一", "周二", "周三", "周四", "周五", "周六", "周日")
_EN_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def state_at(hours: Hours, now_ms: int) -> tuple[bool, int | None]:
    """Whether it is open at `now_ms`, and when that changes next (Unix ms, UTC); None: not within HORIZON_DAYS.

    Raises zoneinfo.ZoneInfoNotFoundError for an unknown zone, which the check of the rule files lets nobody have.
    """
    start, end = next(_openings(hours, now_ms), (None, None))
    if start is None or start > now_ms:
        return False, start
    return True, end


def opens_at(hours: Hours, now_ms: int) -> int | None:
    """The next moment at which it is open (Unix ms): `now_ms` while it is, None: not within HORIZON_DAYS."""
    is_open, changes_ms = state_at(hours, now_ms)
    return now_ms if is_open else changes_ms


def length_ms(zone: str, date: str, span: Span) -> int:
    """How long the span lasts that begins on that date ("2026-10-01"): 0 where the clock jumps over it."""
    begin, end = (
        _moment(ZoneInfo(zone), datetime.date.fromisoformat(date), minutes) for minutes in (span.start, span.end)
    )
    return end - begin


def odd_edges(hours: Hours, now_ms: int) -> Iterator[tuple[datetime.datetime, bool]]:
    """The beginnings and ends ahead that the clock shows twice (True) or jumps over (False), on the zone's clock."""
    zone = ZoneInfo(hours.zone)
    first = datetime.datetime.fromtimestamp(now_ms // 1000, zone).date()
    for edge in itertools.chain.from_iterable(_joined(_in_minutes(hours, first))):
        shown = datetime.datetime.combine(first, datetime.time()) + datetime.timedelta(minutes=edge)
        early, late = _both(zone, shown)
        if early != late:
            yield shown, early < late


def in_words(hours: Hours, *, english: bool = False) -> str:
    """The hours of a usual week as people read them, on the zone's clock: "周一至周五 09:00–18:00；周六 10:00–16:00".

    Empty where only dates are named. Dates are left out: who needs the truth of a day asks `opens_at`.
    """
    days, to, comma, stop = (_EN_DAYS, "–", ", ", "; ") if english else (_ZH_DAYS, "至", "、", "；")
    runs = [(spans, list(run)) for spans, run in itertools.groupby(range(7), hours.weekly.__getitem__) if spans]
    parts = []
    for spans, run in runs:
        if len(run) == 7:
            name = "Daily" if english else "每天"
        else:
            name = days[run[0]] if len(run) == 1 else days[run[0]] + (comma if len(run) == 2 else to) + days[run[-1]]
        parts.append(f"{name} {comma.join(_span_in_words(span, english) for span in spans)}")
    return stop.join(parts)


def _span_in_words(span: Span, english: bool) -> str:
    if span == Span(0, MINUTES):
        return "24 hours" if english else "24 小时"
    next_day = "次日 " if span.end > MINUTES and not english else ""
    return f"{_clock(span.start)}–{next_day}{_clock(span.end)}"


def _clock(minutes: int) -> str:
    hour, minute = divmod(minutes if minutes <= MINUTES else minutes - MINUTES, 60)  # the end of the day is 24:00
    return f"{hour:02}:{minute:02}"


def _openings(hours: Hours, now_ms: int) -> Iterator[tuple[int, int | None]]:
    """The times at which it is open (Unix ms, half open), in order, from the one that `now_ms` is in.

    An end beyond the horizon is None.
    """
    zone = ZoneInfo(hours.zone)
    first = datetime.datetime.fromtimestamp(now_ms // 1000, zone).date() - 2 * _DAY
    on_the_clock = _joined(_in_minutes(hours, first))
    moments = ((_moment(zone, first, start), _moment(zone, first, end)) for start, end in on_the_clock)
    # Joined again, for a break may lie in a gap of the clock, as a whole span may, which then begins where it ends.
    for start_ms, end_ms in _joined((start, end) for start, end in moments if end > max(now_ms, start)):
        yield start_ms, end_ms if end_ms < now_ms + _HORIZON_MS else None


def _in_minutes(hours: Hours, first: datetime.date) -> Iterator[tuple[int, int]]:
    """The spans on the zone's clock, in minutes from midnight of the day `first`."""
    weekday = first.weekday()
    for number in range(HORIZON_DAYS + 4):
        dated = hours.dates.get((first + number * _DAY).isoformat()) if hours.dates else None
        for span in hours.weekly[(weekday + number) % 7] if dated is None else dated:
            yield number * MINUTES + span.start, number * MINUTES + span.end


def _joined(spans: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Those that touch or overlap as one; they come in the order of their beginnings."""
    start, end = None, 0
    for next_start, next_end in spans:
        if start is not None and next_start > end:
            yield start, end
            start = None
        start, end = (next_start, next_end) if start is None else (start, max(end, next_end))
    if start is not None:
        yield start, end


def _moment(zone: ZoneInfo, first: datetime.date, minutes: int) -> int:
    """The first moment (Unix ms) at which the zone's clock shows that time or a later one."""
    shown = datetime.datetime.combine(first, datetime.time()) + datetime.timedelta(minutes=minutes)
    early, late = _both(zone, shown)
    if early <= late:
        return early * 1000
    # In a gap both are only bounds: `late` still has the clock before the jump, `early` the one after it.
    moments = range(late, early)
    return (late + bisect.bisect_left(moments, shown, key=functools.partial(_shown, zone))) * 1000


def _both(zone: ZoneInfo, shown: datetime.datetime) -> tuple[int, int]:
    """What the clock's time means by the offset before a change and by that after it (PEP 495), Unix seconds."""
    early, late = shown.replace(tzinfo=zone), shown.replace(tzinfo=zone, fold=1)
    return round(early.timestamp()), round(late.timestamp())


def _shown(zone: ZoneInfo, moment: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(moment, zone).replace(tzinfo=None)
