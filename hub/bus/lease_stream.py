"""The stream KV_LEASES: keys that the server deletes when their time has run out, changed by who saw the last change.

In the manner of JetStream's key-value buckets, whose client has no way to renew a key's time, or to take one that has
run out; and its watch is blind for 19 s after a restart of the server.
"""

import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import BadRequestError, NotFoundError

from hub.bus.connection import Connection, insist
from hub.bus.log import WRONG_SEQUENCE
from hub.bus.streams import keep_stream
from hub.errors import BusError

STREAM, PREFIX = "KV_LEASES", "$KV.LEASES."
MARKER_S = 60
"""So long it is remembered that a key has run out or was deleted."""
TRY_S = 1.0
TTL, DELETED = api.Header.MSG_TTL.value, "KV-Operation"


class Entry(NamedTuple):
    """What stands under a key. `value` is empty where it was released, revoked or has run out, or was never there."""

    value: str
    revision: int


NOBODY = Entry("", 0)


class Stored(NamedTuple):
    """What became of a write: the new revision (0: refused), and when it was sent (time.monotonic)."""

    revision: int
    sent_s: float


NEVER = Stored(0, 0.0)


class LeaseStream:
    """The keys as they are stored: read, changed by who has seen the last change, watched."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._js: JetStreamContext = connection.jetstream(timeout=TRY_S)

    async def open(self) -> None:
        """Make the stream, or give it the present replicas."""
        config = api.StreamConfig(
            name=STREAM,
            subjects=[f"{PREFIX}>"],
            storage=api.StorageType.FILE,
            num_replicas=self._connection.replicas,
            discard=api.DiscardPolicy.NEW,
            max_msgs_per_subject=1,
            allow_rollup_hdrs=True,
            deny_delete=True,
            allow_direct=True,
            allow_msg_ttl=True,
            subject_delete_marker_ttl=MARKER_S,
            duplicate_window=2,
        )
        await keep_stream(self._connection, self._js, config)

    async def read(self, key: str) -> Entry:
        """What stands under `key`, from the server that leads: a direct read may be late in a cluster."""
        try:
            message = await insist(self._connection, lambda: self._js.get_last_msg(STREAM, PREFIX + key))
        except NotFoundError:
            return NOBODY
        return Entry((message.data or b"").decode(), message.seq or 0)

    async def store(self, key: str, value: str, expected: int, *, ttl_s: int = 0) -> Stored:
        """Put `value` under `key` if `expected` is its last revision; the server deletes it after `ttl_s`, if given."""
        headers = {TTL: str(ttl_s)} if ttl_s else {}
        return await self._publish(key, Entry(value, expected), headers)

    async def delete(self, key: str, expected: int) -> int:
        """Empty `key` if `expected` is its last revision. Returns the new one, or 0."""
        return (await self._publish(key, Entry("", expected), {DELETED: "DEL", TTL: str(MARKER_S)})).revision

    async def end(self, key: str) -> None:
        """Empty `key`, whoever changes it at the same time."""
        there = await self.read(key)
        while there.value and not await self.delete(key, there.revision):
            there = await self.read(key)

    async def below(self, member: str) -> list[str]:
        """The keys that begin with ``<member>.``."""
        try:
            info = await insist(
                self._connection, lambda: self._js.stream_info(STREAM, subjects_filter=f"{PREFIX}{member}.*")
            )
        except NotFoundError:
            return []
        return [subject.removeprefix(PREFIX) for subject in info.state.subjects or ()]

    async def watch(self, hear: Callable[[Msg], Awaitable[None]]) -> JetStreamContext.PushSubscription:
        """Call `hear` with the last message of each key, and then with each change, until the server restarts."""
        return await self._js.subscribe(
            f"{PREFIX}>",
            stream=STREAM,
            cb=hear,
            config=api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
                ack_policy=api.AckPolicy.NONE,
                mem_storage=True,
                inactive_threshold=30,
            ),
        )

    async def _publish(self, key: str, entry: Entry, headers: dict[str, str]) -> Stored:
        """Write; what was refused may be there all the same, by a try before whose answer got lost."""
        headers |= {api.Header.EXPECTED_LAST_SUBJECT_SEQUENCE: str(entry.revision)}
        tries: list[float] = []

        def send() -> Awaitable[api.PubAck]:
            tries.append(time.monotonic())
            return self._js.publish(PREFIX + key, entry.value.encode(), headers=dict(headers))

        try:
            acknowledged = await insist(self._connection, send, may_raise=BadRequestError)
            return Stored(acknowledged.seq, tries[-1])
        except BadRequestError as error:
            if error.err_code not in WRONG_SEQUENCE:
                raise BusError(f"NATS refuses {key} in {STREAM}: {error.description}") from error
        there = await self.read(key)
        stored = len(tries) > 1 and there.value == entry.value and there.revision > entry.revision
        return Stored(there.revision, tries[0]) if stored else NEVER
