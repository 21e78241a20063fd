"""A shop that is played through: the product's own queue, and people whose times are given; no hub, no log, no clock.

Visitors come, wait, perhaps too long, and are served as fast as their agent gets on: who has n conversations at a time
goes on with each at the pace 1 / (1 + slowdown * (n - 1)), so that each takes the longer the more there are. Who has
waited longer than their patience is gone, but keeps their place, as in the product: an agent answers what they have
written, for which a part of the work is enough. Agents come and go; who goes finishes what they have.
"""

import heapq
import itertools
import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import queue
from hub.domain.commands import AnyCommand
from hub.domain.events import Record
from hub.domain.ids import QUEUE_ID
from hub.domain.teams import Teams

SECOND_MS = 1000
GONE = 0.25
"""So much of the work is to be done for who is gone."""


class Visitor(NamedTuple):
    """Somebody who comes at `at_ms` and is worth `work_s` seconds of an agent who does nothing else."""

    name: str
    at_ms: int
    team: str
    work_s: float
    patience_s: float = math.inf
    """They are gone when nobody has come for so long."""
    priority: int = 0
    language: str = ""
    last: str = ""
    """The agent who served them before, by entity id."""
    last_ms: int = 0
    important: bool = False
    """Whether or not they have priority for it."""


class Turn(NamedTuple):
    """An agent, by entity id, comes on duty or goes off it."""

    at_ms: int
    agent: str
    on: bool


class Promise(NamedTuple):
    """What a visitor was told while they waited; both 0: nothing of how long."""

    at_ms: int
    position: int
    low_s: int
    high_s: int


class Visit(msgspec.Struct):
    """What came of a visitor; 0: not yet."""

    visitor: Visitor
    agent: str = ""
    begun_ms: int = 0
    ended_ms: int = 0
    promises: list[Promise] = []

    @property
    def wait_s(self) -> float:
        """How long until an agent had them."""
        return (self.begun_ms - self.visitor.at_ms) / SECOND_MS

    @property
    def gone(self) -> bool:
        """Whether that was too long for them."""
        return self.wait_s > self.visitor.patience_s


class Hands:
    """What one agent has under hand. They share the work, so that one clock of work done, not of time, serves all."""

    def __init__(self, slowdown: float) -> None:
        self._slowdown, self._work_s, self._at_ms = slowdown, 0.0, 0
        self._ends: list[tuple[float, str]] = []
        self.version = 0
        """Goes up with each change: what was expected before is no longer true."""

    def begin(self, name: str, work_s: float, now_ms: int) -> None:
        """One more."""
        self._go_on(now_ms)
        heapq.heappush(self._ends, (self._work_s + work_s, name))

    def end(self, now_ms: int) -> str:
        """The one that is done now is gone."""
        self._go_on(now_ms)
        return heapq.heappop(self._ends)[1]

    def next_ms(self) -> int | None:
        """When the next one will be done, if nothing changes."""
        if not self._ends:
            return None
        return self._at_ms + max(0, math.ceil((self._ends[0][0] - self._work_s) / self._pace() * SECOND_MS))

    def _go_on(self, now_ms: int) -> None:
        if self._ends:
            self._work_s += (now_ms - self._at_ms) / SECOND_MS * self._pace()
        self._at_ms = now_ms
        self.version += 1

    def _pace(self) -> float:
        return 1 / (1 + self._slowdown * (len(self._ends) - 1))


class Shop:
    """`run` plays everything through; `visits` then says what came of whom, by name, in the order of their coming."""

    def __init__(self, teams: Teams, visitors: Iterable[Visitor], turns: Iterable[Turn], slowdown: float = 0.0) -> None:
        self.state = queue.new(QUEUE_ID)
        self.now_ms = 0
        self.visits: dict[str, Visit] = {}
        self._slowdown = slowdown
        self._hands: dict[str, Hands] = {}
        self._serial = itertools.count()
        self._agenda: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._visitors = iter(visitors)
        while self._do(c.ChangeTeams(teams)):
            pass
        for turn in turns:
            self._at(turn.at_ms, self._turn, turn)
        self._expect()

    def run(self) -> None:
        """Until nobody comes any more and all have been served."""
        while self._agenda:
            due_ms = queue.next_due(self.state)
            if due_ms is not None and due_ms <= max(self.now_ms, self._agenda[0][0]):
                self.now_ms = max(self.now_ms, due_ms)
                self._do(c.Tick())
                continue
            self.now_ms, _, happen, what = heapq.heappop(self._agenda)
            happen(*what)

    def _at(self, at_ms: int, happen: Callable[..., None], *what: Any) -> None:
        heapq.heappush(self._agenda, (at_ms, next(self._serial), happen, what))

    def _expect(self) -> None:
        """The next who comes; one at a time, for there may be very many."""
        visitor = next(self._visitors, None)
        if visitor is not None:
            self._at(visitor.at_ms, self._come, visitor)

    def _come(self, visitor: Visitor) -> None:
        self.visits[visitor.name] = Visit(visitor)
        self._expect()
        self._do(c.Enqueue(
            visitor.name, visitor.team, visitor.priority, channel="h5", language=visitor.language, name=visitor.name,
            last=visitor.last, last_ms=visitor.last_ms,
        ))  # fmt: skip

    def _turn(self, turn: Turn) -> None:
        self._do(c.SetDuty(turn.agent, turn.on))

    def _end(self, agent: str, version: int) -> None:
        hands = self._hands[agent]
        if version == hands.version:
            visit = self.visits[hands.end(self.now_ms)]
            visit.ended_ms = self.now_ms
            self._look_ahead(agent)
            self._do(c.Leave(visit.visitor.name))

    def _look_ahead(self, agent: str) -> None:
        next_ms = self._hands[agent].next_ms()
        if next_ms is not None:
            self._at(next_ms, self._end, agent, self._hands[agent].version)

    def _do(self, command: AnyCommand) -> bool:
        """As an owner would; whether it led to anything."""
        events = queue.decide(self.state, command, None, self.now_ms)
        for event in events:
            queue.evolve(self.state, Record(QUEUE_ID, self.state.seq + 1, self.state.seq, self.now_ms, event))
            match event:
                case e.Chosen(conversation=name, agent=agent):
                    self._begin(self.visits[name], agent)
                case e.Told(conversation=name, position=position, wait=wait):
                    self.visits[name].promises.append(Promise(self.now_ms, position, wait.low_s, wait.high_s))
        return bool(events)

    def _begin(self, visit: Visit, agent: str) -> None:
        visit.agent, visit.begun_ms = agent, self.now_ms
        hands = self._hands.setdefault(agent, Hands(self._slowdown))
        hands.begin(visit.visitor.name, visit.visitor.work_s * (GONE if visit.gone else 1), self.now_ms)
        self._look_ahead(agent)
