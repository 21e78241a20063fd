"""Who is at the other end of a request, and how often they may ask."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from litestar import Request

from hub.api.problems import problem
from hub.gateway.rate import Bucket

MAX_CLIENTS = 10_000
"""So many addresses are remembered; beyond it the one that has been silent longest is forgotten."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ClientRate:
    """A token bucket for each client, in this worker's memory. `monotonic_s` is a clock that never goes back."""

    def __init__(
        self,
        per_minute: float,
        burst: float,
        trusted_proxies: Iterable[str],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._per_s, self._burst, self._monotonic_s = per_minute / 60, burst, monotonic_s
        self._proxies = [ipaddress.ip_network(network) for network in trusted_proxies]
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Count this request; raises 429 when the client has asked too often."""
        peer = request.client.host if request.client else ""
        forwarded = ",".join(request.headers.getall("x-forwarded-for", []))
        wait_s = self.take(household(client_address(peer, forwarded, self._proxies)))
        if wait_s:
            seconds = math.ceil(wait_s)
            raise problem(
                429, f"Too many from this address: try again in {seconds} s.", "too_many", {"retry-after": str(seconds)}
            )

    def take(self, client: str) -> float:
        """0 when the client may go on, else for how many seconds it must wait."""
        now_s = self._monotonic_s()
        bucket = self._buckets.setdefault(client, Bucket(self._burst, now_s))
        self._buckets.move_to_end(client)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return 0.0 if bucket.take(now_s, self._per_s, self._burst) else bucket.wait_s(self._per_s)


def client_address(peer: str, forwarded: str, proxies: Sequence[Network]) -> str:
    """The client's address: `peer`, or where that is a trusted proxy the last one in `forwarded` that is none.

    `forwarded` is X-Forwarded-For: what its left part says, the client may have made up.
    """
    address, hops = peer, [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    while hops and _lies_in(address, proxies):
        address = hops.pop()
    return address


def household(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 that an IPv6 provider gives to one customer."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _lies_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(found in network for network in networks)
