"""One worker of the bench, wired as hub/worker.py does it, in a thread with an event loop of its own.

So the stand-in does not slow down what is measured here, and a kill ends all that the connector has begun.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from hub.api.app import create_app
from hub.api.needs import Needs
from hub.api.once import Once
from hub.bus.access import SharedAccess
from hub.bus.attachment_stream import StreamAttachments
from hub.bus.connection import Connection, connect
from hub.bus.founding import found, read
from hub.bus.passwords import Passwords
from hub.bus.tokens import SharedTokens
from hub.clock import Clock
from hub.contract import Connector, Delivery, Retry, Surroundings, Verdict
from hub.domain import ids
from hub.domain.commands import AnyCommand, ChangeTeams, SetDuty
from hub.domain.messages import Judgement
from hub.domain.teams import Teams
from hub.engine.calls import UNAVAILABLE, Health, Outcome
from hub.engine.files import Files
from hub.engine.ingest import Addressed, Ingest
from hub.engine.kinds import kinds
from hub.engine.partitions import Partitions
from hub.engine.pipeline import Pipeline
from hub.engine.pulls import Pulls
from hub.engine.replay import Replay
from hub.engine.roster import Roster, limits_of
from hub.engine.router import Router
from hub.engine.spool import Spool
from hub.gateway.tokens import Tokens
from hub.history import database
from hub.history.queries import History
from hub.kit.steps import Steps
from hub.kit.wire import HOST
from hub.settings import Media, Settings
from hub.worker import Server, listening_socket

PARTITIONS = 2
START_S = 20.0
LOG_BYTES = 64 << 20
FOLLOW_S = 0.05
LONGEST_PAUSE_S = 1.0
"""A connector may want an hour's: that it is kept is for the hub's own tests to say, here nobody waits."""
KEY = b"k" * 32
T = TypeVar("T")
_names = itertools.count(1)


@dataclasses.dataclass
class Call:
    """A call of `deliver`. `verdict` is None as long as there is none; `broken_off`: it never gave one.

    `ended_at` is in seconds of a clock that only goes forward, and None as long as it runs.
    """

    delivery: Delivery
    verdict: Verdict | None = None
    broken_off: bool = False
    ended_at: float | None = None


@dataclasses.dataclass(frozen=True)
class Place:
    """What an engine finds where it starts: the log's server, a disk, the channel and who answers, and its clock."""

    nats_url: str
    data: Path
    channel: str
    teams: Teams
    clock: Clock
    steps: Steps
    calls: list[Call]


class Engine:
    """A worker that runs from `start` to `kill` or `stop`; `port` is where platforms call it."""

    def __init__(self, place: Place, connector: Connector) -> None:
        self.name = f"bench{next(_names)}"
        self.port = 0
        self.thread = 0
        self.loop = asyncio.new_event_loop()
        self.connector = connector
        self._place = place
        self._up = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name=self.name, daemon=True)

    async def start(self) -> None:
        """Return when it owns all partitions and listens. Raises what kept it from that."""
        self._thread.start()
        await asyncio.to_thread(self._up.wait, START_S)
        if self._failed is not None:
            raise self._failed
        assert self.port, f"the bench's hub did not come up within {START_S} s"

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of something that must run in the worker."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self.loop))

    async def submit(self, entity: str, command: AnyCommand) -> Outcome:
        """Have a command carried out."""
        return await self.run(_submitted(self._router, entity, command))

    async def kill(self) -> None:
        """End in the middle of whatever is under way, without telling anybody; one that has ended stays so."""
        with contextlib.suppress(RuntimeError):  # it has ended already
            self.loop.call_soon_threadsafe(self.loop.stop)
        await asyncio.to_thread(self._thread.join)

    def _live(self) -> None:
        self.thread = threading.get_ident()
        asyncio.set_event_loop(self.loop)
        starting = self.loop.create_task(self._start())
        starting.add_done_callback(self._started)
        self.loop.run_forever()
        self.loop.set_exception_handler(lambda loop, context: None)  # what a kill leaves open is no fault
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        with contextlib.suppress(BaseException):
            self.loop.run_until_complete(asyncio.wait(left, timeout=1))
        self.loop.close()

    def _started(self, starting: asyncio.Task[None]) -> None:
        if not starting.cancelled():
            self._failed = starting.exception()
        self._up.set()

    async def _start(self) -> None:
        place, connectors = self._place, {self._place.channel: self.connector}
        connection = await connect(place.nats_url, self.name)
        founding = await found(connection, PARTITIONS)
        attachments = StreamAttachments(connection, place.data / "uploads")
        files = Files(attachments, connectors, Media(), lambda file: f"http://{HOST}/files/{file.key}")
        self._router = Router(self.name, connection, NoHistory(), partitions=PARTITIONS, epoch=founding.epoch)
        roster = Roster(place.teams, PARTITIONS)
        pipeline = Pipeline(NoRules(), {place.channel: limits_of(self.connector.can)}, roster.names)
        partitions = Partitions(
            connection,
            self._router,
            kinds(pipeline.decide, pipeline.decide_agent),
            {name: Recorded(connector, place) for name, connector in connectors.items()},
            files.enclose,
            count=PARTITIONS,
            founded=lambda: read(connection),
            log_bytes=LOG_BYTES,
            clock=place.clock,
        )
        spool = Spool(place.data / "spool", self._router, roster.unparsed, files.complete)
        ingest = SteppedIngest(place.steps, connectors, roster, spool, files)
        await partitions.listen()
        surroundings = Surroundings(SharedTokens(connection), f"http://{HOST}", KEY)
        await self.connector.start(surroundings)
        # What runs on is kept by the loop's own list only weakly.
        self._running = [asyncio.create_task(partitions.keep(1)), asyncio.create_task(self._follow_clock())]
        while not all(partitions.owns(partition) for partition in range(PARTITIONS)):
            await asyncio.sleep(0.005)
        await spool.start()
        await self._announce()
        self._pulls = Pulls(connection, connectors, partitions.leases, ingest)
        self._pulls.start()
        await self._listen(self._needs(connection, connectors, ingest, roster, files, attachments))

    async def _announce(self) -> None:
        """Everybody is on duty."""
        teams = ChangeTeams(self._place.teams)
        while (await _submitted(self._router, ids.QUEUE_ID, teams)).records:  # one event brings a part of them
            pass
        for agent in self._place.teams.agents:
            await _submitted(self._router, agent.id, SetDuty(agent.id, on=True))

    def _needs(
        self,
        connection: Connection,
        connectors: Mapping[str, Connector],
        ingest: Ingest,
        roster: Roster,
        files: Files,
        attachments: StreamAttachments,
    ) -> Needs:
        return Needs(
            calls=self._router,
            tokens=Tokens(KEY),
            connectors=connectors,
            is_admin=lambda token: False,
            access=SharedAccess(connection),
            passwords=Passwords(connection),
            once=Once(connection),
            teams=lambda: roster.teams,
            replies=roster.replies,
            new_conversation_id=lambda: ids.new_conversation_id(0, b"n" * 16),
            profile=self.connector.profile,
            allows=self.connector.allows,
            agent_id=roster.agent_id,
            take=ingest.take,
            history=History(database.url(Settings(data=self._place.data))),
            replay=Replay(connectors, ingest.prepare, files, self._router, NoHistory().knows).run,
            health=lambda: Health(self.name),
            stumbled=ingest.stumble,
            attachments=attachments,
            signing_key=KEY,
            media=Media(),
        )

    async def _listen(self, needs: Needs) -> None:
        config = uvicorn.Config(create_app(needs), log_config=None, access_log=False, lifespan="off", ws="none")
        server = Server(config)
        listener = listening_socket(HOST, 0)
        self._running.append(asyncio.create_task(server.serve([listener])))
        while not server.started:
            await asyncio.sleep(0.002)
        self.port = listener.getsockname()[1]

    async def _follow_clock(self) -> None:
        while True:
            self._place.clock.follow()
            await asyncio.sleep(FOLLOW_S)


class Recorded(Connector):
    """A connector whose calls are written down, and may be stopped before and after."""

    def __init__(self, inner: Connector, place: Place) -> None:
        super().__init__(inner.settings)
        self.can = inner.can
        self._inner, self._place = inner, place

    async def deliver(self, delivery: Delivery) -> Verdict:
        """As the inner one."""
        await self._place.steps.at("before the call")
        call = Call(delivery)
        self._place.calls.append(call)
        try:
            call.verdict = await self._inner.deliver(delivery)
        except asyncio.CancelledError:
            call.broken_off = True
            raise
        finally:
            call.ended_at = time.monotonic()
        await self._place.steps.at("before the verdict")
        return _soon(call.verdict)


class SteppedIngest(Ingest):
    """The way in, which may be stopped before and after the commit."""

    def __init__(
        self, steps: Steps, connectors: Mapping[str, Connector], roster: Roster, spool: Spool, files: Files
    ) -> None:
        super().__init__(connectors, roster, spool.take, files, NoHistory().knows, PARTITIONS)
        self._steps = steps

    async def commit(self, channel: str, commands: Sequence[Addressed], give_up_s: float | None = None) -> None:
        """As the engine's."""
        if commands:
            await self._steps.at("before the commit")
        await super().commit(channel, commands, give_up_s)
        if commands:
            await self._steps.at("after the commit")


class NoHistory:
    """A history that has nothing yet."""

    async def events(self, entity: str, after: int, before: int, limit: int) -> list[bytes]:
        """None."""
        return []

    async def knows(self, entity: str, outside_id: str) -> bool:
        """Nothing."""
        return False


class NoRules:
    """Rules that let everything through."""

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        """As it is."""
        return Judgement(text)


def _soon(verdict: Verdict) -> Verdict:
    """The same, with no long pause."""
    if isinstance(verdict, Retry):
        return dataclasses.replace(verdict, after_s=min(verdict.after_s, LONGEST_PAUSE_S))
    return verdict


async def _submitted(router: Router, entity: str, command: AnyCommand) -> Outcome:
    """What became of it; asked again while nobody is there to decide."""
    while True:
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        router.submit(entity, command, answered.set_result)
        outcome = await answered
        if outcome.denied is None or outcome.denied.code != UNAVAILABLE:
            return outcome
        await asyncio.sleep(0.05)
