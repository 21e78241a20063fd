"""The queue: single decisions as a table of stories, and everything it promises under a state machine."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import queue
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.numbers import REST_MS
from hub.domain.queue import Queue
from hub.domain.refusals import NotFound, Repeated
from hub.domain.teams import AgentSettings, Team, Teams

DAY_MS = 24 * 3600 * 1000


def agent(name: str, teams: str, capacity: int = 2, channel: str = "") -> AgentSettings:
    return AgentSettings(f"a1-{name}", name, name.title(), tuple(teams.split()), capacity, channel)


def teams(*agents: AgentSettings, names: str = "sales service", version: str = "1") -> Teams:
    named = tuple(Team(name, name.title()) for name in names.split())
    return Teams(version, named[0].name, named, agents)


WANG, LI = agent("wang", "sales"), agent("li", "sales service", capacity=1, channel="wecom")


class Desk:
    """A queue with its log: `do` decides and evolves, as an owner would."""

    def __init__(self, *commands: AnyCommand) -> None:
        self.state = queue.new(QUEUE_ID)
        self.records: list[tuple[Record, Origin | None]] = []
        self.now_ms = 0
        for command in commands:
            self.do(command)

    def do(self, command: AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        before = msgspec.json.encode(self.state)
        events = queue.decide(self.state, command, origin, self.now_ms)
        assert msgspec.json.encode(self.state) == before, "deciding must not change the state"
        for event in events:
            seq = self.state.seq + 1
            record = Record(QUEUE_ID, seq, seq - 1, self.now_ms, event)
            self.records.append((record, origin))
            queue.evolve(self.state, record, origin)
        return events

    def replayed(self) -> Queue:
        state = queue.new(QUEUE_ID)
        for record, origin in self.records:
            queue.evolve(state, record, origin)
        return state


def enqueue(name: str, team: str = "sales", priority: int = 0, agent: str = "", avoid: str = "") -> c.Enqueue:
    return c.Enqueue(f"c0-{name}", team, priority, agent and f"a1-{agent}", avoid and f"a1-{avoid}")


def on(name: str) -> c.SetDuty:
    return c.SetDuty(f"a1-{name}", True)


def off(name: str) -> c.SetDuty:
    return c.SetDuty(f"a1-{name}", False)


def brief(events: list[AnyEvent]) -> list[str]:
    """Who got what: "a>wang" chosen, "a:2" told position 2, "a:2!" the same while somebody is on duty."""
    words = []
    for event in events:
        match event:
            case e.Chosen(conversation=conversation, agent=agent):
                words.append(f"{conversation[3:]}>{agent[3:]}")
            case e.Told(conversation=conversation, position=position, on_duty=on_duty):
                words.append(f"{conversation[3:]}:{position}{'!' if on_duty else ''}")
    return words


BOTH = c.ChangeTeams(teams(WANG, LI))
FULL = [BOTH, on("wang"), on("li"), enqueue("b"), enqueue("a"), enqueue("x")]
"""Wang has a and x, Li has b, and both are at capacity."""


@pytest.mark.parametrize(
    ("before", "command", "said"),
    [
        # joining
        ([], enqueue("a"), ["a:1"]),
        ([BOTH], enqueue("a"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a"), ["a>wang"]),
        ([BOTH, on("wang"), off("wang")], enqueue("a"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a", "service"), ["a:1"]),
        ([BOTH, on("wang")], enqueue("a", "no such team"), ["a>wang"]),
        ([BOTH, on("wang")], enqueue("a", ""), ["a>wang"]),
        (FULL, enqueue("c"), ["c:1!"]),
        ([*FULL, enqueue("c")], enqueue("d"), ["d:2!"]),
        ([*FULL, enqueue("c")], enqueue("d", priority=1), ["d:1!"]),
        # the least loaded; then who was chosen longest ago; then the name
        ([BOTH, on("wang"), on("li")], enqueue("a"), ["a>li"]),
        ([BOTH, on("wang"), on("li"), enqueue("a")], enqueue("b"), ["b>wang"]),
        ([BOTH, on("wang"), on("li"), enqueue("a"), c.Leave("c0-a")], enqueue("b"), ["b>wang"]),
        # joining again
        ([*FULL, enqueue("c")], enqueue("c", "service"), ["c:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("c", "service"), ["c:1!", "d:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("d", priority=1), ["d:1!"]),
        # a transfer to a person, who may have too many already, but not be off duty
        (FULL, enqueue("c", agent="li"), ["c>li"]),
        ([*FULL, enqueue("c")], enqueue("a", agent="wang"), ["a>wang"]),
        ([*FULL, enqueue("c")], enqueue("a", agent="li"), ["c>wang", "a>li"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("c", agent="li"), ["c>li", "d:1!"]),
        ([BOTH, on("wang")], enqueue("a", agent="li"), ["a>wang"]),
        ([BOTH, on("wang")], enqueue("a", agent="nobody"), ["a>wang"]),
        # a transfer to the team: who waited for the agent comes first, and they get it back only if nobody else can
        ([BOTH, on("wang"), on("li"), enqueue("a")], enqueue("a", avoid="li"), ["a>wang"]),
        ([BOTH, on("wang"), enqueue("a")], enqueue("a", avoid="wang"), ["a>wang"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("b", avoid="li"), ["c>li", "b:1!"]),
        ([*FULL, enqueue("c"), enqueue("d", "service")], enqueue("b", "service"), ["c>li", "b:1!"]),
        ([*FULL, enqueue("c"), enqueue("d")], enqueue("b", "service"), ["c>li", "b:1!", "d:1!"]),
        ([*FULL, enqueue("c"), off("li")], enqueue("b", avoid="li"), ["b:1!"]),
        # leaving
        ([BOTH], c.Leave("c0-a"), []),
        ([BOTH, enqueue("a"), enqueue("b"), enqueue("c")], c.Leave("c0-b"), []),
        ([BOTH, enqueue("a"), enqueue("b"), enqueue("c")], c.Leave("c0-a"), ["b:1"]),
        ([*FULL, enqueue("c"), enqueue("d")], c.Leave("c0-b"), ["c>li", "d:1!"]),
        ([*FULL, enqueue("c"), off("li")], c.Leave("c0-b"), []),
        ([*FULL, enqueue("c", agent="li"), enqueue("d")], c.Leave("c0-b"), []),
        # duty
        ([BOTH, enqueue("a"), enqueue("b"), enqueue("c"), enqueue("d")], on("wang"), ["a>wang", "b>wang", "c:1!"]),
        ([BOTH, enqueue("a"), enqueue("b", "service"), enqueue("c", priority=1)], on("li"), ["c>li"]),
        ([BOTH, on("wang"), enqueue("a")], on("wang"), []),
        (FULL, off("wang"), []),
        ([enqueue("a"), on("wang")], c.ChangeTeams(teams(WANG)), ["a>wang"]),
        # teams
        ([BOTH], BOTH, []),
        (FULL, c.ChangeTeams(teams(WANG)), ["b:1!"]),
        ([*FULL, enqueue("c")], c.ChangeTeams(teams(agent("wang", "sales", 3))), ["b>wang"]),
        (
            [*FULL, enqueue("c", "service")],
            c.ChangeTeams(teams(WANG, agent("li", "sales", 2), names="sales")),
            ["c>li"],
        ),
        ([BOTH, enqueue("s", "service")], c.ChangeTeams(teams(WANG, names="sales")), []),
        ([BOTH, on("wang"), enqueue("s", "service")], c.ChangeTeams(teams(WANG, names="sales")), ["s>wang"]),
        ([*FULL], c.ChangeTeams(teams(names="other")), ["b:1", "a:2", "x:3"]),
        ([BOTH], c.Tick(), []),
    ],
)
def test_queue_answers(before: list[AnyCommand], command: AnyCommand, said: list[str]) -> None:
    assert sorted(brief(Desk(*before).do(command))) == sorted(said)


def test_a_choice_says_why() -> None:
    def because(desk: Desk, command: AnyCommand) -> list[str]:
        return [event.because for event in desk.do(command) if isinstance(event, e.Chosen)]

    desk = Desk(BOTH, on("wang"), on("li"))
    assert because(desk, enqueue("a", agent="li")) == ["Li was asked for"]
    assert because(desk, enqueue("b")) == ["sales: Wang has 0/2, nobody else is free; Li at capacity"]
    assert because(desk, enqueue("c", agent="zhao")) == [
        "a1-zhao is not in teams.yaml; sales: Wang has 1/2, nobody else is free; Li at capacity"
    ]
    desk.do(enqueue("d"))
    assert because(desk, c.Leave("c0-b")) == ["sales: Wang has 1/2, nobody else is free"]
    three = [agent(name, "sales", capacity=0) for name in ("a", "b", "c")]
    desk = Desk(c.ChangeTeams(teams(WANG, LI, *three)), on("a"), on("b"), on("c"), on("wang"), on("li"))
    assert because(desk, enqueue("a")) == ["sales: Li has 0/1, least loaded; A, B and 1 more at capacity"]
    desk.do(off("li"))
    assert because(desk, enqueue("b", agent="li")) == [
        "Li is off duty; sales: Wang has 0/2, nobody else is free; A, B and 1 more at capacity"
    ]


def test_a_choice_says_whether_a_phone_must_be_served() -> None:
    events = Desk(BOTH, on("li")).do(enqueue("a", "service"))
    chosen = e.Chosen("c0-a", 1, "a1-li", "Li", "service", True, "service: Li has 0/1, nobody else is free")
    assert events == [e.Enqueued("c0-a", 1, "service", 0), chosen]


def test_number_is_kept_while_open_and_rests_a_week_after_closing() -> None:
    desk = Desk(BOTH, enqueue("a"), enqueue("b"), enqueue("a", "service"))
    assert [desk.state.places[name].no for name in ("c0-a", "c0-b")] == [1, 2]
    assert desk.do(c.Leave("c0-a"))[0] == e.Left("c0-a", 1, REST_MS)
    desk.now_ms = REST_MS - 1
    assert desk.do(enqueue("a"))[0] == e.Enqueued("c0-a", 3, "sales", 0)
    desk.now_ms = REST_MS
    assert desk.do(enqueue("d"))[0] == e.Enqueued("c0-d", 1, "sales", 0)
    assert desk.do(enqueue("e"))[0] == e.Enqueued("c0-e", 4, "sales", 0)


def test_place_in_line_is_kept_through_a_transfer_and_through_the_loss_of_the_agent() -> None:
    desk = Desk(*FULL, enqueue("c"), enqueue("b", avoid="li"))
    assert brief(desk.do(c.ChangeTeams(teams(WANG, version="2")))) == ["c:2!"]
    assert brief(desk.do(c.Leave("c0-a"))) == ["b>wang", "c:1!"]


def test_conversation_is_told_its_position_at_most_twice() -> None:
    desk = Desk(*FULL, enqueue("c"), enqueue("d"), enqueue("e"))
    assert brief(desk.do(enqueue("first", priority=1))) == ["first:1!"]
    assert brief(desk.do(c.Leave("c0-first"))) == [], "c was told that it is the first one before"
    assert brief(desk.do(c.Leave("c0-c"))) == ["d:1!"]


def test_reactions_follow_from_the_record_alone() -> None:
    def reactions(event: AnyEvent) -> list[tuple[str, AnyCommand]]:
        return queue.reactions(Record(QUEUE_ID, 1, 0, 0, event))

    assert reactions(e.Chosen("c0-a", 3, "a1-li", "Li", "sales", True, "why")) == [
        ("c0-a", c.Assign("a1-li", "Li", 3, "sales", True))
    ]
    assert reactions(e.Told("c0-a", 3, "sales", 2, False)) == [("c0-a", c.TellWaiting(3, "sales", 2, False))]
    assert reactions(e.TeamsChanged(teams(WANG), ("a1-li",))) == [
        ("a1-wang", c.ConfigureAgent(WANG)),
        ("a1-li", c.ConfigureAgent(None)),
    ]
    assert reactions(e.Left("c0-a", 3, 0)) == []


def test_teams_changed_names_the_agents_that_are_gone() -> None:
    assert Desk(BOTH).do(c.ChangeTeams(teams(WANG)))[0] == e.TeamsChanged(teams(WANG), ("a1-li",))


def test_whose_agent_is_gone_is_told_that_they_wait_and_whom_they_lost() -> None:
    desk = Desk(c.ChangeTeams(teams(WANG)), on("wang"), enqueue("a"))
    told = desk.do(c.ChangeTeams(teams(LI)))[-1]
    assert told == e.Told("c0-a", 1, "sales", 1, False, lost="a1-wang")
    told_too = c.TellWaiting(1, "sales", 1, False, "a1-wang")
    assert queue.reactions(Record(QUEUE_ID, 9, 8, 0, told)) == [("c0-a", told_too)]


def test_repeat_of_a_relayed_command_is_refused() -> None:
    desk = Desk(BOTH)
    desk.do(enqueue("a"), Origin(3, 1, 10, 1))
    for origin in (Origin(3, 1, 10, 1), Origin(3, 1, 10, 0), Origin(3, 1, 9, 5)):
        with pytest.raises(Repeated):
            desk.do(enqueue("a"), origin)
    assert desk.do(enqueue("b"), Origin(4, 1, 1, 0))


def test_command_of_another_kind_is_refused() -> None:
    with pytest.raises(NotFound, match="the queue does not know KeepUnparsed"):
        Desk().do(c.KeepUnparsed("", ""))


NAMES = ["ann", "bob", "cat", "dan"]
TEAMS = ["sales", "service", "refunds"]
agents = st.builds(
    lambda name, groups, capacity: AgentSettings(f"a1-{name}", name, name.title(), tuple(groups), capacity),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(TEAMS), unique=True, max_size=3),
    st.integers(0, 3),
)
some_agents = st.lists(agents, unique_by=lambda one: one.name, max_size=4)


class QueueMachine(RuleBasedStateMachine):
    """A queue next to a model that is slow, knows only events, and judges each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.teams = Teams("", "", (), ())
        self.on_duty: set[str] = set()
        self.open: dict[str, e.Enqueued] = {}
        self.since: dict[str, int] = {}
        self.with_agent: dict[str, str] = {}
        self.told: dict[str, list[int]] = {}
        self.closed_at: dict[int, int] = {}
        self.sent = dict.fromkeys(range(3), 0)

    @initialize(agents=some_agents, on_duty=st.sets(st.sampled_from(NAMES)))
    def open_for_the_day(self, agents: list[AgentSettings], on_duty: set[str]) -> None:
        self.change_teams(agents, TEAMS)
        for name in sorted(on_duty):
            self.set_duty(name, True)

    @rule(
        name=st.integers(0, 4),
        team=st.sampled_from([*TEAMS, *TEAMS, "", "gone"]),
        priority=st.integers(0, 1),
        asked=st.sampled_from(["", "", "", *NAMES]),
        avoid=st.booleans(),
        partition=st.integers(0, 2),
    )
    def enqueue(self, name: int, team: str, priority: int, asked: str, avoid: bool, partition: int) -> None:
        conversation = f"c{partition}-{name}"
        avoided = self.with_agent.get(conversation, "") if avoid else ""
        self.do(c.Enqueue(conversation, team, priority, asked and f"a1-{asked}", avoided), partition)

    @rule(name=st.integers(0, 4), partition=st.integers(0, 2))
    def leave(self, name: int, partition: int) -> None:
        self.do(c.Leave(f"c{partition}-{name}"), partition)

    @rule(name=st.sampled_from(NAMES), on=st.booleans())
    def set_duty(self, name: str, on: bool) -> None:
        self.do(c.SetDuty(f"a1-{name}", on), 1)

    @precondition(lambda self: self.desk.state.seq % 3 == 0)  # not too often: lines have to grow
    @rule(agents=some_agents, names=st.lists(st.sampled_from(TEAMS), unique=True, min_size=1))
    def change_teams(self, agents: list[AgentSettings], names: list[str]) -> None:
        kept = [
            msgspec.structs.replace(one, teams=tuple(team for team in one.teams if team in names)) for one in agents
        ]
        self.do(c.ChangeTeams(Teams("1", names[0], tuple(Team(name, name) for name in names), tuple(kept))), None)

    @rule(days=st.sampled_from([1, 3, 7]))
    def wait(self, days: int) -> None:
        self.desk.now_ms += days * DAY_MS

    @rule(partition=st.integers(0, 2), back=st.integers(0, 2))
    def repeat(self, partition: int, back: int) -> None:
        known = [origin for _, origin in self.desk.records if origin and origin.partition == partition]
        if known:
            with pytest.raises(Repeated):
                self.desk.do(c.Leave(next(iter(self.open), "c0-0")), known[-1 - min(back, len(known) - 1)])

    def do(self, command: AnyCommand, partition: int | None) -> None:
        origin = None
        if partition is not None:
            self.sent[partition] += 1
            origin = Origin(partition, 1, self.sent[partition], 0)
        gave = self.with_agent.get(command.conversation, "") if isinstance(command, c.Enqueue) else ""
        events = self.desk.do(command, origin)
        chosen: list[e.Chosen] = []
        for event in events:
            if isinstance(event, e.Chosen):
                self.judge_choice(event, command)
                chosen.append(event)
            self.follow(event)
        for event in events:
            if isinstance(event, e.Told):
                line = self.line(self.team_of(event.conversation))
                assert event.position == 1 + line.index(event.conversation)
        for event in chosen:
            for waiting in self.line(event.team):
                given_away = isinstance(command, c.Enqueue) and waiting == command.conversation and event.agent == gave
                asked = isinstance(command, c.Enqueue) and command.agent == event.agent
                assert given_away or asked or self.rank(waiting) > self.rank(event.conversation), "FIFO"

    def judge_choice(self, event: e.Chosen, command: AnyCommand) -> None:
        assert event.conversation not in self.with_agent
        enqueued = self.open[event.conversation]
        assert (event.no, event.team) == (enqueued.no, self.team_of(event.conversation))
        assert event.agent in self.on_duty
        by_name = isinstance(command, c.Enqueue) and command.conversation == event.conversation
        if by_name and isinstance(command, c.Enqueue) and command.agent == event.agent:
            return
        fit = self.fit(event.team)
        wanted = {one: open for one, open in fit.items() if one != enqueued.avoid} or fit
        assert wanted[event.agent] == min(wanted.values())

    def follow(self, event: AnyEvent) -> None:
        match event:
            case e.TeamsChanged(teams=teams, removed=removed):
                now_named = {one.id for one in teams.agents}
                assert set(removed) == {one.id for one in self.teams.agents} - now_named
                self.teams = teams
                for conversation, one in list(self.with_agent.items()):
                    if one not in now_named:
                        del self.with_agent[conversation]
            case e.DutySet(agent=one, on=on):
                (self.on_duty.add if on else self.on_duty.remove)(one)
            case e.Enqueued(conversation=conversation, no=no):
                if conversation in self.open:
                    assert no == self.open[conversation].no
                else:
                    self.judge_number(no)
                    self.since[conversation] = len(self.since) + self.desk.state.seq * 100
                self.open[conversation] = event
                self.with_agent.pop(conversation, None)
                self.told[conversation] = []
            case e.Told(conversation=conversation, position=position):
                self.told[conversation].append(position)
                assert len(self.told[conversation]) == 1 or self.told[conversation][1:] == [1]
                assert self.told[conversation] != [1, 1]
                assert conversation not in self.with_agent
            case e.Chosen(conversation=conversation, agent=one):
                self.with_agent[conversation] = one
                self.told[conversation] = []
            case e.Left(conversation=conversation, no=no):
                del self.open[conversation], self.since[conversation], self.told[conversation]
                self.with_agent.pop(conversation, None)
                self.closed_at[no] = self.desk.now_ms

    def judge_number(self, no: int) -> None:
        taken = {event.no for event in self.open.values()}
        rested = {n for n, at_ms in self.closed_at.items() if n not in taken and at_ms + REST_MS <= self.desk.now_ms}
        assert no == min(rested, default=max([*taken, *self.closed_at], default=0) + 1)

    def team_of(self, conversation: str) -> str:
        team = self.open[conversation].team
        return team if team in {one.name for one in self.teams.teams} else self.teams.default

    def rank(self, conversation: str) -> tuple[int, int]:
        return -self.open[conversation].priority, self.since[conversation]

    def line(self, team: str) -> list[str]:
        waiting = [name for name in self.open if name not in self.with_agent and self.team_of(name) == team]
        return sorted(waiting, key=self.rank)

    def fit(self, team: str) -> dict[str, int]:
        """The agents who can take one more, and how many they have."""
        held = list(self.with_agent.values())
        return {
            one.id: held.count(one.id)
            for one in self.teams.agents
            if one.id in self.on_duty and team in one.teams and held.count(one.id) < one.capacity
        }

    @invariant()
    def nobody_waits_while_an_agent_is_fit_or_without_being_told(self) -> None:
        for conversation in self.open:
            if conversation not in self.with_agent:
                team = self.team_of(conversation)
                assert not self.fit(team), conversation
                assert self.told[conversation], f"{conversation} was never told"
                assert self.line(team)[0] != conversation or 1 in self.told[conversation]

    @invariant()
    def state_is_what_the_events_say_and_what_a_replay_gives(self) -> None:
        state = self.desk.state
        assert {name: place.agent for name, place in state.places.items() if place.agent} == self.with_agent
        assert set(state.places) == set(self.open)
        lines = {team: [spot.conversation for spot in line] for team, line in state.lines.items() if line}
        for team in lines.keys() | {self.team_of(name) for name in self.open}:
            assert lines.get(team, []) == self.line(team)
        assert self.desk.replayed() == state
        assert msgspec.json.decode(msgspec.json.encode(state), type=Queue) == state


QueueMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestQueueMachine = QueueMachine.TestCase
