"""The history over HTTP, and what is decided about held messages."""

import pytest

from hub.domain.commands import CloseConversation
from tests.api.world import AGENT, C, World, problem_of

MESSAGES = f"/api/v1/conversations/{C}/messages"


async def test_a_visitor_reads_their_own_with_their_own_eyes() -> None:
    world = World()
    world.calls.post(C, "hold this")
    answer = await world.ask("GET", MESSAGES, "visitor")
    said = answer.json()
    assert (said["conversation"], said["epoch"], said["more"]) == (C, 1, False)
    assert [(event["kind"], event["text"], event["status"]) for event in said["events"]] == [
        ("message", "hold this", "held")
    ]


async def test_a_visitor_reads_nothing_of_others() -> None:
    world = World()
    world.calls.post("c7-other", "hi")
    for other in ("c7-other", "c7-unknown", "q0-main", "nonsense"):
        answer = await world.ask("GET", f"/api/v1/conversations/{other}/messages", "visitor")
        assert problem_of(answer)["code"] == "not_yours"


async def test_an_agent_reads_what_they_serve_and_no_words_of_what_is_held() -> None:
    world = World()
    world.calls.post(C, "hold this")
    world.calls.assign(C, "a9-other")
    assert (await world.ask("GET", MESSAGES, "agent")).status_code == 403
    world.calls.assign(C, AGENT)
    events = (await world.ask("GET", MESSAGES, "agent")).json()["events"]
    assert [event["kind"] for event in events][:4] == ["opened", "message", "queued", "assigned"]
    assert "text" not in events[1]
    world.calls.assign(C, "a9-other")
    assert (await world.ask("GET", MESSAGES, "agent")).status_code == 403


async def test_a_range_of_it() -> None:
    world = World()
    for n in range(60):
        world.calls.post(C, f"text {n}")
    said = (await world.ask("GET", MESSAGES, "admin", params={"after": 2, "before": 60})).json()
    assert [event["seq"] for event in said["events"]] == list(range(10, 60))
    assert said["more"] is True


@pytest.mark.parametrize("params", [{"after": -1}, {"before": "x"}, {"after": 2**53}])
async def test_a_wrong_parameter_is_named(params: dict[str, object]) -> None:
    answer = await World().ask("GET", MESSAGES, "admin", params=params)
    assert answer.status_code == 400
    assert next(iter(params)) in problem_of(answer)["detail"]


@pytest.mark.parametrize("id", ["nonsense", "a3-wangfang", "q0-main"])
async def test_what_is_no_conversation_is_not_found(id: str) -> None:
    answer = await World().ask("GET", f"/api/v1/conversations/{id}/messages", "admin")
    assert answer.status_code == 404
    assert "c7-k3v9" in problem_of(answer)["detail"]


async def test_an_owner_that_is_away_may_be_asked_again() -> None:
    world = World()
    world.calls.away = True
    for method, path in (("GET", MESSAGES), ("POST", f"{MESSAGES}/2/release")):
        answer = await world.ask(method, path, "admin")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert problem_of(answer)["code"] == "unavailable"


@pytest.mark.parametrize(("verb", "kind"), [("release", "released"), ("reject", "rejected")])
async def test_a_held_message_is_decided_on_once(verb: str, kind: str) -> None:
    world = World()
    world.calls.post(C, "hold this")
    answer = await world.ask("POST", f"{MESSAGES}/2/{verb}", "admin")
    assert (answer.status_code, answer.json()["seq"]) == (200, 4)
    events = (await world.ask("GET", MESSAGES, "visitor")).json()["events"]
    assert (events[-1]["kind"], events[-1]["ref"]) == (kind, 2)
    again = await world.ask("POST", f"{MESSAGES}/2/release", "admin")
    assert (again.status_code, problem_of(again)["code"]) == (409, "not_held")


async def test_a_message_that_is_not_there_is_not_found() -> None:
    world = World()
    answer = await world.ask("POST", f"{MESSAGES}/99/release", "admin")
    assert problem_of(answer)["code"] == "not_found"


async def test_an_agent_may_look_at_what_waits_and_at_what_was_theirs_when_it_was_closed() -> None:
    world = World()
    world.calls.post(C, "在吗")
    assert (await world.ask("GET", MESSAGES, "agent")).status_code == 200
    world.calls.assign(C, AGENT)
    world.calls.carry_out(C, CloseConversation(AGENT))
    assert (await world.ask("GET", MESSAGES, "agent")).status_code == 200
    world.calls.post(C, "还在吗")
    world.calls.assign(C, "a9-other")
    world.calls.carry_out(C, CloseConversation("a9-other"))
    assert (await world.ask("GET", MESSAGES, "agent")).status_code == 403


async def test_a_number_that_no_message_can_have_is_refused() -> None:
    answer = await World().ask("DELETE", f"{MESSAGES}/{2**63}", "agent")
    assert answer.status_code == 400
