"""How long somebody in a line will wait, by what has been measured, and how sure that is.

While everybody in a team is busy, conversations end there at random: with `slots` of them at a time, each of which
takes `mean_s`, the k-th end comes after a Gamma-distributed time of mean k · mean_s / slots. What a visitor is told
runs from its 20th to its 80th percentile, by the approximation of Wilson and Hilferty (PNAS 17, 1931); how little is
known of the mean itself makes it wider. docs/queueing.md says how often it comes true.

`mean_s` is best measured of agents at capacity, as their time until one conversation is done, times as many as they
have: who has five at a time may be slower with each than who has two, and it is known at once.
"""

import math

import msgspec

LEAST = 5
"""Nothing is said before so many conversations were measured."""
WINDOW = 100
"""After so many, an older one counts the less the older it is."""
_Z = 0.8416
"""The standard normal distribution's 80th percentile; minus it is the 20th."""


class Service(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How long a team's conversations stay with an agent: how many, the mean in seconds, the mean of the squares.

    One that takes two places of an agent's capacity counts as twice as long.
    """

    count: int = 0
    mean_s: float = 0
    square_s2: float = 0


def measured(service: Service, took_s: float) -> Service:
    """With one more."""
    count = service.count + 1
    part = 1 / min(count, WINDOW)
    return Service(
        count,
        service.mean_s + part * (took_s - service.mean_s),
        service.square_s2 + part * (took_s**2 - service.square_s2),
    )


def expected(service: Service, position: int, slots: float) -> tuple[int, int]:
    """Between how many seconds somebody at this `position` waits for one of so many `slots`; (0, 0): nobody knows."""
    if service.count < LEAST or slots <= 0 or service.mean_s <= 0:
        return 0, 0
    mean_s = position * service.mean_s / slots
    spread = max(0.0, service.square_s2 / service.mean_s**2 - 1)
    ninth = (1 / position + spread / min(service.count, WINDOW)) / 9  # 1/9a, of a Gamma distribution of shape a
    low, high = (mean_s * max(0.0, 1 - ninth + z * math.sqrt(ninth)) ** 3 for z in (-_Z, _Z))
    return round(low), math.ceil(high)
