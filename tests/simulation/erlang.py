"""What is known of a queue exactly: Erlang C, for Poisson arrivals, exponential service, first come first served."""

import math
from typing import NamedTuple


class Exact(NamedTuple):
    """A queue of that many servers in its steady state; times in seconds."""

    waiting: float
    """The part of visitors who have to wait at all."""
    mean_s: float
    square_s2: float
    """The mean wait of all of them, most of whom may not wait at all, and the mean of its square."""
    tail_s: float
    """Mean wait of those who have to wait, whose wait is exponential."""

    def longer(self, than_s: float) -> float:
        """The part of visitors who wait longer."""
        return self.waiting * math.exp(-than_s / self.tail_s)


def exact(servers: int, load: float, service_s: float) -> Exact:
    """`load`: the part of all servers' time that is taken, below 1; `service_s`: the mean time of service."""
    offered, blocked = servers * load, 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)  # Erlang B, by its recursion
    waiting = blocked / (1 - load * (1 - blocked))
    tail_s = service_s / (servers - offered)
    return Exact(waiting, waiting * tail_s, 2 * waiting * tail_s**2, tail_s)
