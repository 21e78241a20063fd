"""One worker process: its partitions, its sockets, the API. Wires the rooms together and holds no logic of its own.

Started by the supervisor (`python -m hub.worker <fd>`); several of them listen on one port.
"""

import asyncio
import contextlib
import gc
import hmac
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog
import uvicorn
import uvloop
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub import logs
from hub.api.app import create_app
from hub.api.needs import Needs
from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding, found
from hub.bus.tokens import SharedTokens
from hub.contract import Connector, Surroundings
from hub.data_folder import ADMIN_HASH, SECRET_KEY, hash_token
from hub.domain import ids
from hub.domain.commands import ChangeTeams
from hub.domain.messages import Teams
from hub.engine.kinds import kinds
from hub.engine.partitions import Partitions
from hub.engine.pipeline import Pipeline
from hub.engine.roster import Roster, teams_of
from hub.engine.router import Router
from hub.engine.rule_files import RuleFiles
from hub.errors import HubError, SettingsError
from hub.gateway.sessions import Sessions
from hub.gateway.socket import socket_class
from hub.gateway.tokens import Tokens
from hub.history.queries import History
from hub.process import Supervised
from hub.rules.ruleset import RuleSet
from hub.settings import load_connectors

logger = structlog.get_logger("worker")

DRAIN_S = 5
UPKEEP_S = 60


def now_ms() -> int:
    """The wall clock, Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Worker:
    """The rooms of one process."""

    def __init__(self, supervised: Supervised, connection: Connection, founding: Founding) -> None:
        self.config = supervised.config
        self.settings = supervised.config.settings
        self.stop = supervised.stop
        self.connection = connection
        self._partition_count = founding.partitions
        self.tokens = Tokens((self.settings.data / SECRET_KEY).read_bytes())
        self.sessions = Sessions(self.tokens)
        self.scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30})
        self.connectors: dict[str, Connector] = load_connectors(self.settings)
        self.rule_files = RuleFiles(self.settings.rules, self.settings.data, self._rules_changed)
        self.pipeline = Pipeline(self.rule_files.current)
        self.roster = Roster(self._teams(self.rule_files.current), founding.partitions)
        self.history = History(self.settings.data)
        name = f"w{self.config.index}-{secrets.token_hex(4)}"
        self.router = Router(name, connection, self.history, partitions=founding.partitions, epoch=founding.epoch)
        self.partitions = Partitions(
            connection,
            self.router,
            kinds(self.pipeline.decide),
            self.connectors,
            epoch=founding.epoch,
            log_bytes=self.settings.log_max_bytes,
            now_ms=now_ms,
            on_lost=self._lost,
        )
        self.failed = ""

    def _teams(self, rules: RuleSet) -> Teams:
        return teams_of(rules, self.connectors, self._partition_count)

    def _rules_changed(self, rules: RuleSet) -> None:
        self.pipeline.rules = rules
        self.roster.change(self._teams(rules))
        self._announce_teams()

    def _announce_teams(self) -> None:
        """The queue's own worker tells it who answers."""
        if ids.partition_of(ids.QUEUE_ID) in self.config.partitions:
            self.router.submit(ids.QUEUE_ID, ChangeTeams(self.roster.teams), lambda outcome: None)

    def _lost(self, partition: int, why: str) -> None:
        """A partition is no longer ours: another process has been started in our place, so this one ends."""
        logger.error("partition lost", partition=partition, because=why)
        self.failed = why
        self.stop.set()

    def _new_conversation_id(self) -> str:
        return ids.new_conversation_id(self.partitions.home, secrets.token_bytes(16))

    def allows(self, origin: str, own: str) -> bool:
        """Whether some channel lets this page's origin in."""
        return any(connector.allows(origin, own) for connector in self.connectors.values() if connector.can.socket)

    def needs(self) -> Needs:
        """What the API uses of this worker."""
        visitors = next((c for c in self.connectors.values() if c.can.socket and c.can.role == "visitor"), None)
        if visitors is None:
            raise SettingsError("config/hub.yaml: no channel for visitors' pages is on; add `h5:` under `channels:`")
        admin = (self.settings.data / ADMIN_HASH).read_text()
        return Needs(
            calls=self.router,
            tokens=self.tokens,
            connectors=self.connectors,
            is_admin=lambda token: hmac.compare_digest(hash_token(token), admin),
            new_conversation_id=self._new_conversation_id,
            profile=visitors.profile,
            allows=self.allows,
            agent_id=self.roster.agent_id,
            command_for=self.roster.command_for,
            unparsed=self.roster.unparsed,
            trusted_proxies=self.settings.trusted_proxies,
            tokens_per_minute=self.settings.visitors_per_minute,
            tokens_burst=2 * self.settings.visitors_per_minute,
        )

    async def start(self) -> None:
        """Own the partitions, run the connectors; after this requests may come."""
        self.router.pushes = self.sessions
        self.sessions.start(self.router)
        await self.partitions.listen()
        surroundings = Surroundings(SharedTokens(self.connection), self.settings.public_url)
        for connector in self.connectors.values():
            await connector.start(surroundings)
        await self.partitions.take(self.config.partitions)
        logger.info("partitions taken", home=self.partitions.home, failed=self.partitions.failed)
        self._announce_teams()
        self.scheduler.add_job(self._upkeep, "interval", seconds=UPKEEP_S, next_run_time=datetime.now(UTC))
        self.scheduler.start()
        self._watching = asyncio.create_task(self.rule_files.watch(self.stop))
        gc.collect()
        gc.freeze()  # what stands now stays: the collector need not look at it again

    async def _upkeep(self) -> None:
        self.partitions.upkeep()
        for channel, connector in self.connectors.items():
            try:
                await connector.upkeep()
            except Exception as error:  # one channel's trouble is not the others'
                logger.warning("upkeep failed", channel=channel, because=str(error))

    async def finish(self) -> None:
        """Let everything decided reach the disk, then close."""
        self.scheduler.shutdown(wait=False)
        self.sessions.stop()
        await self.partitions.drain()
        for connector in self.connectors.values():
            await connector.stop()
        await self._watching
        await self.history.close()
        await self.connection.close()


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the supervisor says when to stop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """One of several sockets on the same port; the kernel spreads connections over them."""
    family, type_, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, type_, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener


async def build(supervised: Supervised) -> tuple[Worker, uvicorn.Config]:
    """Everything that holds up the event loop, before the first beat: imports, rules, the app."""
    config = supervised.config
    connection = await connect(config.nats_url, f"worker-{config.index}")
    worker = Worker(supervised, connection, await found(connection, config.settings.partitions))
    http = uvicorn.Config(
        create_app(worker.needs()),
        ws=socket_class(worker.sessions, worker.allows),
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    http.load()
    return worker, http


async def serve(supervised: Supervised, worker: Worker, http: uvicorn.Config) -> str:
    """Run one worker until it is told to stop; answers why it had to stop by itself, or nothing."""
    await worker.start()
    server = Server(http)
    listener = listening_socket(worker.settings.host, worker.settings.port)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    supervised.ready()
    stopping = asyncio.create_task(supervised.stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving
    await worker.finish()
    return worker.failed


def main() -> None:
    """The process: attach to the supervisor, run, and end with status 1 when something went wrong."""
    supervised = Supervised.attach()
    logs.configure(f"worker-{supervised.config.index}")

    async def run() -> str:
        worker, http = await build(supervised)
        async with supervised:
            return await serve(supervised, worker, http)

    try:
        failed = uvloop.run(run())
    except HubError as error:
        failed = str(error)
        logger.error("worker stopped", because=failed)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
