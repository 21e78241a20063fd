"""One socket's limits, its life and its death, without a network."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from hub.gateway.codes import CODES
from tests.gateway.clients import C, MemoryTransport, World

pytestmark = pytest.mark.asyncio
PING = {"t": "ping"}


def framed(opcode: Opcode, data: bytes) -> bytes:
    return Frame(opcode, data).serialize(mask=True)


async def test_other_paths_are_no_sockets() -> None:
    assert World().client(path="/chat").status == 404
    assert World().client(path="/ws?page=1").status == 101


@pytest.mark.parametrize(
    ("origin", "allowed", "status"),
    [
        (None, (), 101),
        ("http://hub.example", (), 101),
        ("https://hub.example", (), 101),
        ("https://shop.example", (), 403),
        ("https://shop.example", ("https://shop.example",), 101),
        ("https://shop.example.evil.example", ("https://shop.example",), 403),
        ("https://shop.example", ("*",), 101),
        ("null", (), 403),
    ],
)
async def test_origin(origin: str | None, allowed: tuple[str, ...], status: int) -> None:
    assert World(allowed).client(origin).status == status


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (framed(Opcode.TEXT, b"hello"), 4500),
        (framed(Opcode.TEXT, b"[" * 60_000), 4500),
        (framed(Opcode.BINARY, b'{"t": "ping"}'), 4500),
        (framed(Opcode.TEXT, b'{"t": "dance"}'), 4501),
        (framed(Opcode.TEXT, b"x" * 65_537), 1009),
        (framed(Opcode.CONT, b"x"), 1002),
        (framed(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),  # a ping of 126 bytes
        (b"\x81\x02{}", 1002),  # not masked
        (b"GET /ws HTTP/1.1\r\n\r\n", 1002),
    ],
    ids=range(10),  # their masks are random, and names of tests must not be
)
async def test_a_bad_frame_closes_only_its_own_socket(data: bytes, code: int) -> None:
    world = World()
    bad, good = world.visitor(), world.visitor()
    bad.bytes(data)
    good.say({"t": "send", "id": "k3v9.1", "text": "hi"})
    assert bad.closed == code
    assert [frame["t"] for frame in good.heard()] == ["welcome", "ack"]


async def test_the_reason_says_what_was_wrong_in_at_most_123_bytes() -> None:
    world = World()
    client = world.client()
    client.say({"t": "hello", "v": 3})
    assert client.ws.close_rcvd is not None
    assert client.ws.close_rcvd.reason == "this hub speaks version 1"


async def test_a_frame_of_64_kib_is_taken_whole_or_in_parts() -> None:
    visitor = World().visitor()
    visitor.heard()
    data = b'{"t": "ping", "x": "' + b"x" * (65_536 - 22) + b'"}'
    visitor.raw(data)
    visitor.raw(data[:10], fin=False)
    visitor.raw(data[10:600], Opcode.CONT, fin=False)
    visitor.raw(b"", Opcode.PING)
    visitor.raw(data[600:], Opcode.CONT)
    assert visitor.heard() == [{"t": "pong"}] * 2
    visitor.raw(data, fin=False)
    visitor.raw(b"x", Opcode.CONT)
    assert visitor.closed == 1009


async def test_a_thousand_frames_at_once_are_too_many() -> None:
    world = World()
    fast, calm = world.visitor(), world.visitor("c7-calm")
    fast.bytes(framed(Opcode.TEXT, json.dumps(PING).encode()) * 1000)
    pongs = [frame for frame in fast.heard() if frame["t"] == "pong"]
    assert fast.closed == 4008
    assert 199 <= len(pongs) <= 210
    calm.say(PING)
    assert calm.heard()[-1] == {"t": "pong"}


async def test_control_frames_count_as_well() -> None:
    visitor = World().visitor()
    visitor.bytes(framed(Opcode.PONG, b"") * 1000)
    assert visitor.closed == 4008


async def test_nothing_is_taken_after_a_close() -> None:
    world = World()
    client = world.client()
    hello = json.dumps({"t": "hello", "v": 1, "token": world.visitor_token()}).encode()
    client.bytes(framed(Opcode.TEXT, b"[]") + framed(Opcode.TEXT, hello))
    assert client.closed == 4500
    assert world.calls.asked_to_watch == []


async def test_a_token_that_has_expired_is_to_be_renewed() -> None:
    world = World()
    client = world.client()
    client.say({"t": "hello", "v": 1, "token": world.visitor_token(expires_in_s=0)})
    assert client.closed == 4401


async def test_a_socket_does_not_outlive_its_token_by_more_than_a_ping() -> None:
    world = World()
    visitor = world.visitor()
    world.now_s += 3600
    assert visitor.closed is None
    world.pass_s(31)
    assert visitor.closed == 4401


async def test_no_hello_within_10_seconds() -> None:
    world = World()
    client = world.client()
    world.pass_s(9.75)
    assert client.closed is None
    world.pass_s(0.5)
    assert client.closed == 4003


async def test_a_connection_without_an_upgrade_is_dropped_in_the_end() -> None:
    world = World()
    transport = MemoryTransport()
    socket = world.socket_class(None, world.server, {})
    socket.connection_made(transport)
    socket.data_received(b"GET /ws HTTP/1.1\r\n")
    world.pass_s(10.25)
    assert transport.ended == "close"
    world.pass_s(2.25)
    assert transport.ended == "abort"


async def test_pings_come_every_30_seconds_the_first_one_at_random() -> None:
    world = World()  # its jitter is a half
    visitor = world.visitor()
    counts = []
    for seconds in (14.75, 0.5, 29.5, 0.75, 61):
        world.pass_s(seconds)
        counts.append(visitor.pings)
    assert counts == [0, 1, 1, 2, 4]
    assert visitor.closed is None


async def test_a_client_that_answers_no_ping_is_closed_and_forgotten() -> None:
    world = World()
    visitor = world.visitor()
    visitor.deaf = True
    world.pass_s(15.25 + 2.75)
    assert visitor.closed is None
    world.pass_s(0.5)
    assert visitor.closed == 4002
    assert world.calls.watching == set()
    world.pass_s(2.5)
    assert visitor.transport.ended == "abort"


async def test_a_ping_may_take_longer_behind_bytes_that_are_being_read() -> None:
    world = World()
    visitor = world.visitor()
    visitor.deaf = True
    visitor.transport.unread = 500_000
    world.pass_s(15.25)
    for left in (400_000, 300_000, 200_000):
        visitor.transport.unread = left
        world.pass_s(3.25)
        assert visitor.closed is None
    world.pass_s(3.25)  # nothing was read in these
    assert visitor.closed == 4002


async def test_a_slow_reader_is_closed_at_a_mebibyte() -> None:
    world = World()
    slow, quick = world.visitor(), world.visitor()
    slow.heard(), quick.heard()
    slow.socket.pause_writing()
    slow.transport.unread = 1_048_576
    world.calls.post(C, "one")
    assert slow.closed is None
    slow.transport.unread = 1_048_577
    world.calls.post(C, "two")
    world.calls.post(C, "three")
    assert slow.closed == 4001
    assert len(quick.heard()) == 3
    world.pass_s(2.5)
    assert slow.transport.ended == "abort"


async def test_a_client_that_closes_is_forgotten() -> None:
    world = World()
    visitor = world.visitor()
    visitor.raw(b"\x03\xe8", Opcode.CLOSE)
    assert visitor.closed == 1000
    assert visitor.transport.ended == "eof"
    assert world.calls.watching == set()


async def test_a_server_that_stops_says_so() -> None:
    world = World()
    visitor = world.visitor()
    for connection in list(world.server.connections):
        connection.shutdown()
    assert visitor.closed == 1012


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6))
async def test_any_text_gives_an_answer_or_a_documented_code(texts: list[bytes]) -> None:
    world = World()
    visitor = world.visitor()
    for text in texts:
        visitor.raw(text)
    assert visitor.closed is None or visitor.closed in {code.number for code in CODES if code.way == "close"}
    visitor.leave()
    assert world.calls.watching == set()


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=6), st.booleans())
@example([b"\x81", b"\x80", bytes(6)], True)  # an empty text, and behind it in the same read a frame that is wrong
async def test_any_bytes_leave_nothing_behind(chunks: list[bytes], opened: bool) -> None:
    world = World()
    if opened:
        visitor = world.visitor()
        socket, transport = visitor.socket, visitor.transport
    else:
        socket, transport = world.socket_class(None, world.server, {}), MemoryTransport()
        socket.connection_made(transport)
    for chunk in chunks:
        socket.data_received(chunk)
    socket.eof_received()
    socket.connection_lost(None)
    assert world.calls.watching == set()
    assert not world.server.connections
