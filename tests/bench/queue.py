"""What a decision of the queue costs while 10,000 wait for 1,000 agents in 50 teams; no log, no network.

Each figure is of deciding and evolving one command. Agents are in two teams, every fifth speaks but one language, mail
weighs twice as much; every other team overflows into the next.
"""

import collections
import gc
import itertools
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from hub.domain import commands as c
from hub.domain import ids, looks, queue
from hub.domain.commands import AnyCommand
from hub.domain.events import Record
from hub.domain.ids import QUEUE_ID
from hub.domain.images import TURN_BYTES
from hub.domain.queue import Queue
from hub.domain.teams import AgentSettings, Hours, Overflow, Span, Team, Teams
from hub.engine.entities import TURN_S
from hub.engine.kinds import kinds
from hub.engine.slots import Slot
from hub.worker import GC_THRESHOLDS
from tests.bench.figures import Figures, Plan, note, quantiles_ms

KINDS = {
    "enqueue": "who joins a line",
    "leave": "who is done: their agent gets the next one",
    "give_up": "who leaves a line",
    "transfer": "who goes from an agent to another team",
    "off": "an agent goes off duty",
    "on": "an agent comes on duty and takes five",
    "take": "an agent takes somebody",
    "list": "an agent asks who waits",
    "look": "the API asks how all lines stand",
    "reload": "20 agents have more room in a new file: each part of what that leads to",
    "weigh": "mail weighs more, so that everybody is counted anew: each part",
    "lose": "20 agents are gone, and whom they had wait again: each part",
    "go_on": "a line overflows into another",
    "close": "a team is gone, the 200 in its line go to another: each part",
    "pick": "all teams choose in another way, and overflow into others: each part",
    "found": "the first file, with all teams and agents, for whom as many wait already: each part",
}
WORDS = {f"queue_{kind}_p50_ms": f"queue, ms: {words}, p50" for kind, words in KINDS.items()}
WORDS |= {f"queue_{kind}_p99_ms": f"  {kind}, p99" for kind in KINDS}
WORDS |= {f"queue_{kind}_max_ms": f"  {kind}, at most" for kind in KINDS}
WORDS |= {
    "queue_state_mb": "the queue's state in memory, MB",
    "queue_image_mb": "its image, MB",
    "queue_image_ms": "  to make it, ms",
    "queue_image_turn_ms": "  the longest turn of the loop while a worker makes it, ms",
    "queue_image_read_ms": "  to read it, ms",
    "queue_image_read_turn_ms": "  the longest turn of the loop while a worker reads it, ms",
}
CAPACITY = 5

T = TypeVar("T")


class Rig:
    """A queue that is as full as it gets, and a clock that goes on by itself."""

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.draw = plan, random.Random(seed)
        self.state: Queue = queue.new(QUEUE_ID)
        self.now_ms = 0
        self._names = (f"c{number % 32}-{number:013}" for number in itertools.count())
        self.file = _teams(plan)
        list(self.load(self.file))
        for agent in self.file.agents:
            self.decide(c.SetDuty(agent.id, True))
        for _ in range(CAPACITY * plan.staff + plan.waiting):
            self.decide(self.newcomer())

    def decide(self, command: AnyCommand) -> float:
        """Carry it out; seconds that it took, 0 when nothing came of it."""
        self.now_ms += 7
        begun = time.thread_time()
        events = queue.decide(self.state, command, None, self.now_ms)
        for event in events:
            queue.evolve(self.state, Record(QUEUE_ID, self.state.seq + 1, self.state.seq, self.now_ms, event))
        queue.next_due(self.state)
        took = time.thread_time() - begun
        return took if events else 0

    def load(self, file: Teams) -> Iterator[float]:
        """Put a file in force, and tick until nothing is due at once; seconds of each decision."""
        while took := self.decide(c.ChangeTeams(file)):
            yield took
        while self.state.unsettled:
            yield self.decide(c.Tick())

    def newcomer(self) -> c.Enqueue:
        """Somebody who writes for the first time."""
        draw = self.draw
        channel = "email" if draw.random() < 0.1 else "h5"
        language = draw.choice(("zh", "zh", "zh", "en", "fr"))
        return c.Enqueue(next(self._names), self.team(), 0, channel=channel, language=language, name="王先生")

    def team(self) -> str:
        """Any."""
        return f"team-{self.draw.randrange(self.plan.groups)}"

    def some(self, served: bool) -> str:
        """A conversation that an agent has, or that waits."""
        while True:
            no = self.draw.randint(1, self.state.numbers.highest)
            name = self.state.numbered.get(no)
            if name is not None and bool(self.state.places[name].agent) == served:
                return name


def _teams(plan: Plan) -> Teams:
    week = Hours("Asia/Shanghai", ((Span(540, 1080),),) * 5 + ((),) * 2)
    names = [f"team-{number}" for number in range(plan.groups)]
    teams = tuple(
        Team(name, f"小组 {name}", hours=week, max_waiting=100,
             overflow=Overflow(names[at + 1], 600) if at % 2 == 0 and at + 1 < plan.groups else None)
        for at, name in enumerate(names)
    )  # fmt: skip
    agents = tuple(
        AgentSettings(
            f"a{number % 32}-agent{number:04}", f"agent{number:04}", f"客服{number}",
            (names[number % plan.groups], names[(number * 7 + 1) % plan.groups]), CAPACITY, "wecom", f"Agent{number}",
            languages=("zh",) if number % 5 == 0 else ("zh", "en"),
        ) for number in range(plan.staff)
    )  # fmt: skip
    return Teams("1", names[0], teams, agents, weights={"email": 2})


def run(plan: Plan) -> Figures:
    """A full queue for each repeat."""
    figures: Figures = {}
    for repeat in range(plan.repeats):
        rig = Rig(plan, repeat)
        gc.collect()
        gc.freeze()  # as a worker does now and then
        gc.set_threshold(*GC_THRESHOLDS)
        for kind, measure in _MEASURES.items():
            took = [one for _ in range(plan.decisions) if (one := measure(rig))]
            _note(figures, kind, took)
        for kind, change in _CHANGES.items():
            _note(figures, kind, _reloads(rig, change))
        _note(figures, "found", _found(rig))
        note(figures, _sizes(rig.state))
        gc.unfreeze()
    return figures


def _note(figures: Figures, kind: str, took_s: list[float]) -> None:
    p50, p99 = quantiles_ms(took_s)
    note(figures, {
        f"queue_{kind}_p50_ms": p50, f"queue_{kind}_p99_ms": p99, f"queue_{kind}_max_ms": max(took_s) * 1e3,
    })  # fmt: skip


def _enqueue(rig: Rig) -> float:
    took = rig.decide(rig.newcomer())
    rig.decide(c.Leave(rig.some(served=False)))
    return took


def _leave(rig: Rig) -> float:
    took = rig.decide(c.Leave(rig.some(served=True)))
    rig.decide(rig.newcomer())
    return took


def _give_up(rig: Rig) -> float:
    took = rig.decide(c.Leave(rig.some(served=False)))
    rig.decide(rig.newcomer())
    return took


def _transfer(rig: Rig) -> float:
    name = rig.some(served=True)
    agent = rig.state.places[name].agent
    return rig.decide(c.Enqueue(name, rig.team(), 0, avoid=agent, channel="h5", language="zh", name="王先生"))


def _off(rig: Rig) -> float:
    agent = rig.draw.choice(rig.file.agents).id
    took = rig.decide(c.SetDuty(agent, False))
    rig.decide(c.SetDuty(agent, True))
    return took


def _on(rig: Rig) -> float:
    agent = rig.draw.choice(rig.file.agents).id
    rig.decide(c.SetDuty(agent, False))
    for name in [name for name, place in rig.state.places.items() if place.agent == agent]:
        rig.decide(c.Leave(name))
        rig.decide(rig.newcomer())
    return rig.decide(c.SetDuty(agent, True))


def _take(rig: Rig) -> float:
    name = rig.some(served=False)
    took = rig.decide(c.Take(rig.draw.choice(rig.file.agents).id, rig.state.places[name].no))
    rig.decide(c.Leave(name))
    rig.decide(rig.newcomer())
    return took


def _list(rig: Rig) -> float:
    return rig.decide(c.ListWaiting(rig.draw.choice(rig.file.agents).id))


def _look(rig: Rig) -> float:
    begun = time.thread_time()
    looks.at_queue(rig.state, looks.AskLines(), rig.now_ms)
    return time.thread_time() - begun


_MEASURES: dict[str, Callable[[Rig], float]] = {
    "enqueue": _enqueue, "leave": _leave, "give_up": _give_up, "transfer": _transfer, "off": _off, "on": _on,
    "take": _take, "list": _list, "look": _look,
}  # fmt: skip


def _roomier(file: Teams) -> Teams:
    agents = [msgspec.structs.replace(one, capacity=CAPACITY + 1) for one in file.agents[:20]]
    return msgspec.structs.replace(file, agents=(*agents, *file.agents[20:]))


def _goes_on(file: Teams) -> Teams:
    first = msgspec.structs.replace(file.teams[0], overflow=Overflow(file.teams[-1].name, 300))
    return msgspec.structs.replace(file, teams=(first, *file.teams[1:]))


def _picks(file: Teams) -> Teams:
    teams = tuple(
        msgspec.structs.replace(team, pick="round_robin", overflow=Overflow(file.teams[at - 1].name, 60))
        for at, team in enumerate(file.teams)
    )
    return msgspec.structs.replace(file, teams=teams)


def _found(rig: Rig) -> list[float]:
    """All who wait have come before there was a team."""
    state, rig.state = rig.state, queue.new(QUEUE_ID)
    for _ in range(rig.plan.waiting):
        rig.decide(rig.newcomer())
    for agent in rig.file.agents:
        rig.decide(c.SetDuty(agent.id, True))
    took = list(rig.load(rig.file))
    rig.state = state
    return took


_CHANGES: dict[str, Callable[[Teams], Teams]] = {
    "reload": _roomier,
    "weigh": lambda file: msgspec.structs.replace(file, weights={"email": 1}),
    "lose": lambda file: msgspec.structs.replace(file, agents=file.agents[20:]),
    "go_on": _goes_on,
    "close": lambda file: msgspec.structs.replace(file, teams=file.teams[:-1]),
    "pick": _picks,
}


def _reloads(rig: Rig, change: Callable[[Teams], Teams]) -> list[float]:
    """There and back, five times; every part counts."""
    took: list[float] = []
    for number in range(10):
        file = rig.file if number % 2 else change(rig.file)
        took += rig.load(msgspec.structs.replace(file, version=str(number)))
    return took


def _sizes(state: Queue) -> dict[str, float]:
    slot = Slot(QUEUE_ID, kinds()[ids.QUEUE])
    slot.state = state
    making = list(_turns(slot.image(), lambda part: len(part) / TURN_BYTES))
    image = b"".join(slot.image())
    tracemalloc.start()
    other = Slot(QUEUE_ID, kinds()[ids.QUEUE])
    collections.deque(other.restore(image), 0)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    other = Slot(QUEUE_ID, kinds()[ids.QUEUE])
    reading = list(_turns(other.restore(image), lambda _: 0))
    return {
        "queue_state_mb": size / 1e6, "queue_image_mb": len(image) / 1e6,
        "queue_image_ms": sum(making) * 1e3, "queue_image_turn_ms": max(making) * 1e3,
        "queue_image_read_ms": sum(reading) * 1e3, "queue_image_read_turn_ms": max(reading) * 1e3,
    }  # fmt: skip


def _turns(steps: Iterator[T], fills: Callable[[T], float]) -> Iterator[float]:
    """Seconds of each turn of the loop in which a worker takes these steps.

    It ends when it is full by what the steps `fill` of it, or at TURN_S.
    """
    gc.collect()
    begun, full = time.thread_time(), 0.0
    for step in steps:
        full += fills(step)
        if full > 1 or time.thread_time() - begun >= TURN_S:
            yield time.thread_time() - begun
            begun, full = time.thread_time(), 0.0
    yield time.thread_time() - begun
