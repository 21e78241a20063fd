"""All that a connector needs of the hub, and all that it may use (with hub.domain's values).

A connector is one folder under connectors/. It turns what its platform sends into `Inbound`s (`parse`, pure) and what
waits for one recipient into one call of the platform (`deliver`), and says of every call what became of it: a
`Verdict`. The hub does the rest: the log, order, folding, limits, retries. The hub never asks for a channel's name,
it reads `can`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, Protocol

import pydantic

from hub.domain.messages import Profile

VERSION = 1
"""Of this contract; raised when a connector written for the old one would not work."""


@dataclasses.dataclass(frozen=True)
class Capabilities:
    """What the platform can do and how much it takes.

    `role` says who is on its far side. `socket`: clients speak the hub's own protocol (docs/protocol.md), nothing is
    delivered by `deliver`. A text is at most `max_text_bytes` long in UTF-8. `per_minute`/`per_hour` count texts to
    one recipient, repeats included (0: no limit). `fold_ms`: how long texts for one recipient may be gathered.
    `duplicate_check_s`: how long the platform drops an identical second text; 0: it does not, so an attempt with an
    unknown outcome is not repeated.
    """

    role: Literal["visitor", "agent"]
    socket: bool = False
    typing: bool = False
    max_text_bytes: int = 2048
    fold_ms: int = 0
    per_minute: int = 0
    per_hour: int = 0
    duplicate_check_s: int = 0


@dataclasses.dataclass(frozen=True)
class Raw:
    """A request of the platform as it came in, at most 256 KiB. `query` is decoded, header names are lower case."""

    method: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    received_at_ms: int


@dataclasses.dataclass(frozen=True)
class Inbound:
    """One thing somebody on the platform did.

    `identity` is their stable id there. `outside_id` is the platform's id of this message, used to recognise a repeat;
    it must differ between any two messages of one identity. `unsupported` names a kind that is not text (then `text`
    is empty).
    """

    identity: str
    outside_id: str
    text: str
    sent_at_ms: int
    unsupported: str = ""


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the platform gets to hear; with inbounds, after they are committed."""

    status: int = 200
    body: str = ""
    content_type: str = "text/plain; charset=utf-8"


@dataclasses.dataclass(frozen=True)
class Parsed:
    """The result of `parse`. `unparsed` says why nothing could be made of an authentic request: it is kept as it is."""

    answer: Answer
    inbounds: Sequence[Inbound] = ()
    unparsed: str = ""


class Forbidden(Exception):
    """The request does not prove that it comes from the platform: answered 403, logged, nothing stored.

    The message names what was wrong and never holds a secret.
    """


@dataclasses.dataclass(frozen=True)
class Route:
    """A path below /callbacks/<channel>/ that the platform calls. `name` is that path; empty for the folder itself."""

    name: str
    methods: tuple[str, ...]
    body_limit: int = 262_144


@dataclasses.dataclass(frozen=True)
class Delivery:
    """One text for one recipient, already folded and cut to size; a repeat has the same `text` and `key`."""

    address: str
    text: str
    key: str


@dataclasses.dataclass(frozen=True)
class Sent:
    """The platform has it; `receipt` is its id for it."""

    receipt: str = ""


@dataclasses.dataclass(frozen=True)
class Retry:
    """Not now. The same again after `after_s` at the earliest."""

    because: str
    after_s: float = 1.0


@dataclasses.dataclass(frozen=True)
class Refused:
    """Never. `because` is the sentence that a person reads; `unreachable`: this recipient cannot be reached at all."""

    because: str
    unreachable: bool = False


@dataclasses.dataclass(frozen=True)
class Unknown:
    """No answer came: it may have been delivered."""

    because: str


Verdict = Sent | Retry | Refused | Unknown


@dataclasses.dataclass(frozen=True)
class Token:
    """A platform's access token and for how many seconds it is good."""

    value: str
    expires_in_s: int


class Tokens(Protocol):
    """Access tokens shared by all workers; however many ask, one fetches."""

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        """The live token called `name`; fetched if there is none, or if it is still the `spent` one.

        Raises what `fetch` raises; then nobody fetches `name` again for a pause that grows.
        """
        ...


@dataclasses.dataclass(frozen=True)
class Surroundings:
    """What the hub lends a connector while it runs."""

    tokens: Tokens
    public_url: str


class NoSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """Of a connector that has nothing to set."""


class Connector:
    """A channel. The class is found by `channels.<name>` in config/hub.yaml: connectors/<name>/connector.py, CONNECTOR.

    `Settings` is checked by the hub, wrong keys and values are named with file and line.
    """

    Settings: type[pydantic.BaseModel] = NoSettings
    can: Capabilities
    routes: Sequence[Route] = ()
    static: str = ""
    """A folder inside the connector's own with pages that are served at /<name>/."""

    def __init__(self, settings: pydantic.BaseModel) -> None:
        self.settings = settings

    def allows(self, origin: str, own: str) -> bool:
        """Of a socket channel: whether pages of `origin` may get tokens and sockets of the hub, whose own is `own`."""
        return origin == own

    def profile(self, body: bytes, user_agent: str) -> Profile:
        """Of a socket channel: what is known of the visitor who asks for a token with this body.

        Raises ValueError with a sentence for whoever wrote the page.
        """
        raise NotImplementedError(f"{type(self).__name__} is no socket channel")

    async def start(self, surroundings: Surroundings) -> None:
        """Open what needs opening (an HTTP client). Must not wait for the platform."""

    async def stop(self) -> None:
        """Close it again."""

    async def upkeep(self) -> None:
        """Called every minute in every worker: renew what is about to expire, so that no message waits for it."""

    def parse(self, route: str, raw: Raw) -> Parsed:
        """What a request means. Pure: no I/O, no clock. Raises Forbidden for one that is not the platform's."""
        raise NotImplementedError(f"{type(self).__name__} declares the route {route!r} and does not parse it")

    async def deliver(self, delivery: Delivery) -> Verdict:
        """Hand one text to the platform. Answers within 10 s; an exception counts as Unknown."""
        raise NotImplementedError(f"{type(self).__name__} cannot deliver")
