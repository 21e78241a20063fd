"""The wire to servers that speak first carries all words unchanged, and each mishap happens where its name says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from hub.kit.line_wire import LineWire
from hub.kit.wire import HOST, Mishap, port_of

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
WHILE_S = 0.3
"""So long a client waits for an answer that cannot come."""


class Site:
    """A wire to a server that greets, does what each line says, and answers with it."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.talking: list[asyncio.StreamWriter] = []
        self.wire: LineWire

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.talking.append(writer)
        writer.write(b"hello\r\n")
        with contextlib.suppress(OSError, EOFError):
            while True:
                words = (await reader.readuntil(b"\n")).decode().strip()
                self.done.append(words)
                writer.write(f"done: {words}\r\n".encode())
        writer.close()

    async def call(self) -> Stream:
        """A client who has been greeted."""
        reader, writer = await asyncio.open_connection(HOST, port_of(self.wire.urls[0]))
        assert await reader.readline() == b"hello\r\n"
        return reader, writer

    async def ask(self, words: str, client: Stream | None = None, patience_s: float = 10) -> str:
        """The answer, or why there is none."""
        reader, writer = client or await self.call()
        writer.write(f"{words}\r\n".encode())
        try:
            async with asyncio.timeout(patience_s):
                return (await reader.readuntil(b"\r\n")).decode().strip()
        except (OSError, asyncio.IncompleteReadError) as error:
            return type(error).__name__


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    server = await asyncio.start_server(site.serve, HOST, 0)
    async with server, LineWire([server.sockets[0].getsockname()[1]], [b"sorry"]) as wire:
        site.wire = wire
        yield site


async def test_a_dialogue_goes_through_unchanged_and_is_written_down(site: Site) -> None:
    client = await site.call()
    assert await site.ask("one", client) == "done: one"
    assert await site.ask("您好" * 10_000, client) == f"done: {'您好' * 10_000}"
    assert [len(request.body) for request in site.wire.requests] == [5, 60_002]
    assert site.wire.requests[0].contains("one")


async def test_words_that_nobody_asked_for_get_through(site: Site) -> None:
    reader, _ = await site.call()
    site.talking[0].write(b"news\r\n")
    assert await reader.readline() == b"news\r\n"
    assert site.wire.answered == 0


@pytest.mark.parametrize(
    ("mishap", "heard", "carried_out"),
    [
        ("reset", "ConnectionResetError", False),
        ("cut", "IncompleteReadError", False),
        ("refuse", "sorry (send)", False),
        ("answer", "another", False),
        ("lose", "IncompleteReadError", True),
        ("break", "ConnectionResetError", True),
        ("swallow", "TimeoutError", True),
        ("drip", "done: send", True),
    ],
)
async def test_a_mishap_happens_before_or_after_the_work(
    site: Site, mishap: Mishap, heard: str, carried_out: bool
) -> None:
    with site.wire.fault(mishap, "send", times=1, reply=b"another\r\n") as fault:
        client = await site.call()
        assert await site.ask("begin", client) == "done: begin"
        assert await site.ask("send", client, WHILE_S if heard == "TimeoutError" else 10) == heard
        assert await site.ask("send") == "done: send"
    assert fault.hits == 1
    assert site.done == ["begin", *["send"] * carried_out, "send"]


async def test_an_answer_that_comes_drop_by_drop_is_whole_in_the_end_and_not_before(site: Site) -> None:
    reader, writer = await site.call()
    with site.wire.fault("drip"):
        writer.write(b"x" * 1_001 + b"\n")
        drops = [await reader.read(1 << 20)]
        while not drops[-1].endswith(b"\n"):
            drops.append(await reader.read(1 << 20))
    assert b"".join(drops) == b"done: " + b"x" * 1_001 + b"\r\n"
    assert len(drops) > 1


async def test_who_is_slow_to_read_gets_no_answer_in_one_piece_that_comes_drop_by_drop(site: Site) -> None:
    reader, writer = await site.call()
    with site.wire.fault("drip"):
        writer.write(b"x\n")
        await asyncio.sleep(0.03)
        assert not (first := await reader.read(1 << 20)).endswith(b"\n")
        assert first + await reader.readuntil(b"\r\n") == b"done: x\r\n"


async def test_what_is_on_hold_goes_on_when_the_fault_is_over_unless_nobody_waits_any_more(site: Site) -> None:
    with site.wire.fault("hold"):
        client = await site.call()
        assert await site.ask("given up", client, WHILE_S) == "TimeoutError"
        client[1].close()
        patient = await site.call()
        assert await site.ask("later", patient, WHILE_S) == "TimeoutError"
    assert await patient[0].readline() == b"done: later\r\n"
    assert site.done == ["later"]


async def test_a_fault_takes_what_comes_in_pieces_as_one_request(site: Site) -> None:
    _, writer = await site.call()
    with site.wire.fault("cut", "to bird7") as fault:
        for piece in (b"to ", b"bird", b"7\n"):
            writer.write(piece)
            await asyncio.sleep(0.05)
    assert fault.hits == 1
    assert site.done == []


async def test_a_wire_that_is_gone_cuts_and_refuses_and_comes_back(site: Site) -> None:
    reader, _ = await site.call()
    async with site.wire.gone():
        assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await site.call()
    assert await site.ask("again") == "done: again"
