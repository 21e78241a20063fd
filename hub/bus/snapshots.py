"""One partition's snapshots: the last image of each entity, and the checkpoint from which the log has to be replayed.

The stream SNAP-<partition> keeps one message a subject, so the server is the index of what there is. It has one writer,
like the log, and the same fence: the stream's expected last sequence. Many images go in one atomic write (ADR-50).
"""

import asyncio
import contextlib
import hashlib
import itertools
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import api
from nats.js.errors import NotFoundError

from hub.bus.connection import AWAY, PAUSE_S, Connection, insist, raise_if_closed
from hub.bus.log import CURE
from hub.bus.streams import keep_stream
from hub.errors import BusError, Fenced, SnapshotDamaged

PART_BYTES = 512 * 1024
"""Half of the server's max_payload: a longer image is cut into parts, written in one go."""
TRY_S = 2.0
AT_ONCE = 256
"""So many images are asked for in one request; the server answers at most 1,024."""

CRC, PARTS, MESSAGES, BATCH = "Kefu-Crc", "Kefu-Parts", "Kefu-Messages", "Kefu-Batch"
EXPECTED = api.Header.EXPECTED_LAST_SEQUENCE.value
CHECKPOINT, OWNER = "checkpoint", "owner"
"""Subjects that are no entity's: an entity id has a dash."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,128}")


_Found = Msg | api.RawStreamMsg


class _Error(msgspec.Struct):
    description: str = ""


class _Answer(msgspec.Struct):
    seq: int = 0
    error: _Error | None = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class _Message(NamedTuple):
    subject: str
    data: bytes
    headers: dict[str, str]


class _Asked:
    """One request for images, while its answers come in."""

    def __init__(self) -> None:
        self.found: dict[str, Msg] = {}
        self.matched = 0
        self.upto = 0
        self.broken_off = False
        """The server has come upon a message that it cannot read, and given no more of those that it was asked for."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, message: Msg) -> None:
        headers = message.headers or {}
        status = headers.get("Status")
        if status is None:
            if not self.found:
                self.matched = 1 + int(headers.get("Nats-Num-Pending", 0))
            self.found[headers["Nats-Subject"]] = message
        elif not self.done.done():
            self.upto = int(headers.get("Nats-UpTo-Sequence", 0))
            self.broken_off = status != "204"
            self.done.set_result(None)


class Snapshots:
    """The stream SNAP-<partition>. `open` it, `claim` it, then `write` and `load`; for the partition's owner alone."""

    def __init__(self, connection: Connection, partition: int) -> None:
        self.stream = f"SNAP-{partition}"
        self._prefix = f"snap.{partition}."
        self._connection = connection
        self._js = connection.jetstream(timeout=TRY_S)
        self._tip = 0
        self._has_checkpoint = False
        self._numbers = itertools.count(1)
        self._name = ""
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._asked: tuple[str, _Asked] | None = None

    async def open(self) -> bytes | None:
        """The partition's checkpoint; None where there is none yet. Makes the stream if need be.

        Raises SnapshotDamaged when there are fewer images than the checkpoint counted: the server drops what it
        cannot read at its start without a word (facts: one flipped bit takes the rest of a block).
        """
        info = await keep_stream(self._connection, self._js, self._config())
        self._tip = info.state.last_seq
        try:
            stored = await insist(
                self._connection, lambda: self._js.get_last_msg(self.stream, self._prefix + CHECKPOINT)
            )
        except NotFoundError:
            return None
        self._has_checkpoint = True
        headers = stored.headers or {}
        counted = int(headers.get(MESSAGES, 0))
        if info.state.messages < counted:
            raise SnapshotDamaged(
                f"{self.stream} holds {info.state.messages} messages, its checkpoint counted {counted}: the server has "
                f"dropped what it could not read. {CURE}"
            )
        return self._checked(CHECKPOINT, stored.data or b"", headers)

    async def claim(self, name: str) -> None:
        """Make `name` the one writer: what the owner before still tries to write is refused from now on.

        To be called when the log is fenced already, so that all that the owner before has written is true.
        """
        self._name = name
        while True:
            info = await insist(self._connection, lambda: self._js.stream_info(self.stream))
            self._tip = info.state.last_seq
            with contextlib.suppress(Fenced):
                await self._write([_Message(self._prefix + OWNER, name.encode(), {})])
                return

    async def write(self, images: Mapping[str, bytes]) -> None:
        """Store the images of these entities, all or none, on disk when this returns; waits while NATS is away.

        Raises Fenced when another owner has claimed the partition.
        """
        await self._write([message for name, data in images.items() for message in self._messages(name, data, {})])

    async def write_checkpoint(self, data: bytes) -> None:
        """Store the checkpoint: it says that all images written so far belong to it. Raises Fenced."""
        info = await insist(self._connection, lambda: self._js.stream_info(self.stream))
        counted = info.state.messages + (0 if self._has_checkpoint else 1)  # this one takes the place of the last one
        await self._write(list(self._messages(CHECKPOINT, data, {MESSAGES: str(counted)})))
        self._has_checkpoint = True

    async def load(self, entities: Sequence[str]) -> dict[str, bytes | SnapshotDamaged]:
        """The images of these entities; those that never had one are left out. Waits while NATS is away."""
        loaded: dict[str, bytes | SnapshotDamaged] = {}
        for start in range(0, len(entities), AT_ONCE):
            asked = {self._subject(entity): entity for entity in entities[start : start + AT_ONCE]}
            found, some_unreadable = await self._get(list(asked))
            for subject, entity in asked.items():
                try:
                    if subject in found:
                        loaded[entity] = await self._whole(entity, subject, found[subject])
                    elif some_unreadable and await self._is_kept(subject):
                        raise SnapshotDamaged(f"{self.stream}: the image of {entity} cannot be read. {CURE}")
                except SnapshotDamaged as error:
                    loaded[entity] = error
        return loaded

    async def close(self) -> None:
        """Ask for nothing more."""
        if self._subscription is not None:
            with contextlib.suppress(*AWAY):
                await self._subscription.unsubscribe()

    # --- writing ---------------------------------------------------------------------------------------------------

    def _config(self) -> api.StreamConfig:
        return api.StreamConfig(
            name=self.stream,
            subjects=[self._prefix + ">"],
            storage=api.StorageType.FILE,
            num_replicas=self._connection.replicas,
            max_msgs_per_subject=1,
            deny_delete=True,
            allow_direct=True,
            allow_atomic=True,
        )

    def _subject(self, name: str) -> str:
        """An entity's subject. An id may be anybody's text: what is no plain token goes by its hash."""
        if _PLAIN.fullmatch(name):
            return self._prefix + name
        return f"{self._prefix}={hashlib.blake2b(name.encode(errors='replace'), digest_size=16).hexdigest()}"

    def _messages(self, name: str, data: bytes, headers: dict[str, str]) -> Iterable[_Message]:
        subject = self._subject(name)
        parts = [data[start : start + PART_BYTES] for start in range(0, len(data), PART_BYTES)] or [b""]
        headers = headers | {CRC: format(zlib.crc32(data), "08x"), PARTS: str(len(parts))}
        yield _Message(subject, parts[0], headers)
        for number, part in enumerate(parts[1:], 1):
            yield _Message(f"{subject}.{number}", part, {})

    async def _write(self, messages: list[_Message]) -> None:
        """The in-doubt rule of the log, for many messages: an error proves nothing, the stream's end does."""
        expected, stored = self._tip, self._tip + len(messages)
        while True:
            mark = f"{self._name}:{next(self._numbers)}"
            answer = await self._try(messages, mark, expected)
            if answer is not None and answer.error is None:
                self._tip = answer.seq
                return
            state = (await insist(self._connection, lambda: self._js.stream_info(self.stream))).state
            if state.last_seq == stored and await self._is_mine(stored):
                self._tip = stored
                return
            if state.last_seq != expected:
                raise Fenced(
                    f"{self.stream} ends at {state.last_seq}, expected was {expected}: another owner has written"
                )
            await asyncio.sleep(PAUSE_S)

    async def _try(self, messages: list[_Message], mark: str, expected: int) -> _Answer | None:
        """The server's answer to the whole; None: nobody knows."""
        last = len(messages)
        try:
            for number, message in enumerate(messages, 1):
                headers = message.headers | {BATCH: mark}
                if last > 1:
                    headers |= {"Nats-Batch-Id": mark, "Nats-Batch-Sequence": str(number)}
                if number == 1:
                    headers[EXPECTED] = str(expected)
                if number == last:
                    if last > 1:
                        headers["Nats-Batch-Commit"] = "1"
                    reply = await self._connection.request(message.subject, message.data, TRY_S, headers=headers)
                    return _decode_answer(reply.data)
                await self._connection.publish(message.subject, message.data, headers=headers)
                await asyncio.sleep(0)  # others' messages come in between
        except AWAY:
            raise_if_closed(self._connection)
        return None

    async def _is_mine(self, seq: int) -> bool:
        """Whether the message there was written by this owner: nobody else bears its name."""
        try:
            stored = await insist(self._connection, lambda: self._js.get_msg(self.stream, seq=seq))
        except NotFoundError:  # a later message of its subject has taken its place, and that one is not this owner's
            return False
        return str((stored.headers or {}).get(BATCH, "")).rpartition(":")[0] == self._name

    # --- reading ---------------------------------------------------------------------------------------------------

    async def _get(self, subjects: list[str]) -> tuple[dict[str, _Found], bool]:
        """The messages there are of these subjects, and whether the server failed to read one of them.

        Any server that has the stream may answer, if it is not behind. That only a full answer tells: so the owner's
        own subject, which always exists, is asked for too.
        """
        own = self._prefix + OWNER
        request = json.dumps({"multi_last": [own, *subjects]}).encode()
        while True:
            asked = await self._ask(request)
            if asked is not None and asked.broken_off:
                return await self._get_each(subjects), True
            if asked is not None and asked.upto >= self._tip:
                found: dict[str, _Found] = {name: message for name, message in asked.found.items() if name != own}
                return found, len(asked.found) < asked.matched
            raise_if_closed(self._connection)
            try:
                await insist(self._connection, lambda: self._js.stream_info(self.stream))
            except NotFoundError:
                raise SnapshotDamaged(f"the server does not know {self.stream} any more. {CURE}") from None
            await asyncio.sleep(PAUSE_S)

    async def _get_each(self, subjects: list[str]) -> dict[str, _Found]:
        """The messages of these subjects that can be read, each asked for by itself."""
        found: dict[str, _Found] = {}
        for subject in subjects:
            try:
                found[subject] = await insist(
                    self._connection,
                    lambda subject=subject: self._js.get_last_msg(self.stream, subject),  # type: ignore[misc]
                )
            except NotFoundError:
                continue
            except BusError:  # it refuses with what the disk has answered
                raise_if_closed(self._connection)
        return found

    async def _ask(self, request: bytes) -> _Asked | None:
        asked = _Asked()
        try:
            if self._subscription is None:
                self._inbox = self._connection.new_inbox()
                self._subscription = await self._connection.subscribe(f"{self._inbox}.*", cb=self._heard)
            reply = f"{self._inbox}.{next(self._numbers)}"
            self._asked = reply, asked
            await self._connection.publish(f"$JS.API.DIRECT.GET.{self.stream}", request, reply=reply)
            async with asyncio.timeout(TRY_S):
                await asked.done
                return asked
        except AWAY:
            return None

    async def _heard(self, message: Msg) -> None:
        if self._asked is not None and message.subject == self._asked[0]:
            self._asked[1].take(message)

    async def _whole(self, entity: str, subject: str, first: _Found) -> bytes:
        headers = first.headers or {}
        count = int(headers.get(PARTS, 1))
        data = first.data or b""
        if count > 1:
            subjects = [f"{subject}.{number}" for number in range(1, count)]
            found, _ = await self._get(subjects)
            data += b"".join(found[part].data or b"" for part in subjects if part in found)
        return self._checked(entity, data, headers)

    async def _is_kept(self, subject: str) -> bool:
        """Whether the server knows a message that it did not give us."""
        info = await insist(self._connection, lambda: self._js.stream_info(self.stream, subjects_filter=subject))
        return bool(info.state.subjects)

    def _checked(self, name: str, data: bytes, headers: Mapping[str, str]) -> bytes:
        if headers.get(CRC) != format(zlib.crc32(data), "08x"):
            raise SnapshotDamaged(f"{self.stream}: the image of {name} is damaged (CRC-32). {CURE}")
        return data
