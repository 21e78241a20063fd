"""The shop's app, as the conformance kit wants it (hub.kit.far_side.FarSide)."""

import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

from connectors.webhook.sandbox import ShopSandbox
from connectors.webhook.shop import REPLY_SECRET, TELL_SECRET, signed
from hub.kit.far_side import Reply

AGAIN_S = 1.5
"""Long enough for a hub to come back between two attempts to tell it something."""


class Written(NamedTuple):
    """A reply that the shop took for a customer."""

    who: str
    text: str
    fresh: bool


class ShopFarSide:
    """A shop with 20 customers."""

    people = tuple(f"customer{i}" for i in range(20))
    sends = "/replies"
    brings = ""
    strange = ("sticker", "voice")
    busy = Reply(429, b'{"error": "slow down"}', (("retry-after", "2"),))
    refusal = Reply(200, json.dumps({"error": "the shop is closed for lunch"}).encode())
    refusal_text = "the shop is closed for lunch"

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._shop = ShopSandbox(now=self._now, retry_after_s=AGAIN_S)

    async def __aenter__(self) -> Self:
        await self._shop.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._shop.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._shop.url

    def settings(self, *urls: str) -> dict[str, Any]:
        settings = self._shop.settings()
        return settings | {"out": settings["out"] | {"url": f"{urls[0]}{self.sends}"}}

    def secrets(self) -> Sequence[str]:
        return (TELL_SECRET, REPLY_SECRET)

    async def join(self, callback_url: str) -> None:
        self._shop.callback_url = callback_url.rstrip("/")

    def say(self, who: str, text: str, kind: str = "") -> None:
        self._shop.say(who, text.encode(errors="replace").decode(), kind=kind)  # its JSON is UTF-8

    async def garble(self) -> None:
        body = b'{"messages": [{"id": {}, "customer": [], "text": 7}]}'
        await self._post(body, body)

    async def forge(self) -> None:
        message = {"id": "1", "customer": {"id": self.people[0]}, "text": "I am no shop", "sent_at": 1}
        body = json.dumps({"messages": [message]}).encode()
        await self._post(body, body + b" ")

    async def _post(self, body: bytes, signed_body: bytes) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(self._shop.callback_url, content=body, headers=signed(signed_body, self._now()))

    def step(self, seconds: float) -> None:
        self._offset_s += seconds

    def shown(self) -> Sequence[Written]:
        taken = (reply for reply in self._shop.ledger().replies if reply.fate != "refused")
        return [Written(reply.customer, reply.text, reply.fate == "shown") for reply in taken]

    def _now(self) -> float:
        return time.time() + self._offset_s


FAR_SIDE = ShopFarSide
EXEMPT = {"clocks": "the shop signs the time, and what is far off might be played again: its clock must be right"}
