"""What nothing can be faster than: a bare fsynced publish, on a nats-server of its own with the hub's settings."""

import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop

from hub.bus.connection import connect
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.domain.batch import SCHEMA, Batch, Entry, encode_batch, encode_entry
from hub.domain.events import MessagePosted, Record
from tests.bench.client import TEXTS


def measure(per_s: int, seconds: float) -> list[float]:
    """The seconds that each append took, at a steady rate, the next one only after the one before."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_main, args=(theirs, per_s, seconds))
    process.start()
    theirs.close()
    try:
        took: list[float] = ours.recv()
    finally:
        process.join()
    return took


def _main(pipe: Connection, per_s: int, seconds: float) -> None:
    pipe.send(uvloop.run(_run(per_s, seconds)))


async def _run(per_s: int, seconds: float) -> list[float]:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        server = EmbeddedServer(Path(folder))
        await server.start()
        try:
            connection = await connect(server.url, "bench")
            log = PartitionLog(connection, 0)
            tip = await log.open()
            took = await _appends(log, tip, per_s, seconds)
            await connection.close()
        finally:
            await server.stop()
    return took


async def _appends(log: PartitionLog, tip: int, per_s: int, seconds: float) -> list[float]:
    took, begun = [], time.perf_counter()
    for n in range(int(per_s * seconds)):
        wait_s = begun + n / per_s - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        data = _batch(n)
        sent_at = time.perf_counter()
        tip = await log.append(data, f"bench:{n}", tip)
        took.append(time.perf_counter() - sent_at)
    return took


def _batch(n: int) -> bytes:
    """What the hub writes for one message."""
    event = MessagePosted(f"bench.{n}", TEXTS[n % len(TEXTS)], rules="0123456789abcdef")
    record = Record("c0-abcdefghijklmnopqrstuvwxyz", n + 1, n, time.time_ns() // 1_000_000, event)
    return encode_batch(Batch(SCHEMA, 1, "bench", n, n), [encode_entry(Entry(record))])
