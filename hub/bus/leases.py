"""Leases: who holds what in the whole hub, for as long as they live.

A process has one **session**: a key of its own in the stream KV_LEASES, which the server deletes unless it is renewed.
A lease is a key that names the session of its holder. So one small write renews all that a process holds, and the end
of its session frees all of it at once. A session that has ended never comes back; the process begins another one.

A lease only says who should do something. Whoever must not do it twice needs a fence of its own, as the log has.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from nats.aio.msg import Msg

from hub.bus.connection import AWAY, PAUSE_S, Connection, raise_if_closed
from hub.bus.lease_stream import NEVER, NOBODY, PREFIX, TRY_S, Entry, LeaseStream, Stored
from hub.errors import BusError

TTL_S, TTL_REPLICATED_S = 5, 10
"""Of a session; with replicas it outlives an election, or each one would move everything."""
MARGIN_S = 1.0
"""A holder's own right ends so much before the server's patience."""
WORKERS, FOLLOWERS = "worker", "follower"
"""The groups that there are: who owns partitions, and who writes the history."""
HERE, LEAVING = "here", "leaving"
"""What a session says of its process."""

logger = structlog.get_logger("leases")


class Lease(NamedTuple):
    """Who holds a key: a session, and the `term`, which is higher each time the key is taken."""

    holder: str
    term: int


class Leases:
    """This process's session, what it holds, and who holds everything else.

    `member` is ``<group>.<name>``: sessions of one group see each other as `members`; the name is this process's alone,
    in the whole hub. `changed` is called whenever anything here may have another value than before.
    """

    def __init__(self, connection: Connection, member: str, changed: Callable[[], None] = lambda: None) -> None:
        self.ttl_s = TTL_S if connection.replicas == 1 else TTL_REPLICATED_S
        self.session = ""
        """Empty while there is none: its time ran out, and NATS is away."""
        self.valid_until = 0.0
        """All that is held may be relied upon until then (time.monotonic)."""
        self.held: dict[str, int] = {}
        """Key → term of what this process holds."""
        self.running: asyncio.Task[None]
        """Renews and watches; ends only by BusError, when the connection was closed for good."""
        self._connection, self._member, self._changed = connection, member, changed
        self._keys = LeaseStream(connection)
        self._view = _View(self._heard)
        self._news, self._revoked = asyncio.Event(), asyncio.Event()
        self._presence, self._revision = HERE, 0
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        """Begin a session and find out who holds what. Waits while NATS is away."""
        await self._keys.open()
        await self._begin()
        whole = asyncio.Event()
        self.running = asyncio.create_task(self._run(whole), name="leases")
        waiting = asyncio.ensure_future(whole.wait())
        await asyncio.wait({self.running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not whole.is_set():
            waiting.cancel()
            await self.running

    @property
    def members(self) -> list[str]:
        """The sessions of this one's group that live and do not want to leave, in order."""
        group = self._member.partition(".")[0] + "."
        return sorted(key for key, entry in self._view.entries.items() if key.startswith(group) and entry.value == HERE)

    def holder(self, key: str) -> Lease | None:
        """Who holds `key`, as far as it is known here; None: nobody."""
        entry = self._view.entries.get(key, NOBODY)
        alive = self._view.entries.get(entry.value, NOBODY).value
        return Lease(entry.value, entry.revision) if entry.value and alive else None

    async def take(self, key: str) -> int:
        """Take `key` if nobody holds it. Returns the term, or 0 when somebody does. Waits while NATS is away."""
        session = self.session
        while session and session == self.session:
            there = self._view.entries.get(key, NOBODY)
            if there.value == session:
                self.held[key] = there.revision
                return there.revision
            if there.value and await self._lives(there.value):
                return 0
            stored = await self._keys.store(key, session, there.revision)
            self._note(key, Entry(session, stored.revision) if stored.revision else await self._keys.read(key))
        return 0

    async def obtain(self, key: str) -> int:
        """Take `key` as soon as nobody else holds it, and return the term."""
        while True:
            term = await self.take(key)
            if term:
                return term
            await self._change()

    async def lost(self, key: str) -> None:
        """Return when `key` is no longer held: at once, where it is not."""
        while key in self.held:
            await self._change()

    async def release(self, key: str) -> None:
        """Give `key` up; all others hear of it at once."""
        term = self.held.pop(key, 0)
        if term:
            revision = await self._keys.delete(key, term)
            self._note(key, Entry("", revision or term))

    async def leave(self) -> None:
        """Keep what is held, but be no member any more: nobody shall leave anything to this process."""
        self._presence = LEAVING
        await self._renew()

    async def close(self) -> None:
        """End the session, and with it all that is held. Never raises: what could not be said runs out by itself."""
        session = self.session
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)
        with contextlib.suppress(BusError, TimeoutError):
            async with asyncio.timeout(TRY_S):
                await self._keys.end(session)
        self._ended()

    # --- the session -----------------------------------------------------------------------------------------------

    async def _run(self, whole: asyncio.Event) -> None:
        tasks = [asyncio.create_task(self._renew_on()), asyncio.create_task(self._watch_on(whole))]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            self._ended()

    async def _renew_on(self) -> None:
        while True:
            gone_s = time.monotonic() - (self.valid_until + MARGIN_S - self.ttl_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(PAUSE_S, self.ttl_s / 3 - gone_s)):
                    await self._revoked.wait()
            self._revoked.clear()
            await self._renew()

    async def _renew(self) -> None:
        async with self._writing:
            stored = NEVER
            if self.session:
                stored = await self._keys.store(self.session, self._presence, self._revision, ttl_s=self.ttl_s)
            if stored.revision:
                self._live(stored)
                return
            logger.warning("session ended", session=self.session, held=len(self.held))
            self._ended()
            await self._begin()

    async def _begin(self) -> None:
        session = f"{self._member}.{secrets.token_hex(4)}"
        stored = await self._keys.store(session, self._presence, 0, ttl_s=self.ttl_s)
        self.session = session
        self._live(stored)

    def _live(self, stored: Stored) -> None:
        """The session has begun or gone on."""
        self._revision, self.valid_until = stored.revision, stored.sent_s + self.ttl_s - MARGIN_S
        self._view.note(self.session, Entry(self._presence, stored.revision))
        self._tell()

    def _ended(self) -> None:
        """Nothing is held any more."""
        self.session, self.valid_until = "", 0.0
        self.held.clear()
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()
        self._changed()

    async def _change(self) -> None:
        """Wait until something may have changed; what nobody told us of is looked at after half a session's life."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.ttl_s / 2):
                await self._news.wait()

    # --- all others ------------------------------------------------------------------------------------------------

    async def _lives(self, session: str) -> bool:
        """Whether it has not ended, as far as it is known; one that is not known here may be too new, or long gone."""
        if session not in self._view.entries:
            self._note(session, await self._keys.read(session))
        return bool(self._view.entries.get(session, NOBODY).value)

    def _note(self, key: str, entry: Entry) -> None:
        if self._view.note(key, entry):
            self._tell()

    async def _watch_on(self, whole: asyncio.Event) -> None:
        """Hear of each change; a watch that has ended is begun again, for none survives the server's restart."""
        while True:
            try:
                await self._watch(whole)
            except AWAY:
                raise_if_closed(self._connection)
                await asyncio.sleep(PAUSE_S)

    async def _watch(self, whole: asyncio.Event) -> None:
        """Hear of each change until the watch is found to have ended."""
        view = _View(self._heard)
        subscription = await self._keys.watch(view.hear)
        try:
            async with asyncio.timeout(TRY_S):
                await view.whole.wait()
            for key, entry in self._view.entries.items():
                if key in view.entries:
                    view.note(key, entry)  # what this process has changed meanwhile
            self._view = view
            self._tell()
            whole.set()
            while True:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.ttl_s / 2):
                        await self._connection.came_back.wait()
                info = await subscription.consumer_info()
                if info.delivered is None or info.delivered.consumer_seq > view.heard:
                    return
        finally:
            with contextlib.suppress(*AWAY):
                await subscription.unsubscribe()

    def _heard(self, view: "_View") -> None:
        if view is self._view:
            if self.session and not view.entries.get(self.session, NOBODY).value:
                self._revoked.set()
            self._tell()


async def revoke(connection: Connection, member: str) -> None:
    """End the sessions of a process that is known to be dead, so that what it held is free at once.

    Waits while NATS is away; after `TTL_REPLICATED_S` there is nothing left to revoke.
    """
    keys = LeaseStream(connection)
    for session in await keys.below(member):
        await keys.end(session)


class _View:
    """What one watch has said, and what is known since. `whole` is set when it has said all that there was."""

    def __init__(self, changed: Callable[["_View"], None]) -> None:
        self.entries: dict[str, Entry] = {}
        self.whole = asyncio.Event()
        self.heard = 0
        """So many messages the watch has brought."""
        self._changed = changed

    async def hear(self, message: Msg) -> None:
        """The watch brings the next message."""
        metadata = message.metadata
        self.heard = metadata.sequence.consumer
        if self.note(message.subject.removeprefix(PREFIX), Entry(message.data.decode(), metadata.sequence.stream)):
            self._changed(self)
        if metadata.num_pending == 0:
            self.whole.set()

    def note(self, key: str, entry: Entry) -> bool:
        """Whether this is news: not what was known, nor older, nor only a session renewed."""
        known = self.entries.get(key, NOBODY)
        if entry == NOBODY:
            self.entries.pop(key, None)
        elif entry.revision > known.revision:
            self.entries[key] = entry
        else:
            return False
        return entry.value != known.value or entry.value not in ("", HERE, LEAVING)
