"""The hub under test: three nodes, three NATS servers and PostgreSQL, as docker-compose.cluster.yml describes them.

Between every node and every NATS server stands a proxy, and one between clients and the load balancer. The data of one
NATS server are on a small disk of their own, where this user may mount one.
"""

import asyncio
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.chaos import stepped
from tests.chaos.disk import Disk
from tests.chaos.processes import Process, process
from tests.chaos.proxy import Proxy
from tests.chaos.site import NATS, WORKER, write_rules
from tests.cluster import DATABASE, HUBS, Cluster, Service
from tests.cluster import NATS as SERVERS
from tests.cluster.cluster import BALANCER, PORT, free_net

NATS_PORT = 4222
SMALL = SERVERS[1]
"""The server on the small disk."""


class ServiceNode:
    """A hub node as the faults see it."""

    def __init__(self, service: Service, worker: str) -> None:
        self.name = service.name
        self._service, self._worker = service, worker

    async def start(self) -> None:
        """Start it again."""
        self._service.start()

    def processes(self, mark: str = "") -> list[Process]:
        """The supervisor and all below it, or those of them whose command line contains `mark`."""
        return [one for one in map(process, self._service.pids(mark)) if one]

    def workers(self) -> list[Process]:
        """Its worker. The standby is younger, and the supervisor is none."""
        found = [one for one in self.processes(f"-m {self._worker} ") if one.pid != self._service.pid]
        return sorted(found, key=lambda one: one.started)[:1]


class ServiceServer:
    """A NATS server as the faults see it."""

    def __init__(self, service: Service) -> None:
        self.name = service.name
        self._service = service

    def process(self) -> Process | None:
        """The nats-server that runs now."""
        pids = self._service.pids(NATS)
        return process(pids[-1]) if pids else None


class ClusterSite:
    """`async with` runs it. To be `configure`d before."""

    lease_s = 10.0

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder = folder
        self.admin_token = ""
        self.history = ""
        self.nodes: list[ServiceNode] = []
        self.nats: list[ServiceServer] = []
        self.clock: Path | None = folder / "clock" if stepped.LIBRARY.exists() else None
        self.disk: Disk | None = Disk(folder / "disk") if os.geteuid() == 0 else None
        self._between = {(hub, server): Proxy([], rng) for hub in HUBS for server in SERVERS}
        self.links = list(self._between.values())
        self.clients = Proxy([], rng)
        self._environment: dict[str, str] = {}
        self._cluster: Cluster | None = None

    @property
    def port(self) -> int:
        return self.clients.port

    def configure(self, desks: int, wecom: Mapping[str, Any], members: dict[str, str]) -> None:
        """Write the rules and the settings."""
        write_rules(self.folder / "rules", desks, members)
        self._environment = {"HUB_VISITORS_PER_MINUTE": "10000"}
        self._environment |= {f"HUB_CHANNELS__WECOM__{name.upper()}": str(value) for name, value in wecom.items()}
        if self.clock is not None:
            self.clock.write_text("+0")
            self._environment[stepped.FILE] = str(self.clock)

    async def __aenter__(self) -> "ClusterSite":
        for proxy in (self.clients, *self.links):
            await proxy.__aenter__()
        if self.disk is not None:
            self.disk.mount()
        module = "hub" if self.clock is None else stepped.MODULE
        instead = {
            hub: {f"{server}:{NATS_PORT}": f"127.0.0.1:{self._between[hub, server].port}" for server in SERVERS}
            for hub in HUBS
        }
        folders = {} if self.disk is None else {SMALL: self.disk.folder / "data"}
        cluster = self._cluster = Cluster(
            self.folder, net=free_net(), folders=folders, rules=self.folder / "rules",
            environment=self._environment, instead=instead, module=module,
        )  # fmt: skip
        for (_, server), proxy in self._between.items():
            proxy.targets = [(cluster.hosts[server], NATS_PORT)]
        self.clients.targets = [(cluster.hosts[BALANCER], PORT)]
        try:
            cluster.start()
            await asyncio.to_thread(cluster.ready)
        except BaseException:
            await self.__aexit__()
            raise
        self.admin_token, self.history = cluster.admin_token, cluster.database_url
        self.nodes = [ServiceNode(cluster[name], WORKER if module == "hub" else module) for name in HUBS]
        self.nats = [ServiceServer(cluster[name]) for name in SERVERS]
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            if self._cluster is not None:
                await asyncio.to_thread(self._cluster.stop)
        finally:
            for proxy in (self.clients, *self.links):
                await proxy.__aexit__()
            if self.disk is not None:
                self.disk.unmount()

    async def restart_database(self, after_s: float) -> tuple[int, int]:
        """End PostgreSQL, and start it again `after_s` later; its pids."""
        assert self._cluster is not None
        database = self._cluster[DATABASE]
        before = database.pid
        await asyncio.to_thread(database.stop)
        await asyncio.sleep(after_s)
        await asyncio.to_thread(database.start)
        return before, database.pid
