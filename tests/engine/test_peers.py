"""The way to an owner elsewhere, on a real server: what is asked again, where, and what is not."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

import msgspec
import pytest

from hub.bus.connection import Connection, connect
from hub.bus.requests import serve, subscribe
from hub.bus.server import EmbeddedServer
from hub.domain.commands import AnswerMessage
from hub.engine import peers
from hub.engine.calls import UNAVAILABLE, Denied, Page
from hub.engine.peers import Peer, RemotePushes
from hub.engine.wire import (
    Answer,
    GetPage,
    PushedList,
    Submit,
    commands_subject,
    decode_asks,
    decode_pushes,
    deliver_subject,
    encode_answers,
)
from tests.engine.rig import until

AWAY = Denied(UNAVAILABLE, "not now")


@pytest.fixture
async def connection(nats: EmbeddedServer) -> AsyncIterator[Connection]:
    made = await connect(nats.url, "test")
    yield made
    await made.close()


class FakeOwner:
    """Answers what it is asked as it is told, and writes the entities down, a list a request."""

    def __init__(self, *plans: Sequence[Answer] | None) -> None:
        self.asked: list[list[str]] = []
        self._plans = list(plans)

    async def start(self, connection: Connection, term: int) -> None:
        await serve(connection, commands_subject(0, term), self._answer)

    async def _answer(self, payload: bytes) -> bytes:
        entities = [ask.entity for ask in decode_asks(payload).asks]
        self.asked.append(entities)
        plan = self._plans.pop(0) if self._plans else None
        return encode_answers([Page(entity, 1, 1, ()) for entity in entities] if plan is None else list(plan))


def ask(peer: Peer, *entities: str) -> dict[str, Any]:
    """The answers, as they come."""
    answers: dict[str, Any] = {}
    for entity in entities:
        peer.ask(GetPage(entity, "visitor", 0, 9), partial(answers.__setitem__, entity))
    return answers


async def test_only_what_could_not_be_answered_is_asked_again(connection: Connection) -> None:
    one, three = Page("c0-1", 1, 1, ()), Page("c0-3", 1, 1, ())
    owner = FakeOwner([one, AWAY, three])
    await owner.start(connection, 5)
    answers = ask(Peer(connection, 0, 5), "c0-1", "c0-2", "c0-3")
    await until(lambda: len(answers) == 3)
    assert list(answers) == ["c0-1", "c0-3", "c0-2"]
    assert owner.asked == [["c0-1", "c0-2", "c0-3"], ["c0-2"]]
    assert AWAY not in answers.values()


async def test_what_somebody_answers_who_is_no_owner_any_more_is_asked_of_the_next_one(connection: Connection) -> None:
    before, after = FakeOwner(*[()] * 1000), FakeOwner()
    await before.start(connection, 5)
    await after.start(connection, 8)
    peer = Peer(connection, 0, 5)
    answers = ask(peer, "c0-1", "c0-2")
    await until(lambda: len(before.asked) == 2)
    assert not answers
    peer.owned(8)
    await until(lambda: len(answers) == 2)
    assert after.asked == [["c0-1", "c0-2"]]


async def test_a_request_that_its_owner_sleeps_on_goes_to_the_next_one_at_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "REQUEST_S", 600)
    asked = asyncio.Event()

    async def sleep(payload: bytes) -> bytes:
        asked.set()
        await asyncio.sleep(60)
        return payload

    await serve(connection, commands_subject(0, 5), sleep)
    after = FakeOwner()
    await after.start(connection, 8)
    peer = Peer(connection, 0, 5)
    answers = ask(peer, "c0-1")
    await asyncio.wait_for(asked.wait(), 10)
    peer.served(8)
    peer.owned(5)
    await until(lambda: answers)
    assert after.asked == [["c0-1"]]


LARGE = 300_000


async def test_requests_and_answers_are_cut_before_they_are_too_large(connection: Connection) -> None:
    """NATS refuses more than 1 MB however often it is tried: then nothing would ever get through."""
    owner = FakeOwner(*([Page(f"c0-{n}", 1, 1, (msgspec.Raw(b"x" * LARGE),)) for n in range(i, 9)] for i in (0, 2, 4)))
    await owner.start(connection, 5)
    answers = ask(Peer(connection, 0, 5), *(f"c0-{n}" for n in range(9)))
    await until(lambda: len(answers) == 9)
    assert [len(asked) for asked in owner.asked] == [9, 7, 5, 3]

    peer = Peer(connection, 0, 5)
    sizes: list[Any] = []
    for n in range(5):
        command = AnswerMessage("a0-wang", "长" * (LARGE // 3))
        peer.ask(Submit(f"c0-{n}", command), sizes.append)
    await until(lambda: len(sizes) == 5)
    assert [len(asked) for asked in owner.asked[4:]] == [2, 2, 1]


async def test_pushes_are_cut_before_they_are_too_large(connection: Connection) -> None:
    heard: list[PushedList] = []
    await subscribe(connection, deliver_subject("w1"), lambda data: heard.append(decode_pushes(data)))
    remote = RemotePushes(connection, "w1")
    for seq in range(1, 8):
        remote.push("c0-1", "visitor", seq, b"x" * LARGE, None)
    await until(lambda: sum(len(pushed.pushes) for pushed in heard) == 7)
    assert [push.seq for pushed in heard for push in pushed.pushes] == list(range(1, 8))
    assert [len(pushed.pushes) for pushed in heard] == [2, 2, 2, 1]
    assert not connection.faults
