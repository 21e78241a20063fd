"""The hub under test: a single machine's `hub up`, with rules, configuration and data in a folder of its own."""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tests.chaos import stepped, wire
from tests.chaos.disk import Disk
from tests.chaos.processes import Process, below, end_with_parent, free_port, process, until
from tests.chaos.proxy import Proxy

START_S, STOP_S = 90.0, 40.0
WORKERS = 2
"""On a single machine."""
WORKER, NATS = "hub.worker", "nats-server"
DESKS, PHONES = "desks", "phones"
"""The teams: agents on sockets, and agents on WeCom."""
TOPICS = {DESKS: "", PHONES: "wecom please "}
"""How the texts begin that belong to a team."""


class Site(Protocol):
    """What the run needs of a set-up."""

    lease_s: float
    """After so long a worker that was stopped is no owner any more."""
    clients: Proxy
    admin_token: str
    history: str
    """For stored.read."""
    links: list[Proxy]
    """Between the hub's nodes and NATS, where there is something between."""
    clock: Path | None
    """The file that steps the workers' clocks, where faketime is installed."""
    disk: Disk | None
    """Of one of the NATS servers, where a small one could be mounted."""

    @property
    def port(self) -> int:
        """Where clients connect, through `clients`."""

    @property
    def nodes(self) -> Sequence["HubNode"]:
        """The hub's machines."""

    @property
    def nats(self) -> Sequence["Server"]:
        """The NATS servers."""


@runtime_checkable
class HasDatabase(Protocol):
    """What a site has besides, where the history is in PostgreSQL."""

    async def restart_database(self, after_s: float) -> tuple[int, int]:
        """End it, and start it again after so long; its pids."""


class HubNode(Protocol):
    """One of its nodes, as the faults see it."""

    name: str

    async def start(self) -> None:
        """Start it again."""

    def processes(self, mark: str = "") -> list[Process]:
        """The supervisor and all below it, or those of them whose command line contains `mark`."""

    def workers(self) -> list[Process]:
        """Its workers, without a standby."""


class Node:
    """A supervisor with all its processes, started by `command`; `environ` replaces every HUB_ variable of ours."""

    def __init__(
        self, name: str, command: list[str], environ: dict[str, str], log: Path, worker: str = WORKER, count: int = 1
    ) -> None:
        self.name = name
        self.log = log
        self._worker, self._count = worker, count
        self._command, self._environ = command, environ
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return at once."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        with self.log.open("ab") as log:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, env=ours | self._environ,
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip

    async def stop(self) -> None:
        """End it in order; by force when that takes too long."""
        if self._child is None:
            return
        left = self.processes()
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._child.wait(), STOP_S)
        for one in left:
            one.signal(signal.SIGKILL)
        await self._child.wait()

    def processes(self, mark: str = "") -> list[Process]:
        """The supervisor and all below it; with `mark` those below it whose command line contains that."""
        if self._child is None or self._child.returncode is not None:
            return []
        own = process(self._child.pid)
        return below(self._child.pid, mark) if mark else [one for one in (own, *below(self._child.pid)) if one]

    def workers(self) -> list[Process]:
        """Its workers. A standby is younger than they are, for it is only started when they run."""
        return self.processes(f"-m {self._worker} ")[: self._count]

    @property
    def alive(self) -> bool:
        """Whether its supervisor runs."""
        return self._child is not None and self._child.returncode is None


class Server(Protocol):
    """A nats-server, kept running by somebody."""

    name: str

    def process(self) -> Process | None:
        """The one that runs now."""


class Embedded:
    """The nats-server below a node."""

    def __init__(self, node: Node) -> None:
        self.name = "nats"
        self._node = node

    def process(self) -> Process | None:
        """The one that runs now."""
        found = self._node.processes(NATS)
        return found[0] if found else None


class Single:
    """`async with`: one machine, with a nats-server inside. `module` is what runs `hub up`."""

    def __init__(self, folder: Path, rng: random.Random, module: str = "hub") -> None:
        self.folder = folder
        self.admin_token = ""
        self.lease_s = 5.0
        self.history = str(folder / "data" / "history.sqlite3")
        self.links: list[Proxy] = []
        self.disk: Disk | None = None
        self._hub_port = free_port()
        self.clients = Proxy([("127.0.0.1", self._hub_port)], rng)
        self.clock: Path | None = None
        environ = {"HUB_CONFIG": str(folder / "hub.yaml")}
        if module == "hub" and stepped.LIBRARY.exists():
            module = stepped.MODULE
            self.clock = folder / "clock"
            self.clock.write_text("+0")
            environ[stepped.FILE] = str(self.clock)
        worker = WORKER if module == "hub" else module
        self.nodes = [Node("node", [sys.executable, "-m", module, "up"], environ, folder / "hub.log", worker, WORKERS)]
        self.nats: list[Server] = [Embedded(self.nodes[0])]

    @property
    def port(self) -> int:
        return self.clients.port

    def configure(self, desks: int, wecom: dict[str, Any], members: dict[str, str]) -> None:
        """Write the rules and the settings. To be called before the site is entered."""
        write_rules(self.folder / "rules", desks, members)
        settings = {
            "data": str(self.folder / "data"),
            "rules": str(self.folder / "rules"),
            "listen": f"127.0.0.1:{self._hub_port}",
            "workers": WORKERS,
            "visitors_per_minute": 10_000,
            "channels": {"h5": {}} | ({"wecom": wecom} if wecom else {}),
        }
        (self.folder / "hub.yaml").write_text(json.dumps(settings, ensure_ascii=False, indent=2))  # JSON is YAML

    async def __aenter__(self) -> "Single":
        await self.clients.__aenter__()
        node = self.nodes[0]
        try:
            await node.start()
            self.admin_token = await admin_token(node)
            if not await until_healthy(self._hub_port):
                raise RuntimeError(f"the hub did not come up: see {node.log}")
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.nodes[0].stop()
        await self.clients.__aexit__()


def write_rules(folder: Path, desks: int, members: dict[str, str]) -> None:
    """Two teams, everybody with room for all, and filters that no text of ours meets."""
    agents: dict[str, Any] = {f"desk{n}": {"display": f"desk{n}", "teams": [DESKS]} for n in range(desks)}
    for user, name in members.items():
        agents[name] = {"display": name, "teams": [PHONES], "addresses": {"wecom": user}}
    for agent in agents.values():
        agent["capacity"] = 1000
    teams = {"teams": {team: {"display": team} for team in (TOPICS if members else [DESKS])}, "agents": agents}
    rules = [{"id": "wecom", "team": PHONES, "words": [TOPICS[PHONES].strip()]}] if members else []
    routing = {"default": DESKS, "rules": rules}
    filters = {"rules": [{"id": "never", "action": "block", "words": ["刷单返利"]}]}
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {"teams": teams, "routing": routing, "filters": filters}.items():
        (folder / f"{name}.yaml").write_text(json.dumps(content, ensure_ascii=False, indent=2))


async def admin_token(node: Node) -> str:
    """What the hub says once, at its very first start."""

    def said() -> "re.Match[str] | None":
        return re.search(r"admin token.*: (\S+)", node.log.read_text(errors="replace"))

    await until(lambda: said() or not node.alive, START_S)
    found = said()
    if found is None:
        raise RuntimeError(f"{node.name} did not say its admin token: see {node.log}")
    return found[1]


async def until_healthy(port: int) -> bool:
    """Whether the hub at this port has come up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while True:
                with contextlib.suppress(OSError, wire.Refused, TimeoutError):
                    await wire.request("GET", f"http://127.0.0.1:{port}/api/v1/health")
                    return True
                await asyncio.sleep(0.1)
    return False
