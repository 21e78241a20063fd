"""Agents' tokens, and whether they are on duty, over HTTP."""

import pytest

from hub.api.agents import FRONT_S
from hub.domain import agent
from hub.domain.commands import MarkRead, SetDesk, SetDuty
from hub.domain.presence import Presence
from tests.api.world import ADMIN, AGENT, NOW_S, C, World, problem_of


async def test_the_admin_mints_an_agents_token() -> None:
    world = World()
    said = (await world.ask("POST", "/api/v1/agents/wangfang/token", "admin")).json()
    assert said["agent"] == AGENT
    assert world.tokens.read(said["token"], NOW_S).agent == AGENT  # type: ignore[union-attr]


@pytest.mark.parametrize("path", ["/api/v1/agents/nobody/token", "/api/v1/agents/nobody/duty"])
async def test_an_agent_whom_the_rules_do_not_name_is_not_found(path: str) -> None:
    answer = await World().ask("POST", path, "admin", json={"on": True})
    assert (answer.status_code, problem_of(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("role", ["admin", "agent"])
@pytest.mark.parametrize("on", [True, False])
async def test_the_admin_or_the_agent_sets_their_duty(role: str, on: bool) -> None:
    world = World()
    answer = await world.ask("POST", "/api/v1/agents/wangfang/duty", role, json={"on": on})
    assert (answer.status_code, answer.json()) == (200, {"on": on})
    assert world.calls.commands == [(AGENT, SetDuty(AGENT, on))]


@pytest.mark.parametrize("name", ["other", "nobody"])
async def test_an_agent_cannot_set_the_duty_of_another(name: str) -> None:
    world = World(agent_id={"wangfang": AGENT, "other": "a5-other"}.get)
    answer = await world.ask("POST", f"/api/v1/agents/{name}/duty", "agent", json={"on": False})
    assert (answer.status_code, problem_of(answer)["code"]) == (403, "not_yours")
    assert world.calls.commands == []


async def test_duty_without_an_owner_is_to_be_tried_again() -> None:
    world = World()
    world.calls.away = True
    answer = await world.ask("POST", "/api/v1/agents/wangfang/duty", "agent", json={"on": True})
    assert answer.status_code == 503


async def test_whether_somebody_is_on_duty_and_what_they_have() -> None:
    world = World()
    state = world.calls.agents.setdefault(AGENT, agent.new(AGENT))
    until_ms = 1_764_000_900_000
    state.settings, state.presence = world.teams.agents[0], Presence("on", "said", until_ms)
    state.on_duty, state.duty_until_ms = True, until_ms
    answer = await world.ask("GET", "/api/v1/agents/wangfang/duty", "read:agents")
    assert answer.json() == {"on_duty": True, "because": "said", "until_ms": until_ms}
    assert problem_of(await world.ask("GET", "/api/v1/agents/nobody/duty", "agent"))["code"] == "not_found"


async def test_duty_needs_a_yes_or_no() -> None:
    world = World()
    headers = {"authorization": f"Bearer {ADMIN}"}
    answer = await world.ask("POST", "/api/v1/agents/wangfang/duty", headers=headers, json={"on": "maybe"})
    assert answer.status_code == 400


@pytest.mark.parametrize(("front", "until_ms"), [(True, int(NOW_S + FRONT_S) * 1000), (False, 0)])
async def test_an_agents_page_says_that_it_is_in_front_or_no_more(front: bool, until_ms: int) -> None:
    world = World()
    answer = await world.ask("POST", "/api/v1/agents/me/desk", "agent", json={"id": "tab1", "front": front})
    assert (answer.status_code, answer.json()) == (200, {"id": "tab1", "front": front})
    assert world.calls.commands == [(AGENT, SetDesk("tab1", until_ms))]


@pytest.mark.parametrize("desk", [{"id": "", "front": True}, {"id": "x" * 65, "front": True}, {"id": "tab1"}])
async def test_a_desk_needs_a_name_and_a_yes_or_no(desk: dict[str, object]) -> None:
    assert (await World().ask("POST", "/api/v1/agents/me/desk", "agent", json=desk)).status_code == 400


async def test_what_an_agent_has_read_is_told_to_their_other_channels() -> None:
    world = World()
    world.calls.post(C, "在吗")
    world.calls.assign(C, AGENT)
    before = len(world.calls.commands)
    answer = await world.ask("POST", f"/api/v1/conversations/{C}/read", "agent", json={"seq": 1})
    assert (answer.status_code, answer.json()) == (200, {"seq": 1})
    last = (await world.ask("GET", f"/api/v1/conversations/{C}/messages", "agent")).json()["events"][-1]["seq"]
    ahead = await world.ask("POST", f"/api/v1/conversations/{C}/read", "agent", json={"seq": 10**12})
    assert ahead.json() == {"seq": last}
    assert world.calls.commands[before:] == [(AGENT, MarkRead(C, 1)), (AGENT, MarkRead(C, last))]
    nowhere = await world.ask("POST", "/api/v1/conversations/x/read", "agent", json={"seq": 7})
    assert (nowhere.status_code, problem_of(nowhere)["code"]) == (404, "not_found")


async def test_an_agent_sees_the_quick_replies_of_their_teams() -> None:
    answer = await World().ask("GET", "/api/v1/agents/me/replies", "agent")
    assert answer.json() == {"replies": [{"name": "稍等", "text": "请稍等"}, {"name": "退款", "text": "三天到账"}]}
