"""A whole hub and its agents' phones for browser tests: in a thread, because Playwright has the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import uvicorn

from hub.demo.channels import names
from hub.demo.page import arrange, build_app
from hub.demo.stage import Stage

START_S = 90
SHOP = """<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>花店</title><h1>花店</h1>
<script src="HUB/h5/widget.js" async></script>"""


def _arrange(teams: dict[str, Any]) -> None:
    """As on the demo's page, and nobody's hands are ever full: tests leave their conversations open."""
    arrange(teams)
    for agent in teams["agents"].values():
        agent["capacity"] = 200


class Line:
    """A network between a visitor and the hub, at `url`: `cut` breaks what is open, and what comes until `mend`.

    `stall_after`: a connection on which the visitor has sent so many bytes carries no more of theirs; `stalled` counts
    those.
    """

    def __init__(self, hub: RealHub) -> None:
        self._hub = hub
        self._target = hub.url.rpartition(":")[2]
        self.stall_after: int | None = None
        self.stalled = 0
        self._dead = False
        self._open: set[asyncio.StreamWriter] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def cut(self) -> None:
        self._hub.call(self._set(dead=True))

    def mend(self) -> None:
        self._hub.call(self._set(dead=False))

    async def serve(self) -> asyncio.Server:
        return await asyncio.start_server(self._carry, sock=self._listener)

    async def _set(self, *, dead: bool) -> None:
        self._dead = dead
        for writer in list(self._open) if dead else []:
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._dead:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", int(self._target))
        ends = {writer, far_writer}
        self._open |= ends
        await asyncio.gather(self._pipe(reader, far_writer, is_up=True), self._pipe(far_reader, writer))
        self._open -= ends

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool = False) -> None:
        carried = 0
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                carried += len(data)
                if is_up and self.stall_after is not None and carried > self.stall_after:
                    self.stalled += 1
                    break
                writer.write(data)
                await writer.drain()
            else:
                writer.close()


class RealHub:
    """`with RealHub(folder).running() as hub`: `url` is the hub's; `phone_url(user)` an agent's phone."""

    def __init__(self, folder: Path, arrange: Callable[[dict[str, Any]], None] = _arrange) -> None:
        self.stage = Stage(folder, arrange, channels=names())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        return self.stage.url

    @contextlib.contextmanager
    def running(self) -> Iterator[RealHub]:
        """All its workers are up; on leaving, nothing is left running."""
        self._thread.start()
        try:
            self.call(self._enter())
            try:
                yield self
            finally:
                self.call(self.stage.__aexit__(None, None, None))
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5)
            self._loop.close()

    @contextlib.contextmanager
    def demo_page(self) -> Iterator[str]:
        """The page with both sides, as `hub demo` serves it; its URL."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(build_app(self.stage, "word"), log_level="error", timeout_graceful_shutdown=1)
            server = uvicorn.Server(config)
            serving = self._start(server.serve(sockets=[listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
            finally:
                server.should_exit = True
                serving.result(10)

    @contextlib.contextmanager
    def line(self) -> Iterator[Line]:
        """A network that can be cut."""
        line = Line(self)
        server = self.call(line.serve())
        try:
            yield line
        finally:
            line.cut()
            self._loop.call_soon_threadsafe(server.close)

    @contextlib.contextmanager
    def shop(self) -> Iterator[str]:
        """A page of another origin that has the line of HTML; its URL."""
        page = SHOP.replace("HUB", self.url).encode()

        class Page(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: Any) -> None:
                """A test's output is no place for an access log."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/"
            server.shutdown()

    @property
    def admin_token(self) -> str:
        """As the hub has said it at its first start."""
        found = re.search(r"admin token, shown only this once: ([\w.-]+)", self.stage.log.read_text(encoding="utf-8"))
        assert found, self.stage.log_end()
        return found[1]

    def phone_url(self, user: str) -> str:
        """The page that shows that member's phone."""
        return f"{self.stage.stand_in.url}/phone?user={user}"

    def kill(self, pid: int) -> None:
        """SIGKILL for one of the hub's own processes."""
        assert pid in self.stage.children("")
        os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def stopped(self, mark: str) -> Iterator[None]:
        """The hub's own processes whose command line contains `mark` stand still meanwhile."""
        pids = self.stage.children(mark)
        assert pids
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):  # who stands still for too long is replaced
                    os.kill(pid, signal.SIGCONT)

    async def _enter(self) -> None:
        await self.stage.__aenter__()
        async with asyncio.timeout(START_S):
            while "chat page" not in self.stage.log.read_text(encoding="utf-8"):
                await asyncio.sleep(0.1)

    def _start(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Run it beside the hub; what it returns."""
        return self._start(coroutine).result(START_S + 60)
