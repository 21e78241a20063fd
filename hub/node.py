"""A whole hub, or its part on this machine: NATS, workers and follower, started in order, healed, drained in order."""

import asyncio
import contextlib
import dataclasses
import os
import secrets
import socket
from collections.abc import Callable
from functools import partial

from hub.bus import founding, leases, shared_secrets
from hub.bus.connection import connect
from hub.bus.server import EmbeddedServer
from hub.bus.watermark import Watermark
from hub.channels import load_connectors
from hub.data_folder import DataFolder
from hub.engine.rule_files import LAST_GOOD, load_or_last_good
from hub.errors import BusError, HubError, SettingsError
from hub.kept_nats import WATERMARK, JoinedNats, KeptNats, Nats
from hub.process import STANDBY, Config
from hub.service import live, say
from hub.settings import Settings
from hub.supervisor import Kept, Standby

WORKER, FOLLOWER = "hub.worker", "hub.history.follower"
DRAIN_S = 10.0
REVOKE_S = float(leases.TTL_REPLICATED_S)
"""After so long nothing is left to revoke."""


class Node:
    """A hub on one machine, or one machine's part of it. `start` it, `run` it, and in any case `stop` it.

    `say` gets the few lines that a person has to read. `worker` and `follower` are the modules that the child
    processes run. `new_admin_token`: the admin token that is in force is replaced.
    """

    def __init__(
        self,
        settings: Settings,
        say: Callable[[str], None] = say,
        *,
        worker: str = WORKER,
        follower: str = FOLLOWER,
        new_admin_token: bool = False,
    ) -> None:
        self.settings = settings
        self.workers: list[Kept] = []
        self.followers: list[Kept] = []
        self.nats = nats_of(settings)
        self._say = say
        self._new_admin_token = new_admin_token
        self._modules = worker, follower
        self._config: Config
        self._standby: Standby | None = None
        self._revoking: set[asyncio.Task[None]] = set()
        self._data: DataFolder | None = None
        self._port: socket.socket | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all processes; `settings` then name the port that is used. Raises HubError for what stands in the way.

        The admin token is said when it is made, at a hub's very first start, and never again.
        """
        load_connectors(self.settings)
        self._data = DataFolder.take(self.settings.data)
        load_or_last_good(self.settings.rules, self.settings.data / LAST_GOOD)  # else every worker would refuse them
        self._port = reserve(self.settings.host, self.settings.port)
        self.settings = self.settings.listening_on(self._port.getsockname()[1])
        await self.nats.start()
        await self._agree()
        self._start_processes()
        self._keeping = asyncio.create_task(self.nats.keep())

    async def ready(self) -> None:
        """Wait until every process has said that it does its work."""
        for kept in (*self.workers, *self.followers):
            await kept.ready.wait()

    async def run(self) -> None:
        """Heal what dies, until cancelled. Raises HubError when going on would do harm."""
        assert self._keeping
        await asyncio.shield(self._keeping)

    async def stop(self) -> None:
        """Drain and end everything: workers first, then the follower, nats-server last."""
        if self._standby:
            await self._standby.stop(DRAIN_S)
        for group in (self.workers, self.followers):
            await asyncio.gather(*(kept.stop(DRAIN_S) for kept in group))
        await asyncio.gather(*self._revoking)
        if self._keeping:
            self._keeping.cancel()
            await asyncio.wait({self._keeping})
        await self.nats.stop()
        if self._port:
            self._port.close()
        if self._data:
            self._data.release()

    def hurry(self) -> None:
        """Kill what still drains. No acknowledged message is lost by that."""
        if self._standby:
            self._standby.kill()
        for kept in (*self.workers, *self.followers):
            kept.kill()

    def _start_processes(self) -> None:
        worker, follower = self._modules
        cores = len(os.sched_getaffinity(0))
        count = min(self.settings.workers or cores, self.settings.partitions)  # a worker without a partition is idle
        self._config = Config(STANDBY, count, self.nats.url, self.settings, node=secrets.token_hex(4))
        self._standby = Standby(worker, self._config.encode())
        for index in range(count):
            config = dataclasses.replace(self._config, index=index).encode()
            call = b"%d\n" % index
            kept = Kept(
                f"worker {index}",
                worker,
                config,
                gone=partial(self._revoke, leases.WORKERS),
                standby=self._standby,
                call=call,
            )
            self.workers.append(kept)
        config = dataclasses.replace(self._config, index=0, workers=1).encode()
        self.followers.append(Kept("follower", follower, config, gone=partial(self._revoke, leases.FOLLOWERS)))
        for kept in (*self.workers, *self.followers):
            kept.start()
        self._standby.start((*self.workers, *self.followers))

    def _revoke(self, group: str, pid: int) -> None:
        """What a process held is free once it is known to be dead; what cannot be said in time runs out by itself."""

        async def revoke() -> None:
            with contextlib.suppress(BusError, TimeoutError):
                async with asyncio.timeout(REVOKE_S):
                    connection = await connect(self.nats.url, "supervisor")
                    try:
                        await leases.revoke(connection, f"{group}.{self._config.name(pid)}")
                    finally:
                        await connection.close()

        revoking = asyncio.create_task(revoke(), name=f"revoke-{pid}")
        self._revoking.add(revoking)
        revoking.add_done_callback(self._revoking.discard)

    async def _agree(self) -> None:
        """Make the hub what it is, or join it as it is."""
        connection = await connect(self.nats.url, "supervisor")
        known = self.nats.watermark.marks.get(founding.STREAM, 0)  # what is written there first, and second
        try:
            if known >= 1:
                founded = await founding.read(connection)
            else:
                founded = await founding.found(connection, self.settings.partitions)
            if founded.partitions != self.settings.partitions:
                raise SettingsError(
                    f"partitions: {self.settings.partitions} does not fit this hub, which was begun with"
                    f" {founded.partitions}; set it to {founded.partitions}"
                )
            shared = await shared_secrets.share(connection, new_admin_token=self._new_admin_token, made=known >= 2)
        finally:
            await connection.close()
        if shared.admin_token:
            self._say(f"admin token, shown only this once: {shared.admin_token}")


def nats_of(settings: Settings) -> Nats:
    """The servers that the settings name, else one of our own in the data folder."""
    marks = Watermark(settings.data / WATERMARK)
    if settings.nats.url:
        return JoinedNats(settings.nats.url, marks)
    return KeptNats(EmbeddedServer(settings.data / "nats"), marks, settings.disk_free_min_percent)


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


def up(settings: Settings, *, new_admin_token: bool = False) -> None:
    """Run a hub until Ctrl-C or SIGTERM, and drain it; a second Ctrl-C hurries. Raises HubError."""
    asyncio.run(_up(settings, new_admin_token))


async def _up(settings: Settings, new_admin_token: bool) -> None:
    node = Node(settings, new_admin_token=new_admin_token)
    await live(_work(node), node.stop, node.hurry)


async def _work(node: Node) -> None:
    await node.start()
    telling = asyncio.create_task(_tell(node))
    try:
        await node.run()
    finally:
        telling.cancel()


async def _tell(node: Node) -> None:
    await node.ready()
    say(f"chat page   {node.settings.public_url}/chat")
    say(f"agents      {node.settings.public_url}/agent, after `hub agents password NAME`")
    say(f"data        {node.settings.data.resolve()}")
    say("Ctrl-C stops the hub")
