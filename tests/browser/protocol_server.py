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
from litestar import Litestar, Request, WebSocket, get, post, websocket
from litestar.config.cors import CORSConfig
from litestar.exceptions import WebSocketDisconnect
from litestar.response import File
from litestar.static_files import create_static_files_router

ROOT = Path(__file__).parents[2]
STATIC = ROOT / "connectors" / "h5" / "static"
CLIENT = ROOT / "hub" / "api" / "static" / "client"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:"
)
"""As strict as it gets: the page has to work under it."""
LOOKS = {"title": {"zh": "在线客服", "en": "Chat with us"}, "greeting": {"zh": "", "en": ""}, "colour": ""}


SHOP = """<!doctype html><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>A shop</title>
<style>* { font: 30px serif !important; color: red; } button, p { display: none; border: 9px solid blue; }</style>
<h1>A shop</h1><script src="HUB/h5/widget.js" async data-lang="zh"></script>"""
"""A host page whose own CSS would ruin everything that it could reach."""


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
        self.signals: list[dict[str, Any]] = []  # typing and read
        self.mute = False  # takes frames and answers nothing
        static = create_static_files_router(path="/h5", directories=[STATIC])
        client = create_static_files_router(path="/client", directories=[CLIENT])
        routes = [
            static,
            client,
            self._chat(),
            self._shop(),
            self._mint(),
            self._renew(),
            self._looks(),
            self._socket(),
        ]
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
        self.close(self._newest().sockets, code)

    def close(self, sockets: list[Any], code: int) -> None:
        self._call(self._close(list(sockets), code))

    def forget_all(self) -> list[Any]:
        """Every conversation is gone, and no token is good any more; the sockets that were open."""
        sockets = [each for conversation in self.conversations.values() for each in conversation.sockets]
        self.conversations = {}
        return sockets

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

    async def _close(self, sockets: list[Any], code: int) -> None:
        for each in sockets:
            await each.close(code=code)

    def _chat(self) -> Any:
        @get("/chat", response_headers={"Content-Security-Policy": POLICY})
        async def chat() -> File:
            return File(STATIC / "chat.html", content_disposition_type="inline", media_type="text/html")

        return chat

    def _shop(self) -> Any:
        @get("/shop", media_type="text/html")
        async def shop() -> str:
            return SHOP.replace("HUB", self.url)

        return shop

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
        async def renew(request: Request[Any, Any, Any]) -> dict[str, Any]:
            name = (await request.json())["token"].partition("+")[0]
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
        elif frame["t"] in ("typing", "read"):
            self.signals.append(frame)
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
        n, stored = int(number), conversation.tabs.get(tab, 0)
        if n <= stored:
            seq = next(event["seq"] for event in conversation.events if event.get("id") == frame["id"])
            return {"t": "ack", "id": frame["id"], "c": conversation.name, "seq": seq}
        if n > stored + 1:
            hole = {"from": stored + 1, "message": "a hole"}
            return {"t": "error", "code": 4111, "do": "resend", "id": frame["id"]} | hole
        conversation.tabs[tab] = n
        status = next((status for status in ("held", "blocked") if f"[{status}]" in frame["text"]), "")
        event = conversation.add("message", id=frame["id"], text=frame["text"], status=status)
        await self._push(conversation, event, but=socket)
        return {"t": "ack", "status": status} | {key: event[key] for key in ("id", "c", "seq", "prev", "at")}
