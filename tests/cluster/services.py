"""A service as processes of this machine: started, stopped, killed and frozen as a whole, as a machine would be."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from tests.cluster.description import ROOT, Described
from tests.cluster.postgres import Postgres, end_with_parent

STOP_S = 40.0


class Service:
    """One service. `log` is where its processes write; its data are in `described.data` and survive a restart.

    `module` is what runs the command `hub`.
    """

    _ending = signal.SIGTERM

    def __init__(self, described: Described, log: Path, module: str = "hub") -> None:
        self.described = described
        self.name = described.name
        self.log = log
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Of its first process; 0 when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else 0

    def pids(self, mark: str = "") -> list[int]:
        """Of all its processes whose name or command line contains `mark`, the first one first."""
        return [pid for pid in _tree(self.pid) if mark in _name(pid) + _command(pid)] if self.pid else []

    def start(self) -> None:
        """Start it; with the data that it had. Returns at once."""
        assert not self.pid, f"{self.name} runs already"
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                _native(self.described.command, self._module), env=_environ(self.described.environment), cwd=ROOT,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,  # noqa: PLW1509  (no threads here that it could hang on)
            )  # fmt: skip

    def ask_to_stop(self) -> None:
        """Tell it to end in order; once, for the second time means hurry."""
        if self._process and self.pid and self._asked is not self._process:
            self._asked = self._process
            self.signal(signal.SIGCONT)  # it may have been frozen
            self._process.send_signal(self._ending)

    def stop(self) -> None:
        """End it in order, and wait until it is gone."""
        if self._process is None or not self.pid:
            return
        self.ask_to_stop()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """SIGKILL for all its processes at once, as if its machine had died, and wait until they are gone."""
        pids = self.pids()
        self.signal(signal.SIGSTOP)  # nobody starts another one meanwhile
        self.signal(signal.SIGKILL)
        if self._process:
            self._process.wait()
        until = time.monotonic() + STOP_S
        while any(_command(pid) for pid in pids) and time.monotonic() < until:
            time.sleep(0.01)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all its processes."""
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def log_text(self) -> str:
        """All that it has said."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


class Database(Service):
    """PostgreSQL as a service. Its data are in a folder of its own, for it does not run as root.

    It is ended in order, but without waiting for its clients: nothing that was committed is lost.
    """

    _ending = signal.SIGINT

    def __init__(self, described: Described, log: Path) -> None:
        super().__init__(described, log)
        self.postgres = Postgres(
            described.host, 5432, described.environment["POSTGRES_PASSWORD"], described.command, log
        )

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.postgres.start()
        self._process = self.postgres.process

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.postgres.remove()


def _native(command: tuple[str, ...], module: str) -> list[str]:
    """The command with the program that it means on this machine; `module` stands for hub."""
    program, *arguments = command
    if program == "hub":
        return [sys.executable, "-m", module, *arguments]
    if program == "haproxy":
        found = shutil.which("haproxy", path=f"/usr/sbin:{os.environ.get('PATH', '')}")
        assert found, "haproxy is not installed: apt-get install haproxy"
        return [found, *arguments]
    raise AssertionError(f"how to run {program} without Docker is not known")


def _environ(environment: Mapping[str, str]) -> dict[str, str]:
    """What the service finds in its environment: nothing of the hub's from ours."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("HUB_", "NATS_"))}
    return ours | dict(environment)


def _tree(root: int) -> list[int]:
    """A process and all below it."""
    found = [root]
    for pid in found:
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, children.read_text().split())
    return found


def _name(pid: int) -> str:
    """What a process calls itself: hub-worker-0, hub-standby."""
    try:
        return Path(f"/proc/{pid}/comm").read_text()
    except OSError:
        return ""


def _command(pid: int) -> str:
    """A process's command line; empty for one that is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
