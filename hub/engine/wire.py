"""What workers say to each other over NATS: asks to the owner of a partition, and what owners push to gateways.

MessagePack, each subject's payload a list: one request carries whatever waited while the one before was under way.
"""

from collections.abc import Iterable
from typing import Literal, TypeVar

import msgspec

from hub.domain.commands import AnyCommand, Origin
from hub.domain.looks import Question
from hub.domain.views import Audience
from hub.engine.calls import Denied, Listed, Outcome, Page, Seen, Wanted

SCHEMA = 1
"""Stands at the head of each payload; a worker that cannot read it says so instead of guessing."""

PAYLOAD_BYTES = 768 * 1024
"""One payload has no more, unless a single value is larger: NATS takes 1 MB, and refuses what is above it for ever."""

T = TypeVar("T", "Asks", "Answers", "PushedList", "Owns")


class Ask(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """Base of what a worker asks of a partition's owner."""

    entity: str


class Submit(Ask, frozen=True):
    """Carry a command out. `sender` is the asking worker's number for the socket it came from (0: none)."""

    command: AnyCommand
    origin: Origin | None = None
    worker: str = ""
    sender: int = 0


class Watch(Ask, frozen=True):
    """Push events to `worker` from now on, and answer what came after `after`."""

    audience: Audience
    after: int
    epoch: int
    worker: str


class Unwatch(Ask, frozen=True):
    """Push no more to `worker`."""

    audience: Audience
    worker: str


class GetPage(Ask, frozen=True):
    """Answer what is in memory between `after` and `before`."""

    audience: Audience
    after: int
    before: int


class Look(Ask, frozen=True):
    """Answer a question from the entity's state."""

    question: Question


class ListQueued(Ask, frozen=True):
    """Answer what waits to be sent to the entity; where that is empty, to any of the partition."""

    wanted: Wanted


class Forward(Ask, frozen=True):
    """Hand a frame without seq to those who watch."""

    audience: Audience
    frame: bytes


class Asks(msgspec.Struct, frozen=True, array_like=True):
    """One request."""

    schema: int
    asks: list[Submit | Watch | Unwatch | GetPage | Look | ListQueued | Forward]


Answer = Outcome | Page | Seen | Listed | Denied


class SentPage(msgspec.Struct, frozen=True, tag=True):
    """A page whose frames (JSON) travel as bytes."""

    entity: str
    epoch: int
    seq: int
    frames: tuple[bytes, ...]
    resumed: bool
    more: bool
    tabs: dict[str, int]
    serving: tuple[str, ...]


class Answers(msgspec.Struct, frozen=True, array_like=True):
    """The answers, in the order of the asks; None where there is nothing to say.

    Fewer than asks: the last ones did not fit. None at all: the partition is not owned here any more.
    """

    schema: int
    answers: list[Outcome | SentPage | Seen | Listed | Denied | None]


def fitting(sizes: Iterable[int]) -> int:
    """How many of the values with these sizes go into one payload: the first one, and what fits beside it."""
    total = count = 0
    for size in sizes:
        total += size
        if total > PAYLOAD_BYTES and count:
            break
        count += 1
    return count


def encode_asks(asks: Iterable[bytes]) -> bytes:
    """The payload of a request, of asks that are encoded already."""
    return encode((SCHEMA, [msgspec.Raw(ask) for ask in asks]))


def encode_answers(answers: list[Answer | None]) -> bytes:
    """The payload of an answer. What does not fit into it is left out: it will be asked again."""
    sent = [encode(_sent(answer)) for answer in answers]
    return encode((SCHEMA, [msgspec.Raw(answer) for answer in sent[: fitting(map(len, sent))]]))


def decode_answers(payload: bytes) -> list[Answer | None]:
    """The answers in it; raises msgspec.ValidationError."""
    answers = _known(_decode_answers(payload)).answers
    return [_page(answer) if isinstance(answer, SentPage) else answer for answer in answers]


def _sent(answer: Answer | None) -> object:
    match answer:
        case Page() as page:
            frames = tuple(bytes(frame) for frame in page.frames)
            return SentPage(page.entity, page.epoch, page.seq, frames, page.resumed, page.more, page.tabs, page.serving)
        case Listed(queued) as listed:
            count = fitting(len(encode(one)) for one in queued)
            return listed if count == len(queued) else Listed(queued[:count], more=True)
    return answer


def _page(sent: SentPage) -> Page:
    frames = tuple(msgspec.Raw(frame) for frame in sent.frames)
    return Page(sent.entity, sent.epoch, sent.seq, frames, sent.resumed, sent.more, sent.tabs, sent.serving)


class Pushed(msgspec.Struct, frozen=True, array_like=True):
    """One push: an event's frame, a frame without seq, or (`serving`) a change of what an agent serves."""

    what: Literal["event", "signal", "serving"]
    entity: str
    audience: Audience = "agent"
    seq: int = 0
    frame: bytes = b""
    but: int = 0
    conversation: str = ""
    on: bool = False


class PushedList(msgspec.Struct, frozen=True, array_like=True):
    """One publish."""

    schema: int
    pushes: list[Pushed]


encode = msgspec.msgpack.Encoder().encode
_decode_asks = msgspec.msgpack.Decoder(Asks).decode
_decode_answers = msgspec.msgpack.Decoder(Answers).decode
_decode_pushes = msgspec.msgpack.Decoder(PushedList).decode


def decode_asks(payload: bytes) -> Asks:
    """The asks of a request; raises msgspec.ValidationError."""
    return _known(_decode_asks(payload))


def decode_pushes(payload: bytes) -> PushedList:
    """The pushes of a publish; raises msgspec.ValidationError."""
    return _known(_decode_pushes(payload))


def _known(payload: T) -> T:
    if payload.schema > SCHEMA:
        raise msgspec.ValidationError(f"a worker speaks schema {payload.schema}, this one knows {SCHEMA}")
    return payload


def commands_subject(partition: int, term: int) -> str:
    """Where a partition's owner takes asks. Each term has its own: what waits for an owner before reaches nobody."""
    return f"commands.{partition}.{term}"


def deliver_subject(worker: str) -> str:
    """Where a worker's gateway takes pushes."""
    return f"deliver.{worker}"


OWNERS_SUBJECT = "owners"
"""A new owner says here which partition it has taken, and its term."""


class Owns(msgspec.Struct, frozen=True, array_like=True):
    """What a new owner says."""

    schema: int
    partition: int
    term: int


_decode_owns = msgspec.msgpack.Decoder(Owns).decode


def decode_owns(payload: bytes) -> Owns:
    """What a new owner has said; raises msgspec.ValidationError."""
    return _known(_decode_owns(payload))
