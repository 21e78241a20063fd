"""The intake of a channel: what came in and nobody could read, kept as it was until a fix lets it be replayed."""

import hashlib

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.refusals import NotFound, Repeated

LATEST = 256
"""So many inputs are known again: a worker that takes over a spool offers what may have been kept already."""


class Intake(msgspec.Struct, gc=False):
    """State of one channel's intake; the raw input itself stays in the log and in the history."""

    id: str
    seq: int = 0
    unparsed: int = 0
    latest: list[int] = []
    """Hashes of the last inputs, the newest last."""


def new(entity: str) -> Intake:
    """An intake that has kept nothing yet."""
    return Intake(entity)


def decide(state: Intake, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The only command is KeepUnparsed. Raises Repeated for the very same input."""
    match command:
        case c.KeepUnparsed(because=because, raw=raw):
            if _hash(because, raw) in state.latest:
                raise Repeated(0)
            return [e.Unparsed(because, raw)]
    raise NotFound(f"an intake does not know {type(command).__name__}")


def evolve(state: Intake, record: Record, origin: Origin | None = None) -> None:
    """Count what was kept."""
    state.seq = record.seq
    if isinstance(record.event, e.Unparsed):
        state.unparsed += 1
        state.latest.append(_hash(record.event.because, record.event.raw))
        del state.latest[:-LATEST]


def _hash(because: str, raw: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{because}\0{raw}".encode(), digest_size=8).digest(), "big")


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """Nobody else has to know."""
    return []
