"""What the workers read."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain import events as e
from hub.domain.batch import decode_record
from hub.domain.messages import Profile
from hub.history import database
from hub.history.models import EVENTS
from hub.history.projector import Position, Rows, project
from hub.history.queries import History
from hub.history.writer import Writer
from tests.history.batches import batch, record


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
