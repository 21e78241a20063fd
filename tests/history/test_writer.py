"""The writer: no order of reading the log changes the tables, and no two writers write the same."""

import asyncio
import contextlib
import random
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain import events as e
from hub.domain.messages import Profile
from hub.history.models import CONVERSATIONS, DELIVERIES, EVENTS, POSITIONS, UNPARSED
from hub.history.projector import Position, Rows, project
from hub.history.writer import Overtaken, Writer
from tests.history.batches import BATCHES, batch, record

ALL = (EVENTS, CONVERSATIONS, DELIVERIES, UNPARSED, POSITIONS)
Tables = dict[str, list[tuple[Any, ...]]]


async def tables(engine: AsyncEngine) -> Tables:
    async with engine.connect() as connection:
        return {table.name: sorted(tuple(row) for row in await connection.execute(table.select())) for table in ALL}


async def written(engine: AsyncEngine, runs: list[list[int]]) -> Tables:
    """The tables after transactions that each hold the batches with these indices."""
    async with engine.begin() as connection:
        for table in ALL:
            await connection.execute(table.delete())
    writer = Writer(engine, 1)
    for run in runs:
        await writer.load()  # as somebody who goes on from wherever the log is read
        await writer.store(read(*run))
    return await tables(engine)


def read(*run: int) -> Rows:
    rows = Rows()
    for index in run:
        rows.add(project(0, index + 1, BATCHES[index]))
    return rows


def cuts(rng: random.Random) -> list[list[int]]:
    """A reading in order, in transactions of any size."""
    runs: list[list[int]] = [[]]
    for index in range(len(BATCHES)):
        if rng.random() < 0.5:
            runs.append([])
        runs[-1].append(index)
    return runs


@pytest.mark.parametrize("seed", range(12))
async def test_reading_again_from_anywhere_gives_the_same_rows(engine: AsyncEngine, seed: int) -> None:
    once = await written(engine, [list(range(len(BATCHES)))])
    rng = random.Random(seed)
    runs = cuts(rng)
    for _ in range(rng.randrange(4)):  # a follower that starts again somewhere, and may not come to the end
        start, end = sorted(rng.sample(range(len(BATCHES) + 1), 2))
        runs += [[index for index in run if start <= index < end] for run in cuts(rng)]
    again = await written(engine, [*runs, [len(BATCHES) - 1]])
    assert again == once
    assert len(again["deliveries"]) == 4
    assert len(again["unparsed"]) == 1
    assert again["positions"] == [(0, len(BATCHES), 1, "")]


async def test_of_two_writers_one_is_overtaken_and_leaves_nothing(engine: AsyncEngine) -> None:
    first, second = Writer(engine, 2), Writer(engine, 2)
    assert await first.load() == await second.load() == {0: Position(0, 0), 1: Position(0, 0)}
    await first.store(read(0, 1))
    before = await tables(engine)
    late = read(0, 1, 2)
    late.positions[1] = Position(9, 1)
    with pytest.raises(Overtaken):
        await second.store(late)
    assert await tables(engine) == before
    await second.load()
    await second.store(read(2))
    with pytest.raises(Overtaken):
        await first.store(read(2))


async def test_of_many_writers_at_once_each_batch_is_written_by_one(engine: AsyncEngine) -> None:
    async def follow() -> int:
        writer, stored = Writer(engine, 1), 0
        while (at := (await writer.load())[0].seq) < len(BATCHES):
            with contextlib.suppress(Overtaken):
                await writer.store(read(at))
                stored += 1
        return stored

    assert sum(await asyncio.gather(*(follow() for _ in range(4)))) == len(BATCHES)


async def test_what_fails_half_way_leaves_nothing(engine: AsyncEngine) -> None:
    writer = Writer(engine, 1)
    await writer.load()
    before = await tables(engine)
    broken = read(0, 1)
    broken.events.append(("c0-a", "no number", b""))  # type: ignore[arg-type]
    broken.events.append(("c0-a", None, b""))  # type: ignore[arg-type]
    with pytest.raises(Exception, match=r"."):
        await writer.store(broken)
    assert await tables(engine) == before


async def test_a_delivery_is_written_column_by_column_as_events_tell_it(engine: AsyncEngine) -> None:
    writer = Writer(engine, 1)
    await writer.load()
    for index in range(len(BATCHES)):
        await writer.store(read(index))
    shown = (
        "attempt, seq, state, channel, address, tries, because, began_ms, receipt, refs, part, parts, text, text_seq"
    )
    async with engine.connect() as connection:
        found = await connection.execute(text(f"SELECT {shown} FROM deliveries WHERE entity = 'p0-mail-x'"))
    refs, zhang = '["p0-mail-x/4","p0-mail-x/6"]', "zhang@example.org"
    assert sorted(map(tuple, found)) == [
        (1, 5, "failed", "mail", zhang, 2, "mailbox full", 1_000_001, "<r1>", refs, 1, 2, "first part", 1),
        (2, 7, "retried", "mail", None, 0, "too late", 1_000_006, None, refs, 2, 2, "rest", 6),
        (3, 10, "dropped", "mail", zhang, 1, "no such mailbox", 1_000_008, None, refs, 2, 2, "rest", 8),
    ]


async def test_a_name_may_hold_whatever_a_visitor_types(engine: AsyncEngine) -> None:
    writer = Writer(engine, 1)
    await writer.load()
    await writer.store(project(0, 1, batch(record("c0-a", 1, e.Opened(Profile("h5", name="\0A\u2028'\"😀"))))))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT name FROM conversations"))).scalar() == "A\u2028'\"😀"
