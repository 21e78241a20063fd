"""A whole hub without its I/O: every entity with its log, the relays between them, far sides that are slow, one clock.

It does what the engine does (hub.engine.owner, relay, timers), only that whoever holds it says what happens next:
which command arrives, what time it is, which far side answers, which partition is taken over by another owner.
"""

import pickle
import random
from collections import deque
from typing import Any, NamedTuple

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID, is_agent, is_conversation, kind_of, partition_of
from hub.domain.refusals import Repeated
from hub.engine.kinds import Kind, kinds
from tests.domain.queue.world import Judge

PARTITIONS = 4
KINDS = kinds()
NOON = 1_764_043_200_000


class Known(NamedTuple):
    """What an agent can have known when they decided: the assignment that was theirs at that moment, or that they had
    been told of as the lead; 0: none.
    """

    agent: str
    assigned: int


class Relayed(NamedTuple):
    """A command on its way; `known`: of an agent's, what they knew when they wrote what led to it."""

    entity: str
    command: AnyCommand
    origin: Origin
    known: Known | None


class Hub:
    """See above. `check` holds each decision against what must be true of it."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.now_ms = NOON
        self.ahead_ms = 0
        """So much the owners' clock is fast; platforms' clocks are right."""
        self.states: dict[str, Any] = {}
        self.logs: dict[str, list[tuple[Record, Origin | None]]] = {}
        self.images: dict[str, bytes] = {}
        self.relayed: list[list[Relayed]] = [[] for _ in range(PARTITIONS)]
        """All that each partition's relay ever had to send, in the order of its log."""
        self.pipes: dict[tuple[int, int], deque[int]] = {}
        """What is on its way from one partition to another, by its place in `relayed`."""
        self.done: set[tuple[int, int]] = set()
        """Which relayed commands have led to something, by partition and place."""
        self.calls: dict[str, e.Attempted] = {}
        self.judge = Judge()
        self.counts: dict[str, int] = {}
        self.restarts = self.repeats = 0
        self._batches = [0] * PARTITIONS

    def of(self, entity: str) -> Any:
        """The entity's state."""
        if entity not in self.states:
            self.states[entity], self.logs[entity] = _kind(entity).new(entity), []
        return self.states[entity]

    def agent_of(self, conversation: str) -> str:
        """Whose it is, as it says itself."""
        state = self.of(conversation)
        return state.agent if state.stage == "served" else ""

    def agents(self) -> list[str]:
        """All there ever were."""
        return [entity for entity in self.states if is_agent(entity)]

    @property
    def world_ms(self) -> int:
        """What a platform's clock says."""
        return self.now_ms - self.ahead_ms

    # --- deciding ----------------------------------------------------------------------------------------------------

    def submit(
        self, entity: str, command: AnyCommand, origin: Origin | None = None, known: Known | None = None
    ) -> list[AnyEvent]:
        """Decide, log, evolve, and send what follows on its way. Raises a Refusal."""
        state = self.of(entity)
        looks = self.draw.random() < 0.05
        before = pickle.dumps(state) if looks else b""
        assigned = state.assigned if is_conversation(entity) else 0
        events = _kind(entity).decide(state, command, origin, self.now_ms)
        assert not looks or pickle.dumps(state) == before, "deciding must not change the state"
        self.apply(entity, events, origin, known)
        if entity == QUEUE_ID:
            self.judge.hear(command, events, self.now_ms)
        self.check(entity, command, events, known, assigned)
        return events

    def apply(
        self, entity: str, events: list[AnyEvent], origin: Origin | None = None, known: Known | None = None
    ) -> None:
        """They are in the log, as one batch."""
        kind, partition, index = _kind(entity), partition_of(entity), 0
        self._batches[partition] += 1
        for event in events:
            state = self.of(entity)
            record = Record(entity, state.seq + 1, kind.prev(state), self.now_ms, event)
            kind.evolve(state, record, origin)
            self.logs[entity].append((record, origin))
            self.counts[type(event).__name__] = self.counts.get(type(event).__name__, 0) + 1
            if isinstance(event, e.Attempted):
                assert entity not in self.calls, "one call at a time"
                self.calls[entity] = event
            for target, command in kind.reactions(record):
                here = Origin(partition, 1, self._batches[partition], index)
                self._send(target, command, here, known or self._knows(entity, target))
                index += 1
            if self.draw.random() < 0.01:
                self.restore(entity)

    def _knows(self, entity: str, target: str) -> Known | None:
        """What an agent entity that decides by itself can know just now."""
        if kind_of(entity) != "a" or not is_conversation(target):
            return None
        state = self.of(target)
        return Known(entity, state.assigned if state.agent == entity else 0)

    def _send(self, target: str, command: AnyCommand, origin: Origin, known: Known | None) -> None:
        sent = self.relayed[origin.partition]
        pipe = self.pipes.setdefault((origin.partition, partition_of(target)), deque())
        pipe.append(len(sent))
        sent.append(Relayed(target, command, origin, known))

    def check(
        self, entity: str, command: AnyCommand, events: list[AnyEvent], known: Known | None, assigned: int
    ) -> None:
        """`assigned`: the conversation's assignment before it."""

    # --- what arrives ------------------------------------------------------------------------------------------------

    def deliver(self) -> bool:
        """One relayed command reaches its entity, the first from its partition to there; False: there is none."""
        pairs = [pair for pair, pipe in self.pipes.items() if pipe]
        if not pairs:
            return False
        pair = self.draw.choice(pairs)
        place = self.pipes[pair].popleft()
        one, before = self.relayed[pair[0]][place], (pair[0], place) in self.done
        try:
            events = self.submit(one.entity, one.command, one.origin, one.known)
        except Repeated:
            self.repeats += 1
            return True
        assert not (before and events), f"{one} was carried out twice"
        if events:
            self.done.add((pair[0], place))
        return True

    def answer(self, calm: bool = False) -> bool:
        """A far side answers the call that it was asked; False: there is none."""
        if not self.calls:
            return False
        entity = self.draw.choice(sorted(self.calls))
        call, chance = self.calls.pop(entity), 0.0 if calm else self.draw.random()
        verdict = c.RecordVerdict(call.attempt, "sent", receipt=f"r{call.attempt}")
        if chance < 0.8:
            self.arrived(entity, call)
        elif chance < 0.86:
            verdict = c.RecordVerdict(call.attempt, "retry", "busy", retry_at_ms=self.now_ms + 2000)
        elif chance < 0.92:
            if self.draw.random() < 0.5:
                self.arrived(entity, call)
            verdict = c.RecordVerdict(call.attempt, "unknown", "no answer")
        else:
            self.lost(entity, call)
            verdict = c.RecordVerdict(call.attempt, "refused", "no", unreachable=self.draw.random() < 0.5)
        self.submit(entity, verdict)
        return True

    def arrived(self, entity: str, call: e.Attempted) -> None:
        """The far side has it, perhaps not for the first time."""

    def lost(self, entity: str, call: e.Attempted) -> None:
        """The far side will never have it."""

    # --- time --------------------------------------------------------------------------------------------------------

    def due(self) -> list[tuple[int, str]]:
        """What has something to do by now, the longest overdue first."""
        moments = [(_kind(entity).next_due(state), entity) for entity, state in self.states.items()]  # type: ignore[misc]
        return sorted((at_ms, entity) for at_ms, entity in moments if at_ms is not None and at_ms <= self.now_ms)

    def tick(self, entity: str) -> None:
        """What is due happens, and something is."""
        assert self.submit(entity, c.Tick()), f"{entity} is due, and has nothing to do"

    def sleep(self, ms: int) -> None:
        """Time passes, and what becomes due meanwhile happens at its moment; but relays and far sides may be slow."""
        until_ms, haste = self.now_ms + ms, 0.7 if ms <= 3_600_000 else 1
        for _ in range(3000):
            moments = [(_kind(entity).next_due(state), entity) for entity, state in self.states.items()]  # type: ignore[misc]
            dues = [(at_ms, entity) for at_ms, entity in moments if at_ms is not None and at_ms <= until_ms]
            if not dues:
                self.now_ms = until_ms
                return
            at_ms, entity = min(dues)
            self.now_ms = max(self.now_ms, at_ms)
            self.tick(entity)
            while self.draw.random() < haste and (self.deliver() or self.answer()):
                pass
        raise AssertionError("time does not come to its end")

    def set_clock(self, ms: int) -> None:
        """The owners' clock is set right where it is fast (as NTP does), else it goes wrong by so much."""
        change_ms = -self.ahead_ms or ms
        self.now_ms, self.ahead_ms = self.now_ms + change_ms, self.ahead_ms + change_ms

    def settle(self) -> None:
        """All that is on its way arrives, and all that is due happens."""
        for _ in range(10_000):
            if not self.deliver() and not self.answer(calm=True):
                due = self.due()
                if not due:
                    return
                self.tick(due[0][1])
        raise AssertionError(f"it comes to no rest: {self.due()}")

    # --- other owners ------------------------------------------------------------------------------------------------

    def restore(self, entity: str) -> None:
        """The state as another owner has it: from an image and what came after that, or from the whole log."""
        live, kind = self.of(entity), _kind(entity)
        state = kind.new(entity)
        if entity in self.images and self.draw.random() < 0.5:
            state = _read(kind, self.images[entity])
        for record, origin in self.logs[entity][state.seq :]:
            kind.evolve(state, record, origin)
        assert state == live, f"{entity} is another after a restart"
        self.images[entity] = msgspec.json.encode(kind.large.kept(state) if kind.large else state)
        restored = _read(kind, self.images[entity])
        assert restored == live, f"an image of {entity} is not whole"
        self.states[entity] = restored

    def restart(self, partition: int) -> None:
        """Another owner takes the partition: its relay starts again from somewhere before what is unfinished."""
        self.restarts += 1
        for entity in [entity for entity in self.states if partition_of(entity) == partition]:
            self.restore(entity)
            call = self.calls.pop(entity, None)
            if call is not None and self.draw.random() < 0.5:
                self.arrived(entity, call)
            resume = _kind(entity).resume
            if resume is not None and (events := resume(self.of(entity), self.now_ms)):
                self.apply(entity, events)
                self.check(entity, c.Tick(), events, None, 0)
        sent = self.relayed[partition]
        unfinished = [pipe[0] for (source, _), pipe in self.pipes.items() if source == partition and pipe]
        first = max(0, min(unfinished, default=len(sent)) - self.draw.randint(0, 4))
        for pair in [pair for pair in self.pipes if pair[0] == partition]:
            self.pipes[pair].clear()
        for place in range(first, len(sent)):
            self.pipes.setdefault((partition, partition_of(sent[place].entity)), deque()).append(place)


def _kind(entity: str) -> Kind:
    return KINDS[kind_of(entity)]


def _read(kind: Kind, image: bytes) -> Any:
    """The state of which this is the image."""
    if kind.large is None:
        return msgspec.json.decode(image, type=kind.state)
    reading = kind.large.rebuilt(msgspec.json.decode(image, type=kind.large.type))
    while True:
        try:
            next(reading)
        except StopIteration as done:
            return done.value
