"""The demo's agents on the hub's own page: they read over an agent's socket and act over the HTTP API."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from connectors.h5.sandbox import QUIET, History
from hub.demo.ledgers import Given
from hub.demo.lines import Line, Said
from hub.demo.reading import Began, Block, Duty, Ended, Found, Undelivered
from hub.demo.stage import DemoAgent

AGAIN_S = 0.5
"""Between two tries while the hub does not answer: without an answer nobody knows whether it was done, so it is asked
again, with the same key where doing it twice would be seen."""
ANSWER_S = 15.0
AGAIN = {429, 503}
UNDER_WAY = "under_way"
UNREAD = "unread"
"""Not ended: the visitor has written more, which is answered next."""


class Transcript:
    """One conversation on the page: its events by seq, and what the agent has been told of them."""

    def __init__(self) -> None:
        self.history = History()
        self.no = 0
        self._read = 0
        """How many events have been looked at."""
        self._unanswered: list[Block] = []
        self._answers: dict[int, str] = {}
        """The text of each answer, by seq."""
        self._note = ""

    def news(self, name: str) -> Iterator[Found]:
        """What the events say that have come since, to the agent called `name`."""
        fresh = self.history.shown[self._read :]
        self._read = len(self.history.shown)
        for event in fresh:
            match event:
                case {"kind": "message", "seq": seq, "text": text} if not event.get("status"):
                    block = Block(self.no, seq, text)
                    self._unanswered.append(block)
                    if self.no:
                        yield block
                case {"kind": "answer", "seq": seq}:
                    self._answers[seq] = event.get("text", "")
                    seen = event.get("seen", seq)
                    self._unanswered = [block for block in self._unanswered if block.seq > seen]
                case {"kind": "undelivered", "text": because, "refs": refs}:
                    quoted = " ".join(self._answers[ref] for ref in refs if ref in self._answers)
                    if quoted and self.no:
                        yield Undelivered(self.no, because, quoted)
                    elif quoted:
                        self._note = f"{because}: {quoted}"
                case {"kind": "transferred"}:
                    self._note = event.get("text", "")
                case {"kind": "assigned", "by": by, "no": no} if by == name:
                    self.no = no
                    yield Began(no, self._note)
                    yield from (Block(no, block.seq, block.text) for block in self._unanswered)
                case {"kind": "assigned" | "closed" | "returned"} if self.no:
                    yield Ended(self.no)
                    self.no, self._note = 0, ""


class Desk(Line):
    """One agent's page. `see` is called with what it shows; `follow` keeps it up to date, for ever."""

    def __init__(self, hub_url: str, who: DemoAgent, http: httpx.AsyncClient, see: Callable[[Found], None]) -> None:
        self._url = hub_url
        self._who = who
        self._http = http
        self._see = see
        self._headers: dict[str, str] = {}
        self._epoch = 0
        self._transcripts: dict[str, Transcript] = {}
        self._asked: set[str] = set()
        """Conversations of which a missing stretch has been asked for."""
        self._keys = (f"{secrets.token_hex(8)}-{n}" for n in itertools.count())

    async def log_in(self, admin_token: str) -> None:
        """Get a password from the admin, and log in with it. Raises HTTPError."""
        password = {"password": secrets.token_urlsafe(12)}
        admin = {"authorization": f"Bearer {admin_token}"}
        path = f"{self._url}/api/v1/agents"
        (await self._http.put(f"{path}/{self._who.id}/password", json=password, headers=admin)).raise_for_status()
        logged_in = await self._http.post(f"{path}/login", json={"name": self._who.id, **password})
        logged_in.raise_for_status()
        self._headers = {"authorization": f"Bearer {logged_in.json()['token']}"}

    # --- reading -----------------------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Read on for ever; after a cut the page comes back with what it has seen."""
        address = urlsplit(self._url)._replace(scheme="ws").geturl()
        while True:
            with contextlib.suppress(OSError, TimeoutError, InvalidHandshake, WebSocketException):
                async with connect(f"{address}/ws", compression=None, proxy=None, logger=QUIET) as socket:
                    await self._talk(socket)
            self._asked.clear()
            await asyncio.sleep(AGAIN_S)

    async def _talk(self, socket: ClientConnection) -> None:
        seen = {c: transcript.history.solid for c, transcript in self._transcripts.items()}
        token = self._headers["authorization"].removeprefix("Bearer ")
        hello = {"t": "hello", "v": 1, "token": token, "epoch": self._epoch, "seen": seen}
        await socket.send(json.dumps(hello))
        async for text in socket:
            frame = json.loads(text)
            self._hear(frame)
            if missing := self._missing(frame.get("c", "")):
                await socket.send(json.dumps(missing))

    def _hear(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome":
                self._epoch = frame["epoch"]
                for c in self._transcripts.keys() - set(frame["conversations"]):
                    self._end(c)
            case "serving" if not frame["on"]:
                self._end(frame["c"])
            case "event" | "page":
                transcript = self._transcripts.setdefault(frame["c"], Transcript())
                if frame["t"] == "event":
                    transcript.history.merge([frame])
                else:
                    self._asked.discard(frame["c"])
                    _fill(transcript.history, frame)
                for found in transcript.news(self._who.name):
                    self._see(found)

    def _missing(self, c: str) -> dict[str, Any] | None:
        hole = self._transcripts[c].history.hole() if c in self._transcripts else None
        if hole is None or c in self._asked:
            return None
        self._asked.add(c)
        return {"t": "range", "c": c, "after": hole[0], "before": hole[1]}

    def _end(self, c: str) -> None:
        transcript = self._transcripts.get(c)
        if transcript is not None and transcript.no:
            self._see(Ended(transcript.no))
            transcript.no = 0

    # --- acting ------------------------------------------------------------------------------------------------------

    async def set_duty(self, *, on: bool) -> bool:
        done = await self._do(f"agents/{self._who.id}/duty", {"on": on})
        self._see(Duty(on))
        return done

    async def keep(self) -> bool:
        """The page does not ask."""
        return True

    async def cancel(self) -> bool:
        """Each text has its conversation."""
        return True

    async def answer(self, no: int, text: str) -> Said:
        return Said(await self._act(no, "messages", {"text": text}))

    async def note(self, no: int, text: str) -> bool:
        return await self._act(no, "notes", {"text": text})

    async def close(self, no: int, because: str) -> bool:
        return await self._act(no, "close", {"because": because})

    async def transfer(self, no: int, to: Given, note: str) -> bool:
        return await self._act(no, "transfer", {"agent": to.agent, "team": to.team, "note": note})

    async def hold(self, no: int) -> bool:
        return await self._act(no, "hold", {"on": True})

    async def _act(self, no: int, deed: str, body: dict[str, Any]) -> bool:
        """In one of their conversations. Refused: it is theirs no more, and the page shows that."""
        for c, transcript in self._transcripts.items():
            seen = {"seen": transcript.history.solid} if deed in ("messages", "close") else {}
            if transcript.no == no and await self._do(f"conversations/{c}/{deed}", body | seen):
                return True
        self._see(Ended(no))
        return False

    async def _do(self, path: str, body: dict[str, Any]) -> bool:
        """Whether the hub has done it, however long it takes to say so."""
        headers = self._headers | {"idempotency-key": next(self._keys)}
        while True:
            with contextlib.suppress(httpx.TransportError):
                answer = await self._http.post(
                    f"{self._url}/api/v1/{path}", json=body, headers=headers, timeout=ANSWER_S
                )
                if answer.is_success:
                    return True
                if answer.status_code not in AGAIN and (code := answer.json().get("code")) != UNDER_WAY:
                    return bool(code == UNREAD)
            await asyncio.sleep(AGAIN_S)


def _fill(history: History, page: dict[str, Any]) -> None:
    """A page after hello says what is the last there is; one that was asked for says what lies in a range."""
    if "before" in page:
        history.fill(page)
    else:
        history.merge(page["events"])
