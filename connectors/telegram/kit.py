"""Telegram's stand-in, as the conformance kit wants it (hub.kit.far_side.FarSide): for a connector that pulls."""

import json
from collections.abc import Sequence
from typing import Any

import httpx

from connectors.telegram.codec import secret_of
from connectors.telegram.sandbox import TelegramSandbox
from connectors.telegram.sandbox_chats import Account
from connectors.telegram.sandbox_phones import OTHERS
from connectors.telegram.sandbox_webhook import HEADER
from hub.kit.far_side import Reply, Shown
from hub.kit.stand_in import PlayedBy

FIRST_ID = 700_000_001
TOKEN = Account().token


class TelegramFarSide(PlayedBy[TelegramSandbox]):
    """Telegram with 20 people."""

    people: Sequence[str] = tuple(str(FIRST_ID + i) for i in range(20))
    sends = f"/bot{TOKEN}/sendMessage"
    brings = f"/bot{TOKEN}/getUpdates"
    changes = f"/bot{TOKEN}/deleteMessage"
    strange: Sequence[str] = tuple(OTHERS)
    busy = Reply(
        429,
        json.dumps({
            "ok": False, "error_code": 429, "description": "Too Many Requests: retry after 2",
            "parameters": {"retry_after": 2},
        }).encode(),
        (("content-type", "application/json"), ("retry-after", "2")),
    )  # fmt: skip
    refusal = Reply(400, b'{"ok": false, "error_code": 400, "description": "Bad Request: MOON_IS_FULL"}')
    refusal_text = "MOON_IS_FULL"

    def __init__(self) -> None:
        self._callback_url = ""
        super().__init__(lambda now: TelegramSandbox({int(who): f"P{who[-2:]}" for who in self.people}, now=now))

    def settings(self, *urls: str) -> dict[str, Any]:
        return self.stand_in.settings() | {"base_url": urls[0]}

    def secrets(self) -> Sequence[str]:
        return (TOKEN,)

    async def join(self, callback_url: str) -> None:
        self._callback_url = callback_url

    def say(self, who: str, text: str, kind: str = "") -> None:
        if kind:
            self.stand_in.send_other(int(who), kind)
        else:
            self.stand_in.say(int(who), text.encode(errors="replace").decode())  # its JSON is UTF-8

    async def garble(self) -> None:
        garbled = {"message_id": "none", "chat": [], "date": "soon", "text": 7}
        self.stand_in.tell(int(self.people[0]), "message", garbled)

    async def forge(self) -> None:
        who = int(self.people[0])
        person = {"id": who, "is_bot": False, "first_name": "?"}
        chat = {"id": who, "type": "private", "first_name": "?"}
        message = {"message_id": 1, "from": person, "chat": chat, "date": int(self.now()), "text": "我不是电报"}
        async with httpx.AsyncClient(trust_env=False) as http:
            for headers in ({}, {HEADER: "another"}):
                await http.post(self._callback_url, json={"update_id": 1, "message": message}, headers=headers)

    def shown(self) -> Sequence[Shown]:
        return [Shown(str(send.chat), send.text) for send in self.stand_in.api.sends]

    def screen(self, who: str) -> Sequence[str]:
        return [shown.text for shown in self.stand_in.shown(int(who)) if shown.side == "bot"]


class CallingTelegram(TelegramFarSide):
    """The same Telegram, which calls the bot. `key` is the channel's: whoever joins tells what is made of it."""

    brings = ""

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._secret = secret_of(key)

    def secrets(self) -> Sequence[str]:
        return [*super().secrets(), self._secret]

    def settings(self, *urls: str) -> dict[str, Any]:
        return super().settings(*urls) | {"mode": "webhook"}

    async def join(self, callback_url: str) -> None:
        await super().join(callback_url)
        self.stand_in.webhook.set({"url": callback_url, "secret_token": self._secret})


FAR_SIDE = TelegramFarSide
