"""The shop's app, as the conformance kit wants it (hub.kit.far_side.FarSide)."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from connectors.webhook.sandbox import ShopSandbox
from connectors.webhook.shop import REPLY_SECRET, TELL_SECRET, signed
from hub.kit.far_side import Reply, Shown
from hub.kit.stand_in import PlayedBy

AGAIN_S = 1.5
"""Long enough for a hub to come back between two attempts to tell it something."""


class ShopFarSide(PlayedBy[ShopSandbox]):
    """A shop with 20 customers."""

    people = tuple(f"customer{i}" for i in range(20))
    sends = "/replies"
    brings = ""
    strange = ("sticker", "voice")
    busy = Reply(429, b'{"error": "slow down"}', (("retry-after", "2"),))
    refusal = Reply(200, json.dumps({"error": "the shop is closed for lunch"}).encode())
    refusal_text = "the shop is closed for lunch"

    def __init__(self) -> None:
        super().__init__(lambda now: ShopSandbox(now=now, retry_after_s=AGAIN_S))

    def settings(self, *urls: str) -> dict[str, Any]:
        settings = self.stand_in.settings()
        return settings | {"out": settings["out"] | {"url": f"{urls[0]}{self.sends}"}}

    def secrets(self) -> Sequence[str]:
        return (TELL_SECRET, REPLY_SECRET)

    async def join(self, callback_url: str) -> None:
        self.stand_in.callback_url = callback_url.rstrip("/")

    def say(self, who: str, text: str, kind: str = "") -> None:
        self.stand_in.say(who, text.encode(errors="replace").decode(), kind=kind)  # its JSON is UTF-8

    async def garble(self) -> None:
        body = b'{"messages": [{"id": {}, "customer": [], "text": 7}]}'
        await self._post(body, body)

    async def forge(self) -> None:
        message = {"id": "1", "customer": {"id": self.people[0]}, "text": "I am no shop", "sent_at": 1}
        body = json.dumps({"messages": [message]}).encode()
        await self._post(body, body + b" ")

    async def _post(self, body: bytes, signed_body: bytes) -> None:
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(self.stand_in.callback_url, content=body, headers=signed(signed_body, self.now()))

    def shown(self) -> Sequence[Shown]:
        taken = (reply for reply in self.stand_in.ledger().replies if reply.fate != "refused")
        return [Shown(reply.customer, reply.text, reply.fate == "shown") for reply in taken]


FAR_SIDE = ShopFarSide
EXEMPT = {"clocks": "the shop signs the time, and what is far off might be played again: its clock must be right"}
