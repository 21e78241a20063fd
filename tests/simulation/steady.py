"""A queue in its steady state: waits against Erlang C, and what visitors are told against how long they wait.

One team, arrivals at a constant rate. Figures come from independent replications, each with its own seed; of each the
visitors of the warm-up are left out. A queue forgets its past after about 1 / (1 - sqrt(load))² arrivals, so the nearer
the load is to 1, the more visitors a replication has.
"""

import math
import random
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from hub.domain.teams import AgentSettings, Team, Teams
from tests.simulation.erlang import exact
from tests.simulation.estimate import Estimate, estimate, table
from tests.simulation.shop import SECOND_MS, Shop, Turn, Visit, Visitor

SERVICE_S = 300.0
SIGMA = 1.0
"""Of the logarithm of log-normal service times."""


class Size(NamedTuple):
    """How much is played."""

    replications: int
    warm_up: int
    measured: int
    """Visitors of each replication."""


REPLICATIONS = 20
SIZES = {
    0.5: Size(REPLICATIONS, 500, 5_000), 0.8: Size(REPLICATIONS, 1_000, 8_000),
    0.9: Size(REPLICATIONS, 2_500, 15_000), 0.95: Size(REPLICATIONS, 5_000, 25_000),
}  # fmt: skip
"""By load."""


class Shape(NamedTuple):
    """So many agents, each with so many conversations at a time."""

    agents: int
    capacity: int

    @property
    def slots(self) -> int:
        """Conversations that all of them can have: the servers of the theory."""
        return self.agents * self.capacity


def exponential(draw: random.Random) -> float:
    """A time of service, as Erlang C wants it."""
    return draw.expovariate(1 / SERVICE_S)


def log_normal(draw: random.Random) -> float:
    """A time of service, as people need it: most are short, some very long. The mean is the same."""
    return draw.lognormvariate(math.log(SERVICE_S) - SIGMA**2 / 2, SIGMA)


def play(
    shape: Shape, load: float, size: Size, service: Callable[[random.Random], float] = exponential
) -> Iterator[list[Visit]]:
    """Each replication's visits after the warm-up, in the order of their coming."""
    agents = tuple(
        AgentSettings(f"a0-{number}", f"agent{number:02}", f"Agent {number}", ("team",), shape.capacity)
        for number in range(shape.agents)
    )
    teams = Teams("1", "team", (Team("team", "Team"),), agents)
    for seed in range(size.replications):
        per_s = load * shape.slots / SERVICE_S
        visitors = _visitors(random.Random(seed), per_s, service, size.warm_up + size.measured)
        shop = Shop(teams, visitors, [Turn(0, agent.id, True) for agent in agents])
        shop.run()
        yield list(shop.visits.values())[size.warm_up :]


def _visitors(
    draw: random.Random, per_s: float, service: Callable[[random.Random], float], count: int
) -> Iterator[Visitor]:
    at_s = 0.0
    for number in range(count):
        at_s += draw.expovariate(per_s)
        yield Visitor(f"c0-{number}", round(at_s * SECOND_MS), "team", service(draw))


# --- against Erlang C ------------------------------------------------------------------------------------------------


class Compared(NamedTuple):
    """One figure, measured and exact."""

    measured: Estimate
    exact: float

    def __str__(self) -> str:
        measured, half, known = (_three(value) for value in (*self.measured, self.exact))
        return f"{measured} ± {half} ({known}){'' if self.measured.holds(self.exact) else ' **!**'}"


def _three(value: float) -> str:
    """With three digits that mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def against_erlang(shape: Shape, load: float, size: Size) -> dict[str, Compared]:
    """By name: the part of visitors who wait, the mean of all waits (s) and of their squares (s²), and the parts that
    wait longer than the mean wait of those who wait, and than three times that.
    """
    known = exact(shape.slots, load, SERVICE_S)
    runs = [[visit.wait_s for visit in visits] for visits in play(shape, load, size)]

    def measure(figure: Callable[[list[float]], float]) -> Estimate:
        return estimate([figure(waits) for waits in runs])

    def longer(than_s: float) -> Compared:
        return Compared(
            measure(lambda waits: sum(wait > than_s for wait in waits) / len(waits)), known.longer(than_s)
        )  # fmt: skip

    return {
        "waiting": longer(0),
        "mean": Compared(measure(statistics.fmean), known.mean_s),
        "square": Compared(measure(lambda waits: statistics.fmean(wait**2 for wait in waits)), known.square_s2),
        "longer": longer(known.tail_s),
        "much_longer": longer(3 * known.tail_s),
    }


SMALL = Size(4, 200, 1_000)
SHAPES = (Shape(5, 1), Shape(4, 3))


def erlang_table(sizes: dict[float, Size]) -> str:
    """All shapes and loads; measured ± half of the 95 % confidence interval (exact)."""
    head = ["agents × capacity, load", "P(W > 0)", "mean W, s", "mean W², s²", "P(W > t)", "P(W > 3t)", "t, s"]
    rows = [
        [
            f"{shape.agents} × {shape.capacity}, {load}",
            *map(str, against_erlang(shape, load, size).values()),
            f"{exact(shape.slots, load, SERVICE_S).tail_s:.0f}",
        ] for shape in SHAPES for load, size in sizes.items()
    ]  # fmt: skip
    return table(head, rows)


# --- what visitors are told ------------------------------------------------------------------------------------------

POSITIONS = ((1, 1), (2, 3), (4, 7), (8, 15), (16, 10**9))


class Kept(NamedTuple):
    """How good promises were: the parts of them whose visitor waited less than told, within the range, and longer."""

    promises: int
    less: float
    within: float
    longer: float

    def __str__(self) -> str:
        if self.promises < 200:
            return "–"
        return f"{self.less:.0%} / **{self.within:.0%}** / {self.longer:.0%}".replace("%", " %")


def kept(visits: Iterable[Visit], first: int = 1, last: int = 10**9) -> Kept:
    """Of the promises made at these positions."""
    count, less, longer = 0, 0, 0
    for visit in visits:
        for promise in visit.promises:
            if promise.high_s and first <= promise.position <= last:
                waited_s = (visit.begun_ms - promise.at_ms) / SECOND_MS
                count += 1
                less += waited_s < promise.low_s
                longer += waited_s > promise.high_s
    total = max(1, count)
    return Kept(count, less / total, 1 - (less + longer) / total, longer / total)


PROMISED = (Shape(1, 1), Shape(2, 1), Shape(5, 1), Shape(4, 3), Shape(30, 1))
PROMISE_SIZES = {0.8: Size(4, 1_000, 5_000), 0.95: Size(4, 4_000, 8_000)}
POSITION_NAMES = ("at 1", "at 2–3", "at 4–7", "at 8–15", "from 16 on", "all")


def promises_row(visits: Sequence[Visit]) -> list[str]:
    """By position: less than told / within / longer."""
    return [str(kept(visits, *positions)) for positions in (*POSITIONS, (1, 10**9))]


def promises_table(sizes: dict[float, Size]) -> str:
    """With log-normal service, by shape, load and position."""
    rows = [
        [
            f"{shape.agents} × {shape.capacity}, {load}",
            *promises_row([visit for run in play(shape, load, size, log_normal) for visit in run]),
        ] for shape in PROMISED for load, size in sizes.items()
    ]  # fmt: skip
    return table(["agents × capacity, load", *POSITION_NAMES], rows)
