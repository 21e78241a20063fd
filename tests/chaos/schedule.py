"""What is done to the hub when: a pure function of the seed, the duration and the faults that the set-up knows."""

import random
from collections.abc import Sequence
from typing import NamedTuple

WARM_UP_S, COOL_DOWN_S = 20.0, 15.0
"""Nothing is done in the first and last so many seconds of a run (less in a short one)."""
STEP_S = 27.0
"""From one step to the next, if there is time: a fault, its healing, and calm before the next."""
SHORTEST_STEP_S = 9.0
PAIRS = 5
"""So many steps do two things at once, where there are as many."""


class Strike(NamedTuple):
    """One fault: on the `target`-th of those it can hit (counted round), `after_s` into its step, for `hold_s`."""

    name: str
    target: int
    after_s: float
    hold_s: float


class Step(NamedTuple):
    """Something that begins `at_s` after the start; with two strikes they overlap."""

    at_s: float
    strikes: tuple[Strike, ...]


def plan(seed: int, duration_s: float, faults: Sequence[str], pairs: int = PAIRS) -> list[Step]:
    """The steps of a run. Each fault comes alone before any comes twice; the pairs are mixed in.

    In a time too short for all of it the steps come as close as SHORTEST_STEP_S, and the last ones are left out.
    """
    if not faults:
        return []
    rng = random.Random(f"{seed}/{duration_s:g}/{','.join(faults)}")
    share = min(1.0, duration_s / 240)
    begin_s, end_s = WARM_UP_S * share, duration_s - COOL_DOWN_S * share
    wanted = len(faults) + pairs
    count = max(int((end_s - begin_s) / STEP_S), min(wanted, int((end_s - begin_s) / SHORTEST_STEP_S)))
    step_s = (end_s - begin_s) / max(count, 1)
    return [
        Step(
            round(begin_s + n * step_s, 1), tuple(_strike(rng, name, step_s, place) for place, name in enumerate(names))
        )
        for n, names in enumerate(_names(rng, faults, count, pairs))
    ]


def _names(rng: random.Random, faults: Sequence[str], count: int, pairs: int) -> list[tuple[str, ...]]:
    """Of each step; with more steps than needed it begins anew."""
    chosen: list[tuple[str, ...]] = []
    while len(chosen) < count:
        alone: list[tuple[str, ...]] = [(name,) for name in rng.sample(faults, len(faults))]
        together = [(one, other) for one in faults for other in faults if one < other]
        doubled = rng.sample(together, min(pairs, len(together)))
        # A pair comes after every second fault or so, that a short run has some too.
        for n, pair in enumerate(doubled):
            alone.insert(min(len(alone), 2 + 3 * n), pair)
        chosen += alone
    return chosen[:count]


def _strike(rng: random.Random, name: str, step_s: float, place: int) -> Strike:
    room_s = step_s * 0.5
    after_s = rng.uniform(0, room_s / 4) if place else 0.0
    return Strike(name, rng.randrange(1_000), round(after_s, 1), round(rng.uniform(0.5, 1) * (room_s - after_s), 1))
