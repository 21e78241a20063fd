"""The bench: a hub with one channel between a wire to its platform and a wire from it, and the log to read.

Texts carry a token: «i3.7» is the 7th text of the 3rd person, «o3.7» the 7th to them. So whatever a platform or the hub
puts around a text, it is known which one arrived, where, how often and in which order.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from hub.bus.bucket import Bucket
from hub.bus.connection import connect
from hub.bus.leases import WORKERS, revoke
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.clock import Clock
from hub.domain import events as e
from hub.domain import ids
from hub.domain.batch import decode_batch
from hub.domain.commands import AnswerMessage, AnyCommand, PostMessage
from hub.domain.events import Record
from hub.domain.messages import Judgement, Profile
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.pulls import BUCKET
from hub.engine.roster import limits_of
from hub.kit.engine import PARTITIONS, Call, Engine, Place
from hub.kit.far_side import FarSide, Shown, SpeaksLines
from hub.kit.http_wire import HttpWire
from hub.kit.line_wire import LineWire
from hub.kit.steps import Step, Steps
from hub.kit.subject import Subject
from hub.kit.watch import Lines
from hub.kit.wire import Fault, Mishap, Wire, port_of

LONG_S = 12.0
"""What has not happened by then will not."""
QUIET_S = 0.3
"""So long nothing more must come before something is said to have come once."""
FOLD_MS = 50
"""Folding is the hub's work: the kit does not wait for it as long as people would."""
DESK = "kit"
Way = Literal["i", "o"]
"""In, from the platform, and out, to it."""
_TOKENS = {way: re.compile(rf"«{way}(\d+)\.(\d+)»") for way in get_args(Way)}
_HEAD = re.compile(r"【#\d+·\d+ [^】]*】|\n?\(\d+\)$")
"""What the hub puts around visitors' texts for an agent's phone."""


def token(way: Way, person: int, n: int) -> str:
    """What marks the n-th text of a person, or to them."""
    return f"«{way}{person}.{n}»"


def serials(way: Way, text: str) -> list[tuple[int, int]]:
    """The tokens in a text, as (person, n)."""
    return [(int(person), int(n)) for person, n in _TOKENS[way].findall(text)]


class Bench:
    """`async with Bench(subject, folder)`: a hub, and `far` with the wires `out` to it and `in_` from it."""

    def __init__(self, subject: Subject, folder: Path, lines: Lines) -> None:
        self.subject, can = subject, subject.can
        self.can = dataclasses.replace(can, fold_ms=min(can.fold_ms, FOLD_MS))
        self.steps, self.calls, self.records = Steps(), list[Call](), list[Record]()
        self.lines = lines
        self.far: FarSide
        self.skew_s = 0.0
        """Our clock is set forward by so much."""
        self._folder = folder
        self._counts: Counter[tuple[Way, int]] = Counter()
        self._asked: dict[int, str] = {}

    # --- running -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        try:
            await self._open()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _open(self) -> None:
        nats = EmbeddedServer(self._folder / "nats")
        await nats.start()
        self._stack.push_async_callback(nats.stop)
        self._nats_url = nats.url
        self._connection = await connect(nats.url, "kit")
        self._stack.push_async_callback(self._connection.close)
        self.far = await self._stack.enter_async_context(self.subject.far_side())
        self.out = await self._stack.enter_async_context(_wire_to(self.far))
        self.in_ = await self._stack.enter_async_context(HttpWire())
        self.teams = self._teams()
        self.clock = Clock(lambda: time.time() + self.skew_s)
        self._stack.push_async_callback(self._end)
        await self._begin()
        following = [asyncio.create_task(self._follow(partition)) for partition in range(PARTITIONS)]
        for task in following:
            self._stack.callback(task.cancel)
        if self.subject.instance.routes and self.far.url:
            name = self.subject.instance.routes[0].name
            await self.far.join(f"{self.in_.url}/callbacks/{self.subject.name}/{name}")

    def _teams(self) -> Teams:
        """A desk for visitors of a platform; each person a team of their own where it is agents who are there."""
        if self.can.role != "agent":
            desk = AgentSettings(ids.agent_id(PARTITIONS, DESK), DESK, "客服", ("all",), 10_000)
            return Teams("1", "all", (Team("all", "All"),), (desk,))
        agents = tuple(
            AgentSettings(
                ids.agent_id(PARTITIONS, f"agent{i}"), f"agent{i}", f"客服{i}", (f"team{i}",), 10_000,
                self.subject.name, who, limits_of(self.can),
            )
            for i, who in enumerate(self.far.people)
        )  # fmt: skip
        return Teams("1", "team0", tuple(Team(f"team{i}", f"Team {i}") for i in range(len(agents))), agents)

    async def _begin(self) -> None:
        place = Place(self._nats_url, self._folder, self.subject.name, self.teams, self.clock, self.steps, self.calls)
        connector = self.subject.connect(self.far, *self.out.urls)
        connector.can = self.can
        self.engine = Engine(place, connector)
        await self.engine.start()
        self.in_.target = self.engine.port

    async def _end(self) -> None:
        self.in_.target = 0
        await self.engine.kill()

    async def restart(self, *, lose_cursor: bool = False) -> None:
        """The worker dies as by SIGKILL, whoever watches it frees what it held, and another one begins.

        `lose_cursor`: nobody knows any more how far the platform has been asked.
        """
        await self._end()
        await revoke(self._connection, f"{WORKERS}.{self.engine.name}")
        if lose_cursor:
            await Bucket(self._connection, BUCKET).put(self.subject.name, b"")
        await self._begin()

    async def restart_at(self, step: Step) -> None:
        """Restart when the worker has come to that step, which was armed."""
        await asyncio.to_thread(self.steps.reached.wait, LONG_S)
        assert self.steps.reached.is_set(), f"the hub never came to the step {step!r}"
        await self.restart()

    # --- the log -----------------------------------------------------------------------------------------------------

    async def _follow(self, partition: int) -> None:
        async for stored in PartitionLog(self._connection, partition).follow(0):
            self.records += [entry.record for entry in decode_batch(stored.data).entries]

    def events(self, *kinds: type[e.Event]) -> list[e.Event]:
        """All events of these kinds so far."""
        return [record.event for record in self.records if isinstance(record.event, kinds)]

    def messages(self) -> list[tuple[str, str]]:
        """What people on the platform said, as the log has it: entity and text."""
        said = []
        for record in self.records:
            match record.event:
                case e.MessagePosted(outside_id=outside_id, text=text) if outside_id:
                    said.append((record.entity, text))
                case e.TextReceived(text=text, unsupported=unsupported):
                    said.append((record.entity, text or f"[{unsupported}]"))
        return said

    def heard(self, person: int) -> list[int]:
        """The numbers of that person's texts, in the log's order."""
        return [n for _, text in self.messages() for who, n in serials("i", text) if who == person]

    # --- what people do ----------------------------------------------------------------------------------------------

    def say(self, person: int, text: str = "", *, like: int = 0) -> int:
        """A person on the platform sends a text; its number. `like`: the same text as that one."""
        n = like or self._next("i", person)
        self.far.say(self.far.people[person], token("i", person, n) + text)
        return n

    async def answer(self, person: int, text: str = "") -> int:
        """Somebody on the hub's side sends them a text; its number. They are known already, or become so first."""
        n = self._next("o", person)
        whole = token("o", person, n) + text
        command: AnyCommand
        if self.can.role != "agent":
            entity = await self._conversation(person)
            command = AnswerMessage(self.teams.agents[0].id, whole, "kit", n)
        else:
            entity = ids.new_conversation_id(person % PARTITIONS, str(person).encode().ljust(16, b"."))
            command = PostMessage("kit", n, whole, Profile("h5", name="访客"), Judgement(whole, team=f"team{person}"))
        outcome = await self.engine.submit(entity, command)
        assert outcome.denied is None, f"the hub refuses a text of the kit: {outcome.denied}"
        return n

    async def _conversation(self, person: int) -> str:
        """The conversation with a person, with the kit's desk; they write first where only so many may follow."""
        if person in self._asked and not self.can.replies:
            return self._asked[person]
        n = self.say(person)
        await self.until(lambda: n in self.heard(person), f"a text of {self.far.people[person]} came in")
        entity = next(entity for entity, text in self.messages() if (person, n) in serials("i", text))
        await self.until(
            lambda: any(r.entity == entity and isinstance(r.event, e.Assigned) for r in self.records),
            "their conversation was assigned",
        )
        self._asked[person] = entity
        return entity

    def conversation_of(self, person: int) -> str:
        """The conversation with a person who was answered in it."""
        return self._asked[person]

    def _next(self, way: Way, person: int) -> int:
        self._counts[way, person] += 1
        return self._counts[way, person]

    def lead(self, way: Way) -> list[tuple[str, Mishap]]:
        """What is said before messages are got, or one is handed over, each with a mishap for it; none over HTTP."""
        if not isinstance(self.far, SpeaksLines):
            return []
        words = self.far.before_brings if way == "i" else self.far.before_sends
        return list(zip(words, itertools.cycle(self.out.before + self.out.after), strict=False))

    # --- what people saw ---------------------------------------------------------------------------------------------

    def accepted(self, person: int) -> list[Shown]:
        """What the platform took for them, repeats as well."""
        return [shown for shown in self.far.shown() if shown.who.casefold() == self.far.people[person].casefold()]

    def seen(self, person: int) -> list[int]:
        """The numbers of the texts that they saw, in that order."""
        return [n for shown in self.accepted(person) if shown.fresh for _, n in serials("o", shown.text)]

    def read(self, person: int) -> str:
        """All that they saw from the first text on, without what the hub puts around texts."""
        whole = "".join(_HEAD.sub("", shown.text) for shown in self.accepted(person) if shown.fresh)
        return whole[max(0, whole.find(token("o", person, 1))) :]

    # --- waiting -----------------------------------------------------------------------------------------------------

    def calls_of(self, person: int, n: int) -> list[Call]:
        """The calls that were to deliver the n-th text to a person, in order."""
        return [call for call in self.calls if token("o", person, n) in call.delivery.text]

    async def hit(self, fault: Fault) -> None:
        """Wait until a request has met with the fault. Raises AssertionError when none does."""
        await self.until(lambda: fault.hits > 0, "a request set out")

    async def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait for it. Raises AssertionError, saying that it never came true that `what`."""
        ends_at = time.monotonic() + LONG_S
        while not true():
            if time.monotonic() > ends_at:
                raise AssertionError(f"it never came true that {what}")
            await asyncio.sleep(0.01)

    async def quiet(self) -> None:
        """Wait until no text waits for its verdict, and nothing more happens for a moment."""
        with contextlib.suppress(AssertionError):
            await self.until(self.settled, "all texts had their verdict")
        before = None
        while before != (before := (len(self.records), len(self.far.shown()), len(self.in_.requests))):
            await asyncio.sleep(QUIET_S)

    def settled(self) -> bool:
        """Whether each text that was sent to people has set out, and each attempt has its end."""
        begun, open_ = set[tuple[int, int]](), set[tuple[str, int]]()
        for record in self.records:
            match record.event:
                case e.Attempted(attempt=number, text=text):
                    begun.update(serials("o", text))
                    open_.add((record.entity, number))
                case e.AttemptSent(attempt=number) | e.AttemptRefused(attempt=number):
                    open_.discard((record.entity, number))
        return not open_ and all(
            (person, n) in begun for way, person in self._counts if way == "o" for n in self.numbers(way, person)
        )

    async def heard_all(self, persons: Iterable[int] = (0,)) -> None:
        """All that these people said is in the log once, each one's in their order. Raises AssertionError."""
        said = {person: self.numbers("i", person) for person in persons}
        with contextlib.suppress(AssertionError):
            await self.until(lambda: all(set(self.heard(who)) >= set(ns) for who, ns in said.items()), "all came in")
        await self.quiet()
        for person, numbers in said.items():
            _compare(numbers, self.heard(person), f"texts of {self.far.people[person]}", "in the log")
            entities = {
                entity for entity, text in self.messages() if any(who == person for who, _ in serials("i", text))
            }
            assert len(entities) <= 1, f"texts of {self.far.people[person]} are spread over {sorted(entities)}"

    async def seen_all(self, persons: Iterable[int] = (0,)) -> None:
        """All that was sent to these people was shown once, in order. Raises AssertionError."""
        sent = {person: self.numbers("o", person) for person in persons}
        with contextlib.suppress(AssertionError):
            await self.until(lambda: all(set(self.seen(who)) >= set(ns) for who, ns in sent.items()), "all were shown")
        await self.quiet()
        for person, numbers in sent.items():
            _compare(numbers, self.seen(person), f"texts to {self.far.people[person]}", "shown")

    def numbers(self, way: Way, person: int) -> list[int]:
        """Of all texts so far."""
        return list(range(1, self._counts[way, person] + 1))


def _wire_to(far: FarSide) -> Wire:
    if isinstance(far, SpeaksLines):
        return LineWire(far.ports(), far.trouble)
    return HttpWire(port_of(far.url) if far.url else 0)


def _compare(sent: list[int], got: list[int], whose: str, where: str) -> None:
    lost = sorted(set(sent) - set(got))
    doubled = sorted(n for n, times in Counter(got).items() if times > 1)
    assert not lost, f"{whose}: {lost} of {len(sent)} never {where}"
    assert not doubled, f"{whose}: {doubled} more than once {where}"
    assert got == sent, f"{whose}: {where} in the order {got}"
