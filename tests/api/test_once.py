"""The same request under the same key is carried out once, on whichever worker it comes."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub.api.once import UNDER_WAY_MS, Deed, Once
from hub.bus.bucket import Entry
from hub.domain.commands import AnswerMessage, WriteNote
from hub.engine.calls import UNAVAILABLE, Denied, Outcome
from tests.api.test_conversations import waits
from tests.api.world import AGENT, C, World, problem_of

MESSAGES = f"/api/v1/conversations/{C}/messages"
NEXT = "/api/v1/queues/next"


async def ask(world: World, path: str, key: str, body: dict[str, Any], role: str = "agent") -> Any:
    return await world.ask("POST", path, role, json=body, headers={"idempotency-key": key})


@pytest.fixture
def served(world: World) -> World:
    waits(world)
    world.calls.assign(C, AGENT)
    return world


def posted(world: World, kind: type = AnswerMessage) -> list[Any]:
    return [command for _, command in world.calls.commands if isinstance(command, kind)]


async def test_a_repeat_gets_the_answer_of_the_first(served: World) -> None:
    first = await ask(served, MESSAGES, "k1", {"text": "hi"})
    again = await ask(served, MESSAGES, "k1", {"text": "hi"})
    other = await ask(served, MESSAGES, "k2", {"text": "hi"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json() != other.json()
    assert len(posted(served)) == 2


async def test_another_request_under_a_known_key_is_refused(served: World) -> None:
    await ask(served, MESSAGES, "k1", {"text": "hi"})
    for path, body in ((MESSAGES, {"text": "hello"}), (f"/api/v1/conversations/{C}/notes", {"text": "hi"})):
        refused = problem_of(await ask(served, path, "k1", body))
        assert (refused["status"], refused["code"]) == (422, "key_reused")
    await ask(served, MESSAGES, "k1", {"text": "from another"}, "write:messages")
    assert [command.text for command in posted(served)] == ["hi", "from another"], "a key is its caller's own"


async def test_what_was_refused_may_be_asked_again(world: World) -> None:
    waits(world)
    assert (await ask(world, MESSAGES, "k1", {"text": "hi"})).status_code == 409
    world.calls.assign(C, AGENT)
    assert (await ask(world, MESSAGES, "k1", {"text": "hi"})).status_code == 201


async def test_of_those_that_come_at_the_same_time_one_is_carried_out(served: World) -> None:
    answers = await asyncio.gather(*(ask(served, MESSAGES, "k1", {"text": "hi"}) for _ in range(9)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len(posted(served)) == 1
    assert len({answer.json()["seq"] for answer in answers if answer.status_code == 201}) == 1


async def forget_the_answer(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the worker had died before it wrote down what came of it."""
    kept = world.needs.once._bucket.get

    async def without_answer(key: str) -> Entry:
        entry = await kept(key)
        if not entry.value:
            return entry
        deed = msgspec.json.decode(entry.value, type=Deed)
        return Entry(msgspec.json.encode(msgspec.structs.replace(deed, answer=None)), entry.revision)

    monkeypatch.setattr(world.needs.once._bucket, "get", without_answer)


@pytest.mark.parametrize(
    ("path", "kind"), [(MESSAGES, AnswerMessage), (MESSAGES.replace("messages", "notes"), WriteNote)]
)
async def test_what_a_dead_worker_has_said_is_not_said_again(
    served: World, monkeypatch: pytest.MonkeyPatch, path: str, kind: type
) -> None:
    first = (await ask(served, path, "k1", {"text": "hi"})).json()
    await forget_the_answer(served, monkeypatch)
    assert problem_of(await ask(served, path, "k1", {"text": "hi"}))["code"] == "under_way"
    served.now_s += UNDER_WAY_MS // 1000
    again = await ask(served, path, "k1", {"text": "hi"})
    assert (again.status_code, again.json()["seq"]) == (201, first["seq"])
    assert len(posted(served, kind)) == 2, "it was asked of the conversation, which knew it"
    events = (await served.ask("GET", MESSAGES, "agent")).json()["events"]
    assert [event.get("text") for event in events].count("hi") == 1


async def test_whom_a_dead_worker_has_given_is_given_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    waits(world)
    waits(world, "c7-b")
    assert (await ask(world, NEXT, "k1", {})).json()["id"] == C
    await forget_the_answer(world, monkeypatch)
    world.now_s += UNDER_WAY_MS // 1000
    assert (await ask(world, NEXT, "k1", {})).json()["id"] == C
    assert (await ask(world, NEXT, "k2", {})).json()["id"] == "c7-b"


async def test_what_was_done_though_nobody_heard_of_it_is_not_done_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits(world)
    waits(world, "c7-b")
    submit = world.calls.submit

    def unheard(entity: str, command: Any, done: Callable[[Outcome], None], sender: object = None) -> None:
        submit(entity, command, lambda _: done(Outcome(denied=Denied(UNAVAILABLE, "no answer"))), sender)

    with monkeypatch.context() as patched:
        patched.setattr(world.calls, "submit", unheard)
        assert (await ask(world, NEXT, "k1", {})).status_code == 503
    assert (await ask(world, NEXT, "k1", {})).json()["id"] == C
    assert (await ask(world, NEXT, "k2", {})).json()["id"] == "c7-b"


async def test_a_key_is_not_endless(served: World) -> None:
    assert problem_of(await ask(served, MESSAGES, "k" * 256, {"text": "hi"}))["code"] == "bad_key"


async def test_keys_are_kept_for_a_day(world: World) -> None:
    assert isinstance(world.needs.once, Once)
    await world.needs.once._bucket.get("k")
    info = await world.needs.once._bucket._connection.jetstream().stream_info("KV_IDEMPOTENCY")
    assert info.config.max_age == 24 * 3600
