"""A stand-in for a platform that speaks JSON over HTTP: a shop's app whose customers chat, on loopback.

    async with ShopSandbox() as shop:
        settings = shop.settings()                      # channels.webhook in config/hub.yaml
        shop.callback_url = "http://127.0.0.1:8080/callbacks/webhook"
        shop.say("c-7", "hello")

or `python -m connectors.webhook.sandbox`.
"""

import argparse
import asyncio
import contextlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import msgspec
from litestar import Litestar, Request, Response, get, post
from litestar.exceptions import NotFoundException
from litestar.params import FromPath, JSONBody

from connectors.webhook.shop import KEY_S, MOST_TEXT, PER_SECOND, REPLY_SECRET, TELL_SECRET, Reply, Shop, signed
from hub.kit.serving import run_alone
from hub.kit.stand_in import StandIn, switchboard

ATTEMPTS = 3
ANSWER_S = 5.0
OVERTAKEN_S = 0.3


class Faults(msgspec.Struct):
    """Switches; each is as good as the real thing until it is switched off again."""

    slow_s: float = 0.0
    """A reply waits so long before anything is done."""
    status: int = 0
    """A reply is answered with this HTTP status, and nothing is done."""
    status_after_accepting: int = 0
    no_answer_after_accepting: bool = False
    """A reply is shown, and never answered."""
    repeat_callbacks: bool = False
    """The hub is told everything twice."""
    reorder_callbacks: bool = False
    """Every second message is overtaken by the one after it."""
    wrong_signature: bool = False
    """The hub is told with the signature of another secret."""


class Told(msgspec.Struct):
    """A customer's message on its way to the hub; `statuses` are the HTTP answers to each attempt, 0 for none."""

    id: str
    customer: str
    statuses: list[int] = []
    taken: bool | None = None
    """Whether the hub took it; None as long as that is open."""


class Ledger(msgspec.Struct):
    """All that the shop knows: what the tests compare the hub with."""

    replies: list[Reply]
    told: list[Told]


class Message(msgspec.Struct):
    """What a robot lets a customer write; `file` names one of the shop's files, `replaces` an earlier message."""

    text: str = ""
    kind: str = ""
    file: str = ""
    replaces: str = ""


class ShopSandbox(StandIn[Faults]):
    """A shop's app. `url` is its base URL while it runs, `callback_url` where it tells the hub.

    `retry_after_s` is the pause before a further attempt to tell the hub, `attempts` how many it makes at most; `now`
    is its clock, in seconds.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        now: Callable[[], float] = time.time,
        retry_after_s: float = 1.0,
        attempts: int = ATTEMPTS,
    ) -> None:
        super().__init__(Faults(), port)
        self.shop = Shop()
        self.files: dict[str, bytes] = {}
        """What customers can send, by name."""
        self.callback_url = ""
        self._now, self._retry_after_s, self._attempts = now, retry_after_s, attempts
        self._told: list[Told] = []
        # ids above those of any earlier run, or the hub would take new messages for old ones
        self._ids = itertools.count(time.time_ns() // 1000)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def app(self) -> Litestar:
        """The shop for the hub, and a console for robots."""
        return _app(self)

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """The client that tells the hub."""
        self._http = await stack.enter_async_context(httpx.AsyncClient(timeout=ANSWER_S, trust_env=False))

    def settings(self) -> dict[str, Any]:
        """What belongs under channels.webhook in config/hub.yaml to use this stand-in."""
        return {
            "in": {
                "secret": TELL_SECRET,
                "signature": {
                    "header": "X-Shop-Signature", "prefix": "sha256=", "timestamp_header": "X-Shop-Time",
                },
                "messages": "messages",
                "identity": "customer.id",
                "name": "customer.name",
                "outside_id": "id",
                "text": "text",
                "sent_at": "sent_at",
                "sent_at_unit": "milliseconds",
                "unsupported": "kind",
                "edits": "replaces",
                "files": "files[].{name: title, url: href}",
                "files_from": [self.url.removeprefix("http://")],
            },
            "out": {
                "url": f"{self.url}/replies",
                "secret": REPLY_SECRET,
                "signature": {
                    "header": "X-Hub-Signature", "encoding": "base64", "timestamp_header": "X-Hub-Time",
                },
                "body": {
                    "customer": "address",
                    "text": "text",
                    "from": "by",
                    "answers_to": "in_reply_to",
                    "buttons": "choices",
                    "files": "files[].{title: name, href: url}",
                },
                "receipt": "id",
                "error": "error",
                "recognises_s": KEY_S,
            },
            "limits": {
                "max_text": MOST_TEXT,
                "choices": 3,
                "per_second": PER_SECOND / 2,  # it spreads calls with a burst of one second's worth
                "files": {"image/*": 1_000_000},
            },
        }  # fmt: skip

    def ledger(self) -> Ledger:
        """What was shown, refused and told so far."""
        return Ledger(self.shop.replies, self._told)

    # --- what a customer does --------------------------------------------------------------------------------------

    def say(self, identity: str, text: str = "", *, kind: str = "", file: str = "", replaces: str = "") -> str:
        """A customer writes, and the hub is told, each customer's messages in their order. Gives the message's id."""
        self.shop.customers.add(identity)
        told = Told(f"m-{next(self._ids)}", identity)
        message = {
            "id": told.id,
            "customer": {"id": identity, "name": f"Customer {identity}"},
            "text": text,
            "sent_at": int(self._now() * 1000),
            "kind": kind,
            "replaces": replaces,
            "files": [{"title": file, "href": f"{self.url}/files/{file}"}] if file else [],
        }
        self._told.append(told)
        overtaken = len(self._told) % 2 == 1
        self.begin(self._tell(told, msgspec.json.encode({"messages": [message]}), overtaken))
        return told.id

    async def _tell(self, told: Told, body: bytes, overtaken: bool) -> None:
        if self.faults.reorder_callbacks:
            await asyncio.sleep(OVERTAKEN_S if overtaken else 0)
        async with self._turns[told.customer]:
            told.taken = await self._attempt(told, body)
            if self.faults.repeat_callbacks:
                await self._attempt(told, body)

    async def _attempt(self, told: Told, body: bytes) -> bool:
        for attempt in range(self._attempts):
            if attempt:
                await asyncio.sleep(self._retry_after_s)
            headers = signed(body + b" " if self.faults.wrong_signature else body, self._now())
            try:
                answer = await self._http.post(self.callback_url, content=body, headers=headers)
                told.statuses.append(answer.status_code)
            except (httpx.HTTPError, httpx.InvalidURL):
                told.statuses.append(0)
            if told.statuses[-1] == 200:
                return True
        return False

    # --- what the hub calls ----------------------------------------------------------------------------------------

    async def reply(self, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any], dict[str, str]]:
        """POST /replies, faults included: status, JSON, headers."""
        await self.pause(self.faults.slow_s)
        if self.faults.status:
            return self.faults.status, {"error": "refused by a switch\nof the stand-in"}, {}
        answered = self.shop.take(headers, body, self._now())
        if self.faults.no_answer_after_accepting:
            await self.pause(3600)
        return self.faults.status_after_accepting or answered.status, answered.body, answered.headers


SANDBOX = ShopSandbox


def _app(sandbox: ShopSandbox) -> Litestar:
    @post("/replies")
    async def reply(request: Request[Any, Any, Any]) -> Response[dict[str, Any]]:
        status, body, headers = await sandbox.reply(dict(request.headers), await request.body())
        return Response(body, status_code=status, headers=headers)

    @get("/files/{name:str}")
    async def file(name: FromPath[str]) -> Response[bytes]:
        if name not in sandbox.files:
            raise NotFoundException(f"the shop has no file {name}")
        return Response(sandbox.files[name], media_type="application/octet-stream")

    @post("/customers/{identity:str}/say")
    async def say(identity: FromPath[str], data: JSONBody[Message]) -> dict[str, str]:
        return {"id": sandbox.say(identity, data.text, kind=data.kind, file=data.file, replaces=data.replaces)}

    @get("/ledger")
    async def ledger() -> Ledger:
        return sandbox.ledger()

    # Litestar's own logging would log for the whole process
    return Litestar([reply, file, say, ledger, switchboard(sandbox)], openapi_config=None, logging_config=None)


async def _run(port: int, callback_url: str) -> None:
    async with ShopSandbox(port=port) as shop:
        shop.callback_url = callback_url
        print(f"A shop's app: {shop.url}   channels.webhook in config/hub.yaml:")
        print(msgspec.json.format(msgspec.json.encode(shop.settings())).decode(), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """`python -m connectors.webhook.sandbox`; Ctrl-C ends it."""
    parser = argparse.ArgumentParser(prog="python -m connectors.webhook.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=8098)
    parser.add_argument(
        "--callback", default="http://127.0.0.1:8080/callbacks/webhook", metavar="URL", help="the hub's"
    )
    chosen = parser.parse_args()
    run_alone(_run(chosen.port, chosen.callback))


if __name__ == "__main__":
    main()
