"""Webhook as a channel: signed JSON in, signed JSON out."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx

from connectors.http.transport import Transport
from connectors.webhook import codec
from connectors.webhook.settings import WebhookSettings
from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    FileLimit,
    NotThere,
    Parsed,
    Raw,
    Refused,
    Retry,
    Route,
    Surroundings,
    Unknown,
    Verdict,
)

CONNECT_S, ANSWER_S, DEADLINE_S = 2.0, 8.0, 9.0
"""The last for all of one delivery; the hub allows 10."""
TIMEOUT = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
EXTENSIONS = {"timeout": TIMEOUT.as_dict()}
ANSWER_BYTES, FILE_BYTES = 65_536, 20_971_520


class Webhook(Connector):
    """Visitors on a platform that posts what they write, and takes the answers by HTTP."""

    Settings = WebhookSettings
    can = Capabilities(role="visitor")
    """What an instance can do is what its settings say."""
    routes = (Route("", ("POST",)),)

    def __init__(self, settings: WebhookSettings) -> None:
        super().__init__(settings)
        self._in, self._out = settings.incoming, settings.out
        self._url = httpx.URL(settings.out.url)
        self.can = Capabilities(
            role="visitor",
            files=tuple(FileLimit(*limit) for limit in settings.limits.files.items()),
            files_with_text=True,
            recognises_s=settings.out.recognises_s,
            **settings.limits.model_dump(exclude={"files"}),
        )

    async def start(self, surroundings: Surroundings) -> None:
        self._way_out = Transport(self._out.url)
        self._http = httpx.AsyncClient(
            timeout=TIMEOUT,
            mounts={"all://127.0.0.1": None},  # a stand-in is never behind the machine's proxy
        )

    async def stop(self) -> None:
        await self._way_out.aclose()
        await self._http.aclose()

    def verify(self, raw: Raw) -> None:
        codec.check_signature(raw, self._in)

    def parse(self, raw: Raw) -> Parsed:
        return codec.parse(raw, self._in)

    async def fetch(self, source: str) -> AsyncIterator[bytes]:
        """Raises NotThere for a host that is not listed, and for more than FILE_BYTES; else httpx.HTTPError."""
        try:
            codec.check_source(source, self._in.files_from)
        except ValueError as error:
            raise NotThere(str(error)) from None
        size = 0
        async with self._http.stream("GET", source) as answer:
            if answer.status_code >= 500:
                answer.raise_for_status()
            if answer.status_code != 200:  # a redirect too: it might lead to a host that is not listed
                raise NotThere(f"the file's host answered HTTP {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                size += len(chunk)
                if size > FILE_BYTES:
                    raise NotThere(f"the file exceeds the limit of {FILE_BYTES} bytes")
                yield chunk

    async def deliver(self, delivery: Delivery) -> Verdict:
        try:
            body = codec.compose(delivery, self._out)
        except ValueError as error:
            return Refused(f"channels.webhook.{error}")
        headers = {name: value.get_secret_value() for name, value in self._out.headers.items()}
        headers |= {"content-type": "application/json", "user-agent": "kefu-hub", self._out.key_header: delivery.key}
        headers |= codec.sign(body, self._out, int(time.time()))
        # Past httpx's client, whose cookies, redirects and authentication nobody wants here, and whose cost is high.
        request = httpx.Request("POST", self._url, content=body, headers=headers, extensions=EXTENSIONS)
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._way_out.handle_async_request(request)
                async with contextlib.aclosing(answer):
                    said = await _beginning(answer)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            return Retry(f"the platform cannot be reached ({type(error).__name__})", 1, everyone=True)
        except (httpx.HTTPError, TimeoutError) as error:
            return Unknown(f"no answer from the platform ({type(error).__name__})")
        return codec.verdict(answer.status_code, answer.headers, said, self._out, time.time())


async def _beginning(answer: httpx.Response) -> bytes:
    content = b""
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > ANSWER_BYTES:
            break
    return content


CONNECTOR = Webhook
