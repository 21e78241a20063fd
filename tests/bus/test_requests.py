"""Requests between workers, and messages that may get lost."""

import asyncio

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.requests import publish, request, serve, subscribe
from hub.bus.server import EmbeddedServer
from hub.errors import NoAnswer, NoResponders, RequestFailed
from tests.bus.faults import kill


async def test_answers_come_back_to_who_asked(connection: Connection) -> None:
    async def double(payload: bytes) -> bytes:
        return payload * 2

    service = await serve(connection, "double", double)
    answers = await asyncio.gather(*(request(connection, "double", b"%d" % n, 2) for n in range(50)))
    assert answers == [b"%d" % n * 2 for n in range(50)]
    await service.stop()
    with pytest.raises(NoResponders, match="double: nobody serves it"):
        await request(connection, "double", b"", 2)


async def test_handlers_start_in_order_and_work_at_once(connection: Connection) -> None:
    started: list[bytes] = []
    all_here = asyncio.Event()

    async def gather(payload: bytes) -> bytes:
        started.append(payload)
        if len(started) == 20:
            all_here.set()
        await all_here.wait()
        return payload

    service = await serve(connection, "gather", gather)
    sent = [b"%d" % n for n in range(20)]
    assert await asyncio.gather(*(request(connection, "gather", payload, 5) for payload in sent)) == sent
    assert started == sent
    await service.stop()


async def test_failure_reaches_who_asked(connection: Connection) -> None:
    async def fail(payload: bytes) -> bytes:
        raise ValueError(f"no such thing: {payload.decode()}")

    service = await serve(connection, "fail", fail)
    with pytest.raises(RequestFailed, match="fail: ValueError: no such thing: x"):
        await request(connection, "fail", b"x", 2)
    await service.stop()


async def test_silence_is_told_from_absence(connection: Connection, nats: EmbeddedServer) -> None:
    never = asyncio.Event()

    async def wait(payload: bytes) -> bytes:
        await never.wait()
        return payload

    service = await serve(connection, "wait", wait)
    with pytest.raises(NoAnswer, match=r"wait: no answer within 0\.1 s"):
        await request(connection, "wait", b"", 0.1)
    await kill(nats)
    await asyncio.sleep(0.05)
    with pytest.raises(NoResponders):
        await request(connection, "wait", b"", 2)
    never.set()
    await nats.start()
    while not connection.is_connected:
        await asyncio.sleep(0.01)
    assert await request(connection, "wait", b"again", 2) == b"again"
    await service.stop()


async def test_messages_reach_all_who_hear_and_get_lost_when_nats_is_away(
    connection: Connection, nats: EmbeddedServer
) -> None:
    other = await connect(nats.url, "other")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    def hear(payload: bytes) -> None:
        if payload == b"bad":
            raise ValueError(payload)
        heard.put_nowait(payload)

    subscriptions = [await subscribe(each, "news", hear) for each in (connection, other)]
    await other.flush()
    await publish(connection, "news", b"bad")
    await publish(connection, "news", b"one")
    assert [await heard.get(), await heard.get()] == [b"one", b"one"]
    await kill(nats)
    await asyncio.sleep(0.05)
    await publish(connection, "news", b"lost")
    assert connection.faults["OutboundBufferLimitError"] == 1
    await nats.start()
    while not (connection.is_connected and other.is_connected):
        await asyncio.sleep(0.01)
    await other.flush()
    await publish(connection, "news", b"two")
    assert [await heard.get(), await heard.get()] == [b"two", b"two"]
    for subscription in subscriptions:
        await subscription.unsubscribe()
    await other.close()


async def test_slow_handler_drops_and_counts(connection: Connection) -> None:
    stuck = asyncio.Event()
    taken = 0

    async def crawl(payload: bytes) -> bytes:
        nonlocal taken
        taken += 1
        await stuck.wait()
        return b""

    service = await serve(connection, "crawl", crawl)
    for _ in range(300):
        await connection.publish("crawl", bytes(100_000), reply="nobody")
    await connection.flush()
    while not connection.faults["SlowConsumerError"]:
        await asyncio.sleep(0.01)
    assert taken <= 256
    stuck.set()
    await service.stop()
