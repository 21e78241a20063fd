"""New teams come a part at a time, and whom they concern follows by and by."""

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import queue
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent
from hub.domain.queue.arranging import PART
from hub.domain.queue.draft import AT_ONCE
from hub.domain.teams import AgentSettings, Hours, Overflow, Team, Teams
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


# --- lines of teams that come and go ---------------------------------------------------------------------------------


def named(*names: str, version: str = "", default: str = "sales", staff: tuple[AgentSettings, ...] = ()) -> Teams:
    return Teams(version or str(names), default, tuple(Team(name, name.title()) for name in names), staff)


def decide(desk: Desk, command: AnyCommand) -> list[AnyEvent]:
    """What it leads to at once, without the ticks that follow."""
    events = queue.decide(desk.state, command, None, desk.now_ms)
    desk.apply(events)
    return events


def lines(desk: Desk) -> dict[str, list[str]]:
    return {team: [spot.conversation for spot in line] for team, line in desk.state.lines.items()}


def test_a_long_line_of_a_team_that_is_gone_empties_by_and_by_and_everybody_keeps_their_place() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service", staff=(ANN,))))
    for n in range(100):
        desk.do(c.Enqueue(f"c0-{n:03}", "service" if n % 2 else "sales", 0))
    changed = decide(desk, c.ChangeTeams(named("sales", staff=(ANN,))))
    assert [type(event) for event in changed] == [e.TeamsChanged]
    assert len(desk.state.lines["service"]) == 50, "a new file moves nobody itself"
    assert desk.state.astray == ["service"]
    while desk.state.unsettled:
        moved = [event for event in decide(desk, c.Tick()) if isinstance(event, e.Rerouted)]
        assert len(moved) <= AT_ONCE
        assert {event.because for event in moved} <= {"Sales: their team is no more"}
    assert lines(desk) == {"sales": [f"c0-{n:03}" for n in range(100)]}
    assert desk.state == desk.replayed()


def test_nobody_is_chosen_before_all_stand_where_they_belong() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service", staff=(ANN,))))
    for n in range(30):
        desk.do(c.Enqueue(f"c0-{n:03}", "service", 0))
    desk.do(c.Enqueue("c0-late", "sales", 0))
    decide(desk, c.ChangeTeams(named("sales", staff=(ANN,))))
    decide(desk, c.SetDuty(ANN.id, True))
    desk.settle()
    assert [name for name, place in desk.state.places.items() if place.agent] == ["c0-000"]


def test_who_waits_in_the_line_of_a_team_that_is_gone_can_be_taken_and_can_leave() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service", staff=(ANN,))))
    for n in range(30):
        desk.do(c.Enqueue(f"c0-{n:03}", "service", 0))
    decide(desk, c.ChangeTeams(named("sales", staff=(ANN,))))
    decide(desk, c.Take(ANN.id, conversation="c0-029"))
    decide(desk, c.Leave("c0-028"))
    desk.settle()
    assert lines(desk) == {"sales": [f"c0-{n:03}" for n in range(28)]}


def test_a_team_that_comes_back_has_its_line_again() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service")))
    for n in range(30):
        desk.do(c.Enqueue(f"c0-{n:03}", "service", 0))
    decide(desk, c.ChangeTeams(named("sales")))
    decide(desk, c.Tick())
    assert 0 < len(desk.state.lines["service"]) < 30
    desk.do(c.ChangeTeams(named("sales", "service", version="2")))
    assert lines(desk) == {"sales": [], "service": [f"c0-{n:03}" for n in range(30)]}
    assert {place.line for place in desk.state.places.values()} == {"service"}


def test_another_default_team_gets_those_who_have_named_none() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service")))
    for n, team in enumerate(("", "sales", "no such team", "service")):
        desk.do(c.Enqueue(f"c0-{n}", team, 0))
    events = desk.do(c.ChangeTeams(named("sales", "service", default="service")))
    assert lines(desk) == {"sales": ["c0-1"], "service": ["c0-0", "c0-2", "c0-3"]}
    assert {one.because for one in events if isinstance(one, e.Rerouted)} == {"Service: it is the default team now"}


def test_a_line_in_which_somebody_stood_as_well_is_left_when_its_team_is_gone() -> None:
    sales = Team("sales", "Sales", overflow=Overflow("night", 60))
    desk = Desk(c.ChangeTeams(Teams("1", "sales", (sales, Team("night", "Night")), ())), c.Enqueue("c0-a", "sales", 0))
    assert lines(desk) == {"sales": ["c0-a"], "night": ["c0-a"]}, "nobody is on duty"
    desk.do(c.ChangeTeams(named("sales")))
    assert lines(desk) == {"sales": ["c0-a"]}
    assert desk.state.places["c0-a"].further == ()


def test_many_teams_come_in_parts_the_new_ones_first_and_the_old_ones_go_last() -> None:
    before = [Team(f"old-{n}", f"Old {n}", overflow=Overflow("last", 60)) for n in range(40)]
    desk = Desk()
    parts(desk, Teams("1", "old-0", (*before, Team("last", "Last")), ()))
    for n in range(200):
        desk.do(c.Enqueue(f"c0-{n}", f"old-{n % 40}", 0))
    after = tuple(msgspec.structs.replace(team, overflow=Overflow("new", 60)) for team in before)
    file = Teams("2", "old-0", (*after, Team("new", "New")), ())
    brought = parts(desk, file)
    came = [{team.name: team for team in part.teams.teams} for part in brought]
    assert len(came) > 2
    assert all("new" in part for part in came)
    assert all("last" in part for part in came[:-1])
    assert "last" not in came[-1]
    overflows = [[part[team.name].overflow for team in before].count(Overflow("new", 60)) for part in came]
    assert overflows == sorted(overflows)
    assert overflows[-1] == 40
    assert desk.state.rules == file
    assert desk.state == desk.replayed()


def test_nobody_is_chosen_while_some_line_has_not_been_left_though_their_own_has() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service", staff=(ANN,))))
    desk.do(c.Enqueue("c0-first", "service", 0))
    desk.do(c.Enqueue("c0-second", "sales", 0))
    decide(desk, c.ChangeTeams(named("sales", "service", "night", staff=(ANN,))))
    decide(desk, c.ChangeTeams(named("sales", "night", staff=(ANN,))))
    assert desk.state.astray == ["sales", "service"]
    decide(desk, c.SetDuty(ANN.id, True))
    desk.settle()
    assert [name for name, place in desk.state.places.items() if place.agent] == ["c0-first"]


def test_who_waits_hears_nothing_before_all_stand_where_they_belong() -> None:
    desk = Desk(c.ChangeTeams(named("sales", "service")))
    for n in range(30):
        desk.do(c.Enqueue(f"c0-{n:03}", "service", 0))
    decide(desk, c.ChangeTeams(named("sales")))
    assert not [event for event in decide(desk, c.Leave("c0-000")) if isinstance(event, e.Told)]
    told = [event for event in desk.settle() if isinstance(event, e.Told)]
    assert [(one.conversation, one.team, one.position) for one in told] == [("c0-001", "sales", 1)]
