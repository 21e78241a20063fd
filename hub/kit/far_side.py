"""What the kit needs of a stand-in: connectors/<channel>/kit.py, FAR_SIDE.

Faults of the network are none of its business, the kit puts a wire (wire.py) on either side of the hub. It answers
only for what nobody but the platform knows: how its messages look, what its answers mean, what people saw in the end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self, SupportsBytes, runtime_checkable


@dataclasses.dataclass(frozen=True)
class Reply:
    """An HTTP answer of the platform's, given in its place."""

    status: int = 200
    body: bytes = b""
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)

    def __bytes__(self) -> bytes:
        """As it is on the wire."""
        lines = [f"HTTP/1.1 {self.status} From the wire", f"content-length: {len(self.body)}", "connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class Shown(NamedTuple):
    """A text, or what stands for a file, that the platform accepted for somebody."""

    who: str
    text: str
    fresh: bool = True
    """Whether they saw it; False: the platform knew it for a repeat, and showed nothing."""


class FarSide(Protocol):
    """A platform for one account of ours, with people on it; `async with` runs it on a loopback port."""

    people: Sequence[str]
    """Identities that exist there: 20 of them at least."""
    sends: str
    """The path of the call that delivers; any words that only such a call holds."""
    brings: str
    """The path, or words, of the call by which `pull` gets messages; empty where the platform calls us."""
    strange: Sequence[str]
    """Kinds of messages that the connector does not know, or cannot show."""
    refusal_text: str
    """The words of `refusal`."""

    @property
    def busy(self) -> SupportsBytes:
        """How the platform answers a delivery when there have been too many: a Reply, where it speaks HTTP."""

    @property
    def refusal(self) -> SupportsBytes:
        """How it answers a delivery with a code that nobody has heard of."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def url(self) -> str:
        """Its base URL while it runs; empty where it speaks no HTTP."""

    def settings(self, *urls: str) -> dict[str, Any]:
        """The channel's settings in config/hub.yaml, with the platform at `urls`; asked before it runs, too.

        There is one, a base URL; of one that SpeaksLines one for each of its servers.
        """

    def secrets(self) -> Sequence[str]:
        """What must be in no log line and no event: keys from the settings, tokens that were handed out."""

    async def join(self, callback_url: str) -> None:
        """Our account gets this callback URL; nothing to do where the platform is asked."""

    def say(self, who: str, text: str, kind: str = "") -> None:
        """Somebody sends a text, or something of a strange `kind`; the hub is told of it in the background."""

    async def garble(self) -> None:
        """The platform tells the hub something that is signed as it should be, and makes no sense."""

    async def forge(self) -> None:
        """Somebody who is not the platform calls the hub: without its signature, and as for another account."""

    def step(self, seconds: float) -> None:
        """The platform's clock is set forward, or back."""

    def shown(self) -> Sequence[Shown]:
        """What the platform accepted so far, in its order."""


class Board(Protocol):
    """What a stand-in has besides, where its connector declares `edits_s` or `recalls_s`."""

    changes: str
    """The path of the call that replaces a text or takes it back."""

    def screen(self, who: str) -> Sequence[str]:
        """The texts that somebody has before their eyes at this moment, in order."""


class Threads(Protocol):
    """What a stand-in has besides, where its connector serves both visitors and agents."""

    def reply(self, who: str, to: str, text: str, *, spoilt: bool = False) -> None:
        """Somebody answers what `to` was sent last, with all that it brought; `spoilt`: one sign of it changed."""


@runtime_checkable
class SpeaksLines(Protocol):
    """What a far side has besides whose servers speak first, in lines, as those of SMTP and IMAP do."""

    trouble: Sequence[bytes]
    """A line in which each of its servers says that it cannot go on just now, without its end."""
    before_sends: Sequence[str]
    """Words of the requests that come before the one that delivers: until then nothing has been delivered."""
    before_brings: Sequence[str]
    """Words of those that come before the one that gets messages, and while there are none."""

    def ports(self) -> Sequence[int]:
        """Where each of them listens while it runs."""


class Nobody:
    """The far side of a socket channel: its clients speak the hub's own protocol, and are tested with it."""

    people: Sequence[str] = ()
    sends = brings = refusal_text = ""
    strange: Sequence[str] = ()
    busy = refusal = Reply()
    url = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def settings(self, *urls: str) -> dict[str, Any]:
        """None are needed."""
        return {}

    def secrets(self) -> Sequence[str]:
        """None."""
        return ()

    async def join(self, callback_url: str) -> None:
        """Nobody calls."""

    def say(self, who: str, text: str, kind: str = "") -> None:
        """Nobody says anything."""

    async def garble(self) -> None:
        """Nor this."""

    async def forge(self) -> None:
        """Nor this."""

    def step(self, seconds: float) -> None:
        """It has no clock."""

    def shown(self) -> Sequence[Shown]:
        """Nothing."""
        return ()
