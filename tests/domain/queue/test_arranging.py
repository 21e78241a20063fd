"""New teams come a part at a time, and whom they concern follows by and by."""

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.queue.arranging import PART
from hub.domain.teams import AgentSettings, Hours, Team, Teams
from tests.domain.queue.world import Desk

WEEK = Hours("Asia/Shanghai", ((),) * 7)


def agents(count: int, capacity: int = 2, shift: str = "") -> tuple[AgentSettings, ...]:
    return tuple(AgentSettings(f"a1-{n}", str(n), str(n), ("sales",), capacity, shift=shift) for n in range(count))


def file(*staff: AgentSettings, version: str = "1", handover_s: int = 300, mail: int = 1, **hours: Hours) -> Teams:
    return Teams(version, "sales", (Team("sales", "Sales"),), staff, hours, {"email": mail}, handover_s)


def parts(desk: Desk, teams: Teams) -> list[e.TeamsChanged]:
    """What each of them brings, until there is no more."""
    brought = []
    while changed := [one for one in desk.do(c.ChangeTeams(teams)) if isinstance(one, e.TeamsChanged)]:
        brought += changed
    return brought


@pytest.mark.parametrize(
    "after",
    [
        file(*agents(120, shift="day"), day=WEEK, version="hours"),
        file(*agents(120), handover_s=60, version="time to hand over"),
        file(*agents(120), mail=2, version="weights"),
        file(*agents(120, capacity=3), version="capacity"),
    ],
    ids=lambda teams: teams.version,
)
def test_what_concerns_all_agents_comes_to_each_of_them_once(after: Teams) -> None:
    desk = Desk()
    parts(desk, file(*agents(120)))
    brought = parts(desk, after)
    assert [agent.id for part in brought for agent in part.agents] == [agent.id for agent in after.agents]
    assert max(len(part.agents) for part in brought) <= PART


def test_agents_with_many_conversations_are_fewer_at_a_time() -> None:
    desk = Desk(c.ChangeTeams(file(*agents(4, capacity=100))))
    for n in range(4):
        desk.do(c.SetDuty(f"a1-{n}", True))
    for n in range(400):
        desk.do(c.Enqueue(f"c0-{n}", "sales", 0))
    assert [len(part.removed) for part in parts(desk, file(version="2"))] == [1, 1, 1, 1]
    assert {place.lost for place in desk.state.places.values()} == {""}, "all of them have been told"
    assert len(desk.state.lines["sales"]) == 400


def test_weights_that_have_changed_count_for_what_agents_have() -> None:
    desk = Desk(c.ChangeTeams(file(*agents(1, capacity=4))), c.SetDuty("a1-0", True))
    desk.do(c.Enqueue("c0-a", "sales", 0, channel="email"))
    desk.do(c.Enqueue("c0-b", "sales", 0, channel="h5"))
    parts(desk, file(*agents(1, capacity=4), mail=3, version="2"))
    assert desk.state.loads["a1-0"].load == 4
    desk.do(c.Leave("c0-a"))
    assert desk.state.loads["a1-0"].load == 1


def two_teams(*staff: AgentSettings) -> c.ChangeTeams:
    return c.ChangeTeams(Teams(str(staff), "sales", (Team("sales", "Sales"), Team("service", "Service")), staff))


ANN, BOB = AgentSettings("a1-ann", "ann", "Ann", ("sales",), 1), AgentSettings("a1-bob", "bob", "Bob", ("service",), 1)


def test_who_has_more_room_gets_who_waits_in_the_lines_of_their_teams() -> None:
    desk = Desk(two_teams(ANN, BOB), c.SetDuty("a1-bob", True))
    desk.do(c.Enqueue("c0-a", "service", 0))
    desk.do(c.Enqueue("c0-b", "service", 0))
    desk.do(two_teams(ANN, msgspec.structs.replace(BOB, capacity=2)))
    assert [place.agent for place in desk.state.places.values()] == ["a1-bob", "a1-bob"]


def test_whom_an_agent_had_who_is_gone_is_for_the_agents_of_their_own_team() -> None:
    desk = Desk(two_teams(ANN, BOB), c.SetDuty("a1-ann", True), c.SetDuty("a1-bob", True))
    desk.do(c.Enqueue("c0-a", "service", 0, agent="a1-ann"))
    assert desk.state.places["c0-a"].agent == "a1-ann"
    desk.do(two_teams(BOB))
    assert desk.state.places["c0-a"].agent == "a1-bob"
