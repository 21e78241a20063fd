"""What the hub's log says of conversations, followed over its API while the demo runs."""

import asyncio
import contextlib
from typing import Any

import httpx

WAIT_S, ANSWER_S, AGAIN_S = 10, 30.0, 0.3


class Feed:
    """Everything that happens in conversations from `begin` on: `events` are frames of docs/protocol.md, in order."""

    def __init__(self, hub_url: str, token: str) -> None:
        self.events: list[dict[str, Any]] = []
        self._url = f"{hub_url}/api/v1/events"
        self._headers = {"authorization": f"Bearer {token}"}
        self._cursor = ""

    async def begin(self) -> None:
        """From now on. Raises HTTPError."""
        async with self._client() as http:
            self._cursor = (await self._ask(http))["cursor"]

    async def follow(self) -> None:
        """Read on for ever, also through times in which the hub does not answer."""
        async with self._client() as http:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    page = await self._ask(http, after=self._cursor, wait_s=WAIT_S)
                    self._cursor = page["cursor"]
                    self.events += page["events"]
                    continue
                await asyncio.sleep(AGAIN_S)

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(headers=self._headers, trust_env=False, timeout=ANSWER_S)

    async def _ask(self, http: httpx.AsyncClient, **params: str | int) -> dict[str, Any]:
        answer = await http.get(self._url, params=params)
        answer.raise_for_status()
        page: dict[str, Any] = answer.json()
        return page
