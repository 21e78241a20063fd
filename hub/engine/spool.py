"""The spool: what a platform has sent and no owner commits in time waits on this worker's disk, in its order.

Commands for one entity go one at a time, in a lane of their own, so that neither an owner that is away nor an entity
that has stopped can let a later one overtake. A command that is not committed within `give_up_s` goes to the file,
with all others of its lane; the platform gets its answer, and the lane goes on trying. After a crash whoever adopts
the file carries all of it out again: agents know a text by its outside id, intakes an input by its hash.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import structlog

from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveMessage, ReceiveText, RecordReceipt
from hub.engine.calls import UNAVAILABLE, Calls, Denied, Outcome
from hub.engine.files import Message, names_sources, without_sources
from hub.engine.spool_file import SUFFIX, SpoolFile
from hub.errors import SpoolFull

SCHEMA = 1
GIVE_UP_S = 2.0
"""Platforms wait 5 s (WeCom); an owner that is elected anew needs about as long."""
MAX_BYTES = 64 << 20
"""Of what waits in one worker, in memory and on disk; beyond it the platform is asked to come again."""
ATTEMPT_S = 30.0
"""Without an answer for so long the command is submitted again: repeats are known."""
NO_ANSWER = Denied(UNAVAILABLE, f"no answer in {ATTEMPT_S:g} s")
AGAIN_S, AGAIN_MAX_S = 0.1, 5.0
FETCH_TRIES = 120
"""So often a file that came is asked for, over some ten minutes; what comes after it waits for it."""

logger = structlog.get_logger("spool")


Kept = ReceiveText | ReceiveMessage | RecordReceipt | KeepUnparsed
"""What platforms bring; each carries the raw input."""


class Spooled(msgspec.Struct, frozen=True, array_like=True):
    """A record of the file; the raw input is in the command."""

    schema: int
    channel: str
    entity: str
    command: Kept


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Spooled).decode
_decode_group = msgspec.msgpack.Decoder(list[Spooled]).decode


class Item:
    """A command on its way. `safe` is done when the platform may be answered: it is in the log, or on this disk.

    `answer`: what becomes of its first try, where that has been made already.
    """

    __slots__ = ("abandoned", "answer", "file", "keeping", "record", "safe")

    def __init__(self, record: bytes) -> None:
        self.record = record
        self.answer: asyncio.Future[Outcome] | None = None
        self.safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.file: SpoolFile | None = None
        self.keeping: asyncio.Task[None] | None = None
        self.abandoned = False
        """The platform was told that it has not been taken."""


class Spool:
    """One worker's spool. `unparsed` gives the entity and command that keep what was refused, for a person.

    `complete` fetches the files that a command only names; until it has, the command and those behind it wait.
    """

    def __init__(
        self,
        folder: Path,
        calls: Calls,
        unparsed: Callable[[str, str, str], tuple[str, AnyCommand]],
        complete: Callable[[str, str, Message], Awaitable[Message]],
        *,
        give_up_s: float = GIVE_UP_S,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._folder, self._calls, self._unparsed, self._complete = folder, calls, unparsed, complete
        self._give_up_s, self._max_bytes = give_up_s, max_bytes
        self._lanes: dict[str, deque[Item]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._own: SpoolFile | None = None
        self._adopted: list[SpoolFile] = []
        self._bytes = 0

    @property
    def waiting(self) -> int:
        """Commands that wait on disk for their owner."""
        files = [*self._adopted, *([self._own] if self._own else [])]
        return sum(file.waiting for file in files)

    def start(self) -> None:
        """Adopt what workers of this node have left behind when they died, and begin to carry it out."""
        for path in sorted(self._folder.glob("*" + SUFFIX)):  # by age, see _own_file
            file = SpoolFile.adopt(path)
            if file is not None:
                self._adopt(file)

    async def close(self) -> None:
        """Stop; what is on disk stays there for the next worker."""
        for task in self._running.values():
            task.cancel()
        keeping = [item.keeping for lane in self._lanes.values() for item in lane if item.keeping]
        self._lanes.clear()  # an answer that comes now must not touch the files
        await asyncio.gather(*self._running.values(), *keeping, return_exceptions=True)
        for file in [*self._adopted, *([self._own] if self._own else [])]:
            if file.waiting:
                file.close()
            else:
                file.remove()

    async def take(self, channel: str, entity: str, command: AnyCommand, give_up_s: float | None = None) -> None:
        """Return when the command is committed, known, kept for a person, or safe on this disk: in its lane's order.

        The disk is used after `give_up_s`, None: after the spool's own. Raises SpoolFull when it is none of these; the
        platform must send it again.
        """
        assert isinstance(command, Kept)
        spooled = Spooled(SCHEMA, channel, entity, command)
        item = Item(_encode(spooled))
        if self._bytes + len(item.record) > self._max_bytes:
            raise SpoolFull(f"{self._bytes} bytes of callbacks wait for the log: send it again later")
        lane = self._add(entity, item)
        self._begin(entity, lane, command)
        try:
            if not any((one.keeping or one.file) and not one.abandoned for one in lane):
                await asyncio.wait((item.safe,), timeout=self._give_up_s if give_up_s is None else give_up_s)
            if not item.safe.done():
                self._run_lane(entity, lane)
                self._spill(lane)
            await asyncio.shield(item.safe)
        except OSError as error:
            raise SpoolFull(f"{self._folder} takes nothing at this moment ({error}): send it again later") from None
        finally:
            item.abandoned = not item.safe.done() or item.safe.exception() is not None

    # --- lanes -------------------------------------------------------------------------------------------------------

    def _add(self, entity: str, item: Item) -> deque[Item]:
        """Put it at the end of its lane."""
        lane = self._lanes.setdefault(entity, deque())
        lane.append(item)
        self._bytes += len(item.record)
        return lane

    def _begin(self, entity: str, lane: deque[Item], command: AnyCommand) -> None:
        """Try the last of a lane at once where it is alone there and waits for no file: it needs no task so far.

        For whoever waits for `safe` only: who gets no answer in time has the lane run, which asks again.
        """
        item = lane[-1]
        if lane[0] is item and not (isinstance(command, Message) and names_sources(command)):
            item.answer = self._submit(entity, command)
            item.answer.add_done_callback(lambda answer: self._tried(entity, lane, answer.result()))
        elif lane[0].answer is None:
            self._run_lane(entity, lane)

    def _tried(self, entity: str, lane: deque[Item], outcome: Outcome) -> None:
        """The first of a lane has been tried, without a task so far: that is for all that goes another way."""
        if entity in self._running or self._lanes.get(entity) is not lane:
            return
        if _denied(outcome) is None:
            self._finished(lane.popleft())
        if lane:
            self._run_lane(entity, lane)
        else:
            del self._lanes[entity]

    def _run_lane(self, entity: str, lane: deque[Item]) -> None:
        if entity not in self._running:
            self._running[entity] = asyncio.create_task(self._run(entity, lane), name=f"spool {entity}")

    async def _run(self, entity: str, lane: deque[Item]) -> None:
        while lane:
            await self._carry(lane[0])
            self._finished(lane.popleft())
        del self._lanes[entity], self._running[entity]

    async def _carry(self, item: Item) -> None:
        """Try until it is committed, known, kept for a person, or abandoned."""
        _, channel, entity, command = msgspec.structs.astuple(_decode(item.record))
        if isinstance(command, Message):
            command = await self._fetched(channel, entity, command)
        pause_s = AGAIN_S
        answer = item.answer or self._submit(entity, command)
        while True:
            await asyncio.wait((answer,), timeout=ATTEMPT_S)
            denied = _denied(answer.result()) if answer.done() else NO_ANSWER
            if denied is None:
                return
            if denied.final:
                logger.warning("callback refused", channel=channel, entity=entity, because=denied.message)
                if isinstance(command, KeepUnparsed):
                    return
                # The platform would send the same again and again: it is kept for a person instead.
                entity, kept = self._unparsed(channel, f"refused: {denied.message}", command.raw)
                assert isinstance(kept, KeepUnparsed)
                command, answer = kept, self._submit(entity, kept)
                continue
            if item.abandoned:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, AGAIN_MAX_S)
            answer = self._submit(entity, command)

    async def _fetched(self, channel: str, entity: str, command: Message) -> Message:
        """The command with all that had to be fetched for it; what cannot be had is said in its text."""
        pause_s = AGAIN_S
        for tries in range(1, FETCH_TRIES + 1):
            try:
                return await self._complete(channel, entity, command)
            except Exception as error:  # whatever the platform, the connector or the store have against it
                because = f"{type(error).__name__}: {error}"
                logger.warning("file not fetched", channel=channel, entity=entity, because=because, tries=tries)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, AGAIN_MAX_S)
        return without_sources(command)

    def _submit(self, entity: str, command: AnyCommand) -> asyncio.Future[Outcome]:
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._calls.submit(entity, command, lambda outcome: None if answer.done() else answer.set_result(outcome))
        return answer

    def _finished(self, item: Item) -> None:
        self._bytes -= len(item.record)
        if not item.safe.done():
            item.safe.set_result(None)
        if item.file is not None:
            self._drained(item.file)

    # --- files -------------------------------------------------------------------------------------------------------

    def _spill(self, lane: deque[Item]) -> None:
        """Have all of a lane on disk, in its order: a later one must not be there without the ones before it."""
        for item in lane:
            if item.keeping is None and item.file is None and not item.abandoned:
                item.keeping = asyncio.create_task(self._keep(item))

    async def _keep(self, item: Item) -> None:
        try:
            file = self._own_file()
            if file.size + len(item.record) > self._max_bytes:
                raise OSError(f"the file has reached its limit of {self._max_bytes} bytes")
            file.waiting += 1
            if file.waiting == 1:
                logger.warning("callbacks wait on disk for their owner", file=str(file.path))
            try:
                await file.append(item.record)
            except OSError:
                self._drained(file)
                raise
        except OSError as error:
            if not item.safe.done():
                item.safe.set_exception(error)
                item.safe.exception()  # whoever asked may have gone
            return
        if item.safe.done():  # committed meanwhile
            self._drained(file)
            return
        item.file = file
        item.safe.set_result(None)

    def _own_file(self) -> SpoolFile:
        if self._own is None:
            self._own = SpoolFile(self._folder / f"{time.time_ns():020}-{os.getpid()}{SUFFIX}")
        return self._own

    def _drained(self, file: SpoolFile) -> None:
        """One record less waits in the file."""
        file.waiting -= 1
        if file.waiting:
            return
        logger.info("what waited on disk has been carried out", file=str(file.path))
        if file is self._own:
            file.clear()
        else:
            self._adopted.remove(file)
            file.remove()

    def _adopt(self, file: SpoolFile) -> None:
        contents, found = file.read(), list[Spooled]()
        for group in contents.groups:
            try:
                found += _decode_group(group)
            except msgspec.ValidationError:
                file.damaged = True
        if file.damaged:
            logger.error("spool file damaged or of a newer version: some callbacks in it cannot be carried out",
                         file=str(file.path), cure="ask the agents what they wrote at that time")  # fmt: skip
        elif contents.rest:
            logger.warning("a torn end of a spool file is left out: no platform was told that it is safe",
                           file=str(file.path), bytes=contents.rest)  # fmt: skip
        if not found:
            file.remove()
            return
        self._adopted.append(file)
        file.waiting = len(found)
        for spooled in found:
            item = Item(_encode(spooled))
            item.safe.set_result(None)
            item.file = file
            self._run_lane(spooled.entity, self._add(spooled.entity, item))


def _denied(outcome: Outcome) -> Denied | None:
    """Why it is not in the log; None when it is, now or since long."""
    denied = outcome.denied
    return None if denied is not None and denied.code == "repeated" else denied
