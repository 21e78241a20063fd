"""WeCom's stand-in, as the conformance kit wants it (hub.kit.far_side.FarSide)."""

import asyncio
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, NamedTuple, Self

import msgspec

from connectors.wecom.callbacks import KINDS, Callbacks, CheckFailed, Faults, text_xml
from connectors.wecom.far_side import Account
from connectors.wecom.sandbox import WeComSandbox
from hub.kit.far_side import Reply

AGAIN_S = 1.5
"""Long enough for a hub to come back between two attempts of a callback."""
TRIES = 5
UNHEARD_OF = 99_911


class Send(NamedTuple):
    """A text that message/send took for a member."""

    who: str
    text: str
    fresh: bool


class WeComFarSide:
    """WeCom with 20 members of one app."""

    people = tuple(f"member{i}" for i in range(20))
    sends = "/cgi-bin/message/send"
    brings = ""
    strange = KINDS
    busy = Reply(200, b'{"errcode": 45033, "errmsg": "api concurrent out of limit"}')
    refusal = Reply(200, json.dumps({"errcode": UNHEARD_OF, "errmsg": "the moon is full"}).encode())
    refusal_text = "the moon is full"

    def __init__(self) -> None:
        self._offset_s = 0.0
        self._wecom = WeComSandbox({who: who for who in self.people}, now=self._now, retry_after_s=AGAIN_S)

    async def __aenter__(self) -> Self:
        await self._wecom.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._wecom.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        return self._wecom.url

    def settings(self, *urls: str) -> dict[str, Any]:
        return self._wecom.settings() | {"base_url": urls[0]}

    def secrets(self) -> Sequence[str]:
        account = self._wecom.account
        token = self._wecom.far_side.get_token(account.corp_id, account.secret, self._now())["access_token"]
        return (account.secret, account.token, account.aes_key, str(token))

    async def join(self, callback_url: str) -> None:
        for left in reversed(range(TRIES)):
            try:
                await self._wecom.save(callback_url)
                return
            except CheckFailed:  # the console waits for a second only, and this machine may be busy
                if not left:
                    raise

    def say(self, who: str, text: str, kind: str = "") -> None:
        self._wecom.say(who, kind or "text", text.encode(errors="replace").decode())  # its XML is UTF-8

    async def garble(self) -> None:
        await self._wecom.callbacks.post(self.people[0], "garbled", "<xml><MsgType>text</MsgType></xml")

    async def forge(self) -> None:
        account = self._wecom.account
        await asyncio.gather(
            self._call_as(msgspec.structs.replace(account, token="AnotherToken")),
            self._call_as(msgspec.structs.replace(account, corp_id="ww0000000000000000")),
            self._call_as(msgspec.structs.replace(account, agent_id=account.agent_id + 1)),
        )

    async def _call_as(self, account: Account) -> None:
        """What that account's callback would be, at our address."""
        strangers = Callbacks(account, Faults(), 0)
        strangers.url = self._wecom.callbacks.url
        await strangers.post(
            self.people[0], "1", text_xml(account, self.people[0], "1", "我不是微信", int(self._now()))
        )
        await strangers.close()

    def step(self, seconds: float) -> None:
        self._offset_s += seconds

    def shown(self) -> Sequence[Send]:
        return [Send(send.user, send.text, send.fate == "shown") for send in self._wecom.ledger().sends]

    def _now(self) -> float:
        return time.time() + self._offset_s


FAR_SIDE = WeComFarSide
