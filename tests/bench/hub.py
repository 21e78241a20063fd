"""A whole hub as a person starts it (`python -m hub up`) in a folder of its own; its core time and memory."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.bench import rules

START_S = 60
LAST_LINES = 10
WARM_S = 2
"""A standby uses its core that long at least before it waits."""
QUIET_CORE_S = 0.05
"""A process that uses less than this in a second has nothing to do."""
TICKS_A_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
NO_LIMITS = {"HUB_FRAMES_PER_SECOND": "1000000", "HUB_VISITORS_PER_MINUTE": "1000000"}
"""The crowd has few addresses."""
TEAMS = ("left", "middle", "right")
KEYWORDS = {"left": "换个尺码", "middle": "修改地址", "right": "补开发票"}
"""An opener with this word goes to the team."""


class Cores(NamedTuple):
    """Core seconds, by what used them. A standby worker only waits: it counts with the supervisor."""

    worker: float = 0
    nats: float = 0
    follower: float = 0
    supervisor: float = 0

    def since(self, before: "Cores") -> "Cores":
        """What was used after `before`."""
        return Cores(*(now - then for now, then in zip(self, before, strict=True)))


class Measured:
    """Something that works in several processes, which are looked at from outside."""

    def processes(self) -> dict[str, list[int]]:
        """The ids of its processes now, by role: those of `Cores`, and `standby`."""
        raise NotImplementedError

    def all_pids(self) -> list[int]:
        """The ids of all its processes, the supervisor's first."""
        now = self.processes()
        return [*now.pop("supervisor"), *(pid for pids in now.values() for pid in pids)]

    def cores(self) -> Cores:
        """The core time used so far: user and system, of all threads."""
        now = self.processes()
        now["supervisor"] += now.pop("standby")
        return Cores(**{role: sum(map(core_s, pids)) for role, pids in now.items()})

    def worker_bytes(self) -> int:
        """Resident memory of all workers."""
        fields = (Path(f"/proc/{pid}/statm").read_text().split() for pid in self.processes()["worker"])
        return sum(int(field[1]) for field in fields) * PAGE_BYTES

    def until_quiet(self, *roles: str) -> Cores:
        """Wait until these processes have nothing to do; the core time used when they had done it."""
        before = self._used(roles)
        while True:
            cores = self.cores()
            time.sleep(1)
            now = self._used(roles)
            if now - before < QUIET_CORE_S:
                return cores
            before = now

    def until_warm(self) -> None:
        """Wait until a standby worker has made itself ready."""
        while not self.processes()["standby"]:
            time.sleep(0.1)
        time.sleep(WARM_S)
        self.until_quiet("standby")

    def _used(self, roles: Collection[str]) -> float:
        return sum(core_s(pid) for role, pids in self.processes().items() if role in roles for pid in pids)


class Hub(Measured):
    """A running hub. `address` is where it listens, `pid` its supervisor."""

    def __init__(self, folder: Path, address: tuple[str, int], admin_token: str, pid: int) -> None:
        self.address, self.admin_token, self.pid = address, admin_token, pid
        self.data = folder / "data"

    def processes(self) -> dict[str, list[int]]:
        """As Measured."""
        children = map(int, Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split())
        return by_role([self.pid], children)


def by_role(supervisors: Iterable[int], others: Iterable[int]) -> dict[str, list[int]]:
    """Process ids by what they are."""
    found: dict[str, list[int]] = {role: [] for role in (*Cores._fields, "standby")}
    found["supervisor"] += supervisors
    for pid in others:
        with contextlib.suppress(OSError):  # it has just gone
            found[_role(pid)].append(pid)
    return found


def _role(pid: int) -> str:
    name = Path(f"/proc/{pid}/comm").read_text()
    if name.startswith("hub-worker"):
        return "worker"
    if name.startswith("nats-server"):
        return "nats"
    return "follower" if "follower" in Path(f"/proc/{pid}/cmdline").read_text() else "standby"


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """An empty folder on the disk that is measured; it goes afterwards."""
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def running(
    workers: int,
    agents_a_team: int,
    *,
    place: Path | None = None,
    module: str = "hub",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Hub]:
    """A hub whose rules hold 10,000 words, with agents left0, left1 …, middle0 …, who have only a desk.

    `place` may hold the data of an earlier run, whose admin token is replaced. `module` is started in
    place of `hub`; `environment` has further variables.
    """
    with contextlib.ExitStack() as stack:
        place = place or stack.enter_context(folder())
        port = free_port()
        write_rules(place / "rules", agents_a_team)
        process = subprocess.Popen(
            [sys.executable, "-m", module, "up", "--new-admin-token"],
            env=_environment() | {
                "HUB_DATA": str(place / "data"),
                "HUB_RULES": str(place / "rules"),
                "HUB_LISTEN": f"127.0.0.1:{port}",
                "HUB_WORKERS": str(workers),
                **NO_LIMITS,
            } | dict(environment or {}),
            stdout=subprocess.PIPE, stderr=(place / "log").open("ab"), text=True, start_new_session=True,
        )  # fmt: skip
        stack.callback(_end, process)
        token = _wait_until_ready(process, place / "log")
        try:
            yield Hub(place, ("127.0.0.1", port), token, process.pid)
        except Exception:
            print("the hub's last words:", *(place / "log").read_text().splitlines()[-LAST_LINES:], sep="\n")
            raise


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


def _end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def write_rules(folder: Path, agents_a_team: int) -> None:
    """Rule files with a lexicon of 10,000 words, and so many agents in each of the teams."""
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


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def core_s(pid: int) -> float:
    """The seconds of core time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_S


def pin(pid: int, cores: Collection[int]) -> None:
    """Let all threads of a process run on these cores only."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(thread.name), cores)


def clear_a_core(node: Hub, others: Collection[int]) -> int:
    """Let the hub and `others` run on all cores but one, whose number is answered.

    Raises RuntimeError where there is only one core.
    """
    first, *rest = sorted(os.sched_getaffinity(0))
    if not rest:
        raise RuntimeError("a worker with a core of its own needs a machine of two cores or more")
    for pid in (*others, *node.all_pids()):
        pin(pid, rest)
    return first


def give_a_core(node: Hub, others: Collection[int]) -> None:
    """One core for the hub's one worker alone, and the other cores for all else, `others` too."""
    (worker,) = node.processes()["worker"]
    pin(worker, {clear_a_core(node, others)})
