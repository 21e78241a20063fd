"""The proxy passes on what it gets, in order, unless it is told to cut: then a piece ends in its middle."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from tests.chaos.processes import until
from tests.chaos.proxy import Proxy


class Echo(asyncio.Protocol):
    """Says everything again."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self.transport, asyncio.Transport)
        self.transport.write(data)


@pytest.fixture
async def proxy() -> AsyncIterator[Proxy]:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0)
    async with server, Proxy([server.sockets[0].getsockname()[:2]], random.Random(1)) as proxy:
        yield proxy


async def open_line(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", proxy.port, local_addr=("127.0.0.7", 0))


async def test_everything_passes_in_order(proxy: Proxy) -> None:
    reader, writer = await open_line(proxy)
    sent = random.Random(2).randbytes(3_000_000)
    writer.write(sent)
    assert await reader.readexactly(len(sent)) == sent
    writer.close()
    assert await reader.read() == b""


async def test_order_stays_when_the_delay_ends(proxy: Proxy) -> None:
    reader, writer = await open_line(proxy)
    proxy.delay_s = 0.3
    writer.write(b"slow ")
    assert await until(lambda: proxy.slowed, 5)
    proxy.delay_s = 0.0
    writer.write(b"quick")
    assert await reader.readexactly(10) == b"slow quick"
    writer.close()


async def test_a_cut_ends_both_sides(proxy: Proxy) -> None:
    lines = [await open_line(proxy) for _ in range(8)]
    for reader, writer in lines:
        writer.write(b"x")
        await reader.readexactly(1)
    proxy.cut(1.0)
    for reader, writer in lines:
        writer.write(b"y" * 1000)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1000)
    assert proxy.cuts == 8
    assert 0 < proxy.cuts_inside < 8


async def test_a_cut_inside_a_piece_lets_its_beginning_pass() -> None:
    got = bytearray()

    class Sink(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            got.extend(data)

    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    async with server, Proxy([server.sockets[0].getsockname()[:2]], random.Random(1)) as proxy:
        _, writer = await open_line(proxy)
        writer.write(b"begin ")
        assert await until(lambda: bytes(got) == b"begin ", 5)
        proxy.cutting = 1.0
        writer.write(b"abcdefghij")
        assert await until(lambda: proxy.cuts_inside, 5)
        await asyncio.sleep(0.1)
    assert b"begin abcdefghij".startswith(got)
    assert len(got) < 16
