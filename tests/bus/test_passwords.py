"""Wrong passwords are counted by all workers together, before they are looked at, and kept."""

import asyncio

import pytest

from hub.bus.connection import Connection
from hub.bus.passwords import FIRST_LOCK_S, FORGOTTEN_S, FREE, LONGEST_LOCK_S, Passwords
from hub.bus.server import EmbeddedServer
from hub.errors import Locked
from tests.bus.faults import kill

NOW = 1_764_000_000_000


class Tries:
    """Tries at one name, at a moment that the test sets."""

    def __init__(self, connection: Connection) -> None:
        self.passwords = Passwords(connection)
        self.now_ms = NOW
        self.looked = 0

    async def try_(self, password: str) -> bool:
        async def is_right(hashed: str) -> bool:
            self.looked += 1
            await asyncio.sleep(0.01)
            return hashed == f"hash of {password}"

        return await self.passwords.check("wang", is_right, self.now_ms)

    async def locked_s(self) -> float:
        """For how long nobody may try; the try that finds out is none."""
        with pytest.raises(Locked) as locked:
            await self.try_("right")
        return (locked.value.until_ms - self.now_ms) / 1000


async def test_who_tries_in_vain_waits_longer_and_longer(connection: Connection) -> None:
    tries = Tries(connection)
    await tries.passwords.put("wang", "hash of right")
    for _ in range(FREE - 1):
        assert not await tries.try_("wrong")
    assert await tries.try_("right"), "the last free try"
    for _ in range(FREE):
        assert not await tries.try_("wrong")
    for times in (1, 2, 4):
        assert await tries.locked_s() == FIRST_LOCK_S * times
        tries.now_ms += FIRST_LOCK_S * times * 1000
        assert not await tries.try_("wrong")
    for _ in range(9):
        tries.now_ms += LONGEST_LOCK_S * 1000
        assert not await tries.try_("wrong")
    assert await tries.locked_s() == LONGEST_LOCK_S
    tries.now_ms += FORGOTTEN_S * 1000
    assert not await tries.try_("wrong")
    assert await tries.try_("right")


async def test_of_tries_at_the_same_time_only_the_free_ones_are_looked_at(connection: Connection) -> None:
    tries, others = Tries(connection), Tries(connection)
    await tries.passwords.put("wang", "hash of right")
    outcomes = await asyncio.gather(
        *(one.try_("wrong") for one in (tries, others) for _ in range(20)), return_exceptions=True
    )
    assert sum(isinstance(outcome, Locked) for outcome in outcomes) == 40 - FREE
    assert tries.looked + others.looked == FREE


async def test_a_lock_outlives_the_server_and_a_new_password_ends_it(
    connection: Connection, nats: EmbeddedServer
) -> None:
    tries = Tries(connection)
    for _ in range(FREE):
        assert not await tries.try_("wrong")
    await kill(nats)
    await nats.start()
    assert await Tries(connection).locked_s() == FIRST_LOCK_S
    await tries.passwords.put("wang", "hash of right")
    assert await tries.try_("right")


async def test_a_password_that_changes_while_it_is_tried_stays_changed(connection: Connection) -> None:
    passwords = Passwords(connection)
    await passwords.put("wang", "old")

    async def change(hashed: str) -> bool:
        await passwords.put("wang", "new")
        return hashed == "old"

    async def is_new(hashed: str) -> bool:
        return hashed == "new"

    assert await passwords.check("wang", change, NOW)
    assert await passwords.check("wang", is_new, NOW)
