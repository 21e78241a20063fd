"""Telegram as a channel: the I/O around codec.py, as thin as it can be."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import httpx

from connectors.http.transport import Transport
from connectors.telegram import codec
from connectors.telegram.settings import TelegramSettings
from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    FileLimit,
    Item,
    NotThere,
    Parsed,
    Pulled,
    Raw,
    Refused,
    Retry,
    Route,
    Surroundings,
    Unknown,
    Verdict,
)
from hub.errors import AttachmentDamaged, AttachmentsAway, NoAttachment

CONNECT_S, ANSWER_S, DEADLINE_S = 2.0, 8.0, 9.0
"""The last for all of one delivery; the hub allows 10."""
POLL_S = 25
"""So long a call waits for something to tell; Telegram allows 50."""
WEBHOOK = Route("", ("POST",), secret_headers=(codec.SECRET,))
T = TypeVar("T")


class KeyedTransport(Transport):
    """Puts the token into an address as it leaves the machine: what httpx logs, raises and keeps never has it."""

    def __init__(self, base_url: str, token: str) -> None:
        super().__init__(base_url)
        self._bot = f"/bot{token}/".encode()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request for /bot/METHOD or /file/bot/PATH."""
        url = request.url.copy_with(raw_path=request.url.raw_path.replace(b"/bot/", self._bot, 1))
        keyed = httpx.Request(
            request.method, url, headers=request.headers, stream=request.stream, extensions=request.extensions
        )
        return await super().handle_async_request(keyed)


class Telegram(Connector):
    """Visitors who write to our bot."""

    contract = 1
    Settings = TelegramSettings
    can = Capabilities(
        role="visitor", max_text=codec.TEXT, unit="utf16", choices=codec.CHOICES, notices=True,
        files=(FileLimit("*/*", codec.FILE_BYTES),), per_second=codec.PER_SECOND, per_minute=codec.PER_MINUTE,
        edits_s=codec.CHANGES_S, recalls_s=codec.CHANGES_S,
    )  # fmt: skip
    pulls = True
    """In the mode poll; an instance in the mode webhook has a route instead."""

    def __init__(self, settings: TelegramSettings) -> None:
        super().__init__(settings)
        self._token, self._base_url = settings.token.get_secret_value(), settings.base_url
        self._bot_id = self._token.partition(":")[0]
        self.pulls = settings.mode == "poll"
        self.routes = () if self.pulls else (WEBHOOK,)
        self._hooked, self._trouble = False, ""

    async def start(self, surroundings: Surroundings) -> None:
        self._secret, self._url = codec.secret_of(surroundings.key), surroundings.callback_url
        self._http = httpx.AsyncClient(
            base_url=self._base_url,
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            transport=KeyedTransport(self._base_url, self._token),
        )

    async def stop(self) -> None:
        await self._http.aclose()

    def health(self) -> str:
        return self._trouble

    # --- in ----------------------------------------------------------------------------------------------------------

    def verify(self, raw: Raw) -> None:
        codec.verify(raw, self._secret)

    def parse(self, raw: Raw) -> Parsed:
        return codec.parse(raw.body, raw.received_at_ms, self._bot_id)

    async def pull(self, cursor: str) -> Pulled:
        """Raises codec.NotGiven and httpx.HTTPError."""
        asked = {"timeout": POLL_S, "allowed_updates": codec.TOLD} | ({"offset": int(cursor)} if cursor else {})
        updates = await self._ask("getUpdates", list[dict[str, Any]], asked, POLL_S)
        items = [Item(json.dumps(update).encode()) for update in updates]
        return Pulled(str(updates[-1]["update_id"] + 1) if updates else cursor, items)

    async def upkeep(self) -> None:
        """Have Telegram call us, and keep for `health` how it fares. Raises codec.NotGiven and httpx.HTTPError."""
        if self.pulls:
            return
        try:
            info = await self._ask("getWebhookInfo", codec.WebhookInfo, {})
            if not self._hooked or info.url != self._url:
                await self._hook()
        except (codec.NotGiven, httpx.HTTPError) as error:
            self._trouble = f"Telegram cannot be told to call {self._url}: {str(error) or type(error).__name__}"
            raise
        self._trouble = ""
        if info.last_error_message and info.pending_update_count:
            failed = f"{info.pending_update_count} updates wait: Telegram fails to bring them to {self._url}"
            self._trouble = f"{failed} ({info.last_error_message})"

    async def _hook(self) -> None:
        asked = {"url": self._url, "secret_token": self._secret, "allowed_updates": codec.TOLD}
        try:
            await self._ask("setWebhook", bool, asked)
        except codec.NotGiven as error:
            if error.status != 429:  # another worker of ours has done so within the last second
                raise
        self._hooked = True

    async def fetch(self, source: str) -> AsyncIterator[bytes]:
        """The file with this file_id. Raises NotThere; codec.NotGiven and httpx.HTTPError where it may come yet."""
        try:
            where = await self._ask("getFile", codec.Path, {"file_id": source})
        except codec.NotGiven as error:
            if error.status == 400:  # larger than the 20 MB that a bot may have, or forgotten
                raise NotThere(str(error)) from None
            raise
        async with self._http.stream("GET", f"/file/bot/{where.file_path}") as answer:
            if answer.status_code != 200:
                raise codec.NotGiven(
                    f"HTTP {answer.status_code} when Telegram was asked for a file", answer.status_code
                )
            async for chunk in answer.aiter_bytes():
                yield chunk

    async def _ask(self, method: str, kind: type[T], arguments: Mapping[str, Any], waits_s: float = 0) -> T:
        timeout = httpx.Timeout(ANSWER_S + waits_s, connect=CONNECT_S)
        answer = await self._http.post(f"/bot/{method}", json=arguments, timeout=timeout)
        return codec.result(answer.status_code, answer.content, kind)

    # --- out ---------------------------------------------------------------------------------------------------------

    async def deliver(self, delivery: Delivery) -> Verdict:
        call, ends_at = codec.compose(delivery), asyncio.get_running_loop().time() + DEADLINE_S
        try:
            async with asyncio.timeout_at(ends_at):
                content = b"" if call.file is None else b"".join([chunk async for chunk in call.file.read()])
        except (AttachmentsAway, TimeoutError) as error:
            return Retry(f"the file cannot be read: {str(error) or 'it takes too long'}", 5)
        except (NoAttachment, AttachmentDamaged) as error:
            return Refused(f"the file cannot be read: {error}")
        try:
            async with asyncio.timeout_at(ends_at):
                answer = await self._call(call, content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Retry(f"Telegram cannot be reached ({type(error).__name__})", 1)
        except (httpx.HTTPError, TimeoutError) as error:
            return Unknown(f"no answer from Telegram ({type(error).__name__})")
        return codec.verdict(answer.status_code, answer.content, delivery.replaces)

    async def _call(self, call: codec.Call, content: bytes) -> httpx.Response:
        path = f"/bot/{call.method}"
        if call.file is None:
            return await self._http.post(path, json=call.arguments)
        part = (call.file.name, content, call.file.type)
        return await self._http.post(path, data=call.arguments, files={call.part: part})


CONNECTOR = Telegram
