"""The demo's stage: a whole hub as `hub up` runs it, and the stand-ins for all platforms, on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import importlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, cast

import httpx
import yaml

from hub.demo.cast import Role, role_of
from hub.demo.channels import HUBS_OWN, find
from hub.demo.serials import LIMIT
from hub.errors import HubError
from hub.process import PR_SET_PDEATHSIG

AGENTS, MAIL = "wecom", "email"
"""The channels on which the demo's agents answer, beside the hub's own page; visitors write on the second one too."""
RULES = Path("rules")
START_S, STOP_S = 60.0, 30.0
LOG_LINES = 15
SERIALS_A_S = 50
"""More than a run takes a second, on average."""


class Bubble(Protocol):
    """A text on a phone."""

    n: int
    text: str


class Letter(Protocol):
    """A mail in an agent's mailbox; `side` is "us" where it is from the hub."""

    side: str
    message_id: str
    subject: str
    text: str


class PostOffice(Protocol):
    """What the demo needs of the stand-in for the mail provider, connectors/email/sandbox.py, for agents."""

    url: str

    def say(self, address: str, text: str, *, answers: str) -> str:
        """The owner of a mailbox answers the mail with that Message-ID; the answer's own."""

    async def letters(self, address: str, after: int = 0, wait_s: float = 0) -> Sequence[Letter]:
        """What lies in the mailbox after that place."""


class StandIn(Protocol):
    """What the demo needs of the stand-in for the agents' platform: connectors/<channel>/sandbox.py, SANDBOX."""

    url: str

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def settings(self) -> dict[str, Any]:
        """The channel's settings in config/hub.yaml."""

    async def save(self, callback_url: str) -> None:
        """Enter the callback URL in the platform's console."""

    def say(self, user: str, kind: str, text: str) -> tuple[Any, asyncio.Task[bool]]:
        """The member sends something; the task says whether the hub has taken it."""

    async def texts(self, user: str, after: int = 0, wait_s: float = 0) -> list[Bubble]:
        """What the app has shown on the phone after place `after`."""


@dataclass(frozen=True)
class DemoAgent:
    """An agent of rules/teams.yaml: their `id` there, the `name` people read, their teams and shift.

    `user` is who they are on the platform, `mail` their address; both empty: they have the hub's own page.
    """

    id: str
    user: str
    name: str
    teams: frozenset[str]
    shift: str = ""
    mail: str = ""


class Stage:
    """`async with Stage(folder)`: a hub with the rules of this checkout, and the phones of its agents.

    `url` is the hub's, `stand_in` is the agents' platform, `channels` are those on which visitors write. `arrange` may
    change what stands in the copy of rules/teams.yaml. The ports are the hub's and the phones'; 0 takes a free one.
    Raises HubError with the log's end when the hub does not come up. On leaving, the hub is drained and nothing is left
    running; the folder stays.
    """

    def __init__(
        self,
        folder: Path,
        arrange: Callable[[dict[str, Any]], None],
        *,
        channels: Sequence[str] = (HUBS_OWN,),
        port: int = 0,
        stand_in_port: int = 0,
    ) -> None:
        self.folder = folder
        self.rules = folder / "rules"
        self.log = folder / "hub.log"
        self.serials = itertools.count()
        """Numbers for serials: none is used twice on this stage."""
        self._arrange = arrange
        self._port = port or free_port()
        self._stand_in_port = stand_in_port
        self.url = f"http://127.0.0.1:{self._port}"
        self.agents: list[DemoAgent] = []
        self.team_names: dict[str, tuple[str, str]] = {}
        """Of each team, in Chinese and in English."""
        self.stand_in: StandIn
        self.channels = {name: find(name) for name in channels}
        self._running = contextlib.AsyncExitStack()
        self._hub: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        self.agents = self._copy_rules()
        members = {agent.user: agent.name for agent in self.agents if agent.user}
        sandbox = importlib.import_module(f"connectors.{AGENTS}.sandbox").SANDBOX
        async with contextlib.AsyncExitStack() as running:
            for channel in self.channels.values():
                await running.enter_async_context(channel)
            phones = cast(StandIn, sandbox(members, port=self._stand_in_port))
            self.stand_in = await running.enter_async_context(phones)
            running.push_async_callback(self._stop_hub)
            await self._start_hub()
            await self._save_callback()
            for channel in self.channels.values():
                channel.join(self.url)
            self._running = running.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._running.__aexit__(kind, error, trace)

    @property
    def post_office(self) -> PostOffice:
        """The mail provider's stand-in. Raises KeyError where mail is not played."""
        return cast(PostOffice, self.channels[MAIL].played_with)

    @property
    def pid(self) -> int:
        """Of the hub's first process, whose children are the others."""
        assert self._hub is not None
        return self._hub.pid

    async def _save_callback(self) -> None:
        route = importlib.import_module(f"connectors.{AGENTS}.connector").CONNECTOR.routes[0].name
        await self.stand_in.save(f"{self.url}/callbacks/{AGENTS}/{route}")

    def _copy_rules(self) -> list[DemoAgent]:
        """Copy the rules beside the data, so that trying them out changes nothing here; who answers by them."""
        if not (RULES / "teams.yaml").is_file():
            raise HubError(f"{RULES.absolute()}: no rules here; run the demo in the project's folder")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(self.rules, ignore_errors=True)
        shutil.copytree(RULES, self.rules)
        self.change_teams(self._arrange)
        teams = yaml.safe_load((self.rules / "teams.yaml").read_text(encoding="utf-8"))
        named = teams["teams"].items()
        self.team_names = {name: (team["display"], team.get("display_en", name)) for name, team in named}
        agents = []
        for name, agent in teams["agents"].items():
            addresses = agent.get("addresses", {})
            user, mail = addresses.get(AGENTS, ""), addresses.get(MAIL, "") if MAIL in self.channels else ""
            if user or mail or not addresses:
                display, shift = agent["display"], agent.get("shift", "")
                agents.append(DemoAgent(name, user, display, frozenset(agent["teams"]), shift, mail))
        return agents

    def change_teams(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edit the copy of rules/teams.yaml, as an admin would; the hub notices within a second."""
        file = self.rules / "teams.yaml"
        teams = yaml.safe_load(file.read_text(encoding="utf-8"))
        change(teams)
        fresh = file.with_suffix(".new")
        fresh.write_text(yaml.safe_dump(teams, allow_unicode=True, sort_keys=False), encoding="utf-8")
        fresh.replace(file)

    def role_of(self, name: str) -> Role:
        """What an agent does in the run."""
        return role_of(name)

    @property
    def admin_token(self) -> str:
        """As the hub showed it at its first start; empty: it did not."""
        found = re.findall(r"admin token, shown only this once: (\S+)", self.log.read_text(encoding="utf-8"))
        return found[-1] if found else ""

    async def _start_hub(self) -> None:
        config = self.folder / "hub.yaml"
        settings = {
            "data": str(self.folder / "data"),
            "listen": f"127.0.0.1:{self._port}",
            "rules": str(self.rules),
            "visitors_per_minute": 10_000,  # all the demo's visitors have one address
            "channels": {name: channel.settings() for name, channel in self.channels.items()}
            | {AGENTS: self.stand_in.settings()},
        }
        config.write_text(json.dumps(settings, ensure_ascii=False, indent=2), encoding="utf-8")  # JSON is YAML
        config.chmod(0o600)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        with self.log.open("ab") as log:
            self._hub = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "hub", "up", env=environ | {"HUB_CONFIG": str(config)},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,  # Ctrl-C is for the demo, which ends the hub in order
                preexec_fn=_end_with_parent,
            )  # fmt: skip
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S), httpx.AsyncClient(trust_env=False) as http:
                while self._hub.returncode is None:
                    with contextlib.suppress(httpx.TransportError):
                        if (await http.get(f"{self.url}/api/v1/health")).status_code == 200:
                            return
                    await asyncio.sleep(0.05)
        raise HubError(f"the hub did not come up; the end of {self.log}:\n{self.log_end()}")

    async def _stop_hub(self) -> None:
        if self._hub is None or self._hub.returncode is not None:
            return
        self._hub.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await self._hub.wait()
        except TimeoutError:
            self._hub.kill()  # its children end with it
            await self._hub.wait()

    def log_end(self) -> str:
        """The last lines of the hub's log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_LINES:])

    def children(self, mark: str) -> list[int]:
        """The hub's own child processes whose name or command line contains `mark`."""
        return [pid for pid, command in _children(self.pid) if mark in command]


class RunningHub(Stage):
    """The same with a hub that runs already at `url`, whose channel for agents is the stand-in on port `stand_in_port`.

    Visitors write on its page only. Its agents must have room for all of them, or they would wait in the queue. Raises
    HubError when it is not so.
    """

    def __init__(self, folder: Path, url: str, stand_in_port: int) -> None:
        super().__init__(folder, lambda teams: None, stand_in_port=stand_in_port)
        self.url = url.rstrip("/")
        # An earlier run's texts may still be there: a serial must not come again soon.
        self.serials = itertools.count(int(time.time()) * SERIALS_A_S % (LIMIT // 2))

    def role_of(self, name: str) -> Role:
        """It is another company, whatever its people are called: everybody just answers."""
        return "steady"

    async def _start_hub(self) -> None:
        try:
            async with httpx.AsyncClient(trust_env=False) as http:
                (await http.get(f"{self.url}/api/v1/health")).raise_for_status()
        except httpx.HTTPError as error:
            raise HubError(
                f"{self.url}: no hub takes messages there ({type(error).__name__}); start it first"
            ) from None

    @property
    def admin_token(self) -> str:
        """As it stands in HUB_ADMIN_TOKEN; empty: its log is not read."""
        return os.environ.get("HUB_ADMIN_TOKEN", "")

    async def _stop_hub(self) -> None:
        """It is not ours."""

    async def _save_callback(self) -> None:
        try:
            await super()._save_callback()
        except Exception as error:
            raise HubError(
                f"{self.url}: the hub is not set up for the stand-in ({error}); its channels.{AGENTS} must be"
                f" {json.dumps(self.stand_in.settings())}"
            ) from error


def _end_with_parent() -> None:
    """Have Linux stop this process when the demo is gone, even by SIGKILL; elsewhere it must be ended by hand."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _children(parent: int) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
            if int(after_name[1]) == parent:
                words = (folder / "comm").read_bytes() + (folder / "cmdline").read_bytes()
                yield int(folder.name), words.replace(b"\0", b" ").decode(errors="replace")


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
