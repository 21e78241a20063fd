"""The hub's side of docs/protocol.md in memory, as far as the widget's browser tests need it; nothing is kept."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn
from litestar import Litestar, WebSocket, get, post, websocket
from litestar.config.cors import CORSConfig
from litestar.exceptions import WebSocketDisconnect
from litestar.response import File
from litestar.static_files import create_static_files_router

STATIC = Path(__file__).parents[2] / "connectors" / "h5" / "static"
LOOKS = {"title": {"zh": "在线客服", "en": "Chat with us"}, "greeting": {"zh": "", "en": ""}, "colour": ""}


class Conversation:
    """One conversation's visible events, its counters a tab, and the sockets that follow it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.events: list[dict[str, Any]] = []
        self.tabs: dict[str, int] = {}
        self.sockets: list[WebSocket[Any, Any, Any]] = []
        self.seq = 1  # 1 is `opened`, which a visitor does not see

    def add(self, kind: str, **fields: Any) -> dict[str, Any]:
        prev = self.events[-1]["seq"] if self.events else 0
        self.seq += 1
        event = {"t": "event", "c": self.name, "seq": self.seq, "prev": prev, "at": time.time_ns() // 1_000_000}
        self.events.append(event | {"kind": kind} | fields)
        return self.events[-1]

    def between(self, after: int, before: int) -> tuple[list[dict[str, Any]], bool]:
        found = [event for event in self.events if after < event["seq"] < before]
        return found[-50:], len(found) > 50


class ProtocolServer:
    """Serves pages, tokens and sockets at `url`, and plays the agent; call its methods from the test's thread."""

    def __init__(self) -> None:
        self.conversations: dict[str, Conversation] = {}
        self.sent: list[str] = []  # the id of every `send` frame, repeats too
        self.mute = False  # takes frames and answers nothing
        static = create_static_files_router(path="/h5", directories=[STATIC])
        routes = [static, self._chat(), self._mint(), self._renew(), self._looks(), self._socket()]
        app = Litestar(route_handlers=routes, cors_config=CORSConfig(allow_origins=["*"]), openapi_config=None)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[ProtocolServer]:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        yield self
        self._server.should_exit = True
        self._thread.join(5)

    def tell(self, kind: str, **fields: Any) -> None:
        """Something happens in the newest conversation; all its sockets hear it."""
        self._call(self._tell(kind, fields))

    def lose(self, kind: str, **fields: Any) -> None:
        """Something happens there, and the push gets lost."""
        self._newest().add(kind, **fields)

    def signal(self, **frame: Any) -> None:
        self._call(self._push(self._newest(), frame))

    def cut(self, code: int = 4000) -> None:
        """Closes every socket of the newest conversation."""
        self._call(self._cut(code))

    def texts(self) -> list[str]:
        """What the visitor has posted, in the log's order."""
        return [event["text"] for event in self._newest().events if event["kind"] == "message"]

    def _newest(self) -> Conversation:
        return list(self.conversations.values())[-1]

    def _call(self, coroutine: Any) -> None:
        assert self._loop
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._listener])

        asyncio.run(serve())

    async def _tell(self, kind: str, fields: dict[str, Any]) -> None:
        conversation = self._newest()
        await self._push(conversation, conversation.add(kind, **fields))

    async def _push(self, conversation: Conversation, frame: dict[str, Any], but: object = None) -> None:
        for each in list(conversation.sockets):
            if each is not but:
                await each.send_text(json.dumps(frame))

    async def _cut(self, code: int) -> None:
        for each in list(self._newest().sockets):
            await each.close(code=code)

    def _chat(self) -> Any:
        @get("/chat")
        async def chat() -> File:
            return File(STATIC / "chat.html", content_disposition_type="inline", media_type="text/html")

        return chat

    def _looks(self) -> Any:
        @get("/callbacks/h5/looks")
        async def looks() -> dict[str, Any]:
            return LOOKS

        return looks

    def _mint(self) -> Any:
        @post("/api/v1/visitors")
        async def mint() -> dict[str, Any]:
            name = f"c0-{secrets.token_hex(8)}"
            self.conversations[name] = Conversation(name)
            return {"token": name, "conversation": name, "expires_at": time.time_ns() // 1_000_000 + 86_400_000}

        return mint

    def _renew(self) -> Any:
        @post("/api/v1/visitors/renew")
        async def renew(data: dict[str, str]) -> dict[str, Any]:
            name = data["token"].partition("+")[0]
            return {"token": f"{name}+", "conversation": name, "expires_at": time.time_ns() // 1_000_000 + 86_400_000}

        return renew

    def _socket(self) -> Any:
        @websocket("/ws")
        async def follow(socket: WebSocket[Any, Any, Any]) -> None:
            await socket.accept()
            hello = await socket.receive_json()
            conversation = self.conversations.get(hello["token"].partition("+")[0])
            if conversation is None:
                await socket.close(code=4503)
                return
            conversation.sockets.append(socket)
            await socket.send_text(json.dumps(self._welcome(conversation, hello)))
            with contextlib.suppress(WebSocketDisconnect):
                while True:
                    frame = await socket.receive_json()
                    await self._frame(conversation, socket, frame)
            conversation.sockets.remove(socket)

        return follow

    def _welcome(self, conversation: Conversation, hello: dict[str, Any]) -> dict[str, Any]:
        last = conversation.events[-1]["seq"] if conversation.events else 0
        resumed = hello["epoch"] in (0, 1) and hello["seq"] <= last
        events, _ = conversation.between(hello["seq"] if resumed else 0, 1 << 53)
        base = {"t": "welcome", "v": 1, "c": conversation.name, "epoch": 1, "seq": last, "resumed": resumed}
        return base | {"events": events, "window": 64, "tabs": conversation.tabs}

    async def _frame(self, conversation: Conversation, socket: Any, frame: dict[str, Any]) -> None:
        if frame["t"] == "send":
            self.sent.append(frame["id"])
        if self.mute:
            return
        answer: dict[str, Any] | None = None
        if frame["t"] == "ping":
            answer = {"t": "pong"}
        elif frame["t"] == "range":
            events, more = conversation.between(frame["after"], frame["before"])
            answer = frame | {"t": "page", "c": conversation.name, "events": events, "more": more}
        elif frame["t"] == "send":
            answer = await self._post(conversation, socket, frame)
        if answer:
            await socket.send_text(json.dumps(answer))

    async def _post(self, conversation: Conversation, socket: Any, frame: dict[str, Any]) -> dict[str, Any]:
        tab, _, number = frame["id"].partition(".")
        n, stored = int(number), conversation.tabs.get(tab)
        if stored is None and n != 1:
            return {"t": "error", "code": 4112, "do": "new_tab", "id": frame["id"], "message": "forgotten"}
        if n <= (stored or 0):
            seq = next(event["seq"] for event in conversation.events if event.get("id") == frame["id"])
            return {"t": "ack", "id": frame["id"], "c": conversation.name, "seq": seq}
        if n > (stored or 0) + 1:
            start = (stored or 0) + 1
            return {"t": "error", "code": 4111, "do": "resend", "id": frame["id"], "from": start, "message": "a hole"}
        conversation.tabs[tab] = n
        status = next((status for status in ("held", "blocked") if f"[{status}]" in frame["text"]), "")
        event = conversation.add("message", id=frame["id"], text=frame["text"], status=status)
        await self._push(conversation, event, but=socket)
        return {"t": "ack", "status": status} | {key: event[key] for key in ("id", "c", "seq", "prev", "at")}
