"""The feed: every event once, in the order in which it was written, from any cursor on."""

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain import events as e
from hub.history import feed
from hub.history.feed import Cursor
from hub.history.projector import Rows, project
from hub.history.queries import History
from hub.history.writer import Writer
from tests.history.batches import BATCHES, batch, record


def test_a_cursor_is_read_back() -> None:
    assert feed.parsed(str(Cursor(7, 12))) == Cursor(7, 12)
    for text in ("", "7", "7.", "a.b", "7.1.2", "-1.0", "9" * 99 + ".0"):
        with pytest.raises(ValueError, match="is no cursor"):
            feed.parsed(text)


@pytest.mark.parametrize("limit", [1, 3, 499, 500, 501, 2000])
def test_rows_are_read_in_pieces_of_any_size(limit: int) -> None:
    places = [("c0-a", seq) for seq in range(1, 1200)]
    rows = list(enumerate(feed.packed(places), 1))
    assert len(rows) == 3
    seen, cursor = [], Cursor()
    while True:
        found, cursor = feed.between([row for row in rows if row[0] >= cursor.position], cursor, limit)
        if not found:
            break
        seen += found
    assert seen == places
    assert cursor == Cursor(3, 199)


async def test_events_come_in_the_order_in_which_they_were_written(engine: AsyncEngine, history: History) -> None:
    assert (await history.feed(Cursor(), 9), await history.tip()) == (([], Cursor()), 0)
    writer = Writer(engine, 2)
    await writer.load()
    rows = Rows()
    for seq, data in enumerate(BATCHES[:4], 1):
        rows.add(project(0, seq, data))
    await writer.store(rows)
    await writer.store(project(1, 1, batch(*(record("c1-z", seq, e.MessagePosted("", "x")) for seq in range(1, 4)))))
    seen, cursor = [], Cursor()
    while True:
        records, cursor = await history.feed(cursor, 2)
        if not records:
            break
        seen += [(one.entity, one.seq) for one in records]
    assert seen == [
        ("c0-a", 1), ("c0-a", 2), ("c0-a", 3), ("c0-a", 4), ("c0-b", 1), ("a0-li", 1), ("c0-b", 2), ("c0-a", 5),
        ("c1-z", 1), ("c1-z", 2), ("c1-z", 3),
    ]  # fmt: skip
    assert (cursor, await history.tip()) == (Cursor(2, 3), 2)
    await writer.store(project(0, 5, BATCHES[4]))
    assert [one.seq for one in (await history.feed(cursor, 99))[0]] == [6, 7, 8, 9, 10]
