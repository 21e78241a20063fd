"""A whole cluster on this machine, without Docker, from the same description: docker-compose.cluster.yml.

with Cluster(folder) as cluster:
    cluster.url                            # the load balancer's
    cluster["nats-2"].kill()
    cluster["nats-2"].start()
"""

from __future__ import annotations

import dataclasses
import random
import re
import secrets
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.description import Described, Description
from tests.cluster.services import Database, Service

NATS = ("nats-1", "nats-2", "nats-3")
HUBS = ("hub-1", "hub-2", "hub-3")
DATABASE, BALANCER = "postgres", "balancer"
PORT = 8080
READY_S = 120.0


class Cluster:
    """The services of the file on loopback addresses `net`.* (without: some that nobody uses).

    `folder` gets logs and data; a nats server's data are in `folders[name]` where that is given (a small disk).
    `rules` takes the place of the rule files. `environment` is added to that of every hub node, such as a channel's
    settings. `instead` gives one service other addresses than the true ones (a proxy's): name → "host:port" as it
    stands in the file → the address to use. `module` runs the hub nodes' commands in place of `hub`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        net: str = "",
        folders: Mapping[str, Path] | None = None,
        rules: Path | None = None,
        environment: Mapping[str, str] | None = None,
        instead: Mapping[str, Mapping[str, str]] | None = None,
        module: str = "hub",
    ) -> None:
        self.folder = folder
        self.net = net or free_net()
        self._instead = instead or {}
        self._environment = environment or {}
        self._module = module
        secret = {"NATS_TOKEN": secrets.token_hex(16), "POSTGRES_PASSWORD": secrets.token_hex(16)}
        description = Description(folder, self.net, secret, folders=folders, mounts={"rules": rules} if rules else None)
        self.hosts = description.hosts
        self.url = f"http://{self.hosts[BALANCER]}:{PORT}"
        """Of the load balancer."""
        self._services = {one.name: self._service(one) for one in description.services()}

    def __getitem__(self, name: str) -> Service:
        return self._services[name]

    def __enter__(self) -> Self:
        try:
            self.start()
            self.ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def services(self) -> list[Service]:
        """All, in the order of their start."""
        return list(self._services.values())

    @property
    def database_url(self) -> str:
        """Of the history, with its password."""
        database = self[DATABASE]
        assert isinstance(database, Database)
        return database.postgres.url()

    @property
    def nats_url(self) -> str:
        """Of all NATS servers, with the token."""
        return str(self[NATS[0]].described.environment["HUB_NATS__URL"])

    @property
    def admin_token(self) -> str:
        """Which the node said that was the first."""
        for name in HUBS:
            if said := re.search(r"admin token.*: (\S+)", self[name].log_text()):
                return said[1]
        raise AssertionError("no node has said an admin token")

    def node_url(self, name: str) -> str:
        """Of one hub node, past the load balancer."""
        return f"http://{self.hosts[name]}:{PORT}"

    def start(self) -> None:
        """Start all services."""
        for service in self.services:
            service.start()

    def ready(self) -> None:
        """Wait until all nodes and the load balancer take messages. Raises RuntimeError with a log's end."""
        until = time.monotonic() + READY_S
        for name in (*HUBS, BALANCER):
            while not _takes_messages(self.node_url(name)):
                dead = next((service for service in self.services if not service.pid), None)
                if dead or time.monotonic() > until:
                    broken = dead or self[name]
                    raise RuntimeError(f"{broken.name} does not work:\n{_end(broken)}")
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop all services in order, the last first. The folder stays; PostgreSQL's data go."""
        for group in ((BALANCER,), HUBS, (*NATS, DATABASE)):
            for name in group:
                self[name].ask_to_stop()
            for name in group:
                self[name].stop()
        for service in self.services:
            if isinstance(service, Database):
                service.remove()

    def _service(self, one: Described) -> Service:
        (self.folder / one.name).mkdir(parents=True, exist_ok=True)
        log = self.folder / one.name / "log"
        if one.image.startswith("postgres"):
            return Database(one, log)
        environment = {**one.environment, **(self._environment if one.name in HUBS else {})}
        for place, address in self._instead.get(one.name, {}).items():
            name, _, port = place.partition(":")
            true = f"{self.hosts[name]}:{port}"
            environment = {key: value.replace(true, address) for key, value in environment.items()}
        module = self._module if one.name in HUBS else "hub"
        return Service(dataclasses.replace(one, environment=environment), log, module)


def free_net() -> str:
    """The first three numbers of loopback addresses that nobody uses."""
    while True:
        net = f"127.{random.randrange(1, 255)}.{random.randrange(255)}"
        with socket.socket() as probe:
            try:
                probe.bind((f"{net}.40", PORT))
            except OSError:
                continue
            return net


_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""Without the proxy that the environment may name."""


def _takes_messages(url: str) -> bool:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"{url}/api/v1/health", timeout=2
        ) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False


def _end(service: Service) -> str:
    return "\n".join(service.log_text().splitlines()[-15:])
