"""The engine's public face: what gateway and API ask of it, and what they hear.

Answers come as calls of `done`, in the event loop's thread, after the log has said yes. Nothing here waits: a command
for an entity whose owner is away is held, bounded, and answered `unavailable` when that takes too long.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from hub.domain.attempts import Queued
from hub.domain.commands import AnyCommand
from hub.domain.events import Record
from hub.domain.looks import Question
from hub.domain.refusals import NotFound, NotHeld, NotYours, Refusal, Repeated, Unchangeable, Unread
from hub.domain.views import Audience

HEALTH_SUBJECT = "health"
"""Each worker answers here with its Health."""
UNAVAILABLE = "unavailable"
"""`Denied.code` when no owner could be reached in time: nothing is known, the same command may be sent again."""

STOPPED = "stopped"
"""`Denied.code` of an entity whose decide has failed; it takes nothing more until it is loaded again."""

_FINAL = frozenset(refusal.code for refusal in (Refusal, Repeated, NotYours, NotFound, NotHeld, Unchangeable, Unread))


class Denied(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """A refusal (hub.domain.refusals), as data: `seq` of `repeated` and `unknown_tab`, `resend_from` of `resend`.

    `hidden` of `older` (hub.engine.slots): the events whose words the asker gets no more. `by`: what people call the
    agent who has the conversation, since `since_ms` (Unix ms), where that is why.
    """

    code: str
    message: str
    seq: int = 0
    resend_from: int = 0
    hidden: tuple[int, ...] = ()
    by: str = ""
    since_ms: int = 0

    @property
    def final(self) -> bool:
        """Whether it is a decision about the command; else nobody was there to decide, and it may be tried again."""
        return self.code in _FINAL


def as_denied(refusal: Refusal) -> Denied:
    """A refusal as data."""
    seq, resend_from = getattr(refusal, "seq", 0), getattr(refusal, "resend_from", 0)
    by, since_ms = getattr(refusal, "by", ""), getattr(refusal, "since_ms", 0)
    return Denied(refusal.code, str(refusal), seq, resend_from, by=by, since_ms=since_ms)


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, tag=True, gc=False):
    """What became of a command: the records that are now on disk because of it, or why there are none."""

    records: tuple[Record, ...] = ()
    denied: Denied | None = None


class Reread(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one thing in a replayed input became: event `seq` of `entity`, or a refusal.

    `known`: it had been taken before, and nothing was done; `seq` is 0 where only the history knows it.
    """

    entity: str
    seq: int = 0
    known: bool = False
    refused: str = ""


class Replayed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of a replay. `because`: why the input, or a part of it, still cannot be read; empty: all of it was."""

    because: str = ""
    taken: tuple[Reread, ...] = ()


class ChannelHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """One channel in one worker since it started: verdicts by kind, and how often its connector's code went wrong."""

    verdicts: dict[str, int] = {}
    faults: int = 0
    """It raised, or answered what is no value of the contract."""
    stalls: int = 0
    """It held up the worker, and was ended."""
    troubles: tuple[str, ...] = ()
    """What stands in the way of its messages at this moment."""
    guide: str = ""
    """Where its connector is described."""
    left_out: dict[str, int] = {}
    """How often it left something out on purpose, and why."""


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one worker, and with the log's servers as far as it has heard."""

    worker: str
    refusing: str = ""
    """Why it takes no commands from clients at this moment; empty: it does."""
    partitions: dict[int, str] = {}
    """Those that it could not take, and why."""
    entities: dict[str, str] = {}
    """Those that take nothing more, and why."""
    warnings: tuple[str, ...] = ()
    channels: dict[str, ChannelHealth] = {}


class Page(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """A stretch of an entity's events for one audience, as encoded event frames in order.

    `seq` is the last that this audience may see. `resumed` is False when the caller's `after`/`epoch` do not belong
    to this log: then `frames` are simply the latest. `more`: older ones lie inside what was asked for.
    """

    entity: str
    epoch: int
    seq: int
    frames: tuple[msgspec.Raw, ...]
    resumed: bool = True
    more: bool = False
    tabs: dict[str, int] = {}
    serving: tuple[str, ...] = ()
    """Of an agent entity: the conversations that are theirs."""


class Seen(msgspec.Struct, frozen=True, tag=True):
    """What an entity looks like, as of what is on disk: the JSON of the answer that its Question names."""

    data: bytes


class Wanted(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which of what waits to be sent: the newest `limit`, on the channel (empty: any).

    `after`: only those whose (at_ms, entity, place) is smaller.
    """

    limit: int
    channel: str = ""
    after: tuple[int, str, int] | None = None


class Listed(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """What waits to be sent, the newest first; `more`: so does something older that was wanted as well."""

    queued: tuple[Queued, ...]
    more: bool = False


class Pushes(Protocol):
    """Who hears of new events: the gateway of a worker."""

    def push(self, entity: str, audience: Audience, seq: int, frame: bytes, but: object) -> None:
        """A committed event's frame for all sockets that watch the entity as `audience`, except the socket `but`."""

    def skip(self, entity: str, audience: Audience, seq: int, but: object) -> bool:
        """True, the event being noted, when nobody but the socket `but` watches: no frame need be made for `push`."""

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """A frame that takes no seq (typing, read) for the sockets of `audience`."""

    def serving(self, agent: str, conversation: str, on: bool) -> None:
        """A conversation became this agent's, or stopped being theirs."""

    def owner_changed(self, partition: int) -> None:
        """A new owner has taken the partition: watch again all that lives there."""


class Calls(Protocol):
    """What the engine does for gateway and API; one in each worker."""

    def submit(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None], sender: object = None) -> None:
        """Carry the command out. `sender` is the socket it came from: it gets no push of the resulting event."""

    def watch(
        self, entity: str, audience: Audience, after: int, epoch: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """Answer the latest events after `after`, and push what follows until `unwatch`. May be repeated."""

    def unwatch(self, entity: str, audience: Audience) -> None:
        """No socket of this worker watches it any more."""

    def page(
        self, entity: str, audience: Audience, after: int, before: int, done: Callable[[Page | Denied], None]
    ) -> None:
        """Answer the latest at most 50 events with after < seq < before."""

    def look(self, entity: str, question: Question, done: Callable[[Seen | Denied], None]) -> None:
        """Answer the question from the entity's state, wherever its owner is; an entity that is not there is new."""

    def queued(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        """Answer what waits to be sent to the entity, or, where it is empty, to any; unless all owners answer, nothing.

        One that takes nothing more because its state could not be made tells of nothing here (Health.entities).
        """

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """Hand a frame without seq to the sockets of `audience`, wherever they are."""
