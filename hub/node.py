"""A whole hub on one machine: nats-server, workers and follower, started in order, healed, drained in order."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

import structlog

from hub.bus import founding, guard, watermark
from hub.bus.connection import AWAY, Connection, apart, connect
from hub.bus.server import EmbeddedServer
from hub.bus.watermark import Watermark
from hub.data_folder import DataFolder
from hub.engine.rule_files import LAST_GOOD, load_or_last_good
from hub.errors import BusError, HubError, SettingsError
from hub.process import Config
from hub.settings import Settings, load_connectors
from hub.supervisor import Kept, Restarts

WORKER, FOLLOWER = "hub.worker", "hub.history.follower"
DRAIN_S = 10.0
STREAMS_A_PAGE = 256
"""The server's own limit."""
UNWELL_TIMES = 2
"""So many bad answers of /healthz in a row, a second apart, before a nats-server that runs is started again."""

log = structlog.get_logger("hub.node")


class Node:
    """A hub on one machine. `start` it, `run` it, and in any case `stop` it.

    `say` gets the few lines that a person has to read. `worker` and `follower` are the modules that the child
    processes run.
    """

    def __init__(
        self, settings: Settings, say: Callable[[str], None] = print, *, worker: str = WORKER, follower: str = FOLLOWER
    ) -> None:
        self.settings = settings
        self.workers: list[Kept] = []
        self.followers: list[Kept] = []
        self.nats = EmbeddedServer(settings.data / "nats")
        self.watermark = Watermark(settings.data / "watermark.json")
        self._say = say
        self._modules = worker, follower
        self._data: DataFolder | None = None
        self._port: socket.socket | None = None
        self._watch: Connection | None = None
        self._keeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all processes; `settings` then name the port that is used. Raises HubError for what stands in the way.

        The admin token is said at the very first start, and never again.
        """
        load_connectors(self.settings)
        self._data = DataFolder.take(self.settings.data)
        load_or_last_good(self.settings.rules, self.settings.data / LAST_GOOD)  # else every worker would refuse them
        self._port = reserve(self.settings.host, self.settings.port)
        self.settings = self.settings.listening_on(self._port.getsockname()[1])
        admin_token = self._data.make_secrets()
        if admin_token:
            self._say(f"admin token, shown only this once: {admin_token}")
        self.watermark.load()
        await self._start_nats()
        self._start_processes()
        self._keeping = [asyncio.create_task(self._keep_nats()), asyncio.create_task(self._keep_watermark())]

    async def ready(self) -> None:
        """Wait until every process has said that it does its work."""
        for kept in (*self.workers, *self.followers):
            await kept.ready.wait()

    async def run(self) -> None:
        """Heal what dies, until cancelled. Raises HubError when going on would do harm."""
        done, _ = await asyncio.wait(self._keeping, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task

    async def stop(self) -> None:
        """Drain and end everything: workers first, then the follower, nats-server last."""
        for group in (self.workers, self.followers):
            await asyncio.gather(*(kept.stop(DRAIN_S) for kept in group))
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        with contextlib.suppress(BusError, *AWAY):
            await apart(self._note_streams())
        await self._disconnect()
        await self.nats.stop(DRAIN_S)
        if self._port:
            self._port.close()
        if self._data:
            self._data.release()

    def hurry(self) -> None:
        """Kill what still drains. No acknowledged message is lost by that."""
        for kept in (*self.workers, *self.followers):
            kept.kill()

    def _start_processes(self) -> None:
        worker, follower = self._modules
        cores = len(os.sched_getaffinity(0))
        count = min(self.settings.workers or cores, self.settings.partitions)  # a worker without a partition is idle
        for index in range(count):
            config = Config(index, count, self.nats.url, self.settings)
            self.workers.append(Kept(f"worker {index}", worker, config.encode()))
        self.followers.append(Kept("follower", follower, Config(0, 1, self.nats.url, self.settings).encode()))
        for kept in (*self.workers, *self.followers):
            kept.start()

    async def _start_nats(self) -> None:
        """Start nats-server, which keeps a copy of its files first, and go on only if its log has not gone back."""
        await self._disconnect()
        await self.nats.start()
        self._watch = await connect(self.nats.url, "supervisor")
        await watermark.check(self._watch, self.watermark.marks)
        guard.confirm(self.nats.kept)
        founded = await founding.found(self._watch, self.settings.partitions)
        if founded.partitions != self.settings.partitions:
            raise SettingsError(
                f"partitions: {self.settings.partitions} does not fit the data folder {self.settings.data}, which was"
                f" begun with {founded.partitions}; set it back to {founded.partitions}"
            )

    async def _disconnect(self) -> None:
        watch, self._watch = self._watch, None
        if watch:
            await watch.close()

    async def _keep_nats(self) -> None:
        restarts, clock = Restarts(), asyncio.get_running_loop().time
        while True:
            started = clock()
            because = await self._unwell()
            pause_s = restarts.pause_after(clock() - started)
            log.warning("nats-server is started again", because=because, after_s=pause_s)
            await self._disconnect()
            await self.nats.stop(timeout_s=1)
            await asyncio.sleep(pause_s)
            try:
                await self._start_nats()
            except BusError as error:  # killed or stuck while it started: once more, later
                log.error("nats-server did not start", because=str(error))
                await self.nats.stop(timeout_s=1)

    async def _unwell(self) -> str:
        """What is wrong with nats-server, once something is."""
        times = 0
        while True:
            for _ in range(20):
                if not self.nats.alive:
                    return "it has died"
                await asyncio.sleep(0.05)
            trouble = await self.nats.healthz()
            times = times + 1 if trouble else 0
            if times == UNWELL_TIMES:
                return trouble

    async def _keep_watermark(self) -> None:
        while True:
            await asyncio.sleep(1)
            # While the server is away there is nothing new to note.
            with contextlib.suppress(BusError, *AWAY):
                await apart(self._note_streams())

    async def _note_streams(self) -> None:
        if self._watch is None:
            return
        offset, page = 0, STREAMS_A_PAGE
        while page == STREAMS_A_PAGE:
            streams = await self._watch.jetstream().streams_info(offset)
            for stream in streams:
                self.watermark.note(str(stream.config.name), stream.state.last_seq)
            page = len(streams)
            offset += page
        await asyncio.to_thread(self.watermark.save)


def reserve(host: str, port: int) -> socket.socket:
    """A bound socket that keeps the port for our workers, who bind it too (SO_REUSEPORT); port 0 finds a free one.

    Raises HubError when somebody else listens there, which a worker would never notice.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            port = probe.getsockname()[1]
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise HubError(
            f"listen {host}:{port}: {(error.strerror or str(error)).lower()}; stop what uses it or set another `listen`"
        ) from None
    return bound


def up(settings: Settings) -> None:
    """Run a hub until Ctrl-C or SIGTERM, and drain it; a second Ctrl-C hurries. Raises HubError."""
    asyncio.run(_up(settings))


async def _up(settings: Settings) -> None:
    node = Node(settings, _say)
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():
            node.hurry()
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, ask)
    living, waiting = asyncio.create_task(_live(node)), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({living, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if living.done():
            await living
        _say("stopping: what is under way is finished first")
    finally:
        for task in (living, waiting):
            task.cancel()
        await asyncio.gather(living, waiting, return_exceptions=True)
        await node.stop()


async def _live(node: Node) -> None:
    await node.start()
    telling = asyncio.create_task(_tell(node))
    try:
        await node.run()
    finally:
        telling.cancel()


async def _tell(node: Node) -> None:
    await node.ready()
    _say(f"chat page   {node.settings.public_url}/chat")
    _say(f"data        {node.settings.data.resolve()}")
    _say("Ctrl-C stops the hub")


def _say(line: str) -> None:
    print(line, flush=True)
