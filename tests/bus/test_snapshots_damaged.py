"""Images on a damaged disk: those that can be read are given, the others are named; nobody waits for ever."""

import asyncio
import os

import pytest

from hub.bus.connection import Connection
from hub.bus.server import EmbeddedServer
from hub.bus.snapshots import Snapshots
from hub.errors import SnapshotDamaged
from tests.chaos_store.damage import Damage, flip_last, flip_middle, make_unreadable


@pytest.mark.parametrize("damage", [flip_last, flip_middle, make_unreadable])
async def test_an_image_that_cannot_be_read_stands_in_nobodys_way(
    nats: EmbeddedServer, connection: Connection, damage: Damage
) -> None:
    snapshots = Snapshots(connection, 4)
    await snapshots.open()
    await snapshots.claim("w1")
    images = {f"c4-{n}": os.urandom(300_000) for n in range(80)}
    images["c4-long"] = os.urandom(1_500_000)
    for start in range(0, 81, 9):
        await snapshots.write(dict([*images.items()][start : start + 9]))
    await snapshots.write_checkpoint(b"checkpoint")
    await nats.stop()
    damage(nats.store, "SNAP-4")
    await nats.start()
    async with asyncio.timeout(60):
        successor = Snapshots(connection, 4)
        await successor.open()
        loaded = await successor.load([*images, "c4-never"])
    broken = {name: error for name, error in loaded.items() if isinstance(error, SnapshotDamaged)}
    assert 0 < len(broken) < 40
    assert {name: data for name, data in loaded.items() if name not in broken} == {
        name: data for name, data in images.items() if name not in broken
    }
    assert all(name in str(error) and "hub log restore" in str(error) for name, error in broken.items())
