"""How often one client may ask for what everybody may ask for."""

import math
import time
from collections.abc import Callable, Iterable
from typing import Any

from litestar import Request

from hub.api.problems import problem
from hub.gateway.addresses import Addresses


class ClientRate:
    """A token bucket for each client, in this worker's memory. `monotonic_s` is a clock that never goes back."""

    def __init__(
        self,
        per_minute: float,
        burst: float,
        trusted_proxies: Iterable[str],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._addresses = Addresses(per_minute / 60, burst, trusted_proxies)
        self._monotonic_s = monotonic_s

    def check(self, request: Request[Any, Any, Any]) -> None:
        """Count this request; raises 429 when the client has asked too often."""
        peer = request.client.host if request.client else ""
        wait_s = self.take(peer, ",".join(request.headers.getall("x-forwarded-for", [])))
        if wait_s:
            seconds = math.ceil(wait_s)
            raise problem(
                429, f"Too many from this address: try again in {seconds} s.", "too_many", {"retry-after": str(seconds)}
            )

    def take(self, peer: str, forwarded: str = "") -> float:
        """0 when whoever has connected as `peer` may go on, else for how many seconds they must wait."""
        now_s, limits = self._monotonic_s(), self._addresses
        bucket = limits.bucket(peer, forwarded, now_s)
        return 0.0 if bucket.take(now_s, limits.per_s, limits.burst) else bucket.wait_s(limits.per_s)
