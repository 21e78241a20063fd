"""The gateway under pressure: floods from an address, crowds at the door, readers that do not read, a silent log."""

import asyncio
import itertools
import json
import resource
import socket
from pathlib import Path
from typing import Any

import pytest
import uvloop
from websockets.frames import Frame, Opcode

from hub.domain.commands import PostMessage
from hub.gateway import door
from hub.gateway.addresses import Addresses
from hub.gateway.heartbeat import TICK_S
from hub.gateway.in_flight import MAX_BYTES, SILENT_S
from hub.gateway.sessions import ALL_WAITING_BYTES, COMMANDS_A_TURN, MAX_WAITING_BYTES
from hub.gateway.socket import UPGRADE_FRAMES
from tests.gateway.clients import C, World
from tests.gateway.test_on_uvicorn import Site, at_site

PING = {"t": "ping"}


# --- floods ----------------------------------------------------------------------------------------------------------


async def test_one_address_may_not_send_more_over_many_sockets() -> None:
    world = World(addresses=Addresses(0.001, 100))
    visitors = [world.visitor(f"c7-n{n}") for n in range(10)]
    assert [visitor.status for visitor in visitors] == [101] * 10
    left = 100 - 10 * (UPGRADE_FRAMES + 1)
    for n in range(left):
        visitors[n % 10].say(PING)
    assert {visitor.closed for visitor in visitors} == {None}
    visitors[0].say(PING)
    assert (visitors[0].closed, visitors[1].closed) == (4008, None)


async def test_one_address_may_not_open_sockets_without_end() -> None:
    world = World(addresses=Addresses(0.001, 3 * UPGRADE_FRAMES))
    clients = [world.client() for _ in range(5)]
    assert [client.status for client in clients] == [101, 101, 101, 429, 429]
    assert clients[-1].transport.ended == "eof"


async def test_clients_behind_a_trusted_proxy_are_told_apart() -> None:
    for trusted, statuses in ((("192.0.2.7/32",), [101] * 5), ((), [101, 101, 429, 429, 429])):
        world = World(addresses=Addresses(0.001, 2 * UPGRADE_FRAMES, trusted))
        clients = [world.client(forwarded=f"203.0.113.{n}") for n in range(5)]
        assert [client.status for client in clients] == statuses


# --- the door --------------------------------------------------------------------------------------------------------


async def test_a_crowd_beyond_the_line_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SLICE_S", 0.0)
    monkeypatch.setattr(door, "LINE", 3)
    world = World()
    clients = [world.client() for _ in range(5)]
    assert [client.status for client in clients] == [0, 0, 0, 503, 503]
    clients[1].leave()
    monkeypatch.setattr(door, "SLICE_S", 1.0)
    await asyncio.sleep(0)
    for client in clients:
        client.exchange()
    assert [client.status for client in clients] == [101, 0, 101, 503, 503]


async def test_who_speaks_before_the_answer_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SLICE_S", 0.0)
    world = World()
    client = world.client()
    client.socket.data_received(Frame(Opcode.TEXT, b"{}").serialize(mask=True))
    assert client.transport.ended == "abort"


# --- readers that do not read ----------------------------------------------------------------------------------------


async def test_the_more_are_slow_the_less_may_wait_for_each() -> None:
    world = World()
    sessions = world.sessions
    clients = [world.visitor(f"c7-n{n}") for n in range(4)]
    assert sessions.patience_bytes == MAX_WAITING_BYTES
    for client in clients:
        client.socket.pause_writing()
    sessions.slow += 252
    assert sessions.patience_bytes == ALL_WAITING_BYTES // 256
    clients[0].socket.resume_writing()
    clients[1].leave()
    clients[2].transport.unread = sessions.patience_bytes + 1
    world.calls.post("c7-n2", "hello")
    assert clients[2].closed == 4001
    assert sessions.slow == 254  # until its connection is lost
    clients[2].leave()
    assert sessions.slow == 253


def test_two_hundred_readers_that_do_not_read_cost_no_more_than_the_bound() -> None:
    def deaf(site: Site, conversation: str) -> socket.socket:
        """A visitor who says hello and then never reads."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = site.address.partition(":")
        sock.connect((host, int(port)))
        hello = json.dumps({"t": "hello", "v": 1, "token": site.world.visitor_token(conversation)}).encode()
        head = f"GET /ws HTTP/1.1\r\nHost: {site.address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        sock.sendall((head + key).encode())
        sock.recv(1000)
        sock.sendall(Frame(Opcode.TEXT, hello).serialize(mask=True))
        return sock

    async def story(site: Site) -> None:
        sessions, names = site.world.sessions, [f"c7-deaf{n}" for n in range(200)]
        watches = sessions._watches["visitor"]
        socks = [await asyncio.to_thread(deaf, site, name) for name in names]
        async with site.visitor() as quick:
            while len(watches) < 201:
                await asyncio.sleep(0.01)
            sockets = [watch.sockets[0] for name, watch in watches.items() if name != C]
            before, most, sent = _resident_bytes(), 0, 0
            while len(watches) > 1:
                for name in names:  # a text of its own for each: nothing is shared
                    sessions.push(name, "visitor", 0, json.dumps({"t": "x", "x": f"{sent:04}" * 5000}).encode(), None)
                waiting = [s._transport.get_write_buffer_size() for s in sockets if s.session.phase != "closed"]
                most, sent = max(most, sum(waiting)), sent + 1
                await quick.send('{"t": "ping"}')
                assert json.loads(await quick.recv()) == {"t": "pong"}
                assert sent < 2000, "they were never closed"
            assert ALL_WAITING_BYTES / 2 < most < ALL_WAITING_BYTES * 1.2
            assert _resident_bytes() - before < 2 * ALL_WAITING_BYTES
        for sock in socks:
            sock.close()

    at_site(uvloop.run, story)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# --- a log that is slow or away --------------------------------------------------------------------------------------


def send(n: int, text: str = "hi") -> dict[str, Any]:
    return {"t": "send", "id": f"k3v9.{n}", "text": text}


async def test_what_waits_for_the_log_is_bounded_and_nothing_is_acknowledged() -> None:
    world = World()
    crowd = [world.visitor(f"c7-n{n}") for n in range(20)]
    world.calls.hold = True
    heard: list[dict[str, Any]] = []
    for client in crowd:
        client.heard()
        for n in range(1, 65):
            client.say(send(n, "字" * 3000))
        heard += client.heard()
    (flow,) = world.sessions._flows.values()
    assert MAX_BYTES <= flow.bytes < MAX_BYTES + 20_000
    assert {(frame["t"], frame["code"], frame["do"]) for frame in heard} == {("error", 4100, "retry")}
    taken = 20 * 64 - len(heard)
    while len(world.calls.commands) < taken:
        await asyncio.sleep(0)
    world.calls.hold = False
    world.calls.release()
    acks = [frame for client in crowd for frame in client.heard()]
    assert {frame["t"] for frame in acks} == {"ack"}
    assert (len(acks), flow.bytes) == (taken, 0)


async def test_one_turn_of_the_loop_carries_out_only_so_many_commands_and_none_overtakes_another() -> None:
    world = World()
    crowd = [world.visitor(f"c7-n{n}") for n in range(COMMANDS_A_TURN // 2 + 1)]
    await asyncio.sleep(0)
    for n in (1, 2, 3):
        for client in crowd:
            client.say(send(n))
    counts = [len(world.calls.commands)]
    while counts[-1] < 3 * len(crowd):
        await asyncio.sleep(0)
        counts.append(len(world.calls.commands))
        if len(counts) == 2:
            crowd[0].say(send(4))  # what comes now waits behind all that was put off
    assert max(later - before for before, later in itertools.pairwise([0, *counts])) == COMMANDS_A_TURN
    await asyncio.sleep(0)
    numbers = [command.n for _, command in world.calls.commands if isinstance(command, PostMessage)]
    assert numbers == [n for n in (1, 2, 3) for _ in crowd] + [4]
    assert {frame["t"] for client in crowd for frame in client.heard()} == {"welcome", "ack"}


async def test_a_command_that_fails_does_not_hold_up_those_that_were_put_off_behind_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World()
    crowd = [world.visitor(f"c7-n{n}") for n in range(3 * COMMANDS_A_TURN)]
    await asyncio.sleep(0)
    submit, failing = world.calls.submit, f"c7-n{COMMANDS_A_TURN + 1}"

    def fail_once(entity: str, *rest: Any) -> None:
        if entity == failing:
            raise ZeroDivisionError("the engine's fault")
        submit(entity, *rest)

    monkeypatch.setattr(world.calls, "submit", fail_once)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    for client in crowd:
        client.say(send(1))
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(world.calls.commands) == len(crowd) - 1
    crowd[0].say(send(2))
    assert len(world.calls.commands) == len(crowd)


async def test_a_silent_owner_s_clients_are_told_to_retry_and_another_s_are_not() -> None:
    world = World()
    one, other = world.visitor("c7-one"), world.visitor("c8-other")
    world.calls.hold = True
    one.say(send(1))
    world.pass_s(SILENT_S + TICK_S)
    one.heard(), other.heard()
    one.say(send(2))  # the probe: it waits
    assert one.heard() == []
    one.say(send(3))
    (error,) = one.heard()
    assert (error["code"], error["id"]) == (4100, "k3v9.3")
    world.calls.hold = False
    other.say(send(1))
    assert [frame["t"] for frame in other.heard()] == ["ack"]
    world.calls.release()
    one.say(send(3))
    assert [frame["id"] for frame in one.heard() if frame["t"] == "ack"] == ["k3v9.1", "k3v9.2", "k3v9.3"]


async def test_who_left_while_waiting_leaves_nothing_behind() -> None:
    world = World()
    world.calls.hold = True
    client = world.visitor()
    world.calls.release()
    client.say(send(1))
    (flow,) = world.sessions._flows.values()
    client.leave()
    world.calls.release()
    assert flow.bytes == 0
    world.pass_s(TICK_S)
    assert world.sessions._flows == {}
