"""What the workers read."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain import events as e
from hub.domain.batch import decode_record
from hub.domain.messages import Profile
from hub.errors import HistoryAway
from hub.history import database
from hub.history.feed import Cursor
from hub.history.models import EVENTS
from hub.history.projector import Position, Rows, project
from hub.history.queries import History, Place
from hub.history.writer import Writer
from tests.history.batches import BATCHES, INTAKE, PHONE, P, batch, record


@pytest.fixture
async def filled(engine: AsyncEngine) -> None:
    rows = Rows()
    rows.add(project(0, 1, batch(*(record("c0-a", seq, e.MessagePosted(f"t.{seq}", "hi")) for seq in range(1, 121)))))
    rows.add(project(0, 2, batch(record("c0-b", 1, e.Opened(Profile("h5", name="Li"))))))
    rows.add(project(5, 9, batch(record("c5-c", 500, e.Closed("a1-wang")))))
    rows.positions[6] = Position(3, 1, alarm="broken")
    writer = Writer(engine, 8)
    await writer.load()
    await writer.store(rows)


@pytest.mark.parametrize(
    ("entity", "after", "before", "limit", "seqs"),
    [
        ("c0-a", 0, 121, 50, range(71, 121)),
        ("c0-a", 0, 71, 50, range(21, 71)),
        ("c0-a", 10, 20, 50, range(11, 20)),
        ("c0-a", 10, 20, 3, range(17, 20)),
        ("c0-a", 119, 999, 50, [120]),
        ("c0-a", 5, 6, 50, []),
        ("c0-nobody", 0, 9, 50, []),
    ],
)
@pytest.mark.usefixtures("filled")
async def test_events_are_the_latest_inside_the_range_in_order(
    history: History, entity: str, after: int, before: int, limit: int, seqs: range
) -> None:
    found = [decode_record(body) for body in await history.events(entity, after, before, limit)]
    assert found == [record(entity, seq, e.MessagePosted(f"t.{seq}", "hi")) for seq in seqs]


@pytest.mark.usefixtures("filled")
async def test_conversations_come_latest_first(history: History) -> None:
    assert [(row.entity, row.seq, row.name, row.stage) for row in await history.conversations(2)] == [
        ("c5-c", 500, None, "closed"),
        ("c0-a", 120, None, None),
    ]
    assert len(await history.conversations(9)) == 3
    assert await history.concerned({"c0-b", "c5-c"}, "a1-wang", []) == set()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["c0-1", "c0-2", "c0-3", "c0-4"]),
        ({"stage": "closed"}, ["c0-3"]),
        ({"team": "sales"}, ["c0-1", "c0-2"]),
        ({"agent": "a0-wang"}, ["c0-1"]),
        ({"channel": "mail"}, ["c0-4"]),
        ({"name": "a_n"}, ["c0-3"]),
        ({"name": "三"}, ["c0-1"]),
        ({"name": "ZHAN"}, ["c0-1", "c0-2"]),
        ({"stage": "closed", "channel": "mail"}, []),
        ({"seen_by": ("a0-wang", [])}, ["c0-1"]),
        ({"seen_by": ("a0-wang", ["service"])}, ["c0-1", "c0-3"]),
    ],
)
async def test_conversations_are_those_that_are_asked_for(
    engine: AsyncEngine, history: History, wanted: dict[str, Any], found: list[str]
) -> None:
    lives: list[tuple[str, str, list[e.AnyEvent]]] = [
        ("h5", "zhang 张三", [e.QueueJoined("sales", 0, False), e.Assigned("a0-wang", "W", 1, "sales", False, "")]),
        ("h5", "Zhang", [e.QueueJoined("sales", 0, False)]),
        ("h5", "a_n", [e.QueueJoined("service", 0, False), e.Closed("a0-wang")]),
        ("mail", "ann", []),
    ]
    writer = Writer(engine, 1)
    await writer.load()
    for n, (channel, name, events) in enumerate(lives, 1):
        told = [e.Opened(Profile(channel, name=name)), *events]
        await writer.store(project(0, n, batch(*(record(f"c0-{n}", seq, one) for seq, one in enumerate(told, 1)))))
    rows = await history.conversations(9, **wanted)
    assert sorted(row.entity for row in rows) == found
    after = Place(rows[0].at_ms, rows[0].entity, rows[0].seq) if rows else None
    rest = await history.conversations(9, **wanted, after=after)
    assert [row.entity for row in rest] == [row.entity for row in rows[1:]] or not rows
    assert await history.concerned({"c0-1", "c0-2", "c0-4"}, "a0-wang", ["service"]) == {"c0-1"}


@pytest.mark.usefixtures("filled")
async def test_positions_say_how_far_and_why_no_further(history: History) -> None:
    assert [await history.position(partition) for partition in (0, 5, 7)] == [2, 9, 0]
    alarms = {partition: row.alarm for partition, row in (await history.positions()).items()}
    assert alarms == {partition: "broken" if partition == 6 else "" for partition in range(8)}


async def test_history_that_is_not_there_yet_is_empty(tmp_path: Path, history: History) -> None:
    assert await history.events("c0-a", 0, 9, 50) == []
    assert await history.position(0) == 0
    assert not (tmp_path / database.FILE).exists(), "reading must not make a file"


@pytest.mark.usefixtures("filled")
async def test_reader_is_not_disturbed_by_a_writer_at_work(engine: AsyncEngine, history: History) -> None:
    async with engine.connect() as writing:
        await writing.execute(EVENTS.delete())
        assert len(await history.events("c0-a", 0, 9, 50)) == 8


@pytest.fixture
async def told(engine: AsyncEngine) -> None:
    """The story of tests.history.batches, deliveries and all."""
    rows = Rows()
    for seq, data in enumerate(BATCHES, 1):
        rows.add(project(0, seq, data))
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(rows)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, [(P, 3), (P, 2), (P, 1), (PHONE, 1)]),
        ({"states": ("unknown", "failed")}, [(P, 1), (PHONE, 1)]),
        ({"channel": "phone"}, [(PHONE, 1)]),
        ({"entity": P, "states": ("dropped",)}, [(P, 3)]),
        ({"entity": "p0-nobody"}, []),
    ],
)
@pytest.mark.usefixtures("told")
async def test_deliveries_come_latest_first_of_those_that_are_asked_for(
    history: History, wanted: dict[str, Any], found: list[tuple[str, int]]
) -> None:
    assert [(row.entity, row.attempt) for row in await history.deliveries(50, **wanted)] == found


@pytest.mark.usefixtures("told")
async def test_a_list_goes_on_behind_the_last_row_that_was_seen(history: History) -> None:
    seen, after = [], None
    while rows := await history.deliveries(3, after=after):
        seen += [(row.entity, row.attempt) for row in rows]
        after = Place(rows[-1].at_ms, rows[-1].entity, rows[-1].attempt)
    assert seen == [(P, 3), (P, 2), (P, 1), (PHONE, 1)]
    assert await history.unparsed(9, after=Place(1_000_001, INTAKE, 1)) == []


@pytest.mark.usefixtures("told")
async def test_one_delivery_and_what_nobody_could_read(history: History) -> None:
    one = await history.delivery(PHONE, 1)
    assert one is not None
    assert (one.state, one.refs) == ("unknown", '["c0-a/4","p0-mail-x/2"]')
    assert await history.delivery(PHONE, 2) is None
    (row,) = await history.unparsed(9, channel="mail")
    assert (row.entity, row.seq, row.because) == (INTAKE, 1, "an event of type 7")
    assert await history.unparsed(9, channel="fax") == []


@pytest.mark.parametrize(("since_ms", "counted"), [(0, (1, 1)), (1_000_002, (1, 0)), (1_000_003, (0, 0))])
@pytest.mark.usefixtures("told")
async def test_dead_letters_and_unread_input_are_counted(
    history: History, since_ms: int, counted: tuple[int, int]
) -> None:
    assert await history.counts(since_ms) == counted


async def test_a_note_that_an_agent_never_got_is_no_dead_letter(engine: AsyncEngine, history: History) -> None:
    writer = Writer(engine, 1)
    await writer.load()
    lost: list[e.AnyEvent] = [
        e.Attempted(1, "phone", "wang", "你在上班 (1)", notes=1),
        e.AttemptRefused(1, "no answer", "你在上班 (1)"),
    ]
    await writer.store(project(0, 1, batch(*(record(PHONE, seq, event) for seq, event in enumerate(lost, 1)))))
    assert [row.state for row in await history.deliveries(9)] == ["refused"]
    assert await history.counts(0) == (0, 0)


@pytest.mark.parametrize(
    ("at_ms", "seq"), [(0, 1), (1_000_001, 1), (1_000_002, 2), (1_000_119, 119), (1_000_120, 120), (1_000_121, 121)]
)
@pytest.mark.usefixtures("filled")
async def test_the_first_event_at_a_moment_is_found_by_halving(history: History, at_ms: int, seq: int) -> None:
    assert await history.seq_at("c0-a", at_ms) == seq
    assert await history.seq_at("c0-nobody", at_ms) == 1


@pytest.mark.usefixtures("filled")
async def test_records_come_from_the_first_on(history: History) -> None:
    assert [one.seq for one in await history.records("c0-a", 5, 99, 3)] == [5, 6, 7]
    assert [one.seq for one in await history.records("c0-a", 119, 999)] == [119, 120]


async def test_a_message_is_found_by_what_its_platform_calls_it(engine: AsyncEngine, history: History) -> None:
    writer = Writer(engine, 1)
    await writer.load()
    posted = e.MessagePosted("", "hi", outside_id='<a"b%_@x>')
    await writer.store(project(0, 1, batch(
        record("p0-my_mail-x", 3, posted), record("c0-a", 1, posted), record("a0-li", 7, e.TextReceived("m1", "hi", 1)),
    )))  # fmt: skip
    assert await history.find("my_mail", '<a"b%_@x>') == ("p0-my_mail-x", 3)
    assert await history.find("phone", "m1") == ("a0-li", 7)
    for channel, unknown in (("mayXmail", '<a"b%_@x>'), ("my_mail", '<a"b'), ("my_mail", "m")):
        assert await history.find(channel, unknown) is None


@pytest.mark.parametrize(
    "ask",
    [
        lambda history: history.conversations(9),
        lambda history: history.concerned({"c0-a"}, "a0-wang", []),
        lambda history: history.feed(Cursor(), 9),
        lambda history: history.tip(),
        lambda history: history.deliveries(9),
        lambda history: history.delivery(P, 1),
        lambda history: history.unparsed(9),
        lambda history: history.counts(0),
        lambda history: history.records(P, 1, 9),
        lambda history: history.seq_at(P, 0),
        lambda history: history.find("mail", "x"),
    ],
)
async def test_what_a_person_asks_is_not_answered_by_nothing_while_the_history_is_away(
    history: History, ask: Callable[[History], Awaitable[object]]
) -> None:
    with pytest.raises(HistoryAway, match="the history cannot be read at this moment: "):
        await ask(history)
