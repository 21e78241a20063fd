"""Who is at the other end of a connection: one address, or household, and how much it may ask of this worker."""

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence

from hub.gateway.rate import Bucket

MAX_CLIENTS = 10_000
"""So many addresses are remembered; beyond it the one that has been silent longest is forgotten."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_WITH_PORT = re.compile(r"\[(?P<v6>[^]]*)\](?::\d+)?|(?P<v4>[^:]*):\d+")


class Addresses:
    """A token bucket for each client: `per_s` evenly, `burst` at once."""

    def __init__(self, per_s: float, burst: float, trusted_proxies: Iterable[str] = ()) -> None:
        self.per_s, self.burst = per_s, burst
        self._proxies = [ipaddress.ip_network(network) for network in trusted_proxies]
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def bucket(self, peer: str, forwarded: str, now_s: float) -> Bucket:
        """The bucket of whoever has connected as `peer`; `forwarded` is X-Forwarded-For, all of its headers joined."""
        client = household(client_address(peer, forwarded, self._proxies))
        bucket = self._buckets.setdefault(client, Bucket(self.burst, now_s))
        self._buckets.move_to_end(client)
        if len(self._buckets) > MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return bucket


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
    found = _read(address)
    if found is None:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _lies_in(address: str, networks: Sequence[Network]) -> bool:
    found = _read(address)
    return found is not None and any(found in network for network in networks)


def _read(address: str) -> Address | None:
    """Without the port that some proxies add; a socket open to both families shows IPv4 within IPv6."""
    ported = _WITH_PORT.fullmatch(address)
    try:
        found = ipaddress.ip_address((ported["v6"] or ported["v4"]) if ported else address)
    except ValueError:
        return None
    return (isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped) or found
