"""Files through a whole hub, with either store: what was kept outlives a worker, and none of it fills its memory."""

import asyncio
import contextlib
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.demo.stage import _children, _end_with_parent, free_port

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
LIMIT = 20 * 2**20


class Hub:
    """One that runs with one worker, and the conversation of one visitor."""

    def __init__(
        self, store: str, process: asyncio.subprocess.Process, http: httpx.AsyncClient, visitor: dict[str, str]
    ) -> None:
        self.store, self.process, self.http = store, process, http
        self.files = f"/api/v1/conversations/{visitor['conversation']}/files"
        self.headers = {"authorization": f"Bearer {visitor['token']}"}

    async def ask(self, path: str, body: object) -> Any:
        return (await self.http.post(path, json=body, headers=self.headers)).raise_for_status().json()

    async def ticket(self, size: int) -> str:
        return str((await self.ask(self.files, {"name": "照片.png", "size": size}))["url"])

    async def upload(self, content: bytes) -> str:
        """The key."""
        answer = await self.http.put(await self.ticket(len(content)), content=content)
        return str(answer.raise_for_status().json()["attachment"]["key"])

    async def download(self, key: str) -> bytes:
        path = (await self.ask(f"{self.files}/links", {"keys": [key]}))[key]
        return (await self.http.get(path)).raise_for_status().content

    def worker(self) -> int:
        (pid,) = [pid for pid, command in _children(self.process.pid) if "hub-worker" in command]
        return pid

    async def is_up(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await self.http.get("/api/v1/health")).status_code == 200
        return False


@pytest.fixture(params=["nats", "folder"])
async def hub(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Hub]:
    address = f"127.0.0.1:{free_port()}"
    environ = {"HUB_DATA": str(tmp_path / "data"), "HUB_LISTEN": address, "HUB_WORKERS": "1"}
    environ |= {"HUB_MEDIA__STORE": request.param, "PATH": os.environ["PATH"]}
    with (tmp_path / "hub.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "hub", "up", env=environ, stdout=log, stderr=log, preexec_fn=_end_with_parent
        )
    async with httpx.AsyncClient(base_url=f"http://{address}", trust_env=False, timeout=30) as http:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    visitor = await http.post("/api/v1/visitors")
                    if visitor.status_code == 201:
                        break
                await asyncio.sleep(0.05)
        yield Hub(request.param, process, http, visitor.json())
    process.send_signal(signal.SIGTERM)
    await process.wait()


def kept(data: Path) -> list[Path]:
    """The files of uploads outside NATS."""
    return [path for name in ("uploads", "attachments") for path in (data / name).rglob("*") if path.is_file()]


async def test_a_worker_that_dies_in_an_upload_leaves_what_was_whole_and_nothing_to_read_of_the_rest(
    hub: Hub, tmp_path: Path
) -> None:
    content = PNG + random.Random(1).randbytes(1_000_000)
    key = await hub.upload(content)
    whole = kept(tmp_path / "data")
    assert len(whole) == (2 if hub.store == "folder" else 0), "it is where the settings say"
    killed, began = hub.worker(), asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield PNG + bytes(1_000_000)
        began.set()
        await asyncio.sleep(60)

    uploading = asyncio.create_task(hub.http.put(await hub.ticket(LIMIT), content=half()))
    await began.wait()
    os.kill(killed, signal.SIGKILL)
    uploading.cancel()
    async with asyncio.timeout(30):
        while not await hub.is_up():
            await asyncio.sleep(0.05)
    assert await hub.download(key) == content
    left = set(kept(tmp_path / "data")) - set(whole)
    assert all(path.parent.parent.name == "incoming" for path in left)
    assert await hub.upload(content) == key


async def test_a_workers_memory_does_not_grow_with_the_files(hub: Hub) -> None:
    await hub.download(await hub.upload(PNG))
    before = peak_bytes(hub.worker())
    contents = [PNG + random.Random(n).randbytes(LIMIT - len(PNG)) for n in range(4)]
    keys = await asyncio.gather(*(hub.upload(content) for content in contents))
    assert await asyncio.gather(*(hub.download(key) for key in keys)) == contents
    grown = peak_bytes(hub.worker()) - before
    print(f"4 files of 20 MiB at once: {grown / 2**20:.1f} MiB more")
    assert grown < LIMIT


def peak_bytes(pid: int) -> int:
    """The most memory that the process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
