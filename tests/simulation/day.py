"""A day of a shop with three teams, by one policy or another: who waits how long, who gives up, who does the work.

What is assumed, and is nowhere measured: the day's shape (ARRIVALS), staff and shifts, log-normal work (sigma 1), how
much slower each conversation gets when an agent has several, exponential patience. All policies meet the same visitors,
with the same work and patience, so that differences are those of the policies.
"""

import dataclasses
import math
import random
import statistics
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from hub.domain.teams import AgentSettings, Overflow, Pick, Team, Teams
from tests.simulation.estimate import Estimate, estimate, gini, percentile, table
from tests.simulation.shop import SECOND_MS, Shop, Turn, Visit, Visitor
from tests.simulation.steady import POSITION_NAMES, promises_row

HOUR_MS = 3600 * SECOND_MS
DAY_MS = 24 * HOUR_MS
OPENS = 9
ARRIVALS = (110, 170, 180, 130, 110, 150, 165, 130, 100, 110, 130, 90)
"""Visitors in each hour from OPENS on."""
SHARES = {"sales": 0.42, "service": 0.42, "general": 0.16}
STAFF = {"sales": 8, "service": 8, "general": 4}
"""Half of them work early, half late,"""
SPANS = (
    (((9, 11.5), (12.25, 17.5)), ((9, 12.25), (13, 17.5))),
    (((12.5, 17), (17.75, 21.5)), ((12.5, 17.75), (18.5, 21.5))),
)
"""and each half goes to its break in two parts (hours)."""
WORK_S, SIGMA = 240.0, 1.0
PATIENCE_S = 900.0
ENGLISH, IMPORTANT, KNOWN = 0.1, 0.1, 0.3
"""Parts of visitors: who write English, as half of the agents can; who come first; who were served the day before."""
SLOWDOWN = 0.35
LONG_S = 60


@dataclasses.dataclass(frozen=True)
class World:
    """What an admin cannot choose, as assumed above; or a part of it taken away, to see what it does."""

    work_s: float = WORK_S
    slowdown: float = SLOWDOWN
    patience_s: float = PATIENCE_S
    english: float = ENGLISH
    changing: bool = True
    """The staff changes in the course of the day; else the early half works all day without a break."""


@dataclasses.dataclass(frozen=True)
class Policy:
    """What an admin can choose in rules/teams.yaml; those that only bear different names are the same."""

    name: str = dataclasses.field(compare=False)
    pick: Pick = "least_loaded"
    last_agent_days: int = 0
    overflow_s: int | None = 60
    """Sales and service overflow into the general team after so long."""
    priority: bool = False
    """The important go first."""
    capacity: int = 3


class Agent(NamedTuple):
    """One of the staff; peers have the same team and shift."""

    settings: AgentSettings
    late: bool
    turns: tuple[Turn, ...]


def staff(capacity: int, changing: bool = True) -> list[Agent]:
    """All agents, with their times of work."""
    found = []
    for team, count in STAFF.items():
        for number in range(count if changing else count // 2):
            name = f"{team}{number}"
            late, part = (number % 2, number // 2 % 2) if changing else (0, 0)
            spans = SPANS[late][part] if changing else ((OPENS, SPANS[1][0][-1][-1]),)
            languages = ("zh", "en") if number < count // 2 else ("zh",)
            settings = AgentSettings(f"a0-{name}", name, name.title(), (team,), capacity, languages=languages)
            turns = tuple(
                Turn(round(hour * HOUR_MS), settings.id, hour == start)
                for start, end in spans for hour in (start, end)
            )  # fmt: skip
            found.append(Agent(settings, bool(late), turns))
    return found


def visitors(seed: int, priority: bool, world: World) -> Iterator[Visitor]:
    """The day's visitors; those of one seed are the same for all policies."""
    draw = random.Random(seed)
    names = list(STAFF)
    for at, count in enumerate(ARRIVALS):
        at_s = 0.0
        for number in range(10**6):
            at_s += draw.expovariate(count / 3600)
            if at_s >= 3600:
                break
            team = draw.choices(names, list(SHARES.values()))[0]
            work_s = draw.lognormvariate(math.log(world.work_s) - SIGMA**2 / 2, SIGMA)
            patience_s = draw.expovariate(1) * world.patience_s
            language = "en" if draw.random() < world.english else "zh"
            important = draw.random() < IMPORTANT
            last = f"a0-{team}{draw.randrange(STAFF[team])}" if draw.random() < KNOWN else ""
            yield Visitor(
                f"c0-{at}.{number}", (OPENS + at) * HOUR_MS + round(at_s * SECOND_MS), team, work_s, patience_s,
                int(important and priority), language, last, OPENS * HOUR_MS - DAY_MS if last else 0, important,
            )  # fmt: skip


def play(policy: Policy, seed: int, world: World) -> list[Visit]:
    """What came of the visitors of one day."""
    agents = staff(policy.capacity, world.changing)
    overflow = Overflow("general", policy.overflow_s) if policy.overflow_s is not None else None
    teams = tuple(
        Team(
            name, name.title(), pick=policy.pick, last_agent_days=policy.last_agent_days,
            overflow=overflow if name != "general" else None,
        ) for name in STAFF
    )  # fmt: skip
    rules = Teams("1", "general", teams, tuple(agent.settings for agent in agents))
    turns = [turn for agent in agents for turn in agent.turns]
    shop = Shop(rules, visitors(seed, policy.priority, world), turns, world.slowdown)
    shop.run()
    return list(shop.visits.values())


class Found(NamedTuple):
    """What days by one policy came to; times in seconds, parts from 0 to 1."""

    days: list[list[Visit]]
    policy: Policy

    @property
    def visits(self) -> list[Visit]:
        """Of all days."""
        return [visit for day in self.days for visit in day]

    def mean_s(self) -> Estimate:
        """How long people wait, or would have waited: those who are gone by then too."""
        return estimate([_mean(day) for day in self.days])

    def wait_s(self, part: float) -> float:
        """The wait that this part of them does not exceed."""
        return percentile([visit.wait_s for visit in self.visits], part)

    def gone(self) -> Estimate:
        """The part who were gone before anybody came."""
        return estimate([statistics.fmean(visit.gone for visit in day) for day in self.days])

    def long(self) -> Estimate:
        """The part who waited over LONG_S."""
        return estimate([statistics.fmean(visit.wait_s > LONG_S for visit in day) for day in self.days])

    def talk_s(self) -> float:
        """How long a conversation takes, once somebody is there, with who is not gone."""
        return statistics.fmean(visit.ended_ms - visit.begun_ms for visit in self.visits if not visit.gone) / SECOND_MS

    def same_agent(self) -> float:
        """The part of visitors served before who got the same agent."""
        known = [visit for visit in self.visits if visit.visitor.last]
        return sum(visit.agent == visit.visitor.last for visit in known) / len(known)

    def inequality(self) -> float:
        """The Gini coefficient of conversations in a day between agents of one team and shift, averaged."""
        groups: dict[tuple[str, ...], list[str]] = {}
        for agent in staff(self.policy.capacity):
            groups.setdefault((*agent.settings.teams, str(agent.late)), []).append(agent.settings.id)
        return statistics.fmean(
            gini([sum(visit.agent == name for visit in day) for name in names])
            for day in self.days for names in groups.values()
        )  # fmt: skip

    def by_hour(self, part: float) -> list[float]:
        """For those who came in each hour, the wait that this part of them does not exceed."""
        hours: list[list[float]] = [[] for _ in ARRIVALS]
        for visit in self.visits:
            hours[visit.visitor.at_ms // HOUR_MS - OPENS].append(visit.wait_s)
        return [percentile(waits, part) for waits in hours]


def find(policy: Policy, days: int, world: World = World()) -> Found:
    """Play so many days, with the seeds 0, 1, 2 …"""
    return Found([play(policy, seed, world) for seed in range(days)], policy)


PICKS = [
    Policy("`least_loaded`"), Policy("`round_robin`", pick="round_robin"),
    Policy("`least_loaded`, `last_agent_days: 7`", last_agent_days=7),
]  # fmt: skip
OVERFLOWS = [
    Policy("no overflow", overflow_s=None),
    *(Policy(f"overflow after {after_s} s", overflow_s=after_s) for after_s in (300, 60, 10)),
]
PRIORITIES = [Policy("no priorities"), Policy("one in ten has priority", priority=True)]
CAPACITIES = [Policy(f"capacity {capacity}", capacity=capacity) for capacity in range(1, 6)]
POLICIES = (PICKS, OVERFLOWS, PRIORITIES, CAPACITIES)


def policies_table(found: dict[Policy, Found]) -> str:
    """All policies, in groups that differ in one thing; the difference is to the first of the group."""
    head = [
        "policy", "mean W, s", "difference", "p50", "p95", "W > 60 s, %", "gone, %", "talk, s", "Gini", "same agent, %"
    ]  # fmt: skip
    return table(head, [_shown(policy.name, found[policy], found[group[0]]) for group in POLICIES for policy in group])


def _shown(name: str, found: Found, first: Found) -> list[str]:
    mean, (gone, long) = found.mean_s(), ((100 * one.mean, 100 * one.half) for one in (found.gone(), found.long()))
    change = estimate([_mean(day) - _mean(before) for day, before in zip(found.days, first.days, strict=True)])
    return [
        name, f"{mean.mean:.1f} ± {mean.half:.1f}",
        "" if found is first else f"{change.mean:+.1f} ± {change.half:.1f}",
        f"{found.wait_s(0.5):.0f}", f"{found.wait_s(0.95):.0f}", f"{long[0]:.1f} ± {long[1]:.1f}",
        f"{gone[0]:.1f} ± {gone[1]:.1f}", f"{found.talk_s():.0f}", f"{found.inequality():.3f}",
        f"{found.same_agent() * 100:.0f}",
    ]  # fmt: skip


def _mean(visits: Iterable[Visit]) -> float:
    return statistics.fmean(visit.wait_s for visit in visits)


def priorities_table(found: dict[Policy, Found]) -> str:
    """What priorities give to some and take from the others."""
    rows = []
    for policy in PRIORITIES:
        days = found[policy].days
        parts = (
            estimate([_mean(visit for visit in day if visit.visitor.important == important) for day in days])
            for important in (True, False)
        )
        rows.append([policy.name, *(f"{part.mean:.1f} ± {part.half:.1f}" for part in parts)])
    return table(["policy", "mean W of one in ten, s", "of the others, s"], rows)


ONE, FIVE = CAPACITIES[0], CAPACITIES[-1]
ALONE, FULL_ALONE = dataclasses.replace(ONE, overflow_s=None), dataclasses.replace(FIVE, overflow_s=None)
STILL = World(patience_s=math.inf, english=0)
WITHOUT = [
    ("capacity 3", PICKS[0], World()),
    ("capacity 1", ONE, World()),
    ("– no overflow", ALONE, World()),
    ("– nor languages", ALONE, World(english=0)),
    ("– nobody goes away", ALONE, STILL),
    ("– the same staff all day", ALONE, dataclasses.replace(STILL, changing=False)),
    ("capacity 5", FIVE, World()),
    ("– no overflow", FULL_ALONE, World()),
    ("– nor slowdown, as much to do when full", FULL_ALONE, World(work_s=WORK_S * (1 + 4 * SLOWDOWN), slowdown=0)),
]
"""Where what visitors are told goes wrong: one cause after the other is taken away."""


def promises_table(days: int) -> str:
    """By position: less than told / within / longer."""
    rows = [[words, *promises_row(find(policy, days, world).visits)] for words, policy, world in WITHOUT]
    return table(["a day with", *POSITION_NAMES], rows)
