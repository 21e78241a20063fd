"""A connection's end does not look like the end of whoever used it."""

import asyncio

import pytest

from hub.bus.connection import apart, connect, heeding_cancellation
from hub.bus.server import EmbeddedServer
from hub.errors import BusError
from tests.bus.faults import kill


async def test_a_cancellation_inside_is_no_cancellation_of_the_caller() -> None:
    async def cancelled_within() -> None:
        raise asyncio.CancelledError

    with pytest.raises(BusError, match="closed under way"):
        await apart(cancelled_within())


async def test_a_cancelled_caller_is_cancelled() -> None:
    started = asyncio.Event()
    ended = asyncio.Event()

    async def work() -> None:
        started.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(apart(work()))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(ended.wait(), 5)


async def test_a_cancellation_that_comes_with_the_answer_is_heeded() -> None:
    """It is forgotten by asyncio.wait_for before Python 3.12, by which nats-py waits."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(heeding_cancellation(asyncio.wait_for(answer, 60)))
    await asyncio.sleep(0.01)
    answer.set_result("here")
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_who_was_cancelled_may_still_ask_while_clearing_up(nats: EmbeddedServer) -> None:
    connection = await connect(nats.url, "clearing up")
    told: list[object] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            told.append(await connection.jetstream().account_info())

    working = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert told
    await connection.close()


async def test_closing_while_the_server_dies_never_raises(nats: EmbeddedServer) -> None:
    for _ in range(2):
        connection = await connect(nats.url, "closing")
        under_way = asyncio.create_task(apart(connection.jetstream().account_info()))
        await asyncio.sleep(0)
        await kill(nats)
        await connection.close()
        with pytest.raises(Exception):  # noqa: B017, PT011 - but never CancelledError
            await under_way
        await nats.start()
