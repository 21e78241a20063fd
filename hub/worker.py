"""One worker process: its partitions, its sockets, the API. Wires the rooms together and holds no logic of its own.

Started by the supervisor (`python -m hub.worker <fd>`); several of them listen on one port.
"""

import asyncio
import contextlib
import gc
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec
import structlog
import uvicorn
import uvloop
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from hub import logs
from hub.api.app import create_app
from hub.api.needs import Needs
from hub.api.once import Once
from hub.api.upgrades import ApiProtocol
from hub.bus.access import SharedAccess
from hub.bus.attachment_folder import FolderAttachments
from hub.bus.attachment_stream import StreamAttachments
from hub.bus.attachments import Attachments
from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding, found, read
from hub.bus.passwords import Passwords
from hub.bus.requests import serve as serve_requests
from hub.bus.room import Rooms
from hub.bus.shared_secrets import Secrets, share
from hub.bus.tokens import SharedTokens
from hub.channels import load_connectors
from hub.clock import Clock
from hub.contract import Connector, Surroundings
from hub.domain import ids
from hub.domain.commands import ChangeTeams
from hub.domain.messages import Attachment
from hub.domain.teams import Teams
from hub.engine.calls import HEALTH_SUBJECT, UNAVAILABLE, Outcome
from hub.engine.files import Files
from hub.engine.health import Condition
from hub.engine.ingest import Ingest
from hub.engine.kinds import kinds
from hub.engine.names import Names
from hub.engine.partitions import Partitions
from hub.engine.pipeline import Pipeline
from hub.engine.pulls import Pulls
from hub.engine.replay import Replay
from hub.engine.roster import Roster, limits_of, teams_of
from hub.engine.router import Router
from hub.engine.rule_files import RuleFiles
from hub.engine.spool import Spool
from hub.engine.stalls import Stalls
from hub.errors import HubError
from hub.gateway.addresses import Addresses
from hub.gateway.frames import MAX_FRAME_BYTES
from hub.gateway.sessions import Sessions
from hub.gateway.socket import socket_class
from hub.gateway.tokens import Tokens
from hub.history import database
from hub.history.queries import History
from hub.media import links
from hub.process import STANDBY, Supervised, name_process
from hub.rules.ruleset import RuleSet

logger = structlog.get_logger("worker")

DRAIN_S = 5
UPKEEP_S = 60
LOOK_S = 1
ADOPT_S = 10
"""What a worker has left behind that died and has no successor is looked for so often."""
GC_THRESHOLDS = (4_000, 100, 1_000)
"""The collector looks at young objects often, at all of them hardly ever: with 5,000 sockets that took 119 ms."""
SPOOL = "spool"
"""Folder in the data folder, shared by the workers of a node."""
UPLOADS = "uploads"
"""The same, for files on their way to NATS."""


class Worker:
    """The rooms of one process."""

    def __init__(self, supervised: Supervised, connection: Connection, founding: Founding, shared: Secrets) -> None:
        self.config = supervised.config
        self.settings = supervised.config.settings
        self.stop = supervised.stop
        self.connection = connection
        self.clock = Clock()
        self._partition_count = founding.partitions
        self._shared = shared
        self.access = SharedAccess(connection)
        self.tokens = Tokens(shared.signing_key, self._generation)
        self.sessions = Sessions(self.tokens)
        self.access.changed = self.sessions.end_logins
        self.scheduler = AsyncIOScheduler(job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 30})
        self.connectors: dict[str, Connector] = load_connectors(self.settings)
        self.rule_files = RuleFiles(self.settings.rules, self.settings.data, self._prepare_rules)
        rules = self.rule_files.current
        self.roster = Roster(self._teams(rules), founding.partitions, rules.replies)
        limits = {name: limits_of(connector.can) for name, connector in self.connectors.items()}
        self.pipeline = Pipeline(rules, limits, self.roster.names)
        self.history = History(database.url(self.settings))
        name = self.config.name(os.getpid())
        self.router = Router(name, connection, self.history, partitions=founding.partitions, epoch=founding.epoch)
        self.attachments = self._attachments()
        self.files = Files(self.attachments, self.connectors, self.settings.media, self._link)
        self.partitions = Partitions(
            connection,
            self.router,
            kinds(self.pipeline.decide, self.pipeline.decide_agent),
            self.connectors,
            self.files.enclose,
            count=founding.partitions,
            founded=lambda: read(connection),
            log_bytes=self.settings.log_max_bytes,
            clock=self.clock,
            on_taken=self._taken,
        )
        self.rooms = Rooms()
        self.spool = Spool(self.settings.data / SPOOL, self.router, self.roster.unparsed, self.files.complete)
        self.ingest = Ingest(
            self.connectors, self.roster, self.spool.take, self.files, self.history.knows, founding.partitions
        )
        self.stalls = Stalls(self.connectors)
        self.pulls = Pulls(connection, self.connectors, self.partitions.leases, self.ingest)
        self.condition = Condition(
            self.router, self.partitions, self.rooms, self.connectors, self.ingest, self.stalls, self.pulls
        )

    def _attachments(self) -> Attachments:
        """Where the settings say that pictures and files are kept."""
        media, data = self.settings.media, self.settings.data
        if media.store == "folder":
            return FolderAttachments(media.folder or data / "attachments")
        return StreamAttachments(self.connection, data / UPLOADS)

    def _teams(self, rules: RuleSet) -> Teams:
        return teams_of(rules, self.connectors, self._partition_count)

    def _prepare_rules(self, rules: RuleSet) -> Callable[[], None]:
        """In a thread: what puts these rules in force."""
        teams = self._teams(rules)
        names = Names(teams, rules.replies)

        def change() -> None:
            self.roster.change(teams, names)
            self.sessions.end_logins()
            self.pipeline.rules, self.pipeline.names = rules, names
            self._announce_teams()

        return change

    def _generation(self, agent: str) -> int | None:
        """As hub.gateway.tokens.Tokens."""
        return self.access.generation(agent) if self.roster.has(agent) else None

    def _announce_teams(self) -> None:
        """The queue's own worker tells it who answers, as often as it takes."""

        def told(outcome: Outcome) -> None:
            if outcome.denied is not None and outcome.denied.code == UNAVAILABLE:
                asyncio.get_running_loop().call_later(LOOK_S, self._announce_teams)
            elif outcome.records:  # one event brings only so many agents: until there is nothing more to bring
                self._announce_teams()

        if self.partitions.owns(ids.partition_of(ids.QUEUE_ID)):
            self.router.submit(ids.QUEUE_ID, ChangeTeams(self.roster.teams), told)

    def _taken(self, partition: int) -> None:
        if partition == ids.partition_of(ids.QUEUE_ID):
            self._announce_teams()

    def _new_conversation_id(self) -> str:
        return ids.new_conversation_id(self.partitions.home, secrets.token_bytes(16))

    def allows(self, origin: str, own: str) -> bool:
        """Whether this page's origin is the hub's own, or some channel lets it in; what is no page has none."""
        channels = (connector for connector in self.connectors.values() if connector.can.socket)
        return origin in ("", own) or any(connector.allows(origin, own) for connector in channels)

    def _callback_url(self, channel: str) -> str:
        return f"{self.settings.public_url}/callbacks/{channel}"

    def _link(self, file: Attachment) -> str:
        """Where anybody can read the file, for as long as a link is good."""
        until_s = links.link_until(time.time())
        return f"{self.settings.public_url}/files/{links.sign(links.Link(until_s, file), self._shared.signing_key)}"

    async def _tell_health(self, _: bytes) -> bytes:
        return msgspec.json.encode(self.condition.health())

    async def _look_around(self) -> None:
        """Follow the machine's clock, and refuse clients' commands while the log's disk is low."""
        while True:
            self.clock.follow()
            before, self.router.refusing = self.router.refusing, self.rooms.low
            if self.router.refusing and not before:
                logger.critical("nothing is accepted any more", because=self.router.refusing)
            elif before and not self.router.refusing:
                logger.warning("there is room again: commands are accepted")
            await asyncio.sleep(LOOK_S)

    def addresses(self) -> Addresses:
        """How many frames the sockets of one address may send."""
        per_s = self.settings.frames_per_second
        return Addresses(per_s, 4 * per_s, self.settings.trusted_proxies)

    def needs(self) -> Needs:
        """What the API uses of this worker."""
        visitors = next((c for c in self.connectors.values() if c.can.socket and c.can.role == "visitor"), None)
        return Needs(
            calls=self.router,
            tokens=self.tokens,
            connectors=self.connectors,
            is_admin=self._shared.is_admin,
            access=self.access,
            passwords=Passwords(self.connection),
            once=Once(self.connection),
            teams=lambda: self.roster.teams,
            replies=self.roster.replies,
            new_conversation_id=self._new_conversation_id,
            profile=visitors.profile if visitors else None,
            allows=self.allows,
            agent_id=self.roster.agent_id,
            take=self.ingest.take,
            stumbled=self.ingest.stumble,
            history=self.history,
            replay=Replay(self.connectors, self.ingest.prepare, self.files, self.router, self.history.knows).run,
            health=self.condition.health,
            attachments=self.attachments,
            signing_key=self._shared.signing_key,
            media=self.settings.media,
            trusted_proxies=self.settings.trusted_proxies,
            tokens_per_minute=self.settings.visitors_per_minute,
            tokens_burst=2 * self.settings.visitors_per_minute,
        )

    async def start(self) -> None:
        """Run the connectors, begin to take partitions; after this requests may come."""
        self.router.pushes = self.sessions
        self.sessions.start(self.router)
        await self.access.start()
        await self.partitions.listen()
        await self.rooms.listen(self.connection)
        await serve_requests(self.connection, HEALTH_SUBJECT, self._tell_health)
        self._looking = asyncio.create_task(self._look_around())
        tokens = SharedTokens(self.connection)
        for channel, connector in self.connectors.items():
            await connector.start(Surroundings(tokens, self._callback_url(channel), self._shared.channel_key(channel)))
        self.placing = asyncio.create_task(self.partitions.keep(self.config.workers), name="placing")
        begun = asyncio.create_task(self.partitions.begun.wait())
        await asyncio.wait({self.placing, begun}, return_when=asyncio.FIRST_COMPLETED)
        begun.cancel()
        if self.placing.done():
            await self.placing
        await self.spool.start()
        self.pulls.start()
        self.stalls.start()
        self.scheduler.add_job(self._upkeep, "interval", seconds=UPKEEP_S, next_run_time=datetime.now(UTC))
        self.scheduler.add_job(self.spool.adopt, "interval", seconds=ADOPT_S)
        self.scheduler.start()
        self._watching = asyncio.create_task(self.rule_files.watch(self.stop))
        gc.set_threshold(*GC_THRESHOLDS)

    async def _upkeep(self) -> None:
        gc.collect(1)
        gc.freeze()  # what has lived so long stays, and need not be looked at; a closed socket leaves no cycle
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
        self.stalls.stop()
        await self.pulls.close()
        await self.spool.close()
        self.placing.cancel()
        await asyncio.gather(self.placing, return_exceptions=True)
        await self.partitions.drain()
        for connector in self.connectors.values():
            await connector.stop()
        await self._watching
        self._looking.cancel()
        self.access.stop()
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
    connection = await connect(config.nats_url, config.name(os.getpid()))
    founding = await found(connection, config.settings.partitions)
    worker = Worker(supervised, connection, founding, (await share(connection)).secrets)
    http = uvicorn.Config(
        create_app(worker.needs()),
        ws=socket_class(worker.sessions, worker.allows, worker.addresses()),
        http=ApiProtocol,
        ws_max_size=MAX_FRAME_BYTES,
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    http.load()
    gc.collect()
    return worker, http


async def serve(supervised: Supervised, worker: Worker, http: uvicorn.Config) -> None:
    """Run one worker until it is told to stop. Raises BusError when it cannot reach NATS ever again."""
    await worker.start()
    server = Server(http)
    listener = listening_socket(worker.settings.host, worker.settings.port)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)
    supervised.ready()
    stopping = asyncio.create_task(supervised.stop.wait())
    await asyncio.wait((serving, stopping, worker.placing), return_when=asyncio.FIRST_COMPLETED)
    if worker.placing.done():
        await worker.placing
    server.should_exit = True
    await serving
    await worker.finish()


async def run(supervised: Supervised) -> None:
    """Get ready; as a standby, wait until a place is free; then serve."""
    worker, http = await build(supervised)
    if supervised.index == STANDBY:
        name_process("hub-standby")
    async with supervised:
        if await supervised.called():
            name_process(f"hub-worker-{supervised.index}")
            logs.configure(f"worker-{supervised.index}")
            await serve(supervised, worker, http)
        else:
            await worker.connection.close()


def main() -> None:
    """The process: attach to the supervisor, run, and end with status 1 when something went wrong."""
    supervised = Supervised.attach()
    logs.configure("standby" if supervised.index == STANDBY else f"worker-{supervised.index}")
    try:
        uvloop.run(run(supervised))
    except HubError as error:
        logger.error("worker stopped", because=str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
