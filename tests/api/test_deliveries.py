"""What became of deliveries, over HTTP, and what a person decides about dead letters."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hub.domain.agent.state import Agent, Note
from hub.domain.commands import AnswerMessage, ReceiveMessage, RecordVerdict, Tick
from hub.domain.messages import Profile, Reach
from hub.engine.calls import Denied, Listed, Wanted
from tests.api.world import AGENT, World, problem_of
from tests.domain.agent.test_entity import ME, Rig
from tests.gateway.fakes import NOW_MS, FakeCalls
from tests.history.batches import BATCHES, PHONE, P

LETTERS = "/api/v1/deliveries"
MAIL = "p7-mail-k3v9"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(disk=tmp_path)
    await world.tell(*BATCHES)
    yield world
    await world.history.close()


def with_a_dead_letter(world: World) -> None:
    """The conversation MAIL has one, of attempt 1."""
    reach = Reach("mail", "zhang@example.org")
    world.calls.carry_out(MAIL, ReceiveMessage("m1", "hi", 1, Profile("mail"), reach))
    world.calls.assign(MAIL, AGENT)
    world.calls.carry_out(MAIL, AnswerMessage(AGENT, "今天就发"))
    world.calls.carry_out(MAIL, Tick())
    world.calls.carry_out(MAIL, RecordVerdict(1, "refused", "no such mailbox"))


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({}, [(P, 3), (P, 2), (P, 1), (PHONE, 1)]),
        ({"state": "unknown,failed"}, [(P, 1), (PHONE, 1)]),
        ({"channel": "phone"}, [(PHONE, 1)]),
        ({"entity": P, "state": "dropped"}, [(P, 3)]),
        ({"state": "sending"}, []),
    ],
)
async def test_those_that_are_asked_for_are_listed(
    world: World, params: dict[str, str], found: list[tuple[str, int]]
) -> None:
    said = (await world.ask("GET", LETTERS, "admin", params=params)).json()
    assert [(one["entity"], one["attempt"]) for one in said["deliveries"]] == found


async def test_a_page_names_the_next_one(world: World) -> None:
    seen, cursor = [], ""
    while True:
        said = (await world.ask("GET", LETTERS, "admin", params={"limit": 3, "cursor": cursor})).json()
        seen.append([(one["entity"], one["attempt"]) for one in said["deliveries"]])
        if not (cursor := said["cursor"]):
            break
    assert seen == [[(P, 3), (P, 2), (P, 1)], [(PHONE, 1)]]


@pytest.mark.parametrize(
    "params",
    [
        {"cursor": "x"},
        {"cursor": "1.2"},
        {"cursor": "1.x.p0-a"},
        {"cursor": f"{10**30}.1.p0-a"},
        {"cursor": "1.0.p0-a"},
        {"cursor": "1.0.p0-a/x"},
        {"limit": 0},
        {"limit": 501},
    ],
)
async def test_a_wrong_parameter_is_refused(world: World, params: dict[str, Any]) -> None:
    answer = await world.ask("GET", LETTERS, "admin", params=params)
    assert problem_of(answer)["status"] == 400


async def test_one_is_told_with_its_whole_text(world: World) -> None:
    said = (await world.ask("GET", f"{LETTERS}/{PHONE}/1", "admin")).json()
    assert said == {
        "entity": PHONE, "attempt": 1, "state": "unknown", "at": 1_000_002, "began": 1_000_001, "channel": "phone",
        "address": "wang", "tries": 1, "because": "no answer", "refs": ["c0-a/4", "p0-mail-x/2"],
        "text": "【#12·4】 hi",
    }  # fmt: skip


async def test_a_state_that_is_none_is_named(world: World) -> None:
    answer = await world.ask("GET", LETTERS, "admin", params={"state": "refused,lost"})
    assert problem_of(answer)["code"] == "bad_state"
    assert answer.json()["detail"].startswith("state: lost is none; there are queued, sending, delayed, sent,")


async def test_a_number_that_no_attempt_can_have_is_refused(world: World) -> None:
    for path in (f"{LETTERS}/{P}/{10**30}", f"/api/v1/unparsed/i0-mail/{10**30}", f"/api/v1/trace/{P}/{10**30}"):
        assert problem_of(await world.ask("GET", path, "admin"))["status"] == 400


async def test_one_that_nobody_knows_is_told_where_to_look(world: World) -> None:
    answer = await world.ask("GET", f"{LETTERS}/{P}/99", "admin")
    assert (answer.status_code, problem_of(answer)["code"]) == (404, "not_found")
    assert "`hub deliveries list`" in answer.json()["detail"]


@pytest.mark.parametrize(("verb", "kind"), [("retry", "retried"), ("drop", "dropped")])
async def test_a_dead_letter_is_decided_on_once(world: World, verb: str, kind: str) -> None:
    with_a_dead_letter(world)
    answer = await world.ask("POST", f"{LETTERS}/{MAIL}/1/{verb}", "admin")
    assert answer.status_code == 200
    frames = (await world.ask("GET", f"/api/v1/conversations/{MAIL}/messages", "admin")).json()["events"]
    assert (frames[-1]["kind"], frames[-1]["by"], frames[-1]["seq"]) == (kind, "admin", answer.json()["seq"])
    again = await world.ask("POST", f"{LETTERS}/{MAIL}/1/{verb}", "admin")
    assert (again.status_code, problem_of(again)["code"]) == (404, "not_found")
    assert "there is no dead letter 1" in again.json()["detail"]
    assert "`hub deliveries list` shows those that wait" in again.json()["detail"]


@pytest.mark.parametrize("entity", ["nonsense", "c7-abc", "p7-mail-nobody"])
async def test_where_there_is_no_dead_letter_nothing_is_decided(world: World, entity: str) -> None:
    for verb in ("retry", "drop"):
        assert problem_of(await world.ask("POST", f"{LETTERS}/{entity}/1/{verb}", "admin"))["code"] == "not_found"


# --- what is queued ------------------------------------------------------------------------------------------------


def with_answers(world: World, *texts: str) -> None:
    """To the visitor of MAIL, all of the same moment; none has been sent."""
    world.calls.carry_out(MAIL, ReceiveMessage("m1", "hi", 1, Profile("mail"), Reach("mail", "zhang@example.org")))
    world.calls.assign(MAIL, AGENT)
    for text in texts:
        world.calls.carry_out(MAIL, AnswerMessage(AGENT, text))


def with_notes(world: World, *moments: int) -> list[Note]:
    """An agent whom nobody reaches, with a note that waits since each of these moments."""
    notes = [Note(f"note {n}", at_ms=at_ms, place=n) for n, at_ms in enumerate(moments, 1)]
    world.calls.agents["a9-away"] = Agent("a9-away", notes=notes)
    return notes


async def listed(world: World, **params: str | int) -> list[dict[str, Any]]:
    said = (await world.ask("GET", LETTERS, "admin", params=params)).json()
    found: list[dict[str, Any]] = said["deliveries"]
    return found


async def texts(world: World, **params: str | int) -> list[str]:
    """On each page, all pages after another."""
    found, cursor = list[str](), ""
    while True:
        said = (await world.ask("GET", LETTERS, "admin", params=params | {"cursor": cursor})).json()
        assert len(said["deliveries"]) <= int(params.get("limit", 50))
        found += [f"{one['state']} {one['text']}" for one in said["deliveries"]]
        assert len(found) < 100, "it comes to no end"
        if not (cursor := said["cursor"]):
            return found


async def test_an_answer_is_queued_behind_one_that_is_delayed_until_it_is_its_turn(world: World) -> None:
    with_answers(world, "one", "two")
    assert [one["text"] for one in await listed(world, state="queued")] == ["two", "one"]
    world.calls.carry_out(MAIL, Tick())
    world.calls.carry_out(MAIL, RecordVerdict(1, "retry", "busy", retry_at_ms=NOW_MS))
    (two,) = await listed(world, state="queued")
    assert two == {
        "entity": MAIL, "state": "queued", "at": NOW_MS, "channel": "mail", "address": "zhang@example.org",
        "because": "attempt 1 is tried again before it", "refs": [f"{MAIL}/7"], "text": "two",
    }  # fmt: skip
    world.calls._states[MAIL].outbox.attempt.retry_at_ms = NOW_MS  # no time passes in a FakeCalls
    for _ in range(2):
        world.calls.carry_out(MAIL, Tick())
        world.calls.carry_out(MAIL, RecordVerdict(world.calls._states[MAIL].outbox.attempts, "sent"))
    assert await listed(world, state="queued") == []


async def test_what_waits_for_a_phone_is_queued_there(world: World) -> None:
    world.calls.agents[ME] = Rig().serve(12).state
    found = [(one["entity"], one.get("refs"), one["text"]) for one in await listed(world, state="queued", entity=ME)]
    assert found == [(ME, ["c12-x/1"], "【#12·1 张三】在吗"), (ME, None, "新会话 #12 张三（售前）")]


async def test_it_stands_among_the_others_wherever_it_is_not_filtered_out(world: World) -> None:
    with_answers(world, "one")
    with_notes(world, 1_000_009)
    everything = await texts(world)
    assert everything[:2] == ["queued one", "dropped rest"]
    assert "queued note 1" in everything
    assert len(everything) == 6
    assert await texts(world, state="queued,dropped") == ["queued one", "dropped rest", "queued note 1"]
    assert await texts(world, state="dropped") == ["dropped rest"]
    assert await texts(world, channel="mail", state="queued") == ["queued one"]
    assert await texts(world, channel="phone", state="queued") == []
    assert await texts(world, entity="a9-away") == ["queued note 1"]
    for entity in ("a9-nobody", "nonsense", P):
        assert await texts(world, entity=entity, state="queued") == []


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 13])
async def test_pages_neither_leave_out_nor_repeat_any_of_them(world: World, limit: int) -> None:
    """The moments of what is queued are those of the history's rows, and between, several of each."""
    with_notes(world, *(1_000_000 + n // 3 for n in range(30)))
    with_answers(world, *map(str, range(10)))
    whole = await texts(world)
    assert len(whole) == len({*whole}) == 4 + 30 + 10
    assert await texts(world, limit=limit) == whole


async def test_what_leaves_between_two_pages_moves_none_of_those_that_stay(world: World) -> None:
    notes, found, cursor = with_notes(world, *[NOW_MS] * 30), list[str](), ""
    while True:
        params = {"state": "queued", "limit": 4, "cursor": cursor}
        said = (await world.ask("GET", LETTERS, "admin", params=params)).json()
        found += [one["text"] for one in said["deliveries"]]
        del notes[0], notes[-2]
        if not (cursor := said["cursor"]):
            break
    assert len(found) == len({*found})
    assert {note.text for note in notes} <= {*found}


async def test_a_list_that_was_cut_goes_on_where_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with_notes(world, *(1_000_000 + n for n in range(20)))
    whole, queued = await texts(world), FakeCalls.queued

    def at_most_two(self: FakeCalls, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        queued(self, entity, msgspec.structs.replace(wanted, limit=2), done)

    monkeypatch.setattr(FakeCalls, "queued", at_most_two)
    assert await texts(world) == whole


async def test_it_has_no_number_and_nobody_decides_on_it(world: World) -> None:
    with_answers(world, "one")
    for method, path in (("GET", ""), ("POST", "/retry"), ("POST", "/drop")):
        answer = await world.ask(method, f"{LETTERS}/{MAIL}/0{path}", "admin")
        assert (answer.status_code, problem_of(answer)["code"]) == (404, "not_found")
        assert "what is queued goes by itself" in answer.json()["detail"]


async def test_a_list_is_never_short_of_what_an_owner_knows_who_is_away(world: World) -> None:
    world.calls.away = True
    for params in ({}, {"state": "queued"}, {"state": "sent,queued"}, {"state": "queued", "entity": MAIL}):
        answer = await world.ask("GET", LETTERS, "admin", params=params)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert problem_of(answer)["detail"].endswith(
            "ask again, or name states without queued for what the history has."
        )
    assert len(await listed(world, state="unknown,failed")) == 2


async def test_what_is_queued_is_told_also_while_the_history_is_away() -> None:
    world = World()
    with_answers(world, "one")
    assert await texts(world, state="queued") == ["queued one"]
    assert (await world.ask("GET", LETTERS, "admin")).status_code == 503


async def test_an_owner_that_is_away_may_be_asked_again(world: World) -> None:
    world.calls.away = True
    answer = await world.ask("POST", f"{LETTERS}/{MAIL}/1/retry", "admin")
    assert (answer.status_code, problem_of(answer)["code"]) == (503, "unavailable")


async def test_a_history_that_is_away_is_no_empty_list() -> None:
    for path in (LETTERS, f"{LETTERS}/{P}/1", "/api/v1/unparsed", f"/api/v1/trace/{P}/1"):
        answer = await World().ask("GET", path, "admin")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "the history cannot be read at this moment" in problem_of(answer)["detail"]
