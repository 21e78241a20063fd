"""Ids that platforms gave to what came in: a repeat is known by its id, whoever brings it, for a week."""

import hashlib
from typing import NamedTuple

KEPT_MS = 7 * 24 * 3600 * 1000
"""So long after its arrival a repeat is recognised."""
MOST = 10_000
"""So many are kept, the latest ones."""


class Seen(NamedTuple):
    """When something arrived (Unix ms), and as which seq of the entity."""

    at_ms: int
    seq: int


OutsideIds = dict[int, Seen]
"""Hash of an id → its arrival; in the order of arrival."""


def find(ids: OutsideIds, outside_id: str) -> Seen | None:
    """The arrival of this id, if it is known."""
    return ids.get(_hash(outside_id))


def note(ids: OutsideIds, outside_id: str, at_ms: int, seq: int) -> None:
    """This id has arrived; what is too old is forgotten."""
    ids[_hash(outside_id)] = Seen(at_ms, seq)
    while ids:
        oldest = next(iter(ids))
        if len(ids) <= MOST and ids[oldest].at_ms > at_ms - KEPT_MS:
            break
        del ids[oldest]


def _hash(outside_id: str) -> int:
    """What is kept of an id: 8 bytes."""
    return int.from_bytes(hashlib.blake2b(outside_id.encode(errors="replace"), digest_size=8).digest(), "big")
