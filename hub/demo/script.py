"""`hub demo --script`: robots play both sides of a whole hub, then their ledgers are compared with each other."""

from __future__ import annotations

import asyncio
import functools
import itertools
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from hub.demo import cast, comparison
from hub.demo.agents import QUIET_S as GOES_HOME_S
from hub.demo.agents import Agent, Phones
from hub.demo.channels import Break
from hub.demo.comparison import Result
from hub.demo.desk import Desk
from hub.demo.feed import Feed
from hub.demo.kills import Kills
from hub.demo.ledgers import Given
from hub.demo.lines import Line, Phone
from hub.demo.mail import Either, Mail
from hub.demo.reading import Duty, Found, Reader
from hub.demo.sabotage import Kind, Sabotage
from hub.demo.sentences import openers, small_talk
from hub.demo.serials import serial
from hub.demo.stage import DemoAgent, Stage
from hub.demo.visitors import Visitor
from hub.errors import HubError

TEXTS_PER_S, SHORTEST_S, LONGEST_S = 30.0, 4.0, 75.0
"""Visitors write evenly over a time that follows from how much they write."""
KILL_EVERY_S = 4.0
SETTLE_S = 5.0
"""When all is well, so long nothing more may come: a doubled text would."""
ARRIVING = 0.5
"""In this part of the time visitors arrive, evenly; each of them writes for as long as it leaves."""
GOES_AT, SHIFT_AT = 0.35, 0.5
"""At these parts of the time those with 下班 in their role say it, and the shifts change."""
QUIET_S = 25.0
"""When something is missing, so long nothing has come before it counts as lost."""
QUIET_AFTER_SABOTAGE_S = 25.0
QUIET_AFTER_KILLS_S = 45.0
"""Longer than a visitor may take to come back."""
LIMIT_S = 220.0
COMES_BACK, LEAST_TO_COME_BACK = 4, 4
"""Every fourth visitor comes back after a farewell, if they write so much, with something for the same team."""
BREAKS: tuple[Break, ...] = ("cut", "", "reload", "")
"""What becomes of the lines of a channel's visitors, by turns."""


@dataclass(frozen=True)
class Plan:
    """What to play. `kills`: so many of a worker, and so many of nats-server. `seed` chooses all that is random."""

    visitors: int = 200
    messages: int = 10
    kills: int = 0
    sabotage: Kind | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.visitors < 1:
            raise HubError("--visitors: there must be at least 1")
        if self.messages < 2:
            raise HubError("--messages: at least 2 each, or a visitor whose opener is blocked could not be answered")
        if self.kills < 0:
            raise HubError("--kills: must not be less than 0")

    @property
    def over_s(self) -> float:
        """For so long visitors write."""
        wanted = max(self.visitors * self.messages / TEXTS_PER_S, SHORTEST_S, 2 * self.kills * KILL_EVERY_S)
        return min(wanted, LONGEST_S)


async def run(stage: Stage, plan: Plan, say: Callable[[str], None]) -> tuple[Result, list[str]]:
    """Play the plan on a stage. What the ledgers say, and a sentence for each thing that is wrong; none: all is well.

    `say` gets lines on how it goes. Raises HubError when a robot could not do its part.
    """
    try:
        return await _Run(stage, plan, say).play()
    except* (HubError, TimeoutError, OSError, httpx.HTTPError) as errors:
        first = errors.exceptions[0]
        raise HubError(f"the run broke off: {first or type(first).__name__}\n{stage.log_end()}") from first


class _Run:
    def __init__(self, stage: Stage, plan: Plan, say: Callable[[str], None]) -> None:
        self._stage = stage
        self._plan = plan
        self._say = say
        self._clock = asyncio.get_running_loop().time
        self._started = self._clock()
        self._rng = random.Random(plan.seed)
        self._sabotage = Sabotage(plan.sabotage, self._reliable())
        self._http = httpx.AsyncClient(trust_env=False)
        self._said: dict[str, tuple[str, str]] = {}
        """All agents' answers."""
        self._agents = [self._make_agent(who) for who in stage.agents]
        self._is_ours = any(agent.who.shift for agent in self._agents)
        """It is the demo's own company, not that of a hub that runs already."""
        self._phones = Phones([agent for agent in self._agents if agent.who.user], stage.stand_in, self._sabotage)
        self._feed = Feed(stage.url, stage.admin_token) if stage.admin_token else None
        self._visitors = self._make_visitors()
        self._kills = Kills(stage, self._visitors, plan.kills, self._rng)

    def _reliable(self) -> list[int]:
        """The phones whose owners stay all day.

        What they are not shown must not come to a colleague instead, as it does in teams that do not wait for long, nor
        by mail; and what comes to the wrong one must not be for their team as well.
        """
        phones = [who for who in self._stage.agents if who.user]
        steady = [n for n, who in enumerate(phones) if self._stage.role_of(who.id) == "steady"]
        match self._plan.sabotage:
            case "drop":
                return [n for n in steady if not phones[n].mail and not phones[n].teams & cast.IMPATIENT]
            case "misroute":
                return list({phones[n].teams: n for n in steady}.values())
        return steady

    def _make_agent(self, who: DemoAgent) -> Agent:
        agent = Agent(who, self._stage.role_of(who.id), self._stage.serials, self._others(who), self._said)
        agent.line = self._make_line(who, agent.see_on_page)
        return agent

    def _make_line(self, who: DemoAgent, see: Callable[[Found], None]) -> Line:
        phone = Phone(who.user, self._stage.stand_in, self._sabotage) if who.user else None
        mail = Mail(who.mail, self._stage.post_office) if who.mail else None
        if phone and mail:
            return Either(phone, mail)
        return phone or mail or Desk(self._stage.url, who, self._http, see)

    def _others(self, who: DemoAgent) -> tuple[Given, ...]:
        """To whom they pass conversations on: a colleague and another team, both of whom are there all day."""
        steady = [one for one in self._stage.agents if self._stage.role_of(one.id) == "steady"]
        colleagues = [one for one in steady if one.teams == who.teams and one.id != who.id]
        teams = [team for one in steady for team in one.teams if team not in who.teams]
        if not colleagues or not teams:
            return ()
        other = self._rng.choice(teams)
        return Given(colleagues[0].name, agent=colleagues[0].id), Given(self._stage.team_names[other][0], team=other)

    def _make_visitors(self) -> list[Visitor]:
        """On all channels by turns."""
        plan, labelled, talk = self._plan, openers(), small_talk()
        self._rng.shuffle(labelled)
        visitors = []
        for n, channel in zip(range(plan.visitors), itertools.cycle(self._stage.channels)):
            serials = [serial(next(self._stage.serials)) for _ in range(plan.messages)]
            rng = random.Random(self._rng.random())
            client = self._stage.channels[channel].client(self._stage.url, f"顾客{n + 1}", serials[0][1:-1], rng)
            opener, further = labelled[n % len(labelled)], self._rng.choices(talk, k=plan.messages - 2)
            again = [one for one in labelled if one.team == opener.team and one != opener and not one.label]
            comes_back = n % COMES_BACK == 0 and plan.messages >= LEAST_TO_COME_BACK
            back = self._rng.choice(again) if comes_back else None
            visitors.append(Visitor(channel, client, opener, further, serials, back))
        return visitors

    async def play(self) -> tuple[Result, list[str]]:
        """Everybody does their part; what comes of it."""
        await self._open()
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(part) for part in await self._readers()]
            await asyncio.gather(*(agent.begin() for agent in self._agents if agent.role != "late"))
            self._say(f"{len(self._agents)} agents, and their day begins (seed {self._plan.seed})")
            for agent in self._agents:
                agent.present = agent.role != "vanishes"
            for channel in self._stage.channels.values():
                channel.trouble()
            background += [group.create_task(agent.work()) for agent in self._agents]
            background.append(group.create_task(self._tell()))
            kills = group.create_task(self._kills.run(self._plan.over_s))
            await asyncio.gather(*self._writing(), *self._going())
            self._say(f"visitors have written all; {self._progress()}")
            await self._drain()
            for task in (*background, kills):
                task.cancel()
        for visitor in self._visitors:
            await visitor.client.leave()
        await self._http.aclose()
        result, faults = self._compare()
        return result, faults + self._doubts(result) + self._not_done()

    async def _readers(self) -> list[Coroutine[Any, Any, None]]:
        """One for each phone, mailbox and page, from where it is now; and the log's."""
        readers = [] if self._feed is None else [self._feed.follow()]
        for agent in self._agents:
            match agent.line:
                case Desk() as desk:
                    await desk.log_in(self._stage.admin_token)
                    readers.append(desk.follow())
                case Mail() | Either() as line:
                    _recall_duty(agent, await line.catch_up())
                    readers.append(line.follow(agent.show))
        for n, agent in enumerate(agent for agent in self._agents if agent.who.user):
            texts = await self._stage.stand_in.texts(agent.who.user)
            _recall_duty(agent, [found for one in texts for found in Reader().read(one.text)])
            readers.append(self._phones.read(n, texts[-1].n if texts else 0))
        return readers

    async def _open(self) -> None:
        """It is morning, whatever was before."""
        if self._feed is not None:
            await self._feed.begin()
        if self._is_ours:
            self._stage.change_teams(functools.partial(cast.set_shifts, morning=True))

    def _going(self) -> list[Coroutine[Any, Any, None]]:
        """Those who go off duty, and the change of shifts."""
        if not self._is_ours:
            return []
        goes_s = GOES_AT * self._plan.over_s
        going = [self._go(agent, goes_s) for agent in self._agents if agent.role in ("leaves", "keeps")]
        return [*going, self._change_shifts(SHIFT_AT * self._plan.over_s)]

    async def _go(self, agent: Agent, after_s: float) -> None:
        await asyncio.sleep(after_s)
        await agent.go(keeps=agent.role == "keeps")

    async def _change_shifts(self, after_s: float) -> None:
        """Those of the early one have gone home by then; those of the late one hear from the hub that it begins."""
        await asyncio.sleep(after_s)
        for agent in self._agents:
            agent.present = agent.present and agent.role != "early"
        await asyncio.sleep(GOES_HOME_S)
        self._stage.change_teams(functools.partial(cast.set_shifts, morning=False))

    def _writing(self) -> list[Coroutine[Any, Any, None]]:
        """All visitors: every second one loses their line, by turns to a dead network and to a reload."""
        plan, over_s = self._plan, self._plan.over_s
        step_s = (1 - ARRIVING) * over_s / plan.messages
        return [
            visitor.write(
                ARRIVING * over_s * n / plan.visitors,
                step_s,
                BREAKS[n // len(self._stage.channels) % len(BREAKS)],
                self._kills.spoken,
            )
            for n, visitor in enumerate(self._visitors)
        ]

    async def _drain(self) -> None:
        """Until all is where it belongs and nothing more comes; or nothing comes though something is missing."""
        quiet_s = QUIET_AFTER_SABOTAGE_S if self._plan.sabotage else QUIET_S
        quiet_s = QUIET_AFTER_KILLS_S if self._plan.kills else quiet_s
        before, changed_at = self._state(), self._clock()
        while self._clock() - self._started < LIMIT_S:
            await asyncio.sleep(0.5)
            if (state := self._state()) != before:
                before, changed_at = state, self._clock()
            silent_s = self._clock() - changed_at
            if silent_s >= quiet_s or (silent_s >= SETTLE_S and not self._compare()[1] and not self._busy()):
                return
        self._say(f"not finished after {LIMIT_S:g} s; {self._progress()}")

    def _busy(self) -> bool:
        return any(agent.has_work for agent in self._agents)

    def _state(self) -> tuple[float, int, int]:
        """Differs when anything has come."""
        typed = sum(len(agent.ledger.typed) for agent in self._agents)
        shown = sum(len(visitor.client.shown()) for visitor in self._visitors)
        return max(agent.read_at for agent in self._agents), typed, shown

    def _compare(self) -> tuple[Result, list[str]]:
        for visitor in self._visitors:
            visitor.note()
        visitors = [visitor.ledger for visitor in self._visitors]
        self._sabotage.show(visitors)
        return comparison.compare(
            visitors,
            [agent.ledger for agent in self._agents],
            self._clock() - self._started,
            None if self._feed is None else self._feed.events,
            cast.OVERFLOW if self._is_ours else {},
        )

    def _doubts(self, result: Result) -> list[str]:
        """Says why answers are in doubt. Where nothing was killed none may be."""
        for because, count in comparison.reasons([agent.ledger for agent in self._agents]).items():
            self._say(f"on phones {count} times: not delivered, or not known to be: {because}")
        if self._plan.kills or not result.in_doubt:
            return []
        return [f"{result.in_doubt} answers are in doubt, though nothing was killed"]

    def _not_done(self) -> list[str]:
        done, wanted = len(self._kills.done), 2 * self._plan.kills
        faults = [f"{done} of {wanted} kills were done with texts under way"] if done < wanted else []
        if self._plan.sabotage and not self._sabotage.done:
            faults.append(f"--sabotage {self._plan.sabotage} found nothing to harm: let more visitors write")
        return faults

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(5)
            self._say(self._progress())

    def _progress(self) -> str:
        result, _ = self._compare()
        typed = sum(len(agent.ledger.typed) for agent in self._agents)
        killed = f", {len(self._kills.done)} killed" if self._plan.kills else ""
        return (
            f"{result.seconds:5.0f} s: {result.sent} sent, {result.delivered} on phones, {typed} answers typed,"
            f" {result.answered} of {result.visitors} visitors answered{killed}"
        )


def _recall_duty(agent: Agent, shown: Sequence[Found]) -> None:
    """Whether they are on duty, by what was shown in earlier runs."""
    for found in shown:
        if isinstance(found, Duty):
            agent.see(found)
