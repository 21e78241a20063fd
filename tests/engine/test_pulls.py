"""A puller runs in one worker at a time, and its cursor moves only after the commits."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection, connect
from hub.bus.leases import Leases
from hub.bus.server import EmbeddedServer
from hub.contract import Capabilities, Connector, Inbound, Item, Parsed, Pulled, Raw
from hub.engine import pulls as module
from hub.engine.ingest import Addressed
from hub.engine.pulls import BUCKET, Pulls
from hub.errors import SpoolFull


class Mailbox(Connector):
    """A numbered row of messages that all workers see; the cursor is the number of the last one."""

    can = Capabilities(role="visitor")
    pulls = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.asked: list[str] = []
        self.news = asyncio.Event()

    def write(self, *texts: str) -> None:
        self.messages += texts
        self.news.set()

    async def pull(self, cursor: str) -> Pulled:
        self.asked.append(cursor)
        start = int(cursor or 0)
        while len(self.messages) <= start:
            self.news.clear()
            await self.news.wait()
        new = self.messages[start : start + 3]
        items = [Item(text.encode(), {"n": str(n)}) for n, text in enumerate(new, start + 1)]
        return Pulled(str(start + len(new)), items)

    def parse(self, raw: Raw) -> Parsed:
        if raw.body == b"poison":
            raise ValueError("it tastes of almonds")
        return Parsed(inbounds=(Inbound("zhang", f"m{raw.headers['n']}", raw.body.decode(), 0),))


class Committed:
    """Stands for hub.engine.ingest: keeps what is committed, and may refuse."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.full = False
        self.unparsed: list[tuple[str, Raw]] = []
        self.stumbled: list[str] = []

    def stumble(self, channel: str) -> None:
        self.stumbled.append(channel)

    async def prepare(self, channel: str, parsed: Parsed, raw: Raw) -> list[Addressed]:
        if parsed.unparsed:
            self.unparsed.append((parsed.unparsed, raw))
        return [Addressed(inbound.identity, inbound) for inbound in parsed.inbounds]  # type: ignore[arg-type]

    async def commit(self, channel: str, commands: list[Addressed], give_up_s: float) -> None:
        assert give_up_s == module.PATIENT_S
        if self.full:
            raise SpoolFull("full: send it again later")
        self.texts += [command.text for _, command in commands]  # type: ignore[union-attr]


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    connection = await connect(nats.url, "test")
    yield connection
    await connection.close()


async def worker(connection: Connection, name: str, mailbox: Mailbox, committed: Any) -> tuple[Pulls, Leases]:
    leases = Leases(connection, f"worker.{name}")
    await leases.start()
    pulls = Pulls(connection, {"mailbox": mailbox}, leases, committed)
    pulls.start()
    return pulls, leases


async def until(true: Any) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def cursor(connection: Connection) -> str:
    return (await Bucket(connection, BUCKET).get("mailbox")).value.decode()


async def test_all_is_committed_in_order_and_the_cursor_follows(connection: Connection) -> None:
    mailbox, committed = Mailbox(), Committed()
    pulls, leases = await worker(connection, "w1", mailbox, committed)
    mailbox.write(*"abcdefgh")
    await until(lambda: "".join(committed.texts) == "abcdefgh")
    await until(lambda: mailbox.asked == ["", "3", "6", "8"])
    assert await cursor(connection) == "8"
    await pulls.close()
    await leases.close()


async def test_what_is_not_committed_comes_again_and_the_cursor_stays(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    mailbox, committed = Mailbox(), Committed()
    committed.full = True
    with capture_logs():
        pulls, leases = await worker(connection, "w1", mailbox, committed)
        mailbox.write("a", "b")
        await until(lambda: len(mailbox.asked) > 3)
        assert set(mailbox.asked) == {""}
        assert pulls.troubles == {"mailbox": "SpoolFull: full: send it again later"}
        assert await cursor(connection) == ""
        committed.full = False
        await until(lambda: committed.texts == ["a", "b"])
    await until(lambda: pulls.troubles == {})
    await pulls.close()
    await leases.close()


async def test_one_worker_pulls_and_another_takes_over_where_it_was(connection: Connection) -> None:
    mailbox, first, second = Mailbox(), Committed(), Committed()
    one, one_leases = await worker(connection, "w1", mailbox, first)
    mailbox.write("a")
    await until(lambda: first.texts == ["a"])
    two, two_leases = await worker(connection, "w2", mailbox, second)
    mailbox.write("b")
    await until(lambda: first.texts == ["a", "b"])
    assert second.texts == []
    await one.close()
    await one_leases.close()
    mailbox.write("c")
    await until(lambda: second.texts == ["c"])
    assert first.texts == ["a", "b"]
    await two.close()
    await two_leases.close()


async def test_a_worker_that_has_lost_its_turn_cannot_move_the_cursor(connection: Connection) -> None:
    mailbox, committed = Mailbox(), Committed()
    pulls, leases = await worker(connection, "w1", mailbox, committed)
    mailbox.write("a")
    await until(lambda: mailbox.asked[-1:] == ["1"])
    await Bucket(connection, BUCKET).put("mailbox", b"7")  # its successor is further already
    with capture_logs() as lines:
        mailbox.write("b")
        await until(lambda: any(line["event"] == "another worker has moved the cursor" for line in lines))
    assert await cursor(connection) == "7"
    await pulls.close()
    await leases.close()


async def test_what_cannot_be_read_is_kept_with_its_bytes_and_holds_up_nothing(connection: Connection) -> None:
    mailbox, committed = Mailbox(), Committed()
    with capture_logs():
        pulls, leases = await worker(connection, "w1", mailbox, committed)
        mailbox.write("a", "poison", "b")
        await until(lambda: committed.texts == ["a", "b"])
    ((because, raw),) = committed.unparsed
    assert because == "ValueError: it tastes of almonds"
    assert (raw.method, raw.route, raw.headers, raw.body) == ("PULL", "", {"n": "2"}, b"poison")
    assert committed.stumbled == ["mailbox"]
    await pulls.close()
    await leases.close()


pulled: Any = Pulled
item: Any = Item
"""As a careless connector makes them, whose types nobody checks."""


@pytest.mark.parametrize("answer", [None, [], pulled(7), pulled("1", [b"x"]), pulled("1", [item("x")])])
async def test_what_is_no_pulled_is_a_trouble_and_not_the_end(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, answer: Any
) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.01)
    mailbox, committed = Mailbox(), Committed()
    right = mailbox.pull

    async def wrong(cursor: str) -> Any:
        return answer

    mailbox.pull = wrong  # type: ignore[method-assign]
    with capture_logs():
        pulls, leases = await worker(connection, "w1", mailbox, committed)
        await until(lambda: "mailbox" in pulls.troubles)
        mailbox.pull = right  # type: ignore[method-assign]
        mailbox.write("a")
        await until(lambda: committed.texts == ["a"])
    await pulls.close()
    await leases.close()
