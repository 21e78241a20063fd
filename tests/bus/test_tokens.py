"""Platform tokens: one fetches for all, nobody hammers."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from hub.bus import tokens as module
from hub.bus.bucket import Bucket
from hub.bus.connection import Connection
from hub.bus.server import EmbeddedServer
from hub.bus.tokens import SharedTokens
from hub.contract import Token
from hub.errors import TokensPaused

ROOT = Path(__file__).parents[2]


class Platform:
    """Gives out t1, t2, …; fails while told to."""

    def __init__(self, life_s: int = 7200) -> None:
        self.fetches = 0
        self.life_s = life_s
        self.failure: Exception | None = None
        self.same = ""

    async def fetch(self) -> Token:
        self.fetches += 1
        await asyncio.sleep(0.05)
        if self.failure is not None:
            raise self.failure
        return Token(self.same or f"t{self.fetches}", self.life_s)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


async def ask_in_two_processes(nats: EmbeddedServer, fetches: Path, spent: str) -> set[str]:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bus.token_askers", nats.url, str(fetches), spent, stdout=PIPE, cwd=ROOT
        )
        for _ in range(2)
    ]
    outputs = [(await process.communicate())[0].decode().split() for process in processes]
    assert [len(output) for output in outputs] == [10, 10]
    return {token for output in outputs for token in output}


async def test_twenty_askers_in_two_processes_make_one_fetch(nats: EmbeddedServer, tmp_path: Path) -> None:
    fetches = tmp_path / "fetches"
    assert await ask_in_two_processes(nats, fetches, spent="") == {"token-1"}
    assert await ask_in_two_processes(nats, fetches, spent="") == {"token-1"}
    assert await ask_in_two_processes(nats, fetches, spent="token-1") == {"token-2"}
    assert fetches.read_text() == "fetch\n" * 2


async def test_known_token_needs_no_server(connection: Connection, nats: EmbeddedServer) -> None:
    tokens, platform = SharedTokens(connection), Platform()
    assert await tokens.get("a", platform.fetch) == "t1"
    await nats.stop()
    assert await tokens.get("a", platform.fetch) == "t1"
    assert platform.fetches == 1


async def test_spent_token_is_renewed_once_however_late_it_is_reported(connection: Connection) -> None:
    here, there, platform = SharedTokens(connection), SharedTokens(connection), Platform()
    assert {await here.get("a", platform.fetch), await there.get("a", platform.fetch)} == {"t1"}
    assert await here.get("a", platform.fetch, spent="t1") == "t2"
    assert await there.get("a", platform.fetch, spent="t1") == "t2"
    assert await here.get("a", platform.fetch, spent="t1") == "t2"
    assert platform.fetches == 2


async def test_platform_that_repeats_its_token_is_believed(connection: Connection) -> None:
    here, there, platform = SharedTokens(connection), SharedTokens(connection), Platform()
    platform.same = "same"
    await here.get("a", platform.fetch)
    got = await asyncio.gather(
        *(tokens.get("a", platform.fetch, spent="same") for tokens in (here, there) for _ in range(5))
    )
    assert set(got) == {"same"}
    assert platform.fetches == 2


async def test_token_is_renewed_five_minutes_early(connection: Connection, clock: Clock) -> None:
    tokens, platform = SharedTokens(connection), Platform(life_s=7200)
    await tokens.get("a", platform.fetch)
    clock.now += 6899
    assert await tokens.get("a", platform.fetch) == "t1"
    clock.now += 2
    assert await tokens.get("a", platform.fetch) == "t2"


async def test_short_lived_token_is_used_for_half_its_life(connection: Connection, clock: Clock) -> None:
    tokens, platform = SharedTokens(connection), Platform(life_s=100)
    await tokens.get("a", platform.fetch)
    clock.now += 49
    assert await tokens.get("a", platform.fetch) == "t1"


async def test_names_do_not_meet(connection: Connection) -> None:
    tokens, platform = SharedTokens(connection), Platform()
    names = ["wecom", "wecom:ww1", "wecom=3aww1", "微信 1"]
    assert [await tokens.get(name, platform.fetch) for name in names] == ["t1", "t2", "t3", "t4"]
    assert [await SharedTokens(connection).get(name, platform.fetch) for name in names] == ["t1", "t2", "t3", "t4"]


async def test_failure_pauses_all_for_longer_and_longer(connection: Connection, clock: Clock) -> None:
    here, there, platform = SharedTokens(connection), SharedTokens(connection), Platform()
    platform.failure = ValueError("40001 wrong secret")
    for tries, pause in enumerate((3, 9, 27, 81, 243, 600, 600), start=1):
        with pytest.raises(ValueError, match="40001"):
            await here.get("a", platform.fetch)
        for tokens in (here, there):
            with pytest.raises(TokensPaused, match=f"token a: fetching it has failed {tries} times") as paused:
                await tokens.get("a", platform.fetch)
            assert paused.value.retry_after_s == pause
        assert platform.fetches == tries
        clock.now += pause
    platform.failure = None
    assert await there.get("a", platform.fetch) == "t8"
    platform.failure = ValueError("again")
    with pytest.raises(ValueError, match="again"):
        await there.get("a", platform.fetch, spent="t8")
    with pytest.raises(TokensPaused, match="failed 1 times, the next try is in 3 s"):
        await there.get("a", platform.fetch, spent="t8")


async def test_all_who_wait_in_one_process_hear_of_the_failure(connection: Connection) -> None:
    tokens, platform = SharedTokens(connection), Platform()
    platform.failure = ValueError("no")
    got = await asyncio.gather(*(tokens.get("a", platform.fetch) for _ in range(5)), return_exceptions=True)
    assert [str(error) for error in got] == ["no"] * 5
    assert platform.fetches == 1


async def test_asker_who_gives_up_does_not_stop_the_fetch(connection: Connection) -> None:
    tokens, platform = SharedTokens(connection), Platform()
    first = asyncio.create_task(tokens.get("a", platform.fetch))
    second = asyncio.create_task(tokens.get("a", platform.fetch))
    while not platform.fetches:
        await asyncio.sleep(0.005)
    first.cancel()
    assert await second == "t1"


async def test_lease_of_a_dead_process_runs_out(connection: Connection, clock: Clock) -> None:
    hung, platform = SharedTokens(connection), Platform()
    dead = asyncio.create_task(hung.get("a", asyncio.Event().wait))  # type: ignore[arg-type]
    bucket = Bucket(connection, "TOKENS")
    while not (await bucket.get("a")).revision:
        await asyncio.sleep(0.01)
    waiting = asyncio.create_task(SharedTokens(connection).get("a", platform.fetch))
    await asyncio.sleep(0.3)
    assert platform.fetches == 0
    clock.now += module.LEASE_S
    assert await waiting == "t1"
    dead.cancel()
