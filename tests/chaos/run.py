"""One run: a crowd writes, faults strike by the schedule, all is healed, everybody reads to the end, ledgers meet."""

import asyncio
import contextlib
import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import checker, stored
from tests.chaos.checker import Line, Verdict
from tests.chaos.client import Client, Hub
from tests.chaos.desks import Desk
from tests.chaos.faults import Striker
from tests.chaos.ledger import Ledger, now_ms
from tests.chaos.phones import Phone, StandIn
from tests.chaos.processes import until
from tests.chaos.schedule import Step
from tests.chaos.site import DESKS, PHONES, TOPICS, Site
from tests.chaos.visitors import Page, Visitor

COME_PER_S = 100.0
PHONE_SHARE, PHONE_PACE = 0.05, 0.5
"""That part of the visitors is served on WeCom, and writes so much less: phones take 25 texts a minute."""
TWO_PAGES = 0.2
RESTLESS = 0.001
"""That part of all clients does something each second: loses its line, loads anew, or falls asleep."""
SLEEP_S = (2.0, 40.0)
QUIET_S, DRAIN_S = 4.0, 150.0
"""Everybody has come to rest when nothing is heard for QUIET_S; that takes at most DRAIN_S, and the history as long."""
SOURCE = "127.9.0.1"


@dataclass(frozen=True)
class Crowd:
    """Who takes part; `per_s` messages a second from all visitors together, and a `share` of them is answered."""

    visitors: int = 1000
    desks: int = 15
    phones: int = 5
    per_s: float = 110.0
    share: float = 0.25


@dataclass
class Result:
    """What came of a run. `faults`: of each, how often it was done and the longest time without an acknowledgement."""

    verdict: Verdict
    faults: dict[str, dict[str, Any]]
    toothless: list[str] = field(default_factory=list)
    unfinished: str = ""

    @property
    def good(self) -> bool:
        """Zeros, and every planned fault has bitten."""
        return self.verdict.good and not self.toothless and not self.unfinished


class Run:
    """`play` it once. `folder` gets the ledgers, which stay; `say` gets lines on how it goes."""

    def __init__(
        self, site: Site, crowd: Crowd, folder: Path, seed: int, stand_in: StandIn | None, say: Callable[[str], None]
    ) -> None:
        self.ledger = Ledger(folder / "ledger.jsonl")
        self.striker = Striker(site, self.ledger, stand_in, say)
        self._drain_s = DRAIN_S
        self._site, self._crowd, self._folder, self._say = site, crowd, folder, say
        self._rng = random.Random(f"clients {seed}")
        self._hub = Hub("127.0.0.1", site.port, self.ledger, self._rng)
        self._visitors = [self._visitor(n) for n in range(crowd.visitors)]
        self._desks = [Desk(self._hub, f"desk{n}", SOURCE, site.admin_token, crowd.share) for n in range(crowd.desks)]
        phones = crowd.phones if stand_in is not None else 0
        self._phones = [
            Phone(f"phone{n}", f"Phone{n}", stand_in, self.ledger, self._rng, crowd.share)
            for n in range(phones)
            if stand_in is not None
        ]

    def _visitor(self, n: int) -> Visitor:
        phone = self._crowd.phones and n % round(1 / PHONE_SHARE) == 0
        pages = 2 if self._rng.random() < TWO_PAGES else 1
        return Visitor(self._hub, n, TOPICS[PHONES if phone else DESKS], pages)

    async def play(self, duration_s: float, steps: Sequence[Step], drain_s: float = DRAIN_S) -> Result:
        """Do all of it. Who has not come to rest `drain_s` after the last text will not."""
        self._drain_s = drain_s
        background = [asyncio.create_task(part) for part in (self._tick(), self._tell(duration_s))]
        try:
            await self._begin()
            started = asyncio.get_running_loop().time()
            crowd = [asyncio.create_task(part) for part in (self._come(), self._write(), self._fidget())]
            await self._strike(steps, started)
            await asyncio.sleep(max(0.0, started + duration_s - asyncio.get_running_loop().time()))
            for task in crowd:
                task.cancel()
            await asyncio.gather(*crowd, return_exceptions=True)
            self._say("all is healed; everybody finishes")
            unfinished = await self._finish()
        finally:
            for task in background:
                task.cancel()
            await asyncio.gather(*background, return_exceptions=True)
            for client in self._clients():
                client.close()
            await asyncio.gather(*(phone.close() for phone in self._phones))
            self.ledger.close()
        history = await stored.read(self._site.history)
        return judge(list(checker.read_lines([self._folder / "ledger.jsonl"])), history, steps, unfinished)

    def _clients(self) -> list[Client]:
        pages: list[Client] = [page for visitor in self._visitors for page in visitor.pages if visitor.here]
        return [*pages, *self._desks]

    # --- the crowd ---------------------------------------------------------------------------------------------------

    async def _begin(self) -> None:
        await asyncio.gather(*(desk.begin() for desk in self._desks), *(phone.begin() for phone in self._phones))
        if not await until(lambda: all(desk.live for desk in self._desks), 60):
            raise RuntimeError("not all desks were let in")

    async def _come(self) -> None:
        async with asyncio.TaskGroup() as group:
            for visitor in self._visitors:
                group.create_task(visitor.come())
                await asyncio.sleep(1 / COME_PER_S)

    async def _write(self) -> None:
        """At a steady pace, whoever it is; those on WeCom less often."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + 1 / self._crowd.per_s, loop.time() - 1)
            await asyncio.sleep(max(0.0, due - loop.time()))
            visitor = self._rng.choice(self._visitors)
            if visitor.here and (not visitor.patient or self._rng.random() < PHONE_PACE):
                visitor.say()

    async def _fidget(self) -> None:
        """Lines break, pages are loaded anew, readers fall asleep: a little, all the time."""
        while True:
            await asyncio.sleep(1)
            for client in self._clients():
                if self._rng.random() >= RESTLESS:
                    continue
                match self._rng.randrange(3):
                    case 0:
                        client.cut()
                    case 1 if isinstance(client, Page | Desk):
                        client.reload()
                    case _:
                        client.go_deaf(self._rng.uniform(*SLEEP_S))

    async def _strike(self, steps: Sequence[Step], started: float) -> None:
        for step in steps:
            await asyncio.sleep(max(0.0, started + step.at_s - asyncio.get_running_loop().time()))
            await asyncio.gather(*(self.striker.strike(strike) for strike in step.strikes))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(1)
            for client in self._clients():
                client.tick(loop.time())

    async def _tell(self, duration_s: float) -> None:
        started = now_ms()
        while True:
            await asyncio.sleep(10)
            live = sum(client.live for client in self._clients())
            self._say(
                f"{(now_ms() - started) / 1000:5.0f} of {duration_s:g} s: {self.ledger.acked} acknowledged,"
                f" {self.ledger.in_flight} in flight, {live} of {len(self._clients())} clients live"
            )

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _finish(self) -> str:
        """Nobody writes any more; everybody reads to the end. What is not finished, if anything."""
        for desk in self._desks:
            desk.writing = False
        for phone in self._phones:
            phone.writing = False
        if not await until(self._settled, self._drain_s):
            return self._unsettled()
        # A push is a hint, the numbers are the truth: one half comes back and asks what it lacks, the other reads all.
        for n, client in enumerate(self._clients()):
            if isinstance(client, Page) and n % 2:
                client.reload()
            else:
                client.cut()
            if n % 10 == 0:
                await asyncio.sleep(0.05)
        if not await until(self._settled, self._drain_s):
            return self._unsettled()
        return await self._history_at_rest()

    def _settled(self) -> bool:
        return (
            not self.ledger.troubles
            and all(client.settled for client in self._clients() if isinstance(client, Page | Desk))
            and not any(phone.typing for phone in self._phones)
            and not self._to_show()
            and now_ms() - max(self.ledger.heard_at, self.ledger.acked_at) > QUIET_S * 1000
        )

    def _to_show(self) -> int:
        """How many texts no phone has shown yet: a phone takes only so many a minute."""
        written = sum(visitor.said for visitor in self._visitors if visitor.patient)
        return written - len(set().union(*(phone.shown for phone in self._phones))) if self._phones else 0

    def _unsettled(self) -> str:
        if self.ledger.troubles:
            return self.ledger.troubles[0]
        left = [client.name for client in self._clients() if isinstance(client, Page | Desk) and not client.settled]
        typing = [phone.name for phone in self._phones if phone.typing]
        if not left and not typing:
            return f"{self._to_show()} texts were shown on no phone in {self._drain_s:g} s"
        return f"{len(left)} clients did not come to rest in {self._drain_s:g} s: {', '.join([*left[:9], *typing])}"

    async def _history_at_rest(self) -> str:
        """Wait until the history grows no more."""
        before, same = -1, 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain_s):
                while same < 4:
                    found = await stored.count(self._site.history)
                    same = same + 1 if found == before and found else 0
                    before = found
                    await asyncio.sleep(1)
                return ""
        return "the history still grows"


def judge(lines: Sequence[Line], history: checker.History, steps: Sequence[Step], unfinished: str) -> Result:
    """The verdict on the ledgers, and on whether the faults have bitten."""
    acks = sorted(line["at"] for line in lines if line["e"] == "acked")
    flights = in_flight(lines)
    faults: dict[str, dict[str, Any]] = {}
    toothless: list[str] = []
    for line in lines:
        if line["e"] != "fault":
            continue
        why = line["why"] or ("" if flights(line["began"]) else "nothing was in flight")
        if why:
            toothless.append(f"{line['name']}: {why}")
            continue
        found = faults.setdefault(line["name"], {"times": 0, "longest_gap_ms": 0})
        found["times"] += 1
        found["longest_gap_ms"] = max(found["longest_gap_ms"], longest_gap_ms(acks, line["began"], line["ended"]))
    done = sum(line["e"] == "fault" for line in lines)
    planned = sum(len(step.strikes) for step in steps)
    if done < planned:
        toothless.append(f"{planned - done} of {planned} planned faults were not done")
    return Result(checker.check(lines, history), faults, toothless, unfinished)


def in_flight(lines: Sequence[Line]) -> Callable[[int], int]:
    """How many texts were handed over and not acknowledged at a moment."""
    sent = sorted(line["at"] for line in lines if line["e"] == "sent")
    first: dict[str, int] = {}
    for line in lines:
        if line["e"] == "acked":
            first.setdefault(line["text"], line["at"])
    acked = sorted(first.values())
    return lambda at: bisect_right(sent, at) - bisect_left(acked, at)


def longest_gap_ms(acks: Sequence[int], began: int, ended: int) -> int:
    """The longest time between two acknowledgements, of those times that overlap the fault's."""
    first = max(bisect_left(acks, began) - 1, 0)
    last = min(bisect_left(acks, ended), len(acks) - 1)
    return max((acks[n + 1] - acks[n] for n in range(first, last)), default=0)
