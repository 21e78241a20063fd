"""A stand-in for WeCom: its API, its callbacks, and its members' phones, on loopback.

    async with WeComSandbox({"wangfang": "王芳"}) as wecom:
        settings = wecom.settings()                     # channels.wecom in config/hub.yaml
        await wecom.save("http://127.0.0.1:8080/callbacks/wecom/callback")
        wecom.type_text("wangfang", "上班")

or `python -m connectors.wecom.sandbox`. The connector cannot tell it from the real one: only `base_url` differs.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from litestar import Litestar

from connectors.wecom.callbacks import Callbacks, CheckFailed, Faults, event_xml, media_xml, other_xml, text_xml
from connectors.wecom.far_side import Account, Bubble, FarSide, NoMember, Phone, refusal
from connectors.wecom.far_side_media import LIMITS, Media
from connectors.wecom.sandbox_http import Chat, Ledger, Typed, Unavailable, build_app
from hub.kit.serving import run_alone
from hub.kit.stand_in import LONGEST_WAIT_S, StandIn


class WeComSandbox(StandIn[Faults]):
    """WeCom for one app and the given members (userid → name). `url` is its base URL while it runs.

    `retry_after_s` is the pause before a callback's second and third attempt; WeCom's own is not documented.
    """

    def __init__(
        self,
        members: Mapping[str, str],
        account: Account | None = None,
        *,
        port: int = 0,
        now: Callable[[], float] = time.time,
        retry_after_s: float = 1.0,
    ) -> None:
        super().__init__(Faults(), port)
        self.account = account or Account()
        # ids above those of any earlier run, or the hub would take new messages for old ones
        self.far_side = FarSide(self.account, members, first_id=time.time_ns() // 1000)
        self._now = now
        self._retry_after_s = retry_after_s

    def app(self) -> Litestar:
        """WeCom's calls, the phones, and a console."""
        return build_app(self)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """What tells the hub."""
        self.callbacks = Callbacks(self.account, self.faults, self._retry_after_s)
        stack.push_async_callback(self.callbacks.close)

    def settings(self) -> dict[str, Any]:
        """What belongs under channels.wecom in config/hub.yaml to use this stand-in."""
        return {
            "corp_id": self.account.corp_id,
            "agent_id": self.account.agent_id,
            "secret": self.account.secret,
            "token": self.account.token,
            "aes_key": self.account.aes_key,
            "base_url": self.url,
        }

    async def save(self, callback_url: str) -> None:
        """Enter the callback URL in the console, which checks it first. Raises CheckFailed."""
        await self.callbacks.check(callback_url)

    # --- what a member does on the phone ---------------------------------------------------------------------------

    def type_text(self, user: str, text: str) -> Typed:
        """The member types and sends a text."""
        return self.say(user, "text", text)[0]

    def tap(self, user: str, key: str) -> None:
        """The member taps a menu item."""
        self.tell(user, "click", key)

    async def texts(self, user: str, after: int = 0, wait_s: float = 0) -> list[Bubble]:
        """What the app has shown on the phone after place `after`; waits up to `wait_s` for the first of them."""
        return (await self.chat(user, after, wait_s, only_app=True)).bubbles

    def say(
        self, user: str, kind: str, text: str = "", *, content: bytes = b"", name: str = ""
    ) -> tuple[Typed, "asyncio.Task[bool]"]:
        """The member sends something; the task ends when the hub has taken it (True) or WeCom gives up.

        `kind`: text; image, voice, video or file, with their `content` and `name`; or another of KINDS.
        """
        phone, msgid, now, media = self.phone(user), self.far_side.next_id(), self._now(), None
        if kind == "text":
            plain = text_xml(self.account, phone.user, msgid, text, int(now))
        elif kind in LIMITS:
            media = self.far_side.media.keep(kind, name or kind, content, now)
            plain = media_xml(self.account, phone.user, msgid, media, int(now))
        else:
            plain = other_xml(self.account, phone.user, msgid, kind, int(now))
        bubble = phone.add("member", "" if media else text or f"[{kind}]", msgid, now, media)
        self.ring(phone.user)
        return Typed(msgid, bubble.n), self._post(phone.user, msgid, plain)

    def tell(self, user: str, event: str, key: str) -> None:
        """Something happened on the phone that shows no bubble."""
        phone = self.phone(user)
        plain = event_xml(self.account, phone.user, event, key, int(self._now()))
        self._post(phone.user, f"{event} {key}", plain)

    def _post(self, user: str, msgid: str, plain: str) -> "asyncio.Task[bool]":
        task = self.callbacks.post(user, msgid, plain)
        task.add_done_callback(lambda _: self.ring(user))
        return task

    # --- what is known ---------------------------------------------------------------------------------------------

    def phone(self, user: str) -> Phone:
        """That member's phone. Raises NoMember."""
        phone = self.far_side.phones.get(user.casefold())
        if phone is None:
            raise NoMember(
                f"{user!r} is no member of the stand-in's corp; these are: {', '.join(self.far_side.phones)}"
            )
        return phone

    def ledger(self) -> Ledger:
        """What was sent, shown, dropped and typed so far."""
        phones = self.far_side.phones.values()
        return Ledger(
            dict(self.far_side.calls),
            self.far_side.sends,
            {phone.user: phone.chat for phone in phones},
            {phone.user: phone.dropped for phone in phones},
            self.callbacks.ledger,
        )

    async def chat(self, user: str, after: int, wait_s: float, *, only_app: bool) -> Chat:
        """The phone's chat after place `after`; waits up to `wait_s` until there is more of it, or a counter moves."""
        phone = self.phone(user)

        def bubbles() -> list[Bubble]:
            return [b for b in phone.chat[max(after, 0) :] if b.side == "app" or not only_app]

        def counted() -> tuple[int, int]:
            return phone.dropped, self.callbacks.untold[phone.user]

        before = counted()
        await self.until(lambda: bool(bubbles()) or counted() != before, min(wait_s, LONGEST_WAIT_S), phone.user)
        return Chat(self.account.app_name, phone.name, bubbles(), len(phone.chat), *counted())

    # --- what the connector calls ----------------------------------------------------------------------------------

    async def get_token(self, corp_id: str, secret: str) -> dict[str, object]:
        """gettoken's answer, faults included; Unavailable for an HTTP 502."""
        if self.faults.http_502:
            raise Unavailable
        return self.far_side.get_token(corp_id, secret, self._now())

    async def send(self, token: str, body: bytes) -> dict[str, object]:
        """message/send's answer, faults included; Unavailable for an HTTP 502."""
        await self.pause(self.faults.slow_s)
        if self.faults.http_502:
            raise Unavailable
        if self.faults.errcode:
            return refusal(self.faults.errcode)
        known = len(self.far_side.sends)
        answer = self.far_side.send(token, body, self._now())
        for send in self.far_side.sends[known:]:
            self.ring(send.user)
        if self.faults.no_answer_after_accepting:
            await self.pause(3600)
        if self.faults.http_502_after_accepting:
            raise Unavailable
        return answer

    async def upload(self, token: str, kind: str, name: str, content: bytes | None) -> dict[str, object]:
        """media/upload's answer, faults included; Unavailable for an HTTP 502."""
        return await self._media_fault() or self.far_side.upload(token, kind, name, content, self._now())

    async def download(self, token: str, media_id: str) -> Media | dict[str, object]:
        """media/get's answer, faults included; Unavailable for an HTTP 502."""
        return await self._media_fault() or self.far_side.download(token, media_id, self._now())

    async def _media_fault(self) -> dict[str, object] | None:
        await self.pause(self.faults.media_slow_s)
        if self.faults.media_502:
            raise Unavailable
        return refusal(self.faults.media_errcode) if self.faults.media_errcode else None


SANDBOX = WeComSandbox
"""By this name the demo finds the stand-in of the channel on which agents answer."""


async def _run(members: Mapping[str, str], port: int, callback_url: str) -> None:
    async with WeComSandbox(members, port=port) as wecom:
        print(f"WeCom's stand-in: {wecom.url}/   channels.wecom in config/hub.yaml:")
        for name, value in wecom.settings().items():
            print(f"  {name}: {value}", flush=True)
        if callback_url:
            await wecom.save(callback_url)
        await asyncio.Event().wait()


def main() -> None:
    """`python -m connectors.wecom.sandbox`; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.wecom.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--callback", default="", metavar="URL", help="the hub's callback URL; it must be running")
    parser.add_argument(
        "--member", action="append", metavar="USERID=NAME", help="a member of the corp; several times for several"
    )
    chosen = parser.parse_args()
    members = dict(member.partition("=")[::2] for member in chosen.member or ["wangfang=王芳"])
    run_alone(_run(members, chosen.port, chosen.callback), CheckFailed)


if __name__ == "__main__":
    main()
