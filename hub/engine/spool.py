"""The spool: what a platform has sent and no owner commits in time waits on this worker's disk, in its order.

Commands for one entity go one at a time, in a lane of their own, so that neither an owner that is away nor an entity
that has stopped can let a later one overtake. A command that is not committed within `give_up_s` goes to the file,
with all others of its lane; the platform gets its answer, and the lane goes on trying. After a crash whoever adopts
the file carries all of it out again: agents know a text by its outside id, intakes an input by its hash. Each file has
its own lanes; where an entity has several, in one worker or many, turns.py says which goes first.
"""

import asyncio
import os
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
import structlog

from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveMessage, ReceiveText, RecordReceipt
from hub.domain.ids import INTAKE, kind_of
from hub.engine.calls import UNAVAILABLE, Calls, Denied, Outcome
from hub.engine.files import Message, names_sources, without_sources
from hub.engine.spool_file import SUFFIX, SpoolFile
from hub.engine.turns import Turn, Turns, alone
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
LOOK_S, LOOK_MAX_S = 0.005, 1.0
"""Whose turn it is is looked up so often: soon after others were first, seldom where they wait for long themselves."""
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
    number: int = 0
    """Its place among all that waits for the entity on this machine: the time at which it came, Unix ns, or more."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Spooled).decode
_decode_group = msgspec.msgpack.Decoder(list[Spooled]).decode


class Item:
    """A command on its way. `safe` is done when the platform may be answered: it is in the log, or on this disk.

    `answer`: what becomes of its first try, where that has been made already. `kept`: it is on disk, and announced.
    """

    __slots__ = ("abandoned", "answer", "keeping", "kept", "number", "record", "safe")

    def __init__(self, record: bytes, number: int, safe: asyncio.Future[None]) -> None:
        self.record, self.number, self.safe = record, number, safe
        self.answer: asyncio.Future[Outcome] | None = None
        self.kept = False
        self.keeping: asyncio.Task[None] | None = None
        self.abandoned = False
        """The platform was told that it has not been taken."""


class Lane:
    """What goes one at a time: commands for one entity, on disk in one file, or on their way there."""

    __slots__ = ("announced", "entity", "file", "items")

    def __init__(self, entity: str, file: SpoolFile) -> None:
        self.entity, self.file = entity, file
        self.items: deque[Item] = deque()
        self.announced: Turn | None = None

    @property
    def turn(self) -> Turn | None:
        """What there is to announce: nothing of what is kept for a person, which may come fast, and in no order."""
        first = next((item for item in self.items if item.kept), None)
        if first is None or kind_of(self.entity) == INTAKE:
            return None
        last = next(item for item in reversed(self.items) if item.kept)
        return Turn(first.number, self.file.name, last.number)

    def announce(self, turns: Turns) -> None:
        """Tell the other workers what waits here. Raises OSError: then what they know of this lane is older."""
        turn = self.turn
        if turn != self.announced:
            turns.change(self.entity, self.announced, turn)
            self.announced = turn


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
        self._turns = Turns(folder)
        self._lanes: dict[str, Lane] = {}
        """Those of `_own`, by entity."""
        self._running: dict[Lane, asyncio.Task[None]] = {}
        self._own = SpoolFile(folder / f"{time.time_ns():020}-{os.getpid()}{SUFFIX}")
        self._adopted = set[SpoolFile]()
        self._bytes = 0

    @property
    def waiting(self) -> int:
        """Commands that wait on disk for their owner."""
        return sum(file.waiting for file in [*self._adopted, self._own])

    async def start(self) -> None:
        """Before the first `take`: when it comes, all that lies on this machine's disk has been announced."""
        await self.adopt()

    async def adopt(self) -> None:
        """Take over what workers of this machine have left behind, and begin to carry it out.

        Now and then, for a worker may die and have no successor. One that adopts at the same time is waited for.
        """
        safe: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        safe.set_result(None)
        for lane in await asyncio.to_thread(_adopted, self._folder, self._turns, safe):
            self._adopted.add(lane.file)
            self._bytes += sum(len(item.record) for item in lane.items)
            self._run_lane(lane)

    async def close(self) -> None:
        """Stop; what is on disk stays there for the next worker."""
        for task in self._running.values():
            task.cancel()
        keeping = [item.keeping for lane in self._lanes.values() for item in lane.items if item.keeping]
        self._lanes.clear()  # an answer that comes now must not touch the files
        await asyncio.gather(*self._running.values(), *keeping, return_exceptions=True)
        for file in [*self._adopted, self._own]:
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
        try:
            await self._take(channel, entity, command, give_up_s)
        except OSError as error:
            raise SpoolFull(f"{self._folder} takes nothing at this moment ({error}): send it again later") from None

    async def _take(self, channel: str, entity: str, command: Kept, give_up_s: float | None) -> None:
        turns = self._turns.of(entity)
        lane = self._lanes.get(entity) or Lane(entity, self._own)
        item = self._add(lane, channel, command, turns)
        self._begin(lane, command, behind=bool(turns))
        try:
            if give_up_s is None:
                give_up_s = 0 if turns else self._give_up_s
            if not any((one.keeping or one.kept) and not one.abandoned for one in lane.items):
                await asyncio.wait((item.safe,), timeout=give_up_s)
            if not item.safe.done():
                self._run_lane(lane)
                self._spill(lane)
            await asyncio.shield(item.safe)
        finally:
            item.abandoned = not item.safe.done() or item.safe.exception() is not None

    # --- lanes -------------------------------------------------------------------------------------------------------

    def _add(self, lane: Lane, channel: str, command: Kept, turns: Sequence[Turn]) -> Item:
        """Put it at the end of its lane, behind all `turns`, whatever the machine's clock says."""
        before = [turn.last for turn in turns]
        if lane.items:
            before.append(lane.items[-1].number)
        number = max(time.time_ns(), 1 + max(before, default=0))
        record = _encode(Spooled(SCHEMA, channel, lane.entity, command, number))
        if self._bytes + len(record) > self._max_bytes:
            raise SpoolFull(f"{self._bytes} bytes of callbacks wait for the log: send it again later")
        self._bytes += len(record)
        item = Item(record, number, asyncio.get_running_loop().create_future())
        lane.items.append(item)
        self._lanes[lane.entity] = lane
        return item

    def _begin(self, lane: Lane, command: AnyCommand, behind: bool) -> None:
        """Try the last of a lane at once where it is alone there and waits for nothing: it needs no task so far.

        For whoever waits for `safe` only: who gets no answer in time has the lane run, which asks again.
        """
        item = lane.items[-1]
        if lane.items[0] is item and not behind and not (isinstance(command, Message) and names_sources(command)):
            item.answer = self._submit(lane.entity, command)
            item.answer.add_done_callback(lambda answer: self._tried(lane, answer.result()))
        elif lane.items[0].answer is None:
            self._run_lane(lane)

    def _tried(self, lane: Lane, outcome: Outcome) -> None:
        """The first of a lane has been tried, without a task so far: that is for all that goes another way."""
        if lane in self._running or self._lanes.get(lane.entity) is not lane:
            return
        if _denied(outcome) is None:
            self._finished(lane, lane.items.popleft())
        if lane.items:
            self._run_lane(lane)
        else:
            del self._lanes[lane.entity]

    def _run_lane(self, lane: Lane) -> None:
        if lane not in self._running:
            self._running[lane] = asyncio.create_task(self._run(lane), name=f"spool {lane.entity}")

    async def _run(self, lane: Lane) -> None:
        while lane.items or lane.announced is not None:
            if lane.items:
                await self._carry(lane, lane.items[0])
                self._finished(lane, lane.items.popleft())
            else:  # the disk has failed to withdraw it, and others wait for what it says
                await asyncio.sleep(AGAIN_MAX_S)
                self._announce_again(lane)
        if self._lanes.get(lane.entity) is lane:
            del self._lanes[lane.entity]
        del self._running[lane]

    async def _carry(self, lane: Lane, item: Item) -> None:
        """Try until it is committed, known, kept for a person, or abandoned."""
        _, channel, entity, command, _ = msgspec.structs.astuple(_decode(item.record))
        if isinstance(command, Message):
            command = await self._fetched(channel, entity, command)
        if item.answer is None and not await self._is_first(lane, item):
            return
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

    async def _is_first(self, lane: Lane, item: Item) -> bool:
        """Wait until no other file of this machine has an older one for the entity; False: it was abandoned first."""
        pause_s = LOOK_S
        while not item.abandoned:
            self._announce_again(lane)
            try:
                turns = self._turns.of(lane.entity)
            except OSError as error:
                logger.warning("cannot see whose turn it is", entity=lane.entity, because=str(error))
            else:
                if not any(turn < (item.number, lane.file.name) for turn in turns if turn.file != lane.file.name):
                    return True
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LOOK_MAX_S)
        return False

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

    def _finished(self, lane: Lane, item: Item) -> None:
        self._bytes -= len(item.record)
        if not item.safe.done():
            item.safe.set_result(None)
        if item.kept:
            self._announce_again(lane)
            self._drained(lane.file)

    # --- files -------------------------------------------------------------------------------------------------------

    def _spill(self, lane: Lane) -> None:
        """Have all of a lane on disk, in its order: a later one must not be there without the ones before it."""
        for item in lane.items:
            if item.keeping is None and not item.kept and not item.abandoned:
                item.keeping = asyncio.create_task(self._keep(lane, item))

    async def _keep(self, lane: Lane, item: Item) -> None:
        file = lane.file
        try:
            if file.size + len(item.record) > self._max_bytes:
                raise OSError(f"the file has reached its limit of {self._max_bytes} bytes")
            file.waiting += 1
            if file.waiting == 1:
                logger.warning("callbacks wait on disk for their owner", file=str(file.path))
            try:
                await file.append(item.record)
                item.kept = not item.safe.done()  # else it was committed meanwhile
                lane.announce(self._turns)
            except OSError:
                item.kept = False
                self._drained(file)
                raise
        except OSError as error:
            if not item.safe.done():
                item.safe.set_exception(error)
                item.safe.exception()  # whoever asked may have gone
            return
        if item.kept:
            item.safe.set_result(None)
        else:
            self._drained(file)

    def _announce_again(self, lane: Lane) -> None:
        """For a lane that will come here again before it ends: until the disk takes it, others wait for the lane."""
        try:
            lane.announce(self._turns)
        except OSError as error:
            logger.warning("others cannot be told whose turn it is", entity=lane.entity, because=str(error))

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


def _adopted(folder: Path, turns: Turns, safe: asyncio.Future[None]) -> list[Lane]:
    """In a thread: the lanes of the files in the folder that nobody holds, announced. `safe`: as that of each item."""
    if not folder.exists():  # nothing has ever been on disk here
        return []
    with alone(folder):
        files = [file for path in folder.glob("*" + SUFFIX) if (file := SpoolFile.adopt(path)) is not None]
        lanes = [lane for file in files for lane in _lanes(file, safe)]
        try:
            for lane in lanes:
                lane.announce(turns)
            if files:  # what a process has announced stands; a power cut may have undone any of it
                turns.settle([(lane.entity, lane.announced) for lane in lanes if lane.announced is not None])
        except OSError as error:
            logger.warning("others cannot be told whose turn it is", because=str(error))
    return lanes


def _lanes(file: SpoolFile, safe: asyncio.Future[None]) -> list[Lane]:
    """What it holds. One that holds nothing is removed."""
    try:
        contents, found = file.read(), list[Spooled]()
    except OSError as error:
        logger.error("spool file cannot be read: others wait for it", file=str(file.path), because=str(error))
        file.close()
        return []
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
    file.waiting = len(found)
    lanes = dict[str, Lane]()
    for spooled in found:
        item = Item(_encode(spooled), spooled.number, safe)
        item.kept = True
        lanes.setdefault(spooled.entity, Lane(spooled.entity, file)).items.append(item)
    return list(lanes.values())


def _denied(outcome: Outcome) -> Denied | None:
    """Why it is not in the log; None when it is, now or since long."""
    denied = outcome.denied
    return None if denied is not None and denied.code == "repeated" else denied
