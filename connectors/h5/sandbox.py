"""A robot visitor: the client's half of docs/protocol.md without a browser, for the demo and the tests.

It keeps its own ledger of what it sent, what was acknowledged and what it would have shown on its page, so that
nobody has to take the hub's word for anything. Hundreds run in one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import random
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidURI, WebSocketException
from websockets.protocol import State

from hub.errors import HubError

PING_AFTER_S, PONG_WITHIN_S = 25.0, 5.0
RETRY_S = 1.0
QUIET = logging.getLogger("connectors.h5.sandbox.websockets")
QUIET.setLevel(logging.CRITICAL)
TAB_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class RobotStopped(HubError):
    """The hub closed the socket with a code that says that coming back will not help, or refused a text for ever."""


@dataclasses.dataclass
class SentText:
    """One text in the robot's ledger. Times are `time.monotonic()` seconds; `seq` is 0 until it is acknowledged."""

    id: str
    text: str
    sent_at: float
    acked_at: float = 0.0
    seq: int = 0
    status: str = ""
    masked: str = ""
    """What others read instead, where the hub said so in the ack."""


def backoff(tries: int, rng: random.Random) -> float:
    """Full jitter: seconds to wait before the next try, 0.5 to 30."""
    return max(0.5, rng.uniform(0, min(30.0, 0.5 * 2 ** min(tries, 10))))


class History:
    """The events of one conversation by seq. `shown` is what a page shows, in the order in which it was complete."""

    def __init__(self) -> None:
        self.shown: list[dict[str, Any]] = []
        self.solid = 0
        """The last seq up to which nothing is missing."""
        self._early: dict[int, dict[str, Any]] = {}
        self._known = 0

    def expect(self, seq: int) -> None:
        """There is an event with this number."""
        self._known = max(self._known, seq)

    def merge(self, events: list[dict[str, Any]]) -> None:
        """Take events in any order; what is known is ignored, what leaves a hole waits until it is filled."""
        for event in events:
            self.expect(event["seq"])
            if event["seq"] > self.solid:
                self._early.setdefault(event["seq"], event)
        while self._early and self._early[first := min(self._early)]["prev"] <= self.solid:
            self.shown.append(self._early.pop(first))
            self.solid = first

    def fill(self, page: dict[str, Any]) -> None:
        """The answer to a range: nothing but these lies in it, unless there is more."""
        self.merge(page["events"])
        if not page["more"] and page["after"] <= self.solid < page["before"] - 1:
            self.solid = page["before"] - 1
            self.merge([])

    def hole(self) -> tuple[int, int] | None:
        """(after, before) of what must be fetched, or None."""
        if self._known <= self.solid:
            return None
        return self.solid, min(self._early, default=self._known + 1)


class Robot:
    """One visitor on a page of the hub at `url`.

    `start` mints the token and connects in the background; from then on the robot comes back by itself after every
    cut, sends again what is not acknowledged and fetches what it missed. `sent` and `history` are its ledger.
    """

    def __init__(self, url: str, *, http: httpx.AsyncClient, rng: random.Random, name: str = "") -> None:
        self.url = url.rstrip("/")
        self.name = name
        self.conversation = ""
        self.sent: list[SentText] = []
        self.history = History()
        self.reconnects = 0
        self.typing_seen = 0
        self._http = http
        self._rng = rng
        self._token = ""
        self._tab = "".join(rng.choices(TAB_LETTERS, k=12))
        self._unacked: dict[str, SentText] = {}
        self._flying: set[str] = set()
        self._window = 64
        self._epoch = 0
        self._range: tuple[int, int] | None = None
        self._socket: ClientConnection | None = None
        self._live = False
        self._welcomed = False
        """Whether the last socket got that far: then the waits start from the shortest again."""
        self._running: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._pausing: asyncio.TimerHandle | None = None
        self._again_from: int | None = None
        """After the pause: send again from this n."""

    async def start(self) -> None:
        """Mint a token (HTTPError when the hub gives none) and begin to connect."""
        await self._mint()
        self._running = asyncio.create_task(self._run(), name=f"robot {self.name}")

    async def stop(self) -> None:
        """Leave the page. Raises what ended the robot before, if anything did."""
        if self._running is None:
            return
        self._running.cancel()
        if self._pausing:
            self._pausing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._running

    async def reload(self) -> None:
        """Load the page anew, in the middle of whatever is under way: the token and the outbox come from the browser's
        storage, what was on the page from the hub.
        """
        self.cut()
        await self.stop()
        self.history, self._epoch = History(), 0
        self._live, self._socket, self._range, self._pausing, self._again_from = False, None, None, None, None
        self._flying.clear()
        self._running = asyncio.create_task(self._run(), name=f"robot {self.name}")

    def say(self, text: str) -> SentText:
        """Write a text: it is sent as soon as that is possible, and again until it is acknowledged."""
        entry = SentText(f"{self._tab}.{len(self.sent) + 1}", text, time.monotonic())
        self.sent.append(entry)
        self._unacked[entry.id] = entry
        self._flush()
        return entry

    def cut(self) -> None:
        """The network goes away in the middle of whatever is under way: no close frame, nothing is flushed."""
        if self._socket:
            self._socket.transport.abort()
            self._live, self._socket = False, None

    def type(self, on: bool = True) -> None:
        """Tell the agent that the visitor is writing; lost where there is no connection."""
        if self._live:
            self._write({"t": "typing", "on": on})

    async def until(self, true: Callable[[], bool], timeout_s: float = 30.0) -> None:
        """Wait until `true()`; looked at whenever a frame came. TimeoutError names what is still unacknowledged."""
        try:
            async with asyncio.timeout(timeout_s):
                while not true():
                    self._check()
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            waiting = f"{len(self._unacked)} texts unacknowledged, seen up to {self.history.solid}"
            raise TimeoutError(f"robot {self.name} waited {timeout_s} s: {waiting}") from None

    async def settled(self, timeout_s: float = 30.0) -> None:
        """Wait until everything is acknowledged and no event is known to be missing."""
        await self.until(lambda: self._live and not self._unacked and self.history.hole() is None, timeout_s)

    @property
    def live(self) -> bool:
        """Whether the hub has said welcome on the present socket."""
        return self._live

    def _check(self) -> None:
        if self._running and self._running.done():
            self._running.result()

    # --- connecting ---

    async def _mint(self) -> None:
        body = {"page": f"{self.url}/chat", "referrer": "", "language": "zh-CN", "name": self.name}
        answer = await self._http.post(f"{self.url}/api/v1/visitors", json=body)
        answer.raise_for_status()
        self._token, self.conversation = answer.json()["token"], answer.json()["conversation"]

    async def _renew(self) -> None:
        answer = await self._http.post(f"{self.url}/api/v1/visitors/renew", json={"token": self._token})
        answer.raise_for_status()
        self._token = answer.json()["token"]

    async def _run(self) -> None:
        tries, address = 0, urlsplit(self.url)._replace(scheme="ws" if self.url.startswith("http:") else "wss")
        try:
            while True:
                code = 1006
                with contextlib.suppress(OSError, TimeoutError, InvalidHandshake):
                    async with connect(
                        f"{address.geturl()}/ws", compression=None, ping_interval=None, proxy=None, logger=QUIET
                    ) as socket:
                        code = await self._talk(socket)
                tries = 0 if self._welcomed else tries + 1
                await self._lost(code, tries)
        except InvalidURI as error:
            raise RobotStopped(f"{self.url} is no address of a hub: {error}") from error
        finally:
            self._live = False
            self._changed.set()

    async def _talk(self, socket: ClientConnection) -> int:
        """Speak on one socket until it ends; its close code."""
        self._socket = socket
        self._write({"t": "hello", "v": 1, "token": self._token, "epoch": self._epoch, "seq": self.history.solid})
        silence = PING_AFTER_S
        with contextlib.suppress(WebSocketException):
            while self._socket is socket:
                try:
                    async with asyncio.timeout(silence):
                        text = await socket.recv()
                except TimeoutError:
                    if silence == PONG_WITHIN_S:
                        self.cut()
                        break
                    self._write({"t": "ping"})
                    silence = PONG_WITHIN_S
                    continue
                silence = PING_AFTER_S
                if self._socket is socket:  # what was under way when the network went is lost
                    self._hear(json.loads(text))
                    self._changed.set()
        return socket.close_code or 1006

    async def _lost(self, code: int, tries: int) -> None:
        self._live, self._welcomed, self._socket, self._range = False, False, None, None
        self._flying.clear()
        if code == 1009 or 4500 <= code < 5000:
            raise RobotStopped(f"the hub closed the socket of {self.name} with {code}: coming back will not help")
        self.reconnects += 1
        await asyncio.sleep(max(5.0 if code == 4008 else 0.0, backoff(tries, self._rng)))
        if code == 4401:
            with contextlib.suppress(httpx.TransportError):  # then the old token is told 4401 again
                await self._renew()

    # --- talking ---

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome":
                self._welcome(frame)
            case "ack":
                self._acked(frame)
            case "event":
                self.history.merge([frame])
                self._known(frame)
            case "page":
                self._range = None
                self.history.fill(frame)
                for event in frame["events"]:
                    self._known(event)
            case "typing":
                self.typing_seen += 1
            case "error":
                self._refused(frame)
        self._fetch()
        self._flush()

    def _welcome(self, frame: dict[str, Any]) -> None:
        if not frame["resumed"]:
            self.history = History()
        self._live = self._welcomed = True
        self._epoch, self._window = frame["epoch"], frame["window"]
        self.history.expect(frame["seq"])
        self.history.merge(frame["events"])
        for event in frame["events"]:
            self._known(event)

    def _acked(self, frame: dict[str, Any]) -> None:
        entry = self._unacked.get(frame["id"])
        if entry and "prev" in frame:
            shown = {"text": entry.text} | frame | {"t": "event", "kind": "message"}
            self.history.merge([shown])
            entry.masked = frame.get("text", "")
        else:
            self.history.expect(frame["seq"])
        self._settle(frame["id"], frame["seq"], frame.get("status", ""))

    def _known(self, event: dict[str, Any]) -> None:
        """An event of ours that came back: stored, whatever became of its ack."""
        if event["kind"] == "message":
            self._settle(event["id"], event["seq"], event.get("status", ""))

    def _settle(self, id_: str, seq: int, status: str) -> None:
        self._flying.discard(id_)
        entry = self._unacked.pop(id_, None)
        if entry:
            entry.acked_at, entry.seq, entry.status = time.monotonic(), seq, status

    def _refused(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"do": "resend", "from": start}:
                self._take_back(start)
                self._pause(start)
            case {"do": "retry", "id": id_}:
                self._pause(int(id_.partition(".")[2]))
            case {"do": "retry"}:
                self._pause(None)
            case _:
                raise RobotStopped(f"the hub refuses a text of {self.name} for ever: {frame}")

    def _take_back(self, start: int) -> None:
        """What the hub wants again it does not have, even if it was acknowledged before the log began anew."""
        waiting = {entry.id for entry in self.sent[start - 1 :]} | self._unacked.keys()
        self._unacked = {entry.id: entry for entry in self.sent if entry.id in waiting}

    def _pause(self, again_from: int | None) -> None:
        """Be silent for a moment, then go on from there: a whole window may be refused for one and the same hole."""
        if again_from is not None:
            self._again_from = min(again_from, self._again_from or again_from)
        if self._pausing is None:
            self._pausing = asyncio.get_running_loop().call_later(RETRY_S, self._go_on)

    def _go_on(self) -> None:
        self._pausing, self._range = None, None
        if self._again_from is not None:
            self._flying = {id_ for id_ in self._flying if int(id_.partition(".")[2]) < self._again_from}
            self._again_from = None
        self._fetch()
        self._flush()

    def _fetch(self) -> None:
        hole = self.history.hole()
        if self._live and hole and not self._range and not self._pausing:
            self._range = hole
            self._write({"t": "range", "after": hole[0], "before": hole[1]})

    def _flush(self) -> None:
        if not self._live or self._pausing:
            return
        for id_, entry in self._unacked.items():
            if len(self._flying) >= self._window:
                break
            if id_ not in self._flying:
                self._flying.add(id_)
                self._write({"t": "send", "id": id_, "text": entry.text})

    def _write(self, frame: dict[str, Any]) -> None:
        """Hand a frame to the socket without waiting: a robot's few small frames never fill its buffer."""
        if self._socket is None or self._socket.state is not State.OPEN:
            return
        self._socket.protocol.send_text(json.dumps(frame, ensure_ascii=False).encode())
        self._socket.send_data()
