"""Access tokens of platforms, shared by all workers: one of them fetches, a failure makes all of them wait."""

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable

import msgspec

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection
from hub.contract import Token
from hub.errors import TokensPaused

EARLY_S = 300
"""A token is renewed this long before its end, or at half its life where that is later."""
FETCH_S, LEASE_S, POLL_S = 10, 15, 0.1
FIRST_PAUSE_S, LONGEST_PAUSE_S = 3, 600


class _State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the bucket knows of one token: it is there, or somebody (`holder`) fetches it, or fetching has failed.

    Moments are Unix seconds, so that processes can compare them.
    """

    token: str = ""
    good_until: float = 0
    holder: str = ""
    held_until: float = 0
    failures: int = 0
    paused_until: float = 0

    def is_good(self, now: float) -> bool:
        return bool(self.token) and now < self.good_until


class SharedTokens:
    """hub.contract.Tokens over the bucket TOKENS."""

    def __init__(self, connection: Connection) -> None:
        self._bucket = Bucket(connection, "TOKENS")
        self._known: dict[str, _State] = {}
        self._flights: dict[str, asyncio.Task[tuple[str, bool]]] = {}

    async def get(self, name: str, fetch: Callable[[], Awaitable[Token]], *, spent: str = "") -> str:
        """The live token called `name`; fetched if there is none, or if it is still the `spent` one.

        Asks nobody while this process knows a good one. Raises what `fetch` raises, TimeoutError when it takes longer
        than 10 s, and TokensPaused to those who ask in the pause after a failure (3 s, growing to 10 min).
        """
        known = self._known.get(name)
        if known is not None and known.token != spent and known.is_good(time.time()):
            return known.token
        while True:
            flight = self._flights.get(name) or self._start(name, fetch, spent)
            token, fetched = await asyncio.shield(flight)  # whoever gives up does not take it from the others
            # The flight may have been another's, who had not spent it; a platform may fetch us the old one again.
            if fetched or token != spent:
                return token

    def _start(self, name: str, fetch: Callable[[], Awaitable[Token]], spent: str) -> asyncio.Task[tuple[str, bool]]:
        flight = asyncio.create_task(self._obtain(name, fetch, spent))
        self._flights[name] = flight

        def landed(task: asyncio.Task[tuple[str, bool]]) -> None:
            del self._flights[name]
            if not task.cancelled():
                task.exception()  # all who asked may have gone

        flight.add_done_callback(landed)
        return flight

    async def _obtain(self, name: str, fetch: Callable[[], Awaitable[Token]], spent: str) -> tuple[str, bool]:
        """The token, and whether it was fetched since this was called (here or in another process)."""
        key, waited = _key(name), False
        while True:
            entry = await self._bucket.get(key)
            state = msgspec.json.decode(entry.value, type=_State) if entry.value else _State()
            now = time.time()
            if state.is_good(now) and (waited or state.token != spent):
                self._known[name] = state
                return state.token, waited
            if now < state.held_until:
                waited = True
                await asyncio.sleep(POLL_S)
                continue
            if now < state.paused_until:
                raise _paused(name, state, now)
            lease = _State(holder=secrets.token_hex(8), held_until=now + LEASE_S, failures=state.failures)
            revision = await self._bucket.swap(key, msgspec.json.encode(lease), entry.revision)
            if revision:
                return await self._fetch(name, fetch, lease, revision), True

    async def _fetch(self, name: str, fetch: Callable[[], Awaitable[Token]], lease: _State, revision: int) -> str:
        try:
            async with asyncio.timeout(FETCH_S):
                token = await fetch()
        except Exception:
            # Wrong secrets sent again and again get an address banned: nobody tries for a while.
            pause = min(FIRST_PAUSE_S * 3 ** min(lease.failures, 9), LONGEST_PAUSE_S)
            failed = _State(failures=lease.failures + 1, paused_until=time.time() + pause)
            await self._bucket.swap(_key(name), msgspec.json.encode(failed), revision)
            raise
        life_s = max(token.expires_in_s - EARLY_S, token.expires_in_s / 2)
        state = _State(token=token.value, good_until=time.time() + life_s)
        self._known[name] = state
        await self._bucket.swap(_key(name), msgspec.json.encode(state), revision)
        return token.value


def _paused(name: str, state: _State, now: float) -> TokensPaused:
    left_s = state.paused_until - now
    return TokensPaused(
        f"token {name}: fetching it has failed {state.failures} times, the next try is in {left_s:.0f} s; "
        "check the secret and the network",
        left_s,
    )


def _key(name: str) -> str:
    """The name with what a bucket's key must not have written as =hex."""
    return re.sub(r"[^a-zA-Z0-9_-]", lambda found: "=" + found[0].encode().hex(), name)
