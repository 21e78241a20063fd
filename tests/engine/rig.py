"""An engine of one or more workers inside one test process, on a real nats-server."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterable

from hub.bus.connection import Connection, connect
from hub.bus.founding import Founding
from hub.bus.leases import TTL_S, WORKERS, revoke
from hub.bus.server import EmbeddedServer
from hub.clock import Clock
from hub.contract import Connector, Enclosed
from hub.domain import ids
from hub.domain.commands import AnyCommand, PostMessage
from hub.domain.messages import Attachment, Judgement, Profile
from hub.domain.views import Audience
from hub.engine.calls import Denied, Outcome, Page
from hub.engine.kinds import kinds
from hub.engine.partitions import Partitions
from hub.engine.pipeline import Pipeline
from hub.engine.router import Router

EPOCH = 7
FOUNDING = Founding(32, EPOCH)
ZHANG = Profile(channel="h5", name="张三")
_names = itertools.count(1)


class PassAll:
    """Rules that let everything through."""

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        return Judgement(text)


class EmptyHistory:
    """A history that has nothing yet."""

    async def events(self, entity: str, after: int, before: int, limit: int) -> list[bytes]:
        return []


class Heard:
    """A gateway that writes down what it is told."""

    def __init__(self) -> None:
        self.frames: list[tuple[str, Audience, int, bytes, object]] = []
        self.signals: list[tuple[str, Audience, bytes]] = []
        self.served: list[tuple[str, str, bool]] = []
        self.changed: list[int] = []

    def push(self, entity: str, audience: Audience, seq: int, frame: bytes, but: object) -> None:
        self.frames.append((entity, audience, seq, frame, but))

    def skip(self, entity: str, audience: Audience, seq: int, but: object) -> bool:
        return False

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        self.signals.append((entity, audience, frame))

    def serving(self, agent: str, conversation: str, on: bool) -> None:
        self.served.append((agent, conversation, on))

    def owner_changed(self, partition: int) -> None:
        self.changed.append(partition)


def enclosed(file: Attachment) -> Enclosed:
    """A file whose content is its name."""

    async def read() -> AsyncIterator[bytes]:
        yield file.name.encode()

    return Enclosed(file.name, file.type, file.size, f"http://127.0.0.1/{file.key}", read)


class Rig:
    """One worker: its connection, router and partitions."""

    def __init__(self, connection: Connection, connectors: dict[str, Connector], founding: Founding) -> None:
        self.heard = Heard()
        self.keeping: asyncio.Task[None] | None = None
        self.founding = founding
        self.connection = connection
        self.router = Router(f"w{next(_names)}", connection, EmptyHistory(), partitions=32, epoch=EPOCH)
        self.router.pushes = self.heard
        self.partitions = Partitions(
            connection,
            self.router,
            kinds(Pipeline(PassAll()).decide),
            connectors,
            enclosed,
            count=32,
            founded=self._founded,
            log_bytes=64 << 20,
            clock=Clock(),
        )
        self.handed_over: list[int] = []
        self._hand_over = self.partitions._hand_over
        self.partitions._hand_over = self._note_and_hand_over  # type: ignore[method-assign]

    async def _note_and_hand_over(self, partition: int) -> None:
        self.handed_over.append(partition)
        await self._hand_over(partition)

    @classmethod
    async def start(
        cls,
        nats: EmbeddedServer,
        partitions: Iterable[int],
        connectors: dict[str, Connector] | None = None,
        *,
        founding: Founding = FOUNDING,
    ) -> "Rig":
        rig = cls(await connect(nats.url, "rig"), connectors or {}, founding)
        await rig.partitions.listen()
        await rig.partitions.leases.start()
        await rig.partitions.take(partitions)
        return rig

    @classmethod
    async def join(cls, nats: EmbeddedServer, together: int = 1, ttl_s: int = TTL_S) -> "Rig":
        """One that takes its fair share by itself; so many are started `together`."""
        rig = cls(await connect(nats.url, "rig"), {}, FOUNDING)
        rig.partitions.leases.ttl_s = ttl_s
        await rig.partitions.listen()
        rig.keeping = asyncio.create_task(rig.partitions.keep(together))
        return rig

    async def kill(self, seen: bool = True) -> None:
        """End as SIGKILL would: nothing is drained, what is in flight may or may not have been stored.

        `seen`: by its supervisor, who revokes what it held.
        """
        for partition in list(self.partitions._owned.values()):
            partition.relay.close()
            await partition.checkpoints.close()
            for call in partition.sender._calls:
                call.cancel()
            partition.owner.close("killed")
        self.partitions._owned.clear()
        self._keep_no_more()
        if seen:
            await self.revoke()
        self.partitions.leases.running.cancel()
        await self.connection.close()

    async def _founded(self) -> Founding:
        return self.founding

    async def revoke(self) -> None:
        """Free what it holds, as the supervisor of a dead worker does."""
        await revoke(self.connection, f"{WORKERS}.{self.router.worker}")

    def deafen(self) -> None:
        """It neither renews its leases nor hears what becomes of them: as far as it knows they hold."""
        self.partitions.leases._changed = lambda: None
        self.partitions.leases.running.cancel()

    def _keep_no_more(self) -> None:
        if self.keeping is not None:
            self.keeping.cancel()

    async def stop(self) -> None:
        self._keep_no_more()
        await self.partitions.drain()
        await self.connection.close()

    async def submit(self, entity: str, command: AnyCommand, sender: object = None) -> Outcome:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.router.submit(entity, command, future.set_result, sender)
        return await asyncio.wait_for(future, 20)

    async def post(self, entity: str, tab: str, n: int, text: str = "在吗") -> Outcome:
        return await self.submit(entity, PostMessage(tab, n, text, ZHANG))

    async def watch(self, entity: str, audience: Audience, after: int = 0, epoch: int = EPOCH) -> Page:
        future: asyncio.Future[Page | Denied] = asyncio.get_running_loop().create_future()
        self.router.watch(entity, audience, after, epoch, future.set_result)
        page = await asyncio.wait_for(future, 20)
        assert isinstance(page, Page)
        return page

    async def page(self, entity: str, audience: Audience, after: int, before: int) -> Page | Denied:
        future: asyncio.Future[Page | Denied] = asyncio.get_running_loop().create_future()
        self.router.page(entity, audience, after, before, future.set_result)
        return await asyncio.wait_for(future, 20)


def conversation(partition: int, name: str = "test") -> str:
    """An id in that partition."""
    return ids.new_conversation_id(partition, name.encode().ljust(16, b"."))


async def until(true: object, seconds: float = 20) -> None:
    """Wait until `true()` holds; fails the test when it does not."""
    async with asyncio.timeout(seconds):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.01)
