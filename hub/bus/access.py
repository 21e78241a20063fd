"""Who may come in beside the admin, as all workers of all nodes know it: agents' generations, integration tokens."""

import asyncio
import hashlib
from collections.abc import Callable

import msgspec

from hub.bus.bucket import Bucket
from hub.bus.connection import Connection
from hub.bus.requests import publish, subscribe

BUCKET, KEY = "ACCESS", "known"
SUBJECT = "access"
"""A change is told here; who misses it finds it within AGAIN_S."""
AGAIN_S = 5.0


class Integration(msgspec.Struct, frozen=True):
    """A token of a program: what people call it, and what it may do. The token itself is kept nowhere."""

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at_ms: int


class Access(msgspec.Struct, frozen=True, omit_defaults=True):
    """All that is known. `generations`: of each agent whose password was ever set, how often; an agent's token of an
    earlier one is good no more. `integrations`: by the SHA-256 of their tokens.
    """

    generations: dict[str, int] = {}
    integrations: dict[str, Integration] = {}


class SharedAccess:
    """What is known in the bucket ACCESS; `start` it before asking. `changed` is called when there is something new."""

    def __init__(self, connection: Connection) -> None:
        self.changed: Callable[[], None] = lambda: None
        self._connection = connection
        self._bucket = Bucket(connection, BUCKET)
        self._known, self._revision = Access(), 0
        self._told = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    def generation(self, agent: str) -> int:
        """How often the agent's password was set."""
        return self._known.generations.get(agent, 0)

    def integration(self, token: str) -> Integration | None:
        """Whose token it is; None: nobody's."""
        return self._known.integrations.get(digest(token))

    def integrations(self) -> list[Integration]:
        """All of them, the oldest first."""
        return sorted(self._known.integrations.values(), key=lambda one: (one.created_at_ms, one.id))

    async def start(self) -> None:
        """Know what is known now, and follow it."""
        await subscribe(self._connection, SUBJECT, lambda _: self._told.set())
        await self._read()
        self._following = asyncio.create_task(self._follow(), name="access")

    async def change(self, change: Callable[[Access], Access]) -> None:
        """Replace what is known by what `change` makes of it; it may be called again, when somebody else was first.

        This worker knows it when it returns, the others a moment later.
        """
        while True:
            await self._read()
            known, changed = self._known, change(self._known)
            if changed == known:
                return
            if revision := await self._bucket.swap(KEY, msgspec.json.encode(changed), self._revision):
                self._learn(changed, revision)
                await publish(self._connection, SUBJECT, b"")
                return

    def stop(self) -> None:
        """Follow no more."""
        if self._following is not None:
            self._following.cancel()

    async def _follow(self) -> None:
        while True:
            try:
                async with asyncio.timeout(AGAIN_S):
                    await self._told.wait()
            except TimeoutError:
                pass
            self._told.clear()
            await self._read()

    async def _read(self) -> None:
        entry = await self._bucket.get(KEY)
        if entry.revision > self._revision:
            self._learn(msgspec.json.decode(entry.value, type=Access), entry.revision)

    def _learn(self, known: Access, revision: int) -> None:
        if revision > self._revision:
            self._known, self._revision = known, revision
            self.changed()


def digest(token: str) -> str:
    """What is kept of an integration token: it is random and long, so that a plain hash gives nothing away."""
    return hashlib.sha256(token.encode()).hexdigest()
