"""A whole hub as a person starts it (`python -m hub up`) in a folder of its own; its core time and memory."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.bench import rules

START_S = 60
TICKS_A_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
TEAMS = ("left", "right")
KEYWORDS = {"left": "换个尺码", "right": "补开发票"}
"""An opener with this word goes to the team."""
ROLES = {"hub.worker": "worker", "hub.history.follower": "follower", "nats-server": "nats", "hub": "supervisor"}


class Cores(NamedTuple):
    """Core seconds, by what used them."""

    worker: float = 0
    nats: float = 0
    follower: float = 0
    supervisor: float = 0

    def since(self, before: "Cores") -> "Cores":
        """What was used after `before`."""
        return Cores(*(now - then for now, then in zip(self, before, strict=True)))


class Hub:
    """A running hub. `processes` gives the ids of its processes by role."""

    def __init__(self, folder: Path, port: int, workers: int, admin_token: str, pid: int) -> None:
        self.folder, self.port, self.workers, self.admin_token = folder, port, workers, admin_token
        self.processes = _by_role(pid)

    def cores(self) -> Cores:
        """The core time used so far: user and system, of all threads."""
        return Cores(**{role: sum(map(core_s, pids)) for role, pids in self.processes.items()})

    def worker_bytes(self) -> int:
        """Resident memory of all workers."""
        fields = (Path(f"/proc/{pid}/statm").read_text().split() for pid in self.processes["worker"])
        return sum(int(field[1]) for field in fields) * PAGE_BYTES


@contextlib.contextmanager
def running(workers: int, agents_a_team: int) -> Iterator[Hub]:
    """A hub whose rules hold 10,000 words, with agents left0, left1 … and right0, right1 …, who have only a desk."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        folder, port = Path(name), _free_port()
        _write_rules(folder / "rules", agents_a_team)
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "up"],
            env=_environment() | {
                "HUB_DATA": str(folder / "data"),
                "HUB_RULES": str(folder / "rules"),
                "HUB_LISTEN": f"127.0.0.1:{port}",
                "HUB_WORKERS": str(workers),
            },
            stdout=subprocess.PIPE, stderr=(folder / "log").open("wb"), text=True, start_new_session=True,
        )  # fmt: skip
        try:
            token = _wait_until_ready(process, folder / "log")
            yield Hub(folder, port, workers, token, process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment() -> dict[str, str]:
    """Ours without what sets up another hub."""
    return {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}


def _wait_until_ready(process: subprocess.Popen[str], log: Path) -> str:
    """The admin token, once all processes do their work."""
    token, until = "", time.monotonic() + START_S
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("admin token"):
            token = line.split()[-1]
        if line.startswith("Ctrl-C") or time.monotonic() > until:
            break
    if not token or process.poll() is not None:
        raise RuntimeError(f"the hub did not start; its log says:\n{log.read_text()}")
    return token


def _write_rules(folder: Path, agents_a_team: int) -> None:
    teams = "".join(f"  {team}: {{display: {team}}}\n" for team in TEAMS)
    agents = "".join(
        f"  {team}{n}: {{display: {team}{n}, teams: [{team}], capacity: 1000}}\n"
        for team in TEAMS for n in range(agents_a_team)
    )  # fmt: skip
    routes = "".join(f"  - {{id: {team}, team: {team}, words: [{KEYWORDS[team]}]}}\n" for team in TEAMS)
    files = rules.files() | {
        "teams.yaml": f"teams:\n{teams}agents:\n{agents}",
        "routing.yaml": f"default: left\nrules:\n{routes}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _by_role(hub: int) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {role: [] for role in ROLES.values()}
    children = [int(pid) for pid in Path(f"/proc/{hub}/task/{hub}/children").read_text().split()]
    for pid in (hub, *children):
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        role = next(role for word, role in ROLES.items() if any(part.rpartition("/")[2] == word for part in words))
        found[role].append(pid)
    return found


def core_s(pid: int) -> float:
    """The seconds of core time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S
