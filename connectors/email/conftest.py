"""What the tests of both servers take: IMAP servers of several kinds, mails for them, and a certificate."""

import asyncio
import contextlib
import datetime
import imaplib
import os
import pwd
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from connectors.email import imap, inbox
from connectors.email.inbox import Batch
from connectors.email.sandbox import MailSandbox
from connectors.email.settings import Imap

HOST = "127.0.0.1"
TLS = ssl.create_default_context()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Server:
    """An IMAP server somewhere; `put` appends a mail to its INBOX as another client would."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings

    def imap(self, **more: Any) -> Imap:
        return Imap.model_validate({"host": HOST, "tls": "none"} | self.settings | more)

    @contextlib.contextmanager
    def _client(self) -> Any:
        client = imaplib.IMAP4(HOST, self.settings["port"], timeout=10)
        client.login(self.settings["user"], self.settings["password"])
        yield client
        client.logout()

    def _append(self, data: bytes, days_old: int) -> None:
        at = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_old)
        with self._client() as client:
            client.append("INBOX", "", at, data)

    async def put(self, data: bytes, days_old: int = 0) -> None:
        await asyncio.to_thread(self._append, data, days_old)

    def _listed(self, folder: str, what: str) -> list[bytes]:
        with self._client() as client:
            client.select(folder, readonly=True)
            found: list[bytes] = client.search(None, what)[1][0].split()
            return found

    async def listed(self, folder: str = "INBOX", what: str = "ALL") -> int:
        return len(await asyncio.to_thread(self._listed, folder, what))

    def _create(self, folder: str) -> None:
        with self._client() as client:
            client.create(folder)

    async def create(self, folder: str) -> None:
        await asyncio.to_thread(self._create, folder)


async def listening(port: int) -> None:
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(HOST, port)
                writer.close()
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def pymap() -> AsyncIterator[Server]:
    """Pure Python; in memory."""
    port = free_port()
    program = Path(sys.executable).with_name("pymap")
    running = await asyncio.create_subprocess_exec(
        program, "--host", HOST, "--port", str(port), "--no-tls", "dict", "--demo-data",
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await listening(port)
        server = Server({"port": port, "user": "demouser", "password": "demopass"})
        with server._client() as client:  # it comes with mail
            client.select("INBOX")
            client.store("1:*", "+FLAGS", r"\Deleted")
            client.expunge()
        yield server
    finally:
        running.terminate()
        await running.wait()


@contextlib.asynccontextmanager
async def dovecot(folder: Path) -> AsyncIterator[Server]:
    """Debian's; its processes give up root, and need a user who is not."""
    program = shutil.which("dovecot", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None or os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("dovecot-imapd is not installed, or this is not root")
        pytest.skip("needs dovecot-imapd, and root")
    nobody, port = pwd.getpwnam("dovenull"), free_port()
    base = Path("/run") / f"kefu-dovecot-{port}"  # Unix sockets: paths of pytest are too long for them
    for path in (folder, *list(folder.parents)[:-2]):
        path.chmod(path.stat().st_mode | 0o011)
    (folder / "mail").mkdir()
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    (folder / "users").write_text("box:{PLAIN}pw\n")
    config = folder / "dovecot.conf"
    config.write_text(f"""
base_dir = {base}
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = {HOST}
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{folder}/mail
service imap-login {{
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = {folder}/users
}}
userdb {{
  driver = static
  args = uid={nobody.pw_uid} gid={nobody.pw_gid} home={folder}/mail
}}
""")
    running = await asyncio.create_subprocess_exec(program, "-F", "-c", str(config))
    try:
        await listening(port)
        yield Server({"port": port, "user": "box", "password": "pw"})
    finally:
        running.send_signal(signal.SIGTERM)
        await running.wait()
        shutil.rmtree(base, ignore_errors=True)


class StandIn(Server):
    def __init__(self, mail: MailSandbox) -> None:
        super().__init__(mail.settings()["imap"])
        self.mail = mail

    async def put(self, data: bytes, days_old: int = 0) -> None:
        self.mail.office.put(data, datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=days_old))

    async def listed(self, folder: str = "INBOX", what: str = "ALL") -> int:
        kept = self.mail.office.folders.get(folder, [])
        return sum(what == "ALL" or "\\Seen" in one.flags for one in kept)

    async def create(self, folder: str) -> None:
        pass


@contextlib.asynccontextmanager
async def stand_in() -> AsyncIterator[StandIn]:
    async with MailSandbox() as mail:
        yield StandIn(mail)


class Certified:
    """A certificate for localhost that signs itself."""

    def __init__(self, folder: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
            .sign(key, hashes.SHA256())
        )
        self.file, keys = folder / "certificate.pem", folder / "key.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        keys.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(self.file, keys)

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.file))


@pytest.fixture
def certified(tmp_path: Path) -> Certified:
    return Certified(tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 0.5)
    monkeypatch.setattr(inbox, "QUIET_S", 0.0)
    monkeypatch.setattr(imap, "ANSWER_S", 3.0)


@pytest.fixture
async def ours() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


def mail(n: int, text: str = "x") -> bytes:
    return f"From: a@example.net\r\nMessage-ID: <{n}@example.net>\r\nSubject: {n}\r\n\r\n{text}\r\n".encode()


def numbers(batch: Batch) -> list[int]:
    return [int(one.data.partition(b"Subject: ")[2].partition(b"\r\n")[0]) for one in batch.mails]
