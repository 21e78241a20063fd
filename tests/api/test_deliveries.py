"""What became of deliveries, over HTTP, and what a person decides about dead letters."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hub.domain.commands import AnswerMessage, ReceiveMessage, RecordVerdict, Tick
from hub.domain.messages import Profile, Reach
from tests.api.world import AGENT, World, problem_of
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
    assert answer.json()["detail"].startswith("state: lost is none; there are sending, delayed, sent, refused,")


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


async def test_an_owner_that_is_away_may_be_asked_again(world: World) -> None:
    world.calls.away = True
    answer = await world.ask("POST", f"{LETTERS}/{MAIL}/1/retry", "admin")
    assert (answer.status_code, problem_of(answer)["code"]) == (503, "unavailable")


async def test_a_history_that_is_away_is_no_empty_list() -> None:
    for path in (LETTERS, f"{LETTERS}/{P}/1", "/api/v1/unparsed", f"/api/v1/trace/{P}/1"):
        answer = await World().ask("GET", path, "admin")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert "the history cannot be read at this moment" in problem_of(answer)["detail"]
