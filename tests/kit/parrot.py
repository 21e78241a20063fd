"""Parrot, an invented platform: it calls a webhook or is asked with a cursor, and takes texts under a key."""

import asyncio
import hashlib
import hmac
import itertools
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self, SupportsBytes

import httpx
from litestar import Litestar, Request, Response, get, post
from litestar.params import FromQuery

from hub.domain.text import SIZES
from hub.kit.far_side import Reply, Shown
from hub.kit.serving import serving

MOST = 300
"""UTF-16 units of a text."""
ATTEMPTS, ANSWER_S, AGAIN_S = 20, 3.0, 0.1
UNHEARD_OF = 4711
GONE = 9
"""Of what is to be changed, and is not there (any more)."""
HALF_A_NAME = "Polly \ud83e"
"""Some platforms cut names in the middle of a character."""


def signature(secret: str, body: bytes) -> str:
    """What the header x-parrot-signature holds."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


class Parrot:
    """The platform with 20 birds on it, as the kit wants it (hub.kit.far_side.FarSide)."""

    people: Sequence[str] = tuple(f"bird{i}" for i in range(20))
    sends = "/say"
    changes = "/unsay"
    brings = ""
    strange: Sequence[str] = ("song", "feather")
    busy: SupportsBytes = Reply(429, b'{"error": "too many words"}', (("retry-after", "2"),))
    refusal: SupportsBytes = Reply(200, json.dumps({"code": UNHEARD_OF, "error": "the parrot is pining"}).encode())
    refusal_text = "the parrot is pining"

    def __init__(self) -> None:
        self.secret, self.account = "marked-secret-of-the-parrot", "polly"
        self.said: list[Shown] = []
        self.heard: dict[str, tuple[str, str]] = {}
        """Who has which text in their ear, by the id that /say gave."""
        self.items: list[dict[str, Any]] = []
        self._keys: set[str] = set()
        self._ids = itertools.count(time.time_ns())
        self._offset_s = 0.0
        self._callback = ""
        self._posting: set[asyncio.Task[None]] = set()
        self._turns = {who: asyncio.Lock() for who in self.people}

    async def __aenter__(self) -> Self:
        self._http = httpx.AsyncClient(timeout=ANSWER_S, trust_env=False)
        self._server = serving(
            Litestar([self._route_say(), self._route_unsay(), self._route_heard()], logging_config=None)
        )
        self.url = await self._server.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._posting:
            task.cancel()
        await asyncio.gather(*self._posting, return_exceptions=True)
        await self._http.aclose()
        await self._server.__aexit__(kind, error, trace)

    def settings(self, *urls: str) -> dict[str, Any]:
        return {"account": self.account, "secret": self.secret, "base_url": urls[0]}

    def secrets(self) -> Sequence[str]:
        return (self.secret,)

    async def join(self, callback_url: str) -> None:
        self._callback = callback_url

    def say(self, who: str, text: str, kind: str = "") -> None:
        self._tell(who, self._item(who, text, kind))

    def reply(self, who: str, to: str, text: str, *, spoilt: bool = False) -> None:
        thread = self.screen(to)[-1].partition(" ")[0]
        self._tell(who, self._item(who, text, "") | {"thread": ("0" if spoilt else "") + thread})

    async def garble(self) -> None:
        self._tell(self.people[0], {"id": next(self._ids), "from": ["no", "bird"], "kind": {}})

    async def forge(self) -> None:
        item = self._item(self.people[0], "I am no parrot", "")
        other = self._body(item | {"account": "somebody-else"})
        for body, sealed in ((self._body(item), "0" * 64), (other, signature(self.secret, other))):
            await self._http.post(self._callback, content=body, headers={"x-parrot-signature": sealed})

    def step(self, seconds: float) -> None:
        self._offset_s += seconds

    def shown(self) -> Sequence[Shown]:
        return self.said

    def screen(self, who: str) -> Sequence[str]:
        return [text for bird, text in self.heard.values() if bird == who]

    def _item(self, who: str, text: str, kind: str) -> dict[str, Any]:
        at_ms = int((time.time() + self._offset_s) * 1000)
        number = str(next(self._ids))
        return {"id": number, "account": self.account, "from": who, "kind": kind or "text", "text": text,
                "at": at_ms, "name": HALF_A_NAME}  # fmt: skip

    @staticmethod
    def _body(item: dict[str, Any]) -> bytes:
        return json.dumps(item).encode()  # escapes, among them halves of surrogate pairs

    def _tell(self, who: str, item: dict[str, Any]) -> None:
        self.items.append(item)
        if self._callback:
            task = asyncio.create_task(self._post(who, self._body(item)))
            self._posting.add(task)
            task.add_done_callback(self._posting.discard)

    async def _post(self, who: str, body: bytes) -> None:
        """In the bird's order, again until it is taken."""
        async with self._turns[who]:
            for _ in range(ATTEMPTS):
                try:
                    headers = {"x-parrot-signature": signature(self.secret, body)}
                    if (await self._http.post(self._callback, content=body, headers=headers)).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await asyncio.sleep(AGAIN_S)

    def _route_say(self) -> Any:
        @post("/say", status_code=200)
        async def say(request: Request[Any, Any, Any]) -> Response[Any]:
            if request.headers.get("authorization") != f"Bearer {self.secret}":
                return Response({"code": 1, "error": "who are you?"})
            body = await request.json()
            if body["to"] not in self.people:
                return Response({"code": 2, "error": "no such bird"})
            if SIZES["utf16"](body["text"]) > MOST:
                return Response({"code": 3, "error": f"more than {MOST} units"})
            key = request.headers.get("idempotency-key", "")
            fresh = not key or key not in self._keys
            self._keys.add(key)
            self.said.append(Shown(body["to"], body["text"], fresh))
            name = key or str(len(self.said))
            if fresh:
                self.heard[name] = body["to"], body["text"]
            return Response({"code": 0, "id": name})

        return say

    def _route_unsay(self) -> Any:
        @post("/unsay", status_code=200)
        async def unsay(request: Request[Any, Any, Any]) -> Response[Any]:
            """Another text instead of the one with this `id`, or none."""
            if request.headers.get("authorization") != f"Bearer {self.secret}":
                return Response({"code": 1, "error": "who are you?"})
            body = await request.json()
            if body["id"] not in self.heard:
                return Response({"code": GONE, "error": "nobody remembers that"})
            if body["text"]:
                self.heard[body["id"]] = body["to"], body["text"]
            else:
                del self.heard[body["id"]]
            return Response({"code": 0, "id": body["id"]})

        return unsay

    def _route_heard(self) -> Any:
        @get("/heard")
        async def heard(after: FromQuery[int], wait: FromQuery[float] = 0) -> Response[Any]:
            ends_at = time.monotonic() + wait
            while len(self.items) <= after and time.monotonic() < ends_at:
                await asyncio.sleep(0.02)
            return Response(
                self._body({"items": self.items[after : after + 50], "next": min(len(self.items), after + 50)})
            )

        return heard


class AskedParrot(Parrot):
    """The same where it is asked for what the birds said."""

    brings = "/heard"
