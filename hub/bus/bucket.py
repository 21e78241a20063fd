"""A few values that all processes share, changed only by who has seen the last change."""

import asyncio
import time

import msgspec
from nats.js import JetStreamContext, api
from nats.js.errors import BucketNotFoundError, KeyWrongLastSequenceError, NotFoundError
from nats.js.kv import KeyValue

from hub.bus.connection import Connection, insist
from hub.bus.streams import keep_stream

SHOWS_WITHIN_S = 10.0
"""A cluster may have heard of a write, and refuse what contradicts it, a moment before it shows it."""


class Entry(msgspec.Struct, frozen=True):
    """A value and the revision that a `swap` has to name; revision 0: there is no value yet."""

    value: bytes
    revision: int


class Bucket:
    """The JetStream key-value bucket `name`; made when it is first used. Waits while the server is away.

    With `keeps_s` a value is gone so long after it was stored.
    """

    def __init__(self, connection: Connection, name: str, keeps_s: float = 0) -> None:
        self._connection = connection
        self._name = name
        self._keeps_s = keeps_s
        self._opened: KeyValue | None = None

    async def get(self, key: str) -> Entry:
        """What is stored under `key`."""
        kv = await self._open()
        try:
            entry = await insist(self._connection, lambda: kv.get(key))
        except NotFoundError:
            return Entry(b"", 0)
        return Entry(entry.value or b"", entry.revision or 0)

    async def put(self, key: str, value: bytes) -> None:
        """Store `value`, whatever was there: for keys that have one writer."""
        kv = await self._open()
        await insist(self._connection, lambda: kv.put(key, value))

    async def swap(self, key: str, value: bytes, revision: int) -> int:
        """Store `value` if `revision` is still the last, and return its own; 0 when somebody else was first.

        No two callers may offer equal bytes and mean different things: when the server went away in between, what
        stands there tells whether it was this call.
        """
        kv = await self._open()
        try:
            return await insist(
                self._connection,
                lambda: kv.update(key, value, last=revision),
                may_raise=KeyWrongLastSequenceError,
            )
        except KeyWrongLastSequenceError:
            there = await self.get(key)
            return there.revision if there.value == value else 0

    async def _open(self) -> KeyValue:
        if self._opened is None:
            js, replicas = self._connection.jetstream(), self._connection.replicas
            config = api.StreamConfig(
                name=f"KV_{self._name}",
                subjects=[f"$KV.{self._name}.>"],
                storage=api.StorageType.FILE,
                num_replicas=replicas,
                discard=api.DiscardPolicy.NEW,
                max_msgs_per_subject=1,
                max_age=self._keeps_s,
                allow_rollup_hdrs=True,
                deny_delete=True,
                # A direct read skips the leader's queue (0.3 ms); in a cluster it might miss what was just stored.
                allow_direct=replicas == 1,
            )
            await keep_stream(self._connection, js, config)
            self._opened = await self._shown(js)
        return self._opened

    async def _shown(self, js: JetStreamContext) -> KeyValue:
        gives_up_at = time.monotonic() + SHOWS_WITHIN_S
        while True:
            try:
                return await insist(self._connection, lambda: js.key_value(self._name))
            except BucketNotFoundError:
                if time.monotonic() > gives_up_at:
                    raise
                await asyncio.sleep(0.05)
