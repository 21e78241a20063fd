"""What API and pages see of the queue."""

import itertools

import msgspec

from hub.domain import commands as c
from hub.domain.commands import AnyCommand
from hub.domain.messages import Wait
from hub.domain.queue import views
from hub.domain.queue.views import AgentLoad, Served, TeamLoad, Waiting
from hub.domain.teams import AgentSettings, Overflow, Team, Teams
from tests.domain.queue.world import SECOND_MS, Desk

WANG = AgentSettings("a1-wang", "wang", "小王", ("sales",), 2)
LI = AgentSettings("a1-li", "li", "小李", ("service",), 3)
SALES, SERVICE = Team("sales", "售前", overflow=Overflow("service", 60)), Team("service", "售后", max_waiting=1)
FILE = Teams("1", "sales", (SALES, SERVICE), (WANG, LI), weights={"email": 2})


def enqueue(name: str, team: str, priority: int = 0, channel: str = "h5") -> c.Enqueue:
    return c.Enqueue(f"c0-{name}", team, priority, channel=channel, language="zh", name=name.upper())


def desk() -> Desk:
    commands: list[AnyCommand] = [
        c.ChangeTeams(FILE), c.SetDuty("a1-wang", True), enqueue("a", "sales", channel="email"), enqueue("b", "sales"),
        enqueue("c", "sales", 1), enqueue("d", "service"), enqueue("e", "service"),
    ]  # fmt: skip
    desk = Desk(*commands)
    desk.now_ms = 60 * SECOND_MS
    desk.do(c.Tick())
    return desk


def test_waiting_lists_a_line_in_order_with_what_each_would_be_told() -> None:
    state = desk().state
    line = views.waiting(state, 60_000, "service")
    assert [one.conversation for one in line] == ["c0-c", "c0-b", "c0-d", "c0-e"]
    assert line[1] == Waiting("c0-b", 2, "B", "sales", "h5", "zh", 0, 2, 6, 0, Wait(), ("service",))
    assert line[3].position == 4, "behind those who have overflowed"
    assert line[3].wait == Wait(full=True)
    assert views.waiting(state, 60_000, "service", after=1, limit=2) == line[1:3]
    assert [one.conversation for one in views.waiting(state, 60_000, "sales")] == ["c0-c", "c0-b"]
    assert views.waiting(state, 60_000, "no such team") == []


def test_served_lists_what_an_agent_has() -> None:
    state = desk().state
    assert views.served(state, "a1-wang") == [Served("c0-a", 1, "A", "sales", "email", "a1-wang", "小王", 0)]
    assert views.served(state, "a1-li") == []
    assert views.served(state, "a1-nobody") == []


def test_loads_list_all_agents() -> None:
    assert views.loads(desk().state) == [
        AgentLoad("a1-li", "li", "小李", ("service",), False, 0, 0, 3),
        AgentLoad("a1-wang", "wang", "小王", ("sales",), True, 1, 2, 2),
    ]


def test_teams_stand_in_the_order_of_the_file() -> None:
    here = desk()
    for name in "fghij":
        here.do(enqueue(name, "sales", 2))
        here.do(c.Take("a1-wang", conversation=f"c0-{name}"))
        here.now_ms += 90 * SECOND_MS
        here.do(c.Leave(f"c0-{name}"))
    assert views.teams(here.state) == [
        TeamLoad("sales", "售前", 2, 0, 1, 1, 1, 2, 2, 90),
        TeamLoad("service", "售后", 4, 0, 0, 1, 0, 0, 0, 0),
    ]


def test_a_team_says_since_when_the_first_who_came_waits_whatever_their_priority() -> None:
    here = desk()
    here.now_ms = 90 * SECOND_MS
    for name, priority in (("x", 1), ("y", 3), ("z", 0)):
        here.do(enqueue(name, "service", priority))
    service = views.teams(here.state)[1]
    assert (service.waiting, service.waiting_since_ms) == (7, 0)
    for name in "bcde":
        here.do(c.Leave(f"c0-{name}"))
    assert views.teams(here.state)[1].waiting_since_ms == 90 * SECOND_MS


def test_views_can_be_sent() -> None:
    state = desk().state
    seen = (views.waiting(state, 0, "sales"), views.served(state, "a1-wang"), views.loads(state), views.teams(state))
    for view in itertools.chain(*seen):
        assert msgspec.json.decode(msgspec.json.encode(view), type=type(view)) == view
