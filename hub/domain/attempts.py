"""One attempt to hand something to a far side: repeated with the same bytes for as long as that does no harm.

Whoever receives from the hub, an agent's phone or a visitor on a platform, has one attempt under way at a time; the
entity that it belongs to decides what an attempt takes along, and what follows when it fails for good.
"""

from typing import NamedTuple

import msgspec

from hub.domain import events as e
from hub.domain.commands import RecordVerdict
from hub.domain.messages import Limits
from hub.domain.pace import HOUR_MS
from hub.domain.refusals import Repeated

CALL_MS = 10_000
"""A call to the platform is over by then: a repeat that sets out later might miss the end of the duplicate check."""
LONGEST_PAUSE_MS = 60_000
SHOWN = 200
"""So many characters of a text stand in a list of deliveries."""
UNCONFIRMED = "平台没有确认，可能已送达"
INTERRUPTED = "系统重启，没等到平台答复，可能已送达"


class Attempt(msgspec.Struct):
    """The one attempt that has no end yet."""

    number: int
    channel: str
    address: str
    text: str
    tries: int
    tried_ms: int
    retry_at_ms: int | None = None
    """None: a call is under way."""
    doubt_ms: int | None = None
    """When the first try began of which nobody knows whether it arrived."""


class Queued(msgspec.Struct, frozen=True, omit_defaults=True, order=True):
    """What waits for its first attempt at the entity that receives it, since `at_ms`.

    They are in the order of lists: the larger comes first. `place` tells it from all others that wait there since the
    same moment, and is the same for as long as it waits. `text` is its beginning, `refs` are the messages in it as
    conversation/seq: none in what the hub itself says to an agent. `because`: why it has not left; empty: it is due.
    """

    at_ms: int
    entity: str
    place: int
    channel: str
    address: str
    text: str
    refs: tuple[str, ...] = ()
    part: int = 1
    parts: int = 1
    because: str = ""


class Failure(NamedTuple):
    """The end of an attempt that a person has to know of. `unknown`: it may have arrived all the same."""

    because: str
    unknown: bool = False
    unreachable: bool = False


def verdict(open_: Attempt | None, command: RecordVerdict, limits: Limits, now_ms: int) -> e.AnyEvent | Failure:
    """What the platform's verdict means for the attempt. Raises Repeated for any but that of the call under way."""
    if open_ is None or open_.number != command.attempt or open_.retry_at_ms is not None:
        raise Repeated(0)
    match command.kind:
        case "sent":
            return e.AttemptSent(open_.number, command.receipt)
        case "retry":
            return e.AttemptDelayed(open_.number, command.because, max(command.retry_at_ms, now_ms + 1))
        case "unknown":
            return doubt(open_, command.because, limits, now_ms + _pause(open_.tries))
    return Failure(command.because, unreachable=command.unreachable)


def doubt(open_: Attempt, because: str, limits: Limits, retry_at_ms: int) -> e.AttemptDelayed | Failure:
    """What follows when nobody knows whether the call under way arrived: the same again, where that is recognised."""
    since_ms = open_.tried_ms if open_.doubt_ms is None else open_.doubt_ms
    if retry_at_ms >= since_ms + limits.resend_ms - CALL_MS:
        return Failure(because, unknown=True)
    return e.AttemptDelayed(open_.number, because, retry_at_ms, unknown=True)


def interrupted(open_: Attempt | None, limits: Limits, now_ms: int) -> e.AttemptDelayed | Failure | None:
    """For a new owner: a call that was under way has an unknown outcome; None: there was none."""
    if open_ is None or open_.retry_at_ms is not None:
        return None
    return doubt(open_, INTERRUPTED, limits, now_ms)


def recognised(open_: Attempt, limits: Limits, at_ms: int) -> bool:
    """Whether a repeat at `at_ms` cannot arrive as a second one."""
    return open_.doubt_ms is None or at_ms < open_.doubt_ms + limits.resend_ms - CALL_MS


def not_yet(open_: Attempt | None, due_ms: int | None, now_ms: int) -> str:
    """Why what waits behind the open attempt, or until `due_ms`, has not left; empty: nothing is known against it."""
    if open_ is not None:
        again = "is under way" if open_.retry_at_ms is None else "is tried again before it"
        return f"attempt {open_.number} {again}"
    return "" if due_ms is None or due_ms <= now_ms else "the channel's pace"


def note_try(tries_ms: list[int], at_ms: int) -> list[int]:
    """The moments of the last hour's tries, with this one."""
    return [*(ms for ms in tries_ms if ms > at_ms - HOUR_MS), at_ms]


def note_again(open_: Attempt, tries: int, at_ms: int) -> None:
    """The same bytes have set out once more."""
    open_.tries, open_.tried_ms, open_.retry_at_ms = tries, at_ms, None


def note_delay(open_: Attempt, event: e.AttemptDelayed) -> None:
    """It goes again later."""
    open_.retry_at_ms = event.retry_at_ms
    if event.unknown and open_.doubt_ms is None:
        open_.doubt_ms = open_.tried_ms


def _pause(tries: int) -> int:
    """Milliseconds before the next try: 1 s, 2 s, 4 s … up to a minute."""
    return int(min(LONGEST_PAUSE_MS, 1000 * 2 ** min(tries - 1, 10)))
