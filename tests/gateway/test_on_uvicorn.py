"""The gateway where it lives: under uvicorn, on the API's port, with real sockets, on both event loops."""

import asyncio
import gc
import json
import socket
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.api.world import World as ApiWorld
from tests.gateway.clients import C, World

Run = Callable[[Any], Any]
on_both_loops = pytest.mark.parametrize("run", [asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])


class Site:
    """A running server and its gateway's world."""

    def __init__(self) -> None:
        self.world = World()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        config = uvicorn.Config(
            ApiWorld().app,
            ws=self.world.socket_class,
            http="httptools",
            log_config=None,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        self.server = uvicorn.Server(config)

    @asynccontextmanager
    async def visitor(self, conversation: str = C, **options: Any) -> AsyncIterator[ClientConnection]:
        """A visitor's socket that has been welcomed."""
        async with connect(f"ws://{self.address}/ws", compression=None, **options) as client:
            await client.send(json.dumps({"t": "hello", "v": 1, "token": self.world.visitor_token(conversation)}))
            assert json.loads(await client.recv())["t"] == "welcome"
            yield client


def at_site(run: Run, story: Callable[[Site], Awaitable[None]]) -> None:
    """Run the story against a server; the server must end by itself afterwards."""

    async def play() -> None:
        site = Site()
        serving = asyncio.create_task(site.server.serve([site.listener]))
        while not site.server.started:
            await asyncio.sleep(0.005)
        try:
            async with asyncio.timeout(60):
                await story(site)
        finally:
            site.server.should_exit = True
            await asyncio.wait_for(serving, 10)
        assert not site.server.server_state.connections
        assert site.world.calls.watching == set()

    run(play())


async def close_code(client: ClientConnection) -> int | None:
    """Read until the hub closes; the code."""
    try:
        while True:
            await client.recv()
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


async def ping(client: ClientConnection) -> None:
    await client.send('{"t": "ping"}')
    assert json.loads(await client.recv()) == {"t": "pong"}


@on_both_loops
def test_pages_and_sockets_on_one_port(run: Run) -> None:
    async def story(site: Site) -> None:
        async with httpx.AsyncClient(base_url=f"http://{site.address}") as http, site.visitor() as client:
            assert (await http.get("/api/v1/health")).json()["status"] == "ok"
            await client.send('{"t": "send", "id": "k3v9.1", "text": "在吗？"}')
            assert json.loads(await client.recv())["seq"] == 2
            site.world.calls.post(C, "from elsewhere")
            assert json.loads(await client.recv())["text"] == "from elsewhere"

    at_site(run, story)


@on_both_loops
@pytest.mark.parametrize(
    ("said", "code"),
    [
        (["not JSON"], 4500),
        ([b"\x00"], 4500),
        (["x" * 3_000_000], 1009),
        (['{"t": "dance"}'], 4501),
        (['{"t": "ping"}'] * 1000, 4008),
    ],
    ids=["not JSON", "binary", "too long", "unknown", "1,000 frames"],
)
def test_the_code_arrives_and_others_notice_nothing(run: Run, said: list[str | bytes], code: int) -> None:
    async def story(site: Site) -> None:
        async with site.visitor() as bad, site.visitor() as good:

            async def say_all() -> None:
                for frame in said:
                    await bad.send(frame)

            saying = asyncio.create_task(say_all())
            assert await close_code(bad) == code
            await asyncio.gather(saying, return_exceptions=True)
            await ping(good)

    at_site(run, story)


@on_both_loops
def test_a_reader_that_stops_is_let_go_and_told_so(run: Run) -> None:
    async def story(site: Site) -> None:
        async with site.visitor(max_queue=1) as slow, site.visitor() as quick:
            (watch,) = site.world.sessions._watches["visitor"].values()
            frame = json.dumps({"t": "event", "x": "x" * 60_000}).encode()
            read = 0
            while len(watch.sockets) == 2:
                site.world.sessions.push(C, "visitor", 0, frame, None)
                read += len(str(await quick.recv()))
                assert read < 64 * 2**20, "the slow one was never closed"
            assert await close_code(slow) == 4001
            await ping(quick)

    at_site(run, story)


@on_both_loops
def test_a_server_that_stops_tells_everybody_to_come_back(run: Run) -> None:
    async def story(site: Site) -> None:
        async with site.visitor() as one, site.visitor("c8-def") as two:
            site.server.should_exit = True
            assert [await close_code(one), await close_code(two)] == [1012, 1012]

    at_site(run, story)


@on_both_loops
def test_a_connection_that_is_cut_is_forgotten(run: Run) -> None:
    async def story(site: Site) -> None:
        async with site.visitor() as client:
            client.transport.abort()
            while site.world.calls.watching:
                await asyncio.sleep(0.005)

    at_site(run, story)


@on_both_loops
def test_an_upgrade_after_a_page_on_the_same_connection(run: Run) -> None:
    async def story(site: Site) -> None:
        host, port = site.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"GET /api/v1/health HTTP/1.1\r\nHost: {site.address}\r\n\r\n".encode())
        assert b'{"status":"ok"' in await reader.readuntil(b"}")
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        upgrade = f"GET /ws HTTP/1.1\r\nHost: {site.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n"
        for byte in upgrade.encode():
            writer.write(bytes((byte,)))
            await writer.drain()
        assert (await reader.readline()).startswith(b"HTTP/1.1 101")
        writer.close()
        await writer.wait_closed()

    at_site(run, story)


@on_both_loops
def test_closed_socket_leaves_nothing_to_the_garbage_collector(run: Run) -> None:
    """The worker freezes what has lived for a minute: a cycle through a socket would never be freed."""

    async def story(site: Site) -> None:
        async with site.visitor():
            await asyncio.sleep(0.05)
            sockets = [weakref.ref(socket) for slot in site.world.sessions.wheel._slots for socket in slot]
            assert sockets
            gc.collect()
            gc.disable()
        try:
            async with asyncio.timeout(5):
                while any(ref() is not None for ref in sockets):
                    await asyncio.sleep(0.01)
        finally:
            gc.enable()

    at_site(run, story)
