"""A real PostgreSQL of its own, as Debian packages it (apt-get install postgresql-15)."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from hub.process import PR_SET_PDEATHSIG

USER = "postgres"
START_S = 30.0


def programs() -> Path | None:
    """The folder with initdb and postgres; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    in_path = shutil.which("initdb")
    return Path(in_path).parent if in_path else None


class Postgres:
    """A server at `host`:`port`, with the superuser postgres, whom it lets in with `password`.

    `start` and `stop` it as often as you like; `remove` deletes its data. PostgreSQL refuses to run as root: then it
    runs as the user postgres, in a folder that this user may enter.
    """

    def __init__(
        self, host: str, port: int, password: str, command: tuple[str, ...] = ("postgres",), log: Path | None = None
    ) -> None:
        found = programs()
        assert found is not None, "PostgreSQL is not installed: apt-get install postgresql-15"
        self._programs = found
        self._host, self._port, self._password = host, port, password
        self._command = command
        self._folder = Path(tempfile.mkdtemp(prefix="kefu-postgres-"))
        self._data = self._folder / "data"
        self._log = log or self._folder / "log"
        self.process: subprocess.Popen[bytes] | None = None
        """The server's first one."""

    def url(self, database: str = "postgres") -> str:
        """Of one of its databases."""
        return f"postgresql://{USER}:{self._password}@{self._host}:{self._port}/{database}"

    def start(self) -> None:
        """Start it, and return when it answers."""
        if not self._data.exists():
            self._make()
        program, *options = self._command
        command = [
            str(self._programs / program), "-D", str(self._data), "-c", f"listen_addresses={self._host}",
            "-c", f"unix_socket_directories={self._data}", "-p", str(self._port), *options,
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                preexec_fn=end_with_parent, user=_user(), group=_user(),  # noqa: PLW1509  (no threads here that it could hang on)
            )  # fmt: skip
        ready = [str(self._programs / "pg_isready"), "-q", "-h", self._host, "-p", str(self._port)]
        until = time.monotonic() + START_S
        while subprocess.run(ready, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log_end()}")
            time.sleep(0.05)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it: at once but in order, or as `number` says; with SIGKILL as if the machine had died."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait()

    def remove(self) -> None:
        """Stop it and delete its data."""
        self.stop()
        shutil.rmtree(self._folder)

    def create(self, database: str) -> str:
        """A new, empty database; its URL."""
        create = [str(self._programs / "psql"), "-q", "-c", f'CREATE DATABASE "{database}"', self.url()]
        subprocess.run(create, check=True)
        return self.url(database)

    def log_end(self) -> str:
        """The last lines of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-10:])

    def _make(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self._folder, USER, USER)
        secret = self._folder / "password"
        secret.write_text(self._password)
        if os.geteuid() == 0:
            shutil.chown(secret, USER, USER)
        initdb = [
            str(self._programs / "initdb"), "-D", str(self._data), "-U", USER, f"--pwfile={secret}",
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        ]  # fmt: skip
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/", user=_user(), group=_user())


def end_with_parent() -> None:
    """In a new process: have Linux end it when this one is gone, even by SIGKILL."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _user() -> str | None:
    """PostgreSQL does not run as root."""
    return USER if os.geteuid() == 0 else None
