"""Conversations over HTTP: who may do what with them, and what happens when somebody else was faster."""

from typing import Any

import pytest

from hub.domain.commands import (
    Assign,
    ChangeTeams,
    CloseConversation,
    Enqueue,
    HoldConversation,
    SetDuty,
    TransferConversation,
    WriteNote,
)
from tests.api.world import AGENT, LEAD, C, World, problem_of
from tests.gateway.fakes import NOW_MS

HERE = f"/api/v1/conversations/{C}"


def waits(world: World, conversation: str = C, team: str = "sales") -> None:
    """Somebody has written and stands in line; nobody is on duty."""
    world.calls.tell_queue(ChangeTeams(world.teams))
    world.calls.post(conversation, "在吗")
    world.calls.tell_queue(Enqueue(conversation, team, 0, name="张三", channel="h5"))


async def take(world: World, role: str = "agent", **body: str) -> Any:
    return await world.ask("POST", f"{HERE}/take", role, json=body)


async def test_an_agent_takes_what_waits_and_answers() -> None:
    world = World()
    waits(world)
    said = (await take(world)).json()
    assert (said["id"], said["stage"], said["agent"], said["display"]) == (C, "served", "wangfang", "王芳")
    assert said["since"] == NOW_MS
    assert (await take(world)).json() == said, "what is theirs stays theirs"
    answer = await world.ask("POST", f"{HERE}/messages", "agent", json={"text": "你好"})
    assert (answer.status_code, answer.json()["conversation"]) == (201, C)
    events = (await world.ask("GET", f"{HERE}/messages", "visitor")).json()["events"]
    assert [event["text"] for event in events if event["kind"] == "answer"] == ["你好"]


async def test_what_another_has_taken_is_refused_with_who_and_since_when() -> None:
    world = World()
    waits(world)
    await take(world)
    world.calls.post("c7-b", "hi")
    late = problem_of(await take(world, "lead"))
    assert (late["status"], late["code"], late["by"], late["since"]) == (409, "taken", "王芳", NOW_MS)
    world.teams = world.teams.__class__("2", "sales", (), world.teams.agents)  # nobody leads any more
    for what, body in (("close", {}), ("transfer", {"agent": "han"}), ("hold", {"on": True}), ("accept", {})):
        refused = problem_of(await world.ask("POST", f"{HERE}/{what}", "lead", json=body))
        assert (refused["status"], refused["code"], refused["by"]) == (409, "not_yours", "王芳"), what
    refused = problem_of(await world.ask("POST", f"{HERE}/messages", "lead", json={"text": "hi"}))
    assert (refused["status"], refused["by"], refused["since"]) == (409, "王芳", NOW_MS)


@pytest.mark.parametrize(
    ("what", "body", "command"),
    [
        ("close", {"because": "sold"}, CloseConversation),
        ("hold", {"on": True}, HoldConversation),
        ("transfer", {"team": "service", "note": "to you"}, TransferConversation),
    ],
)
@pytest.mark.parametrize("role", ["agent", "lead", "admin", "write:conversations"])
async def test_its_agent_and_those_above_them_act_on_it(
    what: str, body: dict[str, Any], command: type[Any], role: str
) -> None:
    world = World()
    waits(world)
    world.calls.carry_out(C, Assign(AGENT, "王芳", 1, "sales", False, lead=LEAD))
    answer = await world.ask("POST", f"{HERE}/{what}", role, json=body)
    assert (answer.status_code, answer.json()["conversation"]) == (200, C)
    sent: Any = world.calls.commands[-1][1]
    assert isinstance(sent, command)
    assert sent.assigned == answer.json()["seq"] - 1


async def test_a_decision_about_an_assignment_that_is_over_by_then_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    carry_out = world.calls._carry_out

    def after_others(entity: str, command: Any) -> Any:
        if isinstance(command, CloseConversation):  # it went to another and came back, between the look and the deed
            world.calls.assign(C, LEAD)
            world.calls.assign(C, AGENT)
        return carry_out(entity, command)

    monkeypatch.setattr(world.calls, "_carry_out", after_others)
    refused = problem_of(await world.ask("POST", f"{HERE}/close", "agent", json={}))
    assert (refused["status"], refused["code"]) == (409, "not_yours")


async def test_who_is_no_agent_names_one() -> None:
    world = World()
    waits(world)
    assert problem_of(await take(world, "admin"))["code"] == "whom"
    assert problem_of(await take(world, "admin", agent="nobody"))["code"] == "not_found"
    assert (await take(world, "write:conversations", agent="han")).json()["agent"] == "han"
    assert problem_of(await take(world, "agent", agent="han"))["status"] == 403
    said = await world.ask("POST", f"{HERE}/messages", "write:messages", json={"text": "bot"})
    assert said.status_code == 201
    refused = await world.ask("POST", f"{HERE}/messages", "write:messages", json={"text": "bot", "agent": "wangfang"})
    assert problem_of(refused)["by"] == "韩梅"


async def test_a_lead_sees_and_acts_on_what_is_their_teams_and_no_other() -> None:
    world = World()
    waits(world)
    waits(world, "c7-b", "service")
    for conversation, team in ((C, "sales"), ("c7-b", "service")):
        world.calls.carry_out(conversation, Assign("a6-han", "韩梅", 1, team, False, lead=LEAD))
    assert (await world.ask("GET", HERE, "lead")).json()["agent"] == "han"
    assert (await world.ask("GET", f"{HERE}/messages", "lead")).status_code == 200
    assert problem_of(await world.ask("GET", "/api/v1/conversations/c7-b", "lead"))["by"] == "韩梅"
    assert (await world.ask("GET", "/api/v1/conversations/c7-b/messages", "lead")).status_code == 403
    assert (await world.ask("POST", "/api/v1/agents/wangfang/duty", "lead", json={"on": True})).status_code == 200
    assert (await world.ask("POST", "/api/v1/agents/han/duty", "lead", json={"on": True})).status_code == 403


async def test_the_default_teams_lead_sees_what_no_rule_gave_to_a_team() -> None:
    world = World()
    world.calls.post(C, "在吗")
    assert (await world.ask("GET", HERE, "lead")).json()["stage"] == "waiting"
    assert (await world.ask("GET", HERE, "agent")).status_code == 403


async def test_an_answer_is_corrected_and_taken_back() -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    seq = (await world.ask("POST", f"{HERE}/messages", "agent", json={"text": "19 yuan"})).json()["seq"]
    corrected = await world.ask("PATCH", f"{HERE}/messages/{seq}", "agent", json={"text": "29 yuan"})
    assert corrected.status_code == 200
    assert (await world.ask("DELETE", f"{HERE}/messages/{seq}", "agent")).status_code == 200
    gone = problem_of(await world.ask("DELETE", f"{HERE}/messages/{seq}", "agent"))
    assert (gone["status"], gone["code"]) == (409, "unchangeable")


async def test_a_note_is_for_agents() -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    assert (await world.ask("POST", f"{HERE}/notes", "agent", json={"text": "careful"})).status_code == 201
    assert world.calls.commands[-1] == (C, WriteNote(AGENT, "careful", "王芳"))
    for role, sees in (("agent", True), ("visitor", False)):
        events = (await world.ask("GET", f"{HERE}/messages", role)).json()["events"]
        assert any(event["kind"] == "note" for event in events) == sees


@pytest.mark.parametrize(
    ("what", "body", "status"),
    [
        ("transfer", {}, 400), ("transfer", {"agent": "han", "team": "service"}, 400), ("transfer", {"team": "x"}, 404),
        ("transfer", {"agent": "x"}, 404), ("messages", {}, 400), ("messages", {"text": "x" * 4001}, 400),
        ("messages", {"text": "", "files": ["nonsense"]}, 400), ("notes", {"text": ""}, 400), ("hold", {}, 400),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(what: str, body: dict[str, Any], status: int) -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    before = len(world.calls.commands)
    assert problem_of(await world.ask("POST", f"{HERE}/{what}", "agent", json=body))["status"] == status
    assert len(world.calls.commands) == before


@pytest.mark.parametrize("id", ["c7-nobody", "q0-main", "nonsense"])
async def test_a_conversation_that_there_is_not_is_not_found(id: str) -> None:
    world = World()
    assert problem_of(await world.ask("GET", f"/api/v1/conversations/{id}", "admin"))["status"] == 404
    assert problem_of(await world.ask("POST", f"/api/v1/conversations/{id}/take", "agent", json={}))["status"] == 404


async def test_the_lines_and_those_who_wait_in_them() -> None:
    world = World()
    waits(world)
    waits(world, "c7-b")
    waits(world, "c7-c", "service")
    lines = (await world.ask("GET", "/api/v1/queues", "agent")).json()["queues"]
    assert [(line["name"], line["waiting"], line["on_duty"]) for line in lines] == [("sales", 2, 0), ("service", 1, 0)]
    page = (await world.ask("GET", "/api/v1/queues/sales", "agent", params={"limit": 1, "cursor": ""})).json()
    assert [(one["conversation"], one["name"], one["position"]) for one in page["waiting"]] == [(C, "张三", 1)]
    params = {"limit": 1, "cursor": page["cursor"]}
    page = (await world.ask("GET", "/api/v1/queues/sales", "read:queue", params=params)).json()
    assert [(one["conversation"], one["position"]) for one in page["waiting"]] == [("c7-b", 2)]
    assert problem_of(await world.ask("GET", "/api/v1/queues/nobody", "agent"))["status"] == 404
    for wrong in ("x", "-1", "9" * 20):
        refused = problem_of(await world.ask("GET", "/api/v1/queues/sales", "agent", params={"cursor": wrong}))
        assert (refused["status"], refused["code"]) == (400, "bad_cursor")
    teams = (await world.ask("GET", "/api/v1/teams", "agent")).json()
    assert [(team["display"], team.get("display_en")) for team in teams["teams"]] == [
        ("售前", "Pre-sales"),
        ("售后", None),
    ]
    assert teams["default"] == "sales"
    assert teams["teams"][0]["agents"] == ["wangfang", "lilei"]
    assert teams["teams"][0]["lead"] == "lilei"


async def test_the_next_one_is_the_first_of_ones_own_lines() -> None:
    world = World()
    waits(world, "c7-c", "service")
    waits(world)
    waits(world, "c7-b")
    said = [(await world.ask("POST", "/api/v1/queues/next", "agent")).json() for _ in range(3)]
    assert [one.get("id") for one in said] == [C, "c7-b", None]
    assert (said[2]["status"], said[2]["code"]) == (404, "not_found")
    agents = (await world.ask("GET", "/api/v1/agents", "read:agents", params={"limit": 2})).json()
    assert [one["name"] for one in agents["agents"]] == ["han", "lilei"]
    agents = (await world.ask("GET", "/api/v1/agents", "admin", params={"cursor": agents["cursor"]})).json()
    assert [(one["name"], one["open"], one["capacity"]) for one in agents["agents"]] == [("wangfang", 2, 5)]
    world.calls.tell_queue(SetDuty("a6-han", True))
    agents = (await world.ask("GET", "/api/v1/agents", "admin")).json()["agents"]
    assert [one["on_duty"] for one in agents] == [True, False, False]


async def test_an_end_is_refused_where_the_visitor_has_written_more_than_was_seen() -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    seen = (await world.ask("GET", HERE + "/messages", "agent")).json()["events"][-1]["seq"]
    world.calls.post(C, "等等")
    early = problem_of(await world.ask("POST", f"{HERE}/close", "agent", json={"seen": seen}))
    assert (early["status"], early["code"]) == (409, "unread")
    assert "「等等」" in early["detail"]
    closed = await world.ask("POST", f"{HERE}/close", "agent", json={"seen": seen + 1})
    assert (closed.status_code, closed.json()["seq"]) == (200, seen + 2)


async def test_an_answer_leaves_to_the_next_agent_what_was_not_seen() -> None:
    world = World()
    waits(world)
    world.calls.assign(C, AGENT)
    seen = (await world.ask("GET", HERE + "/messages", "agent")).json()["events"][-1]["seq"]
    world.calls.post(C, "等等")
    await world.ask("POST", f"{HERE}/messages", "agent", json={"text": "好", "seen": seen})
    assert (await world.ask("POST", f"{HERE}/close", "agent", json={"seen": seen})).status_code == 409
    assert (await world.ask("POST", f"{HERE}/close", "agent", json={})).status_code == 200, "who says nothing saw all"


async def test_one_that_was_given_away_waits_with_nobody_and_whoever_gave_it_may_answer_until_it_is_taken() -> None:
    world = World()
    waits(world)
    await take(world)
    await world.ask("POST", f"{HERE}/transfer", "agent", json={"team": "service"})
    said = (await world.ask("GET", HERE, "admin")).json()
    assert (said["stage"], said["team"]) == ("waiting", "service")
    assert not said.keys() & {"agent", "display", "since", "on_hold"}
    assert (await world.ask("POST", f"{HERE}/messages", "agent", json={"text": "稍等"})).status_code == 201
    world.calls.assign(C, LEAD)
    assert (await world.ask("GET", HERE, "admin")).json()["agent"] == "lilei"
