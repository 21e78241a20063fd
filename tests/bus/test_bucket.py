"""Values that are changed only by who has seen the last change."""

import asyncio

from hub.bus.bucket import Bucket, Entry
from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from tests.bus.faults import frozen, kill


async def test_only_who_has_seen_the_last_change_may_change(connection: Connection) -> None:
    bucket = Bucket(connection, "B")
    assert await bucket.get("k") == Entry(b"", 0)
    first = await bucket.swap("k", b"one", 0)
    assert await bucket.get("k") == Entry(b"one", first)
    assert await bucket.swap("k", b"late", 0) == 0
    second = await bucket.swap("k", b"two", first)
    assert second > first
    assert await bucket.get("k") == Entry(b"two", second)


async def test_swap_whose_answer_was_lost_knows_its_own_value(nats: EmbeddedServer) -> None:
    connection = await connect(nats.url, "test")
    bucket = Bucket(connection, "B")
    first = await bucket.swap("k", b"one", 0)
    with frozen(nats):
        swap = asyncio.create_task(bucket.swap("k", b"two", first))
        await asyncio.sleep(0.1)
        assert not swap.done()
    assert (await swap) == first + 1
    assert await bucket.swap("k", b"two", first) == first + 1
    await connection.close()


async def test_bucket_waits_for_a_server_that_comes_back(connection: Connection, nats: EmbeddedServer) -> None:
    bucket = Bucket(connection, "B")
    revision = await bucket.swap("k", b"one", 0)
    await kill(nats)
    asking = asyncio.create_task(bucket.get("k"))
    await asyncio.sleep(0.05)
    assert not asking.done()
    await nats.start()
    assert await asking == Entry(b"one", revision)
