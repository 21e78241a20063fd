"""In which order events were written: how many of them share a row, and a cursor that stands between two of them. Pure.

A row packs its events as a JSON list of entity, seq, entity, seq …
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

MOST = 500
"""So many events at most share a row."""

_decode = msgspec.json.Decoder(list[str | int]).decode
_CURSOR = re.compile(r"(\d{1,15})\.(\d{1,6})")


class Cursor(NamedTuple):
    """Behind the first `taken` events of the row at `position`."""

    position: int = 0
    taken: int = 0

    def __str__(self) -> str:
        return f"{self.position}.{self.taken}"


def parsed(text: str) -> Cursor:
    """The cursor that `str` has written; ValueError for any other text."""
    found = _CURSOR.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no cursor")
    return Cursor(int(found[1]), int(found[2]))


def packed(places: Iterable[tuple[str, int]]) -> Iterator[bytes]:
    """The rows for events in this order."""
    flat = [part for place in places for part in place]
    for start in range(0, len(flat), 2 * MOST):
        yield msgspec.json.encode(flat[start : start + 2 * MOST])


def between(rows: Sequence[tuple[int, bytes]], after: Cursor, limit: int) -> tuple[list[tuple[str, int]], Cursor]:
    """The first `limit` events behind `after` in rows that follow each other, and the cursor behind them."""
    places: list[tuple[str, int]] = []
    for position, row in rows:
        flat = _decode(row)
        first = 2 * after.taken if position == after.position else 0
        part = flat[first : first + 2 * (limit - len(places))]
        places += zip(part[::2], part[1::2], strict=True)  # type: ignore[arg-type]
        after = Cursor(position, (first + len(part)) // 2)
        if len(places) == limit:
            break
    return places, after
