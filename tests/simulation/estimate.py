"""A figure from independent runs, with how sure it is; and tables as the documents have them."""

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple

_Z = 1.959964
"""The standard normal distribution's 97.5th percentile."""


class Estimate(NamedTuple):
    """A mean, and half the width of its 95 % confidence interval."""

    mean: float
    half: float

    def holds(self, value: float) -> bool:
        """Whether the value lies in the interval."""
        return abs(value - self.mean) <= self.half


def estimate(values: Sequence[float]) -> Estimate:
    """From one value of each run, by Student's t distribution; at least three runs."""
    half = _student(len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
    return Estimate(statistics.fmean(values), half)


def _student(freedom: int) -> float:
    """The 97.5th percentile of Student's t distribution (Abramowitz and Stegun 26.7.5)."""
    z, v = _Z, freedom
    return (
        z + (z**3 + z) / (4 * v) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )  # fmt: skip


def gini(values: Sequence[float]) -> float:
    """How unequal they are: 0 when all are the same, towards 1 when one has everything."""
    ordered, total = sorted(values), sum(values)
    if not total:
        return 0.0
    return sum((2 * at - len(ordered) - 1) * value for at, value in enumerate(ordered, 1)) / (len(ordered) * total)


def percentile(values: Sequence[float], part: float) -> float:
    """The least value that is not exceeded by that part of them."""
    return sorted(values)[max(0, math.ceil(part * len(values)) - 1)]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of the documents; the first column holds words, the others figures."""
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], f"|---|{'---:|' * (len(head) - 1)}", *lines[1:]])
