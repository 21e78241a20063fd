"""The NATS that a hub works on: a server of this machine, kept alive and watched, or others', joined.

Either way it is known outside NATS how far each stream was (hub/bus/watermark.py): a log that lost its end is noticed.
"""

import asyncio
import contextlib
import math
from pathlib import Path
from typing import Protocol

import structlog

from hub.bus import guard, watermark
from hub.bus.cluster_server import ClusterServer
from hub.bus.connection import AWAY, CLUSTER, Connection, apart, connect
from hub.bus.log import SETTLE_S
from hub.bus.room import MIN_FREE_PERCENT, Disk, Reporter, warnings
from hub.bus.server import EmbeddedServer
from hub.bus.watermark import Watermark
from hub.errors import BusError, LogWentBack, SettingsError
from hub.service import live, say
from hub.supervisor import Restarts

WATERMARK = "watermark.json"
DRAIN_S = 10.0
LOOK_AGAIN_S = 0.05
UNWELL_TIMES = 2
"""So many bad answers of /healthz in a row, a second apart, before a nats-server that runs is started again."""

log = structlog.get_logger("hub.nats")


class Nats(Protocol):
    """The log's server or servers. `start` it, `keep` it, and in any case `stop` it."""

    watermark: Watermark

    @property
    def url(self) -> str:
        """Where clients connect, with the secret in it. Do not log it."""

    async def start(self) -> None:
        """Return when clients may write. Raises LogWentBack or another BusError."""

    async def keep(self) -> None:
        """Heal and watch, until cancelled. Raises LogWentBack when going on would do harm."""

    async def stop(self) -> None:
        """End it in order."""


class KeptNats:
    """A nats-server on this machine: its files are copied before each start, it is started again when it dies.

    A server that stands alone is found to be whole before `start` returns. One of a cluster is looked at as soon as it
    has caught up with the others; until then nothing is known of it.
    """

    def __init__(self, server: EmbeddedServer, marks: Watermark, min_free_percent: int = MIN_FREE_PERCENT) -> None:
        self.server = server
        self.watermark = marks
        self._disk = Disk(server.data_dir, min_free_percent)
        self._warnings: tuple[str, ...] = ()
        self._whole = False
        """Whether the log was found not to have gone back since the server's last start."""
        self._settled_by = 0.0

    @property
    def url(self) -> str:
        """Where clients connect, with the secret in it; the same after every restart. Do not log it."""
        return self.server.url

    async def start(self) -> None:
        """Start the server. Raises LogWentBack when its log has lost its end, another BusError when it does not start.

        In either case all files stay as they are.
        """
        await asyncio.to_thread(self.watermark.load)
        await self._start()

    async def keep(self) -> None:
        """Start it again whenever it dies or says twice that it is not well; note each second how far its streams are,
        and tell the workers how much room there is.

        Until cancelled. Raises LogWentBack when a restart has shortened a stream; the server is left running, for
        `stop`.
        """
        reporting = asyncio.create_task(self._report())
        try:
            await self._heal()
        finally:
            reporting.cancel()
            await asyncio.wait({reporting})

    async def _heal(self) -> None:
        restarts, clock = Restarts(), asyncio.get_running_loop().time
        while True:
            started = clock()
            because = await self._unwell()
            pause_s = restarts.pause_after(clock() - started)
            await self._wait_for_room(because)
            log.warning("nats-server is started again", because=because, after_s=pause_s)
            await self.server.stop(timeout_s=1)
            await asyncio.sleep(pause_s)
            try:
                await self._start()
            except LogWentBack:
                raise
            except (BusError, OSError) as error:  # killed, stuck or without room while it started: once more, later
                log.error("nats-server did not start", because=str(error))
                await self.server.stop(timeout_s=1)

    async def stop(self) -> None:
        """Note how far the streams are, and end the server."""
        if self._whole:
            await self._look()
        await self.server.stop(DRAIN_S)

    async def _wait_for_room(self, because: str) -> None:
        """A start writes copies of some files; on a full disk it would freeze the streams again at once."""
        if guard.needs(self.server.store) < self._disk.free_bytes:
            return
        log.critical("nats-server waits for room on its disk, then it is started again", because=because)
        while guard.needs(self.server.store) >= self._disk.free_bytes:
            await asyncio.sleep(1)

    async def _report(self) -> None:
        """Tell the workers each second how much room there is."""
        connection = await connect(self.server.url, "keeper", timeout_s=math.inf)
        try:
            reporter = Reporter(connection)
            while True:
                await reporter.report(self._disk.look(), self._warnings)
                await asyncio.sleep(1)
        finally:
            await connection.close()

    async def _start(self) -> None:
        self._whole = False
        await self.server.start()
        self._settled_by = asyncio.get_running_loop().time() + SETTLE_S
        await self._look()
        while self.server.alone and not self._whole:
            if not self.server.alive:
                raise BusError("nats-server died right after its start")
            await asyncio.sleep(LOOK_AGAIN_S)
            await self._look()

    async def _unwell(self) -> str:
        """What is wrong with the server, once something is."""
        times = 0
        while True:
            for _ in range(20):
                if not self.server.alive:
                    return "it has died"
                await asyncio.sleep(0.05)
            trouble = await self.server.trouble()
            times = times + 1 if trouble else 0
            if times == UNWELL_TIMES:
                return trouble
            if not trouble:
                await self._look()

    async def _look(self) -> None:
        """Compare the streams with what is known of them, once after each start, and note how far they are."""
        if not self._whole and await self.server.healthz():  # it is still catching up with the others
            return
        streams = await self.server.streams()
        if streams is None:  # it does not answer: there is nothing new to note
            return
        self._warnings = warnings(streams)
        ends = {stream.name: stream.state.last_seq for stream in streams}
        if not self._whole:
            try:
                watermark.compare(self.watermark.marks, ends, self.server.cure)
            except LogWentBack:
                if self.server.alone or asyncio.get_running_loop().time() > self._settled_by:
                    raise
                return  # it applies its last entries only when it has heard of them from the others
            await asyncio.to_thread(guard.confirm, self.server.kept)
            self._whole = True
        await note(self.watermark, ends)


class JoinedNats:
    """NATS servers that others keep: those of the setting `nats.url`."""

    def __init__(self, url: str, marks: Watermark) -> None:
        self.url = url
        self.watermark = marks
        self._connection: Connection | None = None

    async def start(self) -> None:
        """Connect, and return when all streams are as long as they are known to be.

        Raises LogWentBack when they are not, BusError when no server answers, SettingsError when it is a cluster and
        not all of its servers are named.
        """
        await asyncio.to_thread(self.watermark.load)
        self._connection = await connect(self.url, "supervisor")
        if self._connection.in_cluster and self._connection.replicas < CLUSTER:
            raise SettingsError(
                "nats.url: names one server of a cluster; name all of them, with commas between them, so that three"
                " keep each message"
            )
        clock = asyncio.get_running_loop().time
        until = clock() + SETTLE_S
        while True:
            try:
                await watermark.check(self._connection, self.watermark.marks)
                return
            except LogWentBack:
                # A cluster that has just been started knows its streams before the last entries are applied.
                if self._connection.replicas < CLUSTER or clock() > until:
                    raise
            await asyncio.sleep(0.2)

    async def keep(self) -> None:
        """Note each second how far the streams are, until cancelled."""
        while True:
            await asyncio.sleep(1)
            await self._note()

    async def stop(self) -> None:
        """Note how far the streams are, and disconnect."""
        if self._connection is not None:
            await self._note()
            await self._connection.close()

    async def _note(self) -> None:
        assert self._connection is not None
        with contextlib.suppress(BusError, *AWAY):  # while the servers are away there is nothing new to note
            await note(self.watermark, await apart(watermark.ends(self._connection)))


async def note(marks: Watermark, ends: dict[str, int]) -> None:
    """Write down how far the streams are; on a full disk, which the workers hear of, once there is room again."""
    for stream, seq in ends.items():
        marks.note(stream, seq)
    with contextlib.suppress(OSError):
        await asyncio.to_thread(marks.save)


def run(config: Path, data: Path, url: str) -> None:
    """Run one server of the cluster that clients find at `url`, until Ctrl-C or SIGTERM. Raises HubError."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = ClusterServer(data, config, url)
    kept = KeptNats(server, Watermark(data / WATERMARK))

    async def work() -> None:
        await kept.start()
        say(f"nats-server runs, its store is {server.store}")
        await kept.keep()

    asyncio.run(live(work(), kept.stop, server.kill))
