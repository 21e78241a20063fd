"""WeCom's stand-in, as the conformance kit wants it (hub.kit.far_side.FarSide)."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import msgspec

from connectors.wecom.callbacks import KINDS, Callbacks, CheckFailed, Faults, text_xml
from connectors.wecom.far_side import Account
from connectors.wecom.sandbox import WeComSandbox
from hub.kit.far_side import Reply, Shown
from hub.kit.stand_in import PlayedBy

AGAIN_S = 1.5
"""Long enough for a hub to come back between two attempts of a callback."""
TRIES = 5
UNHEARD_OF = 99_911


class WeComFarSide(PlayedBy[WeComSandbox]):
    """WeCom with 20 members of one app."""

    people = tuple(f"member{i}" for i in range(20))
    sends = "/cgi-bin/message/send"
    brings = ""
    strange = KINDS
    busy = Reply(200, b'{"errcode": 45033, "errmsg": "api concurrent out of limit"}')
    refusal = Reply(200, json.dumps({"errcode": UNHEARD_OF, "errmsg": "the moon is full"}).encode())
    refusal_text = "the moon is full"

    def __init__(self) -> None:
        super().__init__(lambda now: WeComSandbox({who: who for who in self.people}, now=now, retry_after_s=AGAIN_S))

    def settings(self, *urls: str) -> dict[str, Any]:
        return self.stand_in.settings() | {"base_url": urls[0]}

    def secrets(self) -> Sequence[str]:
        account = self.stand_in.account
        token = self.stand_in.far_side.get_token(account.corp_id, account.secret, self.now())["access_token"]
        return (account.secret, account.token, account.aes_key, str(token))

    async def join(self, callback_url: str) -> None:
        for left in reversed(range(TRIES)):
            try:
                await self.stand_in.save(callback_url)
                return
            except CheckFailed:  # the console waits for a second only, and this machine may be busy
                if not left:
                    raise

    def say(self, who: str, text: str, kind: str = "") -> None:
        self.stand_in.say(who, kind or "text", text.encode(errors="replace").decode())  # its XML is UTF-8

    async def garble(self) -> None:
        await self.stand_in.callbacks.post(self.people[0], "garbled", "<xml><MsgType>text</MsgType></xml")

    async def forge(self) -> None:
        account = self.stand_in.account
        await asyncio.gather(
            self._call_as(msgspec.structs.replace(account, token="AnotherToken")),
            self._call_as(msgspec.structs.replace(account, corp_id="ww0000000000000000")),
            self._call_as(msgspec.structs.replace(account, agent_id=account.agent_id + 1)),
        )

    async def _call_as(self, account: Account) -> None:
        """What that account's callback would be, at our address."""
        strangers = Callbacks(account, Faults(), 0)
        strangers.url = self.stand_in.callbacks.url
        await strangers.post(self.people[0], "1", text_xml(account, self.people[0], "1", "我不是微信", int(self.now())))
        await strangers.close()

    def shown(self) -> Sequence[Shown]:
        return [Shown(send.user, send.text, send.fate == "shown") for send in self.stand_in.ledger().sends]


FAR_SIDE = WeComFarSide
