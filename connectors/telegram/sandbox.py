"""A stand-in for Telegram: the Bot API with one bot, people's phones and groups, on loopback.

    async with TelegramSandbox({700000001: "张三"}) as telegram:
        settings = telegram.settings()                  # channels.telegram in config/hub.yaml
        telegram.say(700000001, "在吗")
        telegram.shown(700000001)                       # what the chat shows, after edits

or `python -m connectors.telegram.sandbox`. A connector cannot tell it from the real one: only `base_url` differs.
"""

import argparse
import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from litestar import Litestar

from connectors.telegram.sandbox_answers import Answer, Args, Refusal, bad, granted, integer, refused, too_many
from connectors.telegram.sandbox_api import FILE_FIELDS
from connectors.telegram.sandbox_chats import Account
from connectors.telegram.sandbox_files import Kept, Upload
from connectors.telegram.sandbox_http import build_app
from connectors.telegram.sandbox_phones import UPDATES, Phones
from connectors.telegram.sandbox_webhook import FIRST_PAUSE_S, LOOPBACK, Webhook, allowed_of
from hub.kit.serving import run_alone
from hub.kit.stand_in import LONGEST_WAIT_S

MOST_UPDATES, LONGEST_POLL_S = 100, 50
"""https://core.telegram.org/bots/api#getupdates; Client.h, LONG_POLL_MAX_TIMEOUT."""
MOST_FROM_URL = {"photo": 5 << 20}
MOST_OTHERS_FROM_URL = 20 << 20
"""https://core.telegram.org/bots/api#sending-files."""
FETCH_S = 10.0
PEOPLE = {700000001: "张三", 700000002: "Anna"}
_IDS_SINCE_S = 1_735_689_600
"""2025 began."""


class TelegramSandbox(Phones):
    """Telegram for one bot and people (id → name). `url` is the base URL while it runs.

    `first_pause_s` is the pause before a webhook's third attempt; it doubles from then on.
    """

    def __init__(
        self,
        people: Mapping[int, str] | None = None,
        account: Account | None = None,
        *,
        port: int = 0,
        now: Callable[[], float] = time.time,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        # Above those of any earlier run, or the hub would take new messages for old ones; in 31 bits, as Telegram's.
        first_id = int((time.time() - _IDS_SINCE_S) * 10)
        super().__init__(people or PEOPLE, account or Account(), first_id, now, port)
        self._first_pause_s = first_pause_s
        self.polls = 0
        """How many calls of getUpdates have had to wait."""

    def app(self) -> Litestar:
        """The Bot API, the phones, and a console."""
        return build_app(self)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """What tells the hub."""
        self._http = await stack.enter_async_context(httpx.AsyncClient(timeout=FETCH_S, trust_env=False))
        self.webhook = Webhook(self, self._http, self.api.updates, self._now, self._first_pause_s)

    def settings(self) -> dict[str, Any]:
        """What belongs under channels.telegram in config/hub.yaml to use this stand-in."""
        return {"token": self.account.token, "base_url": self.url}

    async def changed(self, chat: int, seen: int, wait_s: float) -> None:
        """Wait up to `wait_s` until a chat shows something else than at its version `seen`."""
        await self.until(lambda: self.versions[chat] != seen, min(wait_s, LONGEST_WAIT_S), str(chat))

    # --- what the connector calls ------------------------------------------------------------------------------------

    async def call(self, token: str, method: str, args: Args, files: Mapping[str, Upload]) -> Answer:
        """The answer of a method, faults included; its name counts in any case."""
        try:
            if ":" not in token:
                raise Refusal(401, "Unauthorized: invalid token specified")
            if token != self.account.token:
                raise Refusal(401, "Unauthorized")
            match method.lower():
                case "getupdates":
                    return await self._get_updates(args)
                case "setwebhook":
                    return self._hooked(self.webhook.set(args))
                case "deletewebhook":
                    return self._hooked(self.webhook.delete(args))
                case "getwebhookinfo":
                    return granted(self.webhook.info())
                case other:
                    return await self._call(other, args, files)
        except Refusal as refusal:
            return refused(refusal)

    async def download(self, token: str, path: str) -> Kept | Answer:
        """The file behind a path that getFile gave, or the answer that refuses it."""
        if self.faults.files_status:
            return Answer(self.faults.files_status, {})
        found = self.api.shelf.fetch(path, self._now()) if token == self.account.token else None
        return found or refused(Refusal(404, "Not Found"))

    async def _call(self, method: str, args: Args, files: Mapping[str, Upload]) -> Answer:
        await self.pause(self.faults.slow_s)
        if self.faults.status:
            return Answer(self.faults.status, {})
        if self.faults.refusal:
            code, _, description = self.faults.refusal.partition(" ")
            raise Refusal(int(code), description)
        if self.faults.retry_after_s:
            raise too_many(self.faults.retry_after_s)
        fetched = await self._fetched(method, args)
        result = self.api.call(method, args, {**files, **fetched}, self._now())
        for chat in self.api.changed:
            self.show(chat)
        self.api.changed.clear()
        if self.faults.no_answer_after_accepting:
            await self.pause(3600)
        if self.faults.status_after_accepting:
            return Answer(self.faults.status_after_accepting, {})
        return granted(result)

    async def _fetched(self, method: str, args: Args) -> dict[str, Upload]:
        """The file that a request names by its URL. Telegram fetches from anywhere, this from loopback only."""
        field = FILE_FIELDS.get(method, "")
        url = args.get(field, "")
        if not url.startswith(("http://", "https://")):
            return {}
        parts = urlsplit(url)
        if parts.hostname not in LOOPBACK:
            raise bad("failed to get HTTP URL content")
        try:
            answer = await self._http.get(url)
        except httpx.HTTPError:
            raise bad("failed to get HTTP URL content") from None
        most = MOST_FROM_URL.get(field, MOST_OTHERS_FROM_URL)
        if answer.status_code != 200 or len(answer.content) > most:
            raise bad("failed to get HTTP URL content")
        type_ = answer.headers.get("content-type", "").partition(";")[0]
        if type_ == "text/html" or (field == "photo" and not type_.startswith("image/")):
            raise bad("wrong type of the web page content")
        return {field: Upload(unquote(parts.path.rpartition("/")[2]) or field, type_, answer.content)}

    async def _get_updates(self, args: Args) -> Answer:
        if self.faults.updates_status:
            return Answer(self.faults.updates_status, {})
        if self.webhook.url:
            raise _conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the "
                            "webhook first")  # fmt: skip
        self.api.updates.allow(allowed_of(args))
        offset = integer(args, "offset")
        limit = min(max(integer(args, "limit", MOST_UPDATES), 1), MOST_UPDATES)
        timeout_s = min(max(integer(args, "timeout"), 0), LONGEST_POLL_S)
        found = self.api.updates.get(offset, limit, self._now())
        if not found and timeout_s:
            await self._news_for_this_poll(timeout_s)
            found = self.api.updates.get(offset, limit, self._now())
        return granted([update.json() for update in found])

    async def _news_for_this_poll(self, timeout_s: float) -> None:
        """Wait for an update. Raises Refusal when somebody else begins to (Client.cpp, abort_long_poll)."""
        self.polls += 1
        mine = self.polls
        self.ring(UPDATES)

        def over() -> bool:
            return bool(self.polls != mine or self.webhook.url or self.api.updates)

        await self.until(over, timeout_s, UPDATES)
        if self.webhook.url:
            raise _conflict("terminated by setWebhook request")
        if self.polls != mine:
            raise _conflict("terminated by other getUpdates request; make sure that only one bot instance is running")

    def _hooked(self, answer: Answer) -> Answer:
        self.ring(UPDATES)
        return answer


SANDBOX = TelegramSandbox
"""By this name the demo finds the stand-in."""


def _conflict(why: str) -> Refusal:
    return Refusal(409, f"Conflict: {why}")


async def _run(port: int, people: Mapping[int, str]) -> None:
    async with TelegramSandbox(people, port=port) as telegram:
        print(f"Telegram's stand-in: {telegram.url}/   channels.telegram in config/hub.yaml:")
        for name, value in telegram.settings().items():
            print(f"  {name}: {value}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """`python -m connectors.telegram.sandbox`; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.telegram.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8097)
    parser.add_argument(
        "--person", action="append", metavar="ID=NAME", help="somebody with a phone; several times for several"
    )
    chosen = parser.parse_args()
    pairs = [person.partition("=")[::2] for person in chosen.person or []]
    if not all(id_.isdecimal() and name for id_, name in pairs):
        parser.error("--person takes a number and a name: 700000001=张三")
    run_alone(_run(chosen.port, {int(id_): name for id_, name in pairs} or PEOPLE))


if __name__ == "__main__":
    main()
