"""Looks at processes from outside, by /proc: who is whose child, who runs, who is stopped, who has been replaced."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

PR_SET_PDEATHSIG = 1


class Process(NamedTuple):
    """One run of a process: a pid that is used again has another start."""

    pid: int
    started: int

    @property
    def state(self) -> str:
        """One letter: R and S live, T is stopped; empty: it is gone (or dead, and waits for its parent)."""
        found = _stat(self.pid)
        return "" if found is None or int(found[19]) != self.started or found[0] in "ZX" else found[0]

    def has_loaded(self, library: Path) -> bool:
        """Whether the library is part of it."""
        try:
            return str(library) in Path(f"/proc/{self.pid}/maps").read_text()
        except OSError:
            return False

    def signal(self, number: signal.Signals) -> None:
        """Send it, if the process is still the same."""
        if self.state:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


def process(pid: int) -> Process | None:
    """The process that runs under this pid now."""
    found = _stat(pid)
    return None if found is None else Process(pid, int(found[19]))


def below(pid: int, mark: str = "") -> list[Process]:
    """All living descendants whose command line contains `mark`, oldest first."""
    parents: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        found = _stat(int(folder.name))
        if found is not None and found[0] not in "ZX":
            parents.setdefault(int(found[1]), []).append(int(folder.name))
    waiting, pids = [pid], []
    while waiting:
        children = parents.get(waiting.pop(), [])
        waiting += children
        pids += children
    marked = [child for child in pids if mark in _command(child)]
    return sorted(filter(None, map(process, marked)), key=lambda one: (one.started, one.pid))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the third (state) on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def end_with_parent() -> None:
    """In a new process, before its program begins: have Linux end it when this one is gone, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


async def until(true: Callable[[], object], within_s: float) -> bool:
    """Whether it came true in time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within_s):
            while not true():
                await asyncio.sleep(0.02)
            return True
    return False


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses, below the range from which outgoing connections take theirs."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in range(20_000 + os.getpid() % 5_000, lowest):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port on 127.0.0.1")
