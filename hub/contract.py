"""All that a connector needs of the hub, and all that it may use (with hub.domain's values and hub.errors).

A connector is one folder under connectors/, or a package with the entry point `kefu_hub.connectors`. It turns what
its platform sends into `Inbound`s (`verify`, `parse`) and each `Delivery` into one call of the platform (`deliver`),
with a `Verdict`. All else is the hub's, by what it `can`: log, order, repeats, cutting, folding, limits, retries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

import pydantic

from hub.domain.messages import FileLimit, Profile
from hub.domain.text import Unit
from hub.domain.verdicts import Refused, Retry, Sent, Unknown, Verdict

__all__ = ["FileLimit", "Profile", "Refused", "Retry", "Sent", "Unit", "Unknown", "Verdict"]

VERSION = 1
"""Of this contract, as Connector.contract; raised when a connector written for the old one would not work."""


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What the platform can do and how much it takes.

    `role`: who is on its far side; "both": agents too, in threads (Delivery.`agent`). `socket`: clients speak the hub's
    own protocol (docs/protocol.md), nothing is delivered. `typing`: it shows that the other side types. A text longer
    than `max_text` in `unit` is cut. `files`: which it takes; `files_with_text`: in the same call as a text, else each
    alone. `choices`: so many answers to pick are buttons (more: numbered lines). `notices`: visitors are told that they
    wait, and of the closing. `fold_ms`: texts within that time become one. `per_minute`, `per_hour`: calls for one
    recipient; `per_second`: for all, by all workers. `replies`: calls for one recipient until they write again;
    `reply_within_s`: for so long after they wrote. 0: no limit. A call of unknown outcome is repeated while a repeat is
    recognised: for `recognises_s` seconds (0: never), by Delivery.`key` or the same `text` (of agents' channels: their
    texts differ). For `edits_s` a visitor's text can be replaced, for `recalls_s` taken back (Delivery.`replaces`).
    """

    role: Literal["visitor", "agent", "both"]
    socket: bool = False
    typing: bool = False
    max_text: int = 2048
    unit: Unit = "bytes"
    files: Sequence[FileLimit] = ()
    files_with_text: bool = False
    choices: int = 0
    notices: bool = False
    fold_ms: int = 0
    per_minute: int = 0
    per_hour: int = 0
    per_second: float = 0
    replies: int = 0
    reply_within_s: int = 0
    recognises: Literal["key", "text"] = "key"
    recognises_s: int = 0
    edits_s: int = 0
    recalls_s: int = 0


@dataclasses.dataclass(frozen=True)
class Raw:
    """As it came in: to the `route` by a `method` (`query` is decoded, header names are lower case), or by PULL."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at_ms: int
    route: str = ""


@dataclasses.dataclass(frozen=True)
class File:
    """A picture or file that came in: either its `content`, or the platform's `source`, for `fetch` to get it."""

    name: str
    type: str = ""
    content: bytes | None = None
    source: str = ""


@dataclasses.dataclass(frozen=True)
class Inbound:
    """One thing somebody on the platform did.

    `identity` is their stable id there. `outside_id` is the platform's id of this message, by which a repeat is known;
    it differs between any two messages of one identity. `sent_at_ms` is by the platform's clock. `unsupported`: a kind
    that cannot be shown; both sides read that there was one. As a signature proves (`Surroundings.key`): the
    `conversation` that this answers, and whether that was delivered to an `agent`. Of visitors also: `account` of ours
    that they wrote to; `address` for answers (empty: `identity`); `name` and `language` there; `thread` and `title`,
    where it has threads; `edits`, the outside id of what it replaces; `automatic`: by a machine.
    """

    identity: str
    outside_id: str
    text: str
    sent_at_ms: int
    unsupported: str = ""
    files: Sequence[File] = ()
    account: str = ""
    address: str = ""
    name: str = ""
    language: str = ""
    thread: str = ""
    title: str = ""
    conversation: str = ""
    edits: str = ""
    automatic: bool = False
    agent: bool = False


@dataclasses.dataclass(frozen=True)
class Receipt:
    """The platform tells later what became of a delivery: its `conversation` or `agent`, its number or `receipt`."""

    conversation: str
    kind: Literal["delivered", "read", "failed"]
    number: int = 0
    receipt: str = ""
    because: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the platform gets to hear, after all that was parsed is committed."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


@dataclasses.dataclass(frozen=True)
class Parsed:
    """What a request means. `unparsed`: why one makes no sense, it is kept; `left_out`: why one is only counted."""

    answer: Answer = Answer()
    inbounds: Sequence[Inbound] = ()
    receipts: Sequence[Receipt] = ()
    unparsed: str = ""
    left_out: str = ""


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that `pull` brought, as it is: `parse` reads it. `headers`: what else is known of it."""

    body: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Pulled:
    """What `pull` brought, in order. When all of it is committed, the next pull gets `cursor`."""

    cursor: str
    items: Sequence[Item] = ()


class Forbidden(Exception):
    """By `verify`, or `parse`: answered 403, nothing stored. The message says why, and never holds a secret."""


class NotThere(Exception):
    """Raised by `fetch`: the file will never be had; the message says why. All else that is raised is tried again."""


@dataclasses.dataclass(frozen=True)
class Route:
    """A path that the platform calls: /callbacks/<channel>/<name>. `secret_headers` (lower case) are kept nowhere."""

    name: str
    methods: tuple[str, ...]
    body_limit: int = 262_144
    secret_headers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Enclosed:
    """A file that goes out. `read` gives its content, `url` an address that is good for ten minutes."""

    name: str
    type: str
    size: int
    url: str
    read: Callable[[], AsyncIterator[bytes]]


@dataclasses.dataclass(frozen=True)
class Delivery:
    """What one call of the platform takes to one recipient, folded and cut to size already.

    A repeat has the same `text` and `key`, and no other delivery has. To visitors also: `conversation` and `number`,
    which a Receipt names; `part` of `parts` of a message; `files`; `choices`, answers to pick; `by`, who wrote it, or
    `automatic`: nobody; `thread`, `title`, and `in_reply_to`, the outside id of what they wrote last. `replaces`: the
    `receipt` of the Sent in whose place `text` is to stand (empty: it is taken back); where it does: Sent again. To an
    `agent` (entity id) of a channel of both: `number`, `files`, `title`; `conversation`, empty if of none.
    """

    address: str
    text: str
    key: str
    conversation: str = ""
    number: int = 0
    part: int = 1
    parts: int = 1
    files: Sequence[Enclosed] = ()
    choices: Sequence[str] = ()
    by: str = ""
    automatic: bool = False
    thread: str = ""
    title: str = ""
    in_reply_to: str = ""
    replaces: str = ""
    agent: str = ""


@dataclasses.dataclass(frozen=True)
class Token:
    """A platform's access token and for how many seconds it is good."""

    value: str
    expires_in_s: int


class Tokens(Protocol):
    """Access tokens shared by all workers; however many ask, one fetches."""

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        """The live token `name`, fetched if there is none or it is the `spent` one. Raises what `fetch` raised last."""


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What the hub lends. `callback_url`: where the Route "" is called; `key`: 32 secret bytes, for ever the same."""

    tokens: Tokens
    callback_url: str
    key: bytes = b""


class NoSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Of a connector that has nothing to set."""


class Connector:
    """A channel: `channels.<name>` in config/hub.yaml switches it on, and is checked by its `Settings`."""

    contract: int = 1
    Settings: type[pydantic.BaseModel] = NoSettings
    can: Capabilities
    routes: Sequence[Route] = ()
    pulls: bool = False
    static: str = ""
    """A folder inside the connector's own with pages that are served at /<name>/."""

    def __init__(self, settings: pydantic.BaseModel) -> None:
        self.settings = settings

    def allows(self, origin: str, own: str) -> bool:
        """Of a socket channel: whether pages of `origin` may get tokens and sockets of the hub, whose own is `own`."""
        return origin == own

    def profile(self, body: bytes, user_agent: str) -> Profile:
        """Of a socket channel: what is known of a visitor by the body of their token request. Raises ValueError."""
        raise NotImplementedError(f"{type(self).__name__} is no socket channel")

    async def start(self, surroundings: Surroundings) -> None:
        """Open what needs opening (an HTTP client). Must not wait for the platform."""

    async def stop(self) -> None:
        """Close it again."""

    async def upkeep(self) -> None:
        """Called every minute in every worker: renew what is about to expire, so that no message waits for it."""

    def health(self) -> str:
        """What a person should look at, in a sentence for `hub doctor`; empty: all is well. Must not wait."""
        return ""

    def verify(self, raw: Raw) -> None:
        """Raise Forbidden unless the request is provably the platform's, for us. As pure as `parse`, which follows."""
        raise NotImplementedError(f"{type(self).__name__} has routes and does not verify what comes there")

    def parse(self, raw: Raw) -> Parsed:
        """What a request that was verified, or an Item, means; also of one replayed. No I/O, no clock, within 1 s."""
        raise NotImplementedError(f"{type(self).__name__} gets {raw.method} {raw.route!r} and does not parse it")

    async def pull(self, cursor: str) -> Pulled:
        """Where `pulls`, in one worker: what came after `cursor` (empty: all), in order; waits up to a minute."""
        raise NotImplementedError(f"{type(self).__name__} declares that it pulls and does not")

    def fetch(self, source: str) -> AsyncIterator[bytes]:
        """The content of a file that came in by its `source`. Raises NotThere."""
        raise NotImplementedError(f"{type(self).__name__} gives files a source and does not fetch them")

    async def deliver(self, delivery: Delivery) -> Verdict:
        """Make the call. Answers within 10 s; an exception counts as Unknown."""
        raise NotImplementedError(f"{type(self).__name__} cannot deliver")
