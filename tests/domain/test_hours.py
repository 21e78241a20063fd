"""Calendars against a clock: by hand on the nights that are hard, and all of them against a walk minute by minute."""

import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.hours import HORIZON_DAYS, in_words, length_ms, odd_edges, opens_at, state_at
from hub.domain.teams import Hours, Span

OFFICE = (Span(540, 720), Span(810, 1080))
WEEKDAYS = Hours("Asia/Shanghai", (OFFICE,) * 5 + ((), ()))
NIGHT_GUARD = (Span(60, 300),)


def ms(text: str, zone: str = "UTC") -> int:
    return round(datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1000)


def at(hours: Hours, moment: str) -> tuple[bool, str | None]:
    """`state_at` at a moment in UTC, the change in UTC too."""
    is_open, changes = state_at(hours, ms(moment))
    if changes is None:
        return is_open, None
    return is_open, datetime.datetime.fromtimestamp(changes / 1000, datetime.UTC).strftime("%m-%d %H:%M")


def daily(zone: str, *spans: Span) -> Hours:
    return Hours(zone, (spans,) * 7)


@pytest.mark.parametrize(
    ("hours", "moment", "state"),
    [
        (WEEKDAYS, "2026-11-26 00:59", (False, "11-26 01:00")),
        (WEEKDAYS, "2026-11-26 01:00", (True, "11-26 04:00")),
        (WEEKDAYS, "2026-11-26 04:00", (False, "11-26 05:30")),
        (WEEKDAYS, "2026-11-27 10:00", (False, "11-30 01:00")),
        (daily("UTC", Span(1320, 1800)), "2026-11-26 05:59", (True, "11-26 06:00")),
        (daily("UTC", Span(1320, 1800)), "2026-11-26 23:00", (True, "11-27 06:00")),
        (daily("UTC", Span(0, 720), Span(720, 1439)), "2026-11-26 11:00", (True, "11-26 23:59")),
        (daily("UTC", Span(0, 1440)), "2026-11-26 11:00", (True, None)),
        (daily("UTC"), "2026-11-26 11:00", (False, None)),
    ],
)
def test_a_plain_day(hours: Hours, moment: str, state: tuple[bool, str | None]) -> None:
    assert at(hours, moment) == state


def test_a_date_stands_in_place_of_its_day_of_the_week() -> None:
    holidays = Hours("Asia/Shanghai", WEEKDAYS.weekly, {"2026-11-27": (), "2026-11-28": (Span(600, 660),)})
    assert at(holidays, "2026-11-26 10:00") == (False, "11-28 02:00")
    assert at(holidays, "2026-11-28 02:30") == (True, "11-28 03:00")


def test_a_holiday_does_not_end_the_night_that_began_the_day_before() -> None:
    holiday = Hours("UTC", ((Span(1320, 1800),),) * 7, {"2026-11-27": ()})
    assert at(holiday, "2026-11-26 23:00") == (True, "11-27 06:00")
    assert at(holiday, "2026-11-27 06:00") == (False, "11-28 22:00")


def test_where_the_clock_is_set_back_a_span_over_that_hour_is_longer() -> None:
    assert at(daily("Europe/Berlin", *NIGHT_GUARD), "2026-10-24 23:00") == (True, "10-25 04:00")
    assert at(daily("Europe/Berlin", *NIGHT_GUARD), "2026-10-25 23:30") == (False, "10-26 00:00")


def test_an_edge_that_the_clock_shows_twice_counts_the_first_time() -> None:
    early, late = daily("Europe/Berlin", Span(60, 150)), daily("Europe/Berlin", Span(150, 300))
    assert at(early, "2026-10-24 23:00") == (True, "10-25 00:30")
    assert at(early, "2026-10-25 01:15") == (False, "10-26 00:00")
    assert at(late, "2026-10-25 00:29") == (False, "10-25 00:30")
    assert at(late, "2026-10-25 01:15") == (True, "10-25 04:00")


def test_where_the_clock_jumps_a_span_over_the_gap_is_shorter() -> None:
    assert at(daily("Europe/Berlin", *NIGHT_GUARD), "2026-03-29 00:00") == (True, "03-29 03:00")


def test_an_edge_in_the_gap_is_the_moment_of_the_jump() -> None:
    assert at(daily("Europe/Berlin", Span(60, 150)), "2026-03-29 00:30") == (True, "03-29 01:00")
    assert at(daily("Europe/Berlin", Span(150, 300)), "2026-03-29 00:30") == (False, "03-29 01:00")


def test_a_span_that_lies_in_the_gap_is_left_out_and_a_break_there_is_none() -> None:
    assert at(daily("Europe/Berlin", Span(130, 170)), "2026-03-28 12:00") == (False, "03-30 00:10")
    assert at(daily("Europe/Berlin", Span(60, 130), Span(170, 300)), "2026-03-29 00:30") == (True, "03-29 03:00")


def test_a_span_lasts_as_long_as_the_clock_takes() -> None:
    nights = {"2026-03-28": 240, "2026-03-29": 180, "2026-10-25": 300}
    assert {date: length_ms("Europe/Berlin", date, NIGHT_GUARD[0]) // 60_000 for date in nights} == nights
    assert length_ms("Europe/Berlin", "2026-03-29", Span(130, 170)) == 0


def test_edges_that_a_clock_shows_twice_or_jumps_over_are_found_within_a_year() -> None:
    hours = daily("Europe/Berlin", Span(60, 150), Span(150, 165), Span(600, 900))
    found = [(f"{shown:%m-%d %H:%M}", twice) for shown, twice in odd_edges(hours, ms("2026-11-26"))]
    assert found == [("03-28 02:45", False), ("10-31 02:45", True)]  # at 02:30 it only goes on
    assert list(odd_edges(daily("Asia/Shanghai", Span(60, 150)), ms("2026-11-26"))) == []


def test_a_day_that_a_zone_left_out_is_left_out() -> None:
    assert at(daily("Pacific/Apia", Span(540, 600)), "2011-12-29 20:30") == (False, "12-30 19:00")


def test_the_next_opening_is_now_while_it_is_open_and_is_not_sought_for_ever() -> None:
    assert opens_at(WEEKDAYS, now := ms("2026-11-26 01:30")) == now
    assert opens_at(WEEKDAYS, ms("2026-11-28 01:30")) == ms("2026-11-30 01:00")
    once = Hours("UTC", ((),) * 7, {"2030-01-01": (Span(0, 60),)})
    assert opens_at(once, ms("2026-11-28 01:30")) is None
    assert opens_at(once, ms("2029-11-28 01:30")) == ms("2030-01-01")
    assert state_at(once, ms("2030-01-01")) == (True, ms("2030-01-01 01:00"))


@pytest.mark.parametrize(
    ("hours", "chinese", "english"),
    [
        (WEEKDAYS, "周一至周五 09:00–12:00、13:30–18:00", "Mon–Fri 09:00–12:00, 13:30–18:00"),
        (daily("UTC", Span(0, 1440)), "每天 24 小时", "Daily 24 hours"),
        (daily("UTC", Span(1320, 1800)), "每天 22:00–次日 06:00", "Daily 22:00–06:00"),
        (daily("UTC", Span(1080, 1440)), "每天 18:00–24:00", "Daily 18:00–24:00"),
        (daily("UTC"), "", ""),
        (
            Hours("UTC", (OFFICE[:1], (), OFFICE[:1], OFFICE[:1], (), OFFICE[1:], ())),
            "周一 09:00–12:00；周三、周四 09:00–12:00；周六 13:30–18:00",
            "Mon 09:00–12:00; Wed, Thu 09:00–12:00; Sat 13:30–18:00",
        ),
    ],
)
def test_hours_in_words(hours: Hours, chinese: str, english: str) -> None:
    assert (in_words(hours), in_words(hours, english=True)) == (chinese, english)


# --- any calendar, against a walk along the zone's clock --------------------------------------------------------------

HARD_NIGHTS = {
    "Europe/Berlin": ["2026-03-29", "2026-10-25"],
    "America/New_York": ["2026-03-08", "2026-11-01"],
    "Australia/Lord_Howe": ["2026-04-05", "2026-10-04"],  # by half an hour
    "America/Havana": ["2026-03-08", "2026-11-01"],  # 00:00 is left out, and comes twice
    "America/Santiago": ["2026-04-05", "2026-09-06"],  # 24:00 is 23:00
    "Africa/Casablanca": ["2026-02-15", "2026-03-22"],
    "Pacific/Apia": ["2011-12-30"],  # a whole day
    "Asia/Kathmandu": ["2026-05-01"],
}


@st.composite
def calendars(draw: st.DrawFn) -> tuple[Hours, datetime.datetime]:
    zone = draw(st.sampled_from(sorted(HARD_NIGHTS)))
    night = datetime.date.fromisoformat(draw(st.sampled_from(HARD_NIGHTS[zone])))
    edge = st.one_of(st.integers(0, 48).map(lambda half: half * 30), st.integers(0, 1440), st.integers(0, 300))

    def day() -> tuple[Span, ...]:
        edges = sorted({minute for minute in draw(st.lists(edge, max_size=6)) if minute < 1440})
        spans = [Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
        if len(edges) % 2:  # over midnight, at most until it began
            spans.append(Span(edges[-1], edges[-1] + draw(st.integers(1, 1440))))
        return tuple(spans)

    weekly = tuple(day() for _ in range(7))
    dates = {
        (night + datetime.timedelta(days=offset)).isoformat(): day() for offset in draw(st.sets(st.integers(-2, 2)))
    }
    begin = datetime.datetime.combine(night, datetime.time(), datetime.UTC) - datetime.timedelta(days=1)
    return Hours(zone, weekly, dates), begin


def walked(hours: Hours, begin: datetime.datetime, minutes: int) -> list[bool]:
    """Whether it is open, minute by minute, by a clock that stands still where it is set back."""
    zone, states = ZoneInfo(hours.zone), []
    highest = datetime.datetime.min
    for minute in range(-180, minutes):
        now = begin + datetime.timedelta(minutes=minute)
        highest = max(highest, now.astimezone(zone).replace(tzinfo=None))
        if minute >= 0:
            states.append(any(is_within(hours, highest, days) for days in (0, 1, 2)))
    return states


def is_within(hours: Hours, clock: datetime.datetime, days_ago: int) -> bool:
    """Whether the clock stands in a span that began so many days ago."""
    day = clock.date() - datetime.timedelta(days=days_ago)
    since = (clock - datetime.datetime.combine(day, datetime.time())).total_seconds() / 60
    spans = hours.dates.get(day.isoformat(), hours.weekly[day.weekday()])
    return any(span.start <= since < span.end for span in spans)


@given(calendars())
@settings(max_examples=100, deadline=None)
def test_any_calendar_agrees_with_a_walk_along_the_clock(case: tuple[Hours, datetime.datetime]) -> None:
    hours, begin = case
    states = walked(hours, begin, 3 * 1440)
    now = first = round(begin.timestamp() * 1000)
    told: list[bool] = []
    while len(told) < len(states):
        is_open, changes = state_at(hours, now)
        assert opens_at(hours, now) == (now if is_open else changes)
        now = changes or now + (HORIZON_DAYS + 4) * 86_400_000
        told += [is_open] * ((now - first) // 60_000 - len(told))
    assert told[: len(states)] == states
