"""A queue with its log, a judge who knows its events only, and a walk of whatever may happen to it."""

import pickle
import random
from collections.abc import Iterable
from fractions import Fraction

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import queue
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE, QUEUE_ID
from hub.domain.queue import Queue
from hub.domain.queue.numbers import REST_MS
from hub.domain.queue.tell import PAUSE_MS
from hub.domain.refusals import NotFound, Repeated, Taken
from hub.domain.teams import AgentSettings, Overflow, Pick, Team, Teams
from hub.engine.kinds import kinds
from hub.engine.slots import Slot

SECOND_MS = 1000
DAY_MS = 24 * 3600 * SECOND_MS


def restored(state: Queue) -> Queue:
    """The state as an owner that takes over has it from an image."""
    slot, other = (Slot(QUEUE_ID, kinds()[QUEUE]) for _ in range(2))
    slot.state = state
    for _ in other.restore(b"".join(slot.image())):
        pass
    after: Queue = other.state
    return after


class Desk:
    """A queue with its log: `do` decides and evolves, as an owner would; `restart` begins from an image."""

    def __init__(self, *commands: AnyCommand, keeps: bool = True) -> None:
        self.state = queue.new(QUEUE_ID)
        self.records: list[tuple[Record, Origin | None]] = []
        self.now_ms = 0
        self._keeps = keeps
        for command in commands:
            self.do(command)

    def do(self, command: AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        """What it leads to; after ChangeTeams with all that the ticks bring that are due at once."""
        before = pickle.dumps(self.state)
        events = queue.decide(self.state, command, origin, self.now_ms)
        assert pickle.dumps(self.state) == before, "deciding must not change the state"
        self.apply(events, origin)
        return events + self.settle() if isinstance(command, c.ChangeTeams) else events

    def settle(self) -> list[AnyEvent]:
        """What the ticks bring that are due at once."""
        events: list[AnyEvent] = []
        while self.state.unsettled:
            events += self.do(c.Tick())
        return events

    def apply(self, events: Iterable[AnyEvent], origin: Origin | None = None) -> None:
        """They are in force, and in the log."""
        for event in events:
            seq = self.state.seq + 1
            record = Record(QUEUE_ID, seq, seq - 1, self.now_ms, event)
            if self._keeps:
                self.records.append((record, origin))
            queue.evolve(self.state, record, origin)

    def replayed(self) -> Queue:
        """The state that the log gives."""
        state = queue.new(QUEUE_ID)
        for record, origin in self.records:
            queue.evolve(state, record, origin)
        return state


class Open(msgspec.Struct):
    """A conversation as the judge knows it."""

    enqueued: e.Enqueued
    since: int
    agent: str = ""
    lines: tuple[str, ...] = ()
    told: list[e.Told] = []
    told_ms: int = 0
    gave: str = ""
    """Who had it when this command came."""


class Judge:
    """Follows what a queue's commands lead to, and knows what is right; slow, and without the queue's own structures.

    `hear` a command with the events that it led to, at `now_ms`. For any world in which a queue takes part.
    """

    def __init__(self) -> None:
        self.rules = Teams("", "", (), ())
        self.teams: dict[str, Team] = {}
        self.agents: dict[str, AgentSettings] = {}
        self.weights: dict[str, dict[str, int]] = {}
        """As the last event that named the agent has them."""
        self.on_duty: set[str] = set()
        self.open: dict[str, Open] = {}
        self.latest: dict[str, int] = {}
        self.closed_at: dict[int, int] = {}
        self.latest_ms = 0
        """What the clock has shown at most."""
        self.unsettled = False
        self.heard = 0
        self.counts: dict[str, int] = {}

    def hear(self, command: AnyCommand, events: list[AnyEvent], now_ms: int) -> None:
        """Judge each event as of its own moment, and what is true after all of them."""
        self.latest_ms = max(self.latest_ms, now_ms)
        for one in self.open.values():
            one.gave = one.agent
        for event in events:
            self.heard += 1
            name = type(event).__name__
            self.counts[name] = self.counts.get(name, 0) + 1
            self._follow(event, command, now_ms)
        for event in events:
            if isinstance(event, e.Told):
                self._judge_told(event)
        self.check(now_ms)

    def check(self, now_ms: int) -> None:
        """What holds at any moment."""
        if self.unsettled:
            return
        for name, one in self.open.items():
            if not one.agent:
                fit = [agent for agent in self.agents if self.is_fit(agent, one, now_ms)]
                rested = one.enqueued.avoid_until_ms and one.enqueued.avoid_until_ms <= now_ms
                assert not fit or (rested and fit == [one.enqueued.avoid]), f"{name} waits although {fit} are free"
                assert one.lines[0] == self.team_of(one.enqueued.team), f"{name} stands in a line of others"
                assert all(line in self.teams for line in one.lines), f"{name} stands in a line of nobody"
                assert one.told, f"{name} was never told"
                line = self.line(self.shown_line(one))
                assert len(one.lines) > 1 or line[0] != name or one.told[-1].position == 1 or self._pushed(one), name
                if line.index(name) < 50:
                    assert one.told[-1].on_duty == self.is_served(one), f"{name} believes what is no longer true"

    def _pushed(self, one: Open) -> bool:
        """Told 1 before somebody with a higher priority came."""
        return any(told.position == 1 for told in one.told)

    # --- following ---------------------------------------------------------------------------------------------------

    def _follow(self, event: AnyEvent, command: AnyCommand, now_ms: int) -> None:
        match event:
            case e.TeamsChanged():
                self._change_teams(event)
            case e.Settling(more=more):
                self.unsettled = more
            case e.DutySet(agent=agent, on=on):
                assert on != (agent in self.on_duty)
                (self.on_duty.add if on else self.on_duty.remove)(agent)
            case e.Enqueued(conversation=name, no=no):
                if before := self.open.get(name):
                    assert no == before.enqueued.no, "a number is kept"
                    self.open[name] = Open(event, before.since, gave=before.gave)
                else:
                    self._judge_number(no, now_ms)
                    self.open[name] = Open(event, self.heard)
                self.open[name].lines = (self.team_of(event.team),)
            case e.Rerouted(conversation=name, team=team):
                one = self.open[name]
                assert not one.agent
                assert team == self.team_of(one.enqueued.team)
                assert team != one.lines[0] or not all(line in self.teams for line in one.lines), "for nothing"
                one.lines = (team, *(line for line in one.lines[1:] if line in self.teams and line != team))
            case e.Overflowed(conversation=name, team=team):
                one = self.open[name]
                assert not one.agent
                assert team not in one.lines
                overflow = self.teams[one.lines[-1]].overflow
                assert overflow is not None
                assert overflow.team == team
                one.lines = (*one.lines, team)
            case e.Told(conversation=name):
                one = self.open[name]
                assert not one.agent, "who is served does not wait"
                self._judge_repeat(one, event, now_ms)
                one.told.append(event)
                one.told_ms = now_ms
            case e.Chosen(conversation=name, agent=agent):
                one = self.open[name]
                assert not one.agent, "no conversation has two agents"
                self._judge_choice(event, one, command, now_ms)
                one.agent, one.told = agent, []
                one.enqueued = msgspec.structs.replace(one.enqueued, avoid="", avoid_until_ms=0)
                self.latest[agent] = self.heard
            case e.Left(conversation=name, no=no):
                del self.open[name]
                self.closed_at[no] = now_ms

    def _change_teams(self, event: e.TeamsChanged) -> None:
        self.rules, self.teams = event.teams, {team.name: team for team in event.teams.teams}
        for agent in event.removed:
            del self.agents[agent]
            self.latest.pop(agent, None)
        self.agents |= {agent.id: agent for agent in event.agents}
        self.weights |= {agent.id: event.teams.weights for agent in event.agents}
        for one in self.open.values():
            if one.agent and one.agent not in self.agents:
                one.agent, one.told, one.lines = "", [], (self.team_of(one.enqueued.team),)
        self.unsettled = True

    # --- judging -----------------------------------------------------------------------------------------------------

    def _judge_number(self, no: int, now_ms: int) -> None:
        taken = {one.enqueued.no for one in self.open.values()}
        rested = {n for n, at_ms in self.closed_at.items() if n not in taken and at_ms + REST_MS <= now_ms}
        first = min(rested, default=max([*taken, *self.closed_at], default=0) + 1)
        before_it_was_set_back = no not in taken and self.closed_at.get(no, now_ms) + REST_MS <= self.latest_ms
        assert no == first or (no < first and before_it_was_set_back)

    def _judge_repeat(self, one: Open, event: e.Told, now_ms: int) -> None:
        if one.told and event.on_duty == one.told[-1].on_duty:
            assert 2 * event.position <= one.told[-1].position, "told again for nothing"
            assert event.position == 1 or not 0 <= now_ms - one.told_ms < PAUSE_MS, "told again too soon"

    def _judge_told(self, event: e.Told) -> None:
        one = self.open[event.conversation]
        if not one.agent:
            line = self.shown_line(one)
            assert event.position == 1 + self.line(line).index(event.conversation)
            assert event.on_duty == self.is_served(one)
            assert event.because

    def _judge_choice(self, event: e.Chosen, one: Open, command: AnyCommand, now_ms: int) -> None:
        agent, name = event.agent, event.conversation
        assert event.no == one.enqueued.no
        assert event.team == self.team_of(one.enqueued.team)
        assert event.taken or event.team == one.lines[0], "nobody is chosen before they stand where they belong"
        assert event.because
        if event.taken:
            assert isinstance(command, c.Take)
            assert command.agent == agent
            return
        assert agent in self.on_duty
        assert self.has_room(agent, one), "capacity is exceeded by taking only"
        if isinstance(command, c.Enqueue) and command.conversation == name and command.agent == agent:
            return
        assert self.is_fit(agent, one, now_ms)
        for other_name, other in self.open.items():
            if not other.agent and other is not one and self.rank(other) < self.rank(one):
                given_away = isinstance(command, c.Enqueue) and command.conversation == other_name
                given_away = given_away and other.gave == agent
                assert given_away or not self.is_fit(agent, other, now_ms), f"{other_name} was before {name}"
        if self._first_free(event, one, now_ms) is not None:
            assert agent == self._first_free(event, one, now_ms)

    def _first_free(self, event: e.Chosen, one: Open, now_ms: int) -> str | None:
        """Whom the policy wants; None where an agent has become free and there is no choice."""
        fit = [agent for agent in self.agents if self.is_fit(agent, one, now_ms)]
        own = self.teams[one.lines[0]]
        asked = one.enqueued
        recent = own.last_agent_days and now_ms - asked.last_ms <= own.last_agent_days * DAY_MS
        if recent and asked.last in fit and asked.last != asked.avoid:
            return asked.last
        wanted = [agent for agent in fit if agent != asked.avoid] or fit
        for line in one.lines:
            of_line = [agent for agent in wanted if line in self.agents[agent].teams]
            of_line = [agent for agent in of_line if self._fits_line(agent, line, one)]
            if of_line:
                return min(of_line, key=lambda agent: self._before(agent, self.teams[line].pick))
        return None

    def _before(self, agent: str, pick: Pick) -> tuple[Fraction, int, str]:
        part = Fraction(self.load(agent), self.agents[agent].capacity)
        return part if pick == "least_loaded" else Fraction(0), self.latest.get(agent, 0), self.agents[agent].name

    # --- what is true ------------------------------------------------------------------------------------------------

    def team_of(self, team: str) -> str:
        return team if team in self.teams else self.rules.default

    def rank(self, one: Open) -> tuple[int, int]:
        return -one.enqueued.priority, one.since

    def line(self, team: str) -> list[str]:
        waiting = [name for name, one in self.open.items() if not one.agent and team in one.lines]
        return sorted(waiting, key=lambda name: self.rank(self.open[name]))

    def staff(self, team: str) -> list[str]:
        return [agent for agent, one in self.agents.items() if team in one.teams and agent in self.on_duty]

    def is_served(self, one: Open) -> bool:
        return any(self.staff(line) for line in one.lines if line in self.teams)

    def shown_line(self, one: Open) -> str:
        return next((line for line in one.lines if line in self.teams and self.staff(line)), one.lines[0])

    def charge(self, agent: str, one: Open) -> int:
        weight = self.weights[agent].get(one.enqueued.channel, 1)
        return max(1, min(weight, self.agents[agent].capacity))

    def load(self, agent: str) -> int:
        return sum(self.charge(agent, one) for one in self.open.values() if one.agent == agent)

    def has_room(self, agent: str, one: Open) -> bool:
        return self.load(agent) + self.charge(agent, one) <= self.agents[agent].capacity

    def _fits_line(self, agent: str, line: str, one: Open) -> bool:
        settings = self.agents[agent]
        if line not in self.teams or self.teams[line].pick == "manual" or line not in settings.teams:
            return False
        named = {word for other in self.agents.values() if line in other.teams for word in other.languages}
        language = one.enqueued.language
        return language not in named or not settings.languages or language in settings.languages

    def is_fit(self, agent: str, one: Open, now_ms: int) -> bool:
        rests = one.enqueued.avoid == agent and now_ms < one.enqueued.avoid_until_ms
        return (
            agent in self.on_duty
            and not rests
            and any(self._fits_line(agent, line, one) for line in one.lines)
            and self.has_room(agent, one)
        )


NAMES = ["ann", "bob", "cat", "dan", "eve"]
TEAMS = ["sales", "service", "refunds", "night"]
CHANNELS = ["h5", "email", "wechat"]


class Walk:
    """A small hub on a bad day: visitors, agents and files that change, restarts, a clock that is sometimes set."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.desk, self.judge = Desk(keeps=False), Judge()
        self.sent = dict.fromkeys(range(3), 0)
        self.refused = self.restarts = self.repeats = 0
        self.more = False
        """There may be more parts of the file."""
        self.change_teams()
        for name in NAMES:
            self.set_duty(name, self.draw.random() < 0.7)

    def step(self) -> None:
        """Something happens."""
        draw = self.draw
        if self.more and draw.random() < 0.5:
            self.announce()
            return
        what = draw.choices(
            (self.enqueue, self.leave, self.duty, self.take, self.list, self.tick, self.change_teams, self.restart,
             self.repeat),
            (30, 22, 8, 6, 1, 12, 1.5, 3, 2),
        )[0]  # fmt: skip
        what()

    def enqueue(self) -> None:
        draw, judge = self.draw, self.judge
        name = f"c{draw.randrange(3)}-{draw.randrange(6)}"
        before = judge.open.get(name)
        gave = before.agent if before else ""
        avoid = gave if draw.random() < 0.7 else ""
        self.do(c.Enqueue(
            name, draw.choice([*TEAMS, *TEAMS, "", "gone"]), draw.choice([0, 0, 0, 1]),
            f"a1-{draw.choice(NAMES)}" if draw.random() < 0.2 else "", avoid, draw.choice(CHANNELS),
            draw.choice(["zh", "zh", "en", "fr", ""]), name, f"a1-{draw.choice(NAMES)}" if draw.random() < 0.3 else "",
            self.desk.now_ms - draw.randrange(3 * DAY_MS), missed=bool(avoid) and draw.random() < 0.5,
        ))  # fmt: skip

    def leave(self) -> None:
        self.do(c.Leave(f"c{self.draw.randrange(3)}-{self.draw.randrange(6)}"))

    def duty(self) -> None:
        self.set_duty(self.draw.choice(NAMES), self.draw.random() < 0.6)

    def set_duty(self, name: str, on: bool) -> None:
        self.do(c.SetDuty(f"a1-{name}", on))

    def take(self) -> None:
        draw = self.draw
        agent, way = f"a1-{draw.choice(NAMES)}", draw.randrange(3)
        no = draw.randint(1, self.desk.state.numbers.highest + 1) if way == 0 else 0
        conversation = f"c{draw.randrange(3)}-{draw.randrange(6)}" if way == 1 else ""
        command = c.Take(agent, no, conversation)
        had = {name: one.agent for name, one in self.judge.open.items()}
        owner = had.get(conversation or self.desk.state.numbered.get(no, ""), "")
        if draw.random() < 0.5:
            refused = self.judge.counts.get("TakeRefused", 0)
            self.do(command)
            refused = self.judge.counts.get("TakeRefused", 0) - refused
        else:
            try:
                events, refused = self.desk.do(command), 0
            except (Taken, NotFound):
                events, refused = [], 1
            self.refused += refused
            self.judge.hear(command, events, self.desk.now_ms)
        assert refused or owner in ("", agent), "what another has is refused"
        for name, before in had.items():
            assert not before or self.judge.open[name].agent == before, "a command of one's own takes from nobody"

    def list(self) -> None:
        self.do(c.ListWaiting(f"a1-{self.draw.choice(NAMES)}"))

    def tick(self) -> None:
        """Time passes; what is due is done."""
        self.desk.now_ms += self.draw.choice([0, 1, 5, 20, 60, 300, 3600, 86_400]) * SECOND_MS
        if self.draw.random() < 0.02:
            self.desk.now_ms = max(0, self.desk.now_ms - 3600 * SECOND_MS)
        self.settle()

    def settle(self) -> None:
        """Tick until nothing is due."""
        for _ in range(100):
            due_ms = queue.next_due(self.desk.state)
            if due_ms is None or due_ms > self.desk.now_ms:
                return
            self.do(c.Tick(), relayed=False)
        raise AssertionError("the queue is due for ever")

    def change_teams(self) -> None:
        draw = self.draw
        names = draw.sample(TEAMS, draw.randint(1, 4))
        teams = tuple(
            Team(
                name, name.title(), pick=draw.choice(["least_loaded", "least_loaded", "round_robin", "manual"]),
                last_agent_days=draw.choice([0, 1, 2]), max_waiting=draw.choice([0, 1, 3]),
                overflow=Overflow(names[at + 1], draw.choice([5, 60])) if at + 1 < len(names) and draw.random() < 0.5
                else None,
            ) for at, name in enumerate(names)
        )  # fmt: skip
        agents = tuple(
            AgentSettings(
                f"a1-{name}", name, name.title(), tuple(draw.sample(names, draw.randint(0, len(names)))),
                draw.randint(1, 4), draw.choice(["", "wecom"]),
                languages=draw.choice([(), (), ("zh",), ("zh", "en"), ("fr",)]),
            ) for name in draw.sample(NAMES, draw.randint(2, len(NAMES)))
        )  # fmt: skip
        weights = draw.choice([{}, {"email": 2}, {"email": 2, "wechat": 3}])
        self.file = Teams(str(draw.random()), names[0], teams, agents, weights=weights)
        self.announce()
        if draw.random() < 0.7:
            while self.more:
                self.announce()
            self.settle()

    def announce(self) -> None:
        """Bring the next part of the file, as its worker does until there is none."""
        before = self.desk.state.seq
        self.do(c.ChangeTeams(self.file), relayed=False)
        self.more = self.desk.state.seq > before

    def restart(self) -> None:
        """Another owner goes on from an image."""
        self.restarts += 1
        after = restored(self.desk.state)
        assert after == self.desk.state
        self.desk.state = after

    def repeat(self) -> None:
        """A relay sends again what it is not sure of."""
        origins = list(self.desk.state.origins.values())
        if origins:
            self.repeats += 1
            try:
                self.desk.do(c.Leave("c0-0"), self.draw.choice(origins))
            except Repeated:
                return
            raise AssertionError("a repeat was carried out")

    def do(self, command: AnyCommand, relayed: bool = True) -> None:
        """As an owner would, with a restart between any two events now and then; then the judge is asked."""
        desk, origin = self.desk, None
        if relayed:
            partition = self.draw.randrange(3)
            self.sent[partition] += 1
            origin = Origin(partition, 1, self.sent[partition], 0)
        before = pickle.dumps(desk.state) if self.draw.random() < 0.1 else b""
        events = queue.decide(desk.state, command, origin, desk.now_ms)
        assert not before or pickle.dumps(desk.state) == before, "deciding must not change the state"
        for event in events:
            desk.apply([event], origin)
            if self.draw.random() < 0.02:
                self.restart()
        self.judge.hear(command, events, desk.now_ms)
        self.compare()

    def compare(self) -> None:
        """The state is what the events say: nobody is lost, each stands where they should."""
        state, judge = self.desk.state, self.judge
        assert {name: place.agent for name, place in state.places.items()} == {
            name: one.agent for name, one in judge.open.items()
        }
        assert {no: name for name, one in judge.open.items() for no in [one.enqueued.no]} == state.numbered
        teams = set(judge.teams) | {line for one in judge.open.values() for line in one.lines}
        for team in teams:
            line = [spot.conversation for spot in state.lines.get(team, [])]
            assert line == judge.line(team)
            lanes = sorted(spot for spots in state.lanes.get(team, {}).values() for spot in spots)
            assert [spot.conversation for spot in lanes] == line
        assert {agent: load.load for agent, load in state.loads.items()} == {
            agent: judge.load(agent) for agent in judge.agents
        }
