"""Leases on a real server: never two holders, and each one knows in time that it is none any more."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hub.bus.connection import Connection, connect
from hub.bus.lease_stream import LeaseStream
from hub.bus.leases import HERE, Leases, revoke
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from tests.bus.faults import kill

SHORT_S, LONG_S = 2, 600
"""Of sessions: one that a test can wait for, and one that no test outlives, so that only news can wake anybody."""

Join = Callable[..., Awaitable[Leases]]


@pytest.fixture
async def join(nats: EmbeddedServer) -> AsyncIterator[Join]:
    """Begins sessions, each as a process of its own would."""
    joined: list[tuple[Leases, Connection]] = []

    async def join(name: str, ttl_s: int = SHORT_S, group: str = "worker") -> Leases:
        connection = await connect(nats.url, name)
        leases = Leases(connection, f"{group}.{name}")
        leases.ttl_s = ttl_s
        await leases.start()
        joined.append((leases, connection))
        return leases

    yield join
    for leases, connection in joined:
        await leases.close()
        await connection.close()


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


async def die(leases: Leases) -> None:
    """Renew nothing any more and hear nothing, as a process that was killed."""
    leases.running.cancel()
    await asyncio.wait({leases.running})


async def test_of_many_who_ask_at_once_one_gets_it(join: Join) -> None:
    all_ = [await join(f"w{n}") for n in range(5)]
    for key in range(20):
        terms = await asyncio.gather(*(leases.take(f"key.{key}") for leases in all_))
        assert sum(term > 0 for term in terms) == 1
    assert sorted(key for leases in all_ for key in leases.held) == sorted(f"key.{n}" for n in range(20))
    await until(lambda: all(leases.holder("key.7") == all_[0].holder("key.7") for leases in all_))


async def test_each_taking_has_a_higher_term(join: Join) -> None:
    left, right = await join("left"), await join("right")
    terms = []
    for leases in (left, right, right, left):
        terms.append(await leases.obtain("k"))
        assert await leases.take("k") == terms[-1], "who holds it is told the same term again"
        await leases.release("k")
    assert terms == sorted(set(terms))
    assert left.holder("k") is None


async def test_what_is_released_is_heard_of_at_once(join: Join) -> None:
    left, right = await join("left", LONG_S), await join("right", LONG_S)
    await left.take("k")
    waiting = asyncio.create_task(right.obtain("k"))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await left.release("k")
    term = await asyncio.wait_for(waiting, 10)
    await until(lambda: left.holder("k") == (right.session, term))


async def test_a_held_lease_is_renewed_as_long_as_its_holder_lives(join: Join) -> None:
    left, right = await join("left"), await join("right")
    term, begun = await left.take("k"), left.valid_until
    while left.valid_until < begun + 1.5 * SHORT_S:
        assert await right.take("k") == 0
        await asyncio.sleep(0.1)
    assert left.held == {"k": term}


async def test_the_holders_right_ends_before_anybody_else_can_take_it(join: Join) -> None:
    left, right = await join("left"), await join("right", LONG_S)
    await left.take("k")
    right_ends = left.valid_until
    await die(left)
    assert left.held == {}
    assert await asyncio.wait_for(right.obtain("k"), 30)
    assert time.monotonic() > right_ends


async def test_a_process_that_stood_still_finds_out_and_its_late_writes_are_refused(
    nats: EmbeddedServer, join: Join
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bus.lease_holder", nats.url, str(SHORT_S), stdout=asyncio.subprocess.PIPE
    )
    lines = child.stdout
    assert lines

    async def heard() -> list[str]:
        while True:
            words = (await asyncio.wait_for(lines.readline(), 30)).decode().split()
            if len(words) == 2:  # no line of its log
                return words

    try:
        assert (await heard())[0] == "holds"
        for _ in range(5):
            assert (await heard())[0] == "wrote"
        leases = await join("parent", LONG_S)
        os.kill(child.pid, signal.SIGSTOP)
        term = await asyncio.wait_for(leases.obtain("k"), 30)
        log = PartitionLog(leases._connection, 3)
        mine = await log.append(b"of the parent", "parent:1", await log.open())
        os.kill(child.pid, signal.SIGCONT)
        wrote = await heard()
        while wrote[0] == "wrote":
            assert int(wrote[1]) < mine
            wrote = await heard()
        assert wrote == ["fenced", "0"], "its own clock had told it so before the log did"
        assert await heard() == ["lost", "0"]
        await leases.release("k")
        again = await heard()
        assert again[0] == "holds"
        assert int(again[1]) > term
    finally:
        child.kill()
        await child.wait()


async def test_who_renews_in_time_goes_on_when_the_server_was_killed(nats: EmbeddedServer, join: Join) -> None:
    left, right = await join("left", 5), await join("right", 5)
    term, session = await left.take("k"), left.session
    for _ in range(3):
        await kill(nats)
        await asyncio.sleep(0.3)
        await nats.start()

        def renewed(before: float = left.valid_until) -> bool:
            return left.valid_until > before

        await until(renewed)
        assert await right.take("k") == 0
    assert (left.held, left.session) == ({"k": term}, session)


async def test_a_server_that_was_away_for_too_long_leaves_one_holder_who_knows_it(
    nats: EmbeddedServer, join: Join
) -> None:
    """Whether it deletes the session first or hears of the holder first: nobody relies on anything meanwhile."""
    left, right = await join("left"), await join("right")
    first, session = await left.take("k"), left.session
    await kill(nats)
    await asyncio.sleep(SHORT_S + 1)
    assert time.monotonic() > left.valid_until
    await nats.start()
    back_s = time.monotonic()
    await until(lambda: left.valid_until > back_s and right.valid_until > back_s)
    taken = await right.take("k")
    if left.session == session:
        assert (left.held, taken) == ({"k": first}, 0)
    else:
        assert left.held == {}
        assert taken > first


async def test_news_come_at_once_after_a_restart_of_the_server(nats: EmbeddedServer, join: Join) -> None:
    left, right = await join("left", LONG_S), await join("right", LONG_S)
    await left.take("k")
    await kill(nats)
    await nats.start()
    waiting = asyncio.create_task(right.obtain("k"))
    await left.release("k")
    assert await asyncio.wait_for(waiting, 10)


async def test_what_a_dead_process_held_is_free_as_soon_as_it_is_revoked(join: Join, connection: Connection) -> None:
    left, right = await join("left", LONG_S), await join("right", LONG_S)
    for key in ("k", "l"):
        await left.take(key)
    await die(left)
    waiting = asyncio.create_task(right.obtain("k"))
    await asyncio.sleep(0.1)
    await revoke(connection, "worker.left")
    assert await asyncio.wait_for(waiting, 10)
    assert right.holder("l") is None
    assert [member.split(".")[1] for member in right.members] == ["right"]


async def test_one_that_was_revoked_and_lives_finds_out_and_begins_anew(join: Join, connection: Connection) -> None:
    left = await join("left", LONG_S)
    await left.take("k")
    session = left.session
    await revoke(connection, "worker.left")
    await asyncio.wait_for(left.lost("k"), 10)
    await until(lambda: left.session)
    assert left.session != session
    assert await left.take("k")


async def test_revoking_who_was_never_there_changes_nothing(join: Join, connection: Connection) -> None:
    left = await join("left")
    await left.take("k")
    await revoke(connection, "worker.lef")
    await asyncio.sleep(0.1)
    assert "k" in left.held


async def test_members_are_those_of_the_group_who_live_and_do_not_leave(join: Join) -> None:
    left, right, other = await join("left"), await join("right"), await join("left", group="follower")
    await until(lambda: left.members == right.members == sorted([left.session, right.session]))
    assert other.members == [other.session]
    await right.take("k")
    await right.leave()
    await until(lambda: left.members == [left.session])
    assert await left.take("k") == 0, "it keeps what it holds until it lets go"
    await right.close()
    await until(lambda: left.holder("k") is None)
    assert await left.take("k")


@pytest.mark.parametrize("step", ["take", "renew", "release"])
async def test_an_answer_that_got_lost_changes_nothing(join: Join, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    left, right = await join("left", LONG_S), await join("right", LONG_S)
    if step != "take":
        await left.take("k")
    publish, lost = left._keys._js.publish, list[object]()

    async def lossy(*args: Any, **kwargs: Any) -> Any:
        answer = await publish(*args, **kwargs)
        if len(lost) < 2:
            lost.append(answer)
            raise TimeoutError
        return answer

    monkeypatch.setattr(left._keys._js, "publish", lossy)
    session = left.session
    match step:
        case "take":
            assert await left.take("k") == left.held["k"]
        case "renew":
            await left._renew()
        case "release":
            await left.release("k")
    assert lost
    assert left.session == session
    assert bool(await right.take("k")) == (step == "release")


async def test_a_refused_write_is_not_taken_for_a_stored_one(connection: Connection) -> None:
    keys = LeaseStream(connection)
    await keys.open()
    first = await keys.store("k", HERE, 0)
    assert (await keys.store("k", HERE, 0)).revision == 0
    assert (await keys.store("k", "other", first.revision)).revision > first.revision
    assert (await keys.read("k")).value == "other"
