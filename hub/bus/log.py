"""One partition's durable log: a JetStream stream to which one owner appends batches that form a checked chain."""

import asyncio
import contextlib
import time
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import TypeVar

import msgspec
import nats.errors
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from hub.bus.connection import AWAY, PAUSE_S, Connection, heeding_cancellation, insist, raise_if_closed
from hub.bus.streams import keep_stream
from hub.errors import BusError, ChainBroken, Fenced, InDoubt, LogFull, LogWentBack

T = TypeVar("T")

MAX_BATCH_BYTES = 1_048_576 - 4_096
"""What the server takes in one message, less room for the headers."""
DEFAULT_MAX_BYTES = 1 << 30

BATCH, CRC, EXPECTED = "Kefu-Batch", "Kefu-Crc", api.Header.EXPECTED_LAST_SEQUENCE
WRONG_SEQUENCE = (10071, 10164)  # 10164: a cluster's answer while another write is in flight
STORE_FAILED = 10077
FULL = "maximum bytes exceeded"
TRY_S, FETCH, FETCH_S = 2.0, 100, 2.0
SETTLE_S, LOOK_AGAIN_S = 30.0, 0.2
"""What a server of a cluster says is missing counts when it is still missing after so long."""
CURE = (
    "Stop the hub and keep all files. `hub log restore` puts back the store as it was before this start; when the hub "
    "says the same again, the files were damaged before, and a backup of the data folder is needed"
)


class Stored(msgspec.Struct, frozen=True, gc=False):
    """A batch at its place in the log; `previous` is the sequence of the one before it."""

    seq: int
    batch: str
    data: bytes
    previous: int


class _Error(msgspec.Struct):
    err_code: int
    description: str


class _Answer(msgspec.Struct):
    seq: int = 0
    error: _Error | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class _LeftOut(Exception):
    """A consumer has not delivered the next message: that says nothing about the log."""


class PartitionLog:
    """The stream LOG-<partition>, for its one owner (`append`) and for all who read.

    It is never trimmed by age or count: at `max_bytes` it refuses (LogFull). All partitions' `max_bytes` together
    should leave room on the disk, for a full disk gives time-outs instead of a refusal. Readers leave out the records
    at the sequences `skipped` (hub.bus.founding).
    """

    def __init__(
        self,
        connection: Connection,
        partition: int,
        *,
        max_bytes: int = DEFAULT_MAX_BYTES,
        skipped: Collection[int] = (),
    ) -> None:
        self.stream = f"LOG-{partition}"
        self.subject = f"log.{partition}"
        self._connection = connection
        self._js = connection.jetstream(timeout=TRY_S)
        self._max_bytes = max_bytes
        self._skipped = skipped

    @property
    def mended(self) -> bool:
        """Whether a person has put records of it aside, so that events are missing for ever."""
        return bool(self._skipped)

    async def open(self, known: int = 0) -> int:
        """The last sequence in the log (0: it is new); makes the stream, or gives it today's `max_bytes` and replicas.

        To be called when the watermark has been checked: a stream that vanished would be created anew. Raises
        LogWentBack when it ends before the sequence `known`.
        """
        info = await keep_stream(self._connection, self._js, self._config())
        if info.state.last_seq < known:
            return (await self._patiently(partial(self._state, known))).last_seq
        return info.state.last_seq

    async def append(self, data: bytes, batch: str, expected: int) -> int:
        """Store a batch after sequence `expected` and return its own sequence, when it is on disk.

        `batch` is a mark never used before. However often the server goes away, this returns only when it is known
        that the batch is stored, and stored once. Raises Fenced when another owner has written, LogFull when nothing
        was stored for want of room, LogWentBack when the log has lost its end, InDoubt when the connection was closed
        for good. A caller that cancels it knows nothing, and must step down.
        """
        if len(data) > MAX_BATCH_BYTES:
            raise ValueError(f"batch of {len(data)} bytes exceeds limit of {MAX_BATCH_BYTES} bytes")
        headers = {
            BATCH: batch,
            api.Header.MSG_ID: batch,
            EXPECTED: str(expected),
            CRC: format(zlib.crc32(data), "08x"),
        }
        try:
            while True:
                answer = await self._try(data, headers)
                if answer is not None:
                    if answer.error is None:
                        return answer.seq
                    if await self._is_stored(batch, expected):
                        return expected + 1
                    self._raise_if_full(answer.error, expected)
                await asyncio.sleep(PAUSE_S)
        except BusError as error:
            raise InDoubt(f"{self.stream}: whether {batch} is stored cannot be found out: {error}") from error

    def read(self, after: int) -> AsyncGenerator[Stored, None]:
        """The batches after sequence `after`, up to the one that is the last when the reading begins.

        Raises ChainBroken (a batch is missing, damaged or cannot be read from the disk) or LogWentBack; waits while
        the server is away.
        """
        return self._feed(after, endless=False)

    def follow(self, after: int) -> AsyncGenerator[Stored, None]:
        """The batches after sequence `after`, those to come as well, for ever; like `read` otherwise."""
        return self._feed(after, endless=True)

    async def trim(self, upto: int) -> None:
        """Let go of the batches up to sequence `upto`; the last one stays, for the fence is that message."""
        await insist(self._connection, lambda: self._js.purge_stream(self.stream, seq=upto + 1))

    def _config(self) -> api.StreamConfig:
        return api.StreamConfig(
            name=self.stream,
            subjects=[self.subject],
            storage=api.StorageType.FILE,
            retention=api.RetentionPolicy.LIMITS,
            discard=api.DiscardPolicy.NEW,
            max_bytes=self._max_bytes,
            num_replicas=self._connection.replicas,
            deny_delete=True,
            # One server checks the expected sequence before it looks for repeats; in a cluster the mark has to be
            # remembered longer than an election takes, and each one costs memory.
            duplicate_window=30,
        )

    async def _try(self, data: bytes, headers: dict[str, str]) -> _Answer | None:
        """The server's answer to one publish; None: nobody knows."""
        try:
            reply = await self._connection.request(self.subject, data, timeout=TRY_S, headers=headers)
            return _decode_answer(reply.data)
        except nats.errors.NoRespondersError:
            await self._patiently(self._state)  # no stream answers: it is gone, or the server is just coming up
        except AWAY:
            raise_if_closed(self._connection)
        return None

    def _raise_if_full(self, error: _Error, expected: int) -> None:
        if error.err_code == STORE_FAILED and error.description == FULL:
            raise LogFull(
                f"{self.stream} has reached its limit of {self._max_bytes} bytes at sequence {expected}: "
                "raise the limit, or let history catch up so that the log can be trimmed"
            )

    async def _is_stored(self, batch: str, expected: int) -> bool:
        """Read back after a refusal, which proves nothing: the first try may be what stands in the second one's way."""
        state = await self._patiently(partial(self._state, expected))
        if state.last_seq == expected:
            return False
        other = "more than one batch"
        if state.last_seq == expected + 1:
            other = await self._mark_at(expected + 1)
            if other == batch:
                return True
        raise Fenced(f"{self.stream}: after sequence {expected} stands {other}, not {batch}: another owner has written")

    async def _mark_at(self, seq: int) -> str:
        try:
            message = await insist(self._connection, lambda: self._js.get_msg(self.stream, seq=seq))
        except NotFoundError:
            return "a batch that was trimmed since"
        return str((message.headers or {}).get(BATCH, "a batch without a mark"))

    async def _patiently(self, look: Callable[[], Awaitable[T]]) -> T:
        """What `look` returns; in a cluster, what it finds missing counts only when it is still so after SETTLE_S.

        A server that has just been elected, or that catches up with the others, does not know yet what they know.
        """
        until_s = time.monotonic() + (SETTLE_S if self._connection.in_cluster else 0.0)
        while True:
            try:
                return await look()
            except (ChainBroken, LogWentBack):
                if time.monotonic() >= until_s:
                    raise
            await asyncio.sleep(LOOK_AGAIN_S)

    async def _state(self, known: int = 0) -> api.StreamState:
        """The stream's state. Raises LogWentBack when it ends before the sequence `known`, or is not there at all."""
        try:
            state = (await insist(self._connection, lambda: self._js.stream_info(self.stream))).state
        except NotFoundError:
            raise LogWentBack(
                f"the server does not know {self.stream}: it found it damaged at its start, or it was deleted. {CURE}"
            ) from None
        if state.last_seq < known:
            raise LogWentBack(
                f"{self.stream} ends at sequence {state.last_seq}, it is known to have reached {known}. {CURE}"
            )
        return state

    async def _feed(self, after: int, endless: bool) -> AsyncGenerator[Stored, None]:
        at, last, doubtful = after, (await self._patiently(partial(self._state, after))).last_seq, False
        while endless or at < last:
            consumer = None
            try:
                await self._patiently(partial(self._look_for, at + 1, max(at, last), doubtful))
                consumer = await self._consume(at)
                while endless or at < last:
                    for message in await self._fetch(consumer, at, endless):
                        stored = self._check(message, at)
                        at += 1
                        if stored is not None:
                            yield stored
                        if at == last and not endless:
                            return
            except _LeftOut:
                doubtful = True
                await asyncio.sleep(PAUSE_S)
            except AWAY:  # the server, or the consumer, which no restart survives
                raise_if_closed(self._connection)
                await asyncio.sleep(PAUSE_S)
            finally:
                if consumer is not None:
                    with contextlib.suppress(*AWAY):
                        await consumer.unsubscribe()

    async def _look_for(self, seq: int, known: int, by_number: bool) -> None:
        """Return when the stream reaches `known`, and `seq` has not been trimmed and, asked `by_number`, can be read.

        A consumer waits for ever in front of a block that the server cannot read; asked by number it says so.
        """
        state = await self._state(known)
        if state.first_seq > seq:
            raise ChainBroken(
                f"{self.stream} begins at sequence {state.first_seq}, {seq} has been trimmed or is lost. {CURE}"
            )
        if not by_number or state.last_seq < seq:
            return
        try:
            await self._js.get_msg(self.stream, seq=seq)
        except ServiceUnavailableError:
            raise
        except APIError as error:
            await self._look_for(seq, known, by_number=False)  # trimmed meanwhile is another matter
            raise self._broken(seq - 1, f"one that cannot be read from the disk ({error.description})") from error

    async def _consume(self, after: int) -> JetStreamContext.PullSubscription:
        return await self._js.pull_subscribe(
            self.subject,
            stream=self.stream,
            config=api.ConsumerConfig(
                deliver_policy=api.DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=after + 1,
                ack_policy=api.AckPolicy.NONE,
                mem_storage=True,
                inactive_threshold=30,
            ),
        )

    async def _fetch(self, consumer: JetStreamContext.PullSubscription, at: int, endless: bool) -> list[Msg]:
        """The messages that follow `at`; none when none came in time. Raises _LeftOut when there must be others.

        What was on its way when a connection broke is not delivered again, and a consumer may live on a server that
        is still catching up.
        """
        try:
            messages = await heeding_cancellation(consumer.fetch(FETCH, timeout=FETCH_S))
        except TimeoutError:
            if not endless or (await consumer.consumer_info()).num_pending:
                raise _LeftOut from None
            return []
        following = [message for n, message in enumerate(messages, at + 1) if message.metadata.sequence.stream == n]
        if not following:
            raise _LeftOut
        return following

    def _check(self, message: Msg, at: int) -> Stored | None:
        """The batch in the message that follows sequence `at`; None where a person has put it aside."""
        seq, headers = at + 1, message.headers or {}
        if seq in self._skipped:
            return None
        stored = stored_in(message.data, headers, seq)
        if isinstance(stored, str):
            raise self._broken(at, f"sequence {seq}, {stored}")
        if stored.previous != at:
            raise self._broken(at, f"sequence {seq}, which was written after {stored.previous}")
        return stored

    def _broken(self, at: int, follows: str) -> ChainBroken:
        return ChainBroken(f"{self.stream}: after sequence {at} follows {follows}. {CURE}")


def stored_in(data: bytes, headers: Mapping[str, str], seq: int) -> Stored | str:
    """The batch that a message of the log holds, or, in words, why it is none."""
    batch, previous, crc = headers.get(BATCH), headers.get(EXPECTED), headers.get(CRC)
    if batch is None or previous is None or crc is None:
        return "which no owner has written"
    if crc != format(zlib.crc32(data), "08x"):
        return "whose content is damaged (CRC-32)"
    return Stored(seq, batch, data, int(previous))
