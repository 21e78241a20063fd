"""Agents on WeCom: the stand-in as a process of its own, and robots that read and type on its phones over HTTP.

The stand-in is the far side, no part of the hub. What a phone shows is read here as a person would read it.
"""

import asyncio
import contextlib
import random
import re
import sys
from pathlib import Path
from typing import Any

from tests.chaos import wire
from tests.chaos.ledger import Ledger
from tests.chaos.processes import end_with_parent

READ_S = 20.0
TYPE_WITHIN_S = 30.0
"""Three attempts of WeCom, five seconds each, and the pauses between them."""
BLOCK = re.compile(r"^【#(\d+)·(\d+) (?:\d+/\d+ )?[^】]*】(.*)$")
ANSWER_AFTER_S = (0.5, 4.0)
NOT_SENT = "未发送"
"""Begins a note that gives a text back to the agent: the hub has not passed it on."""


class StandIn:
    """WeCom for the members given as userid → name. `async with` runs it."""

    def __init__(self, members: dict[str, str], port: int, log: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._members, self._port, self._log = members, port, log
        self._process: asyncio.subprocess.Process | None = None
        self.settings: dict[str, Any] = {}
        """What belongs under channels.wecom in the hub's configuration."""

    async def __aenter__(self) -> "StandIn":
        members = [word for user, name in self._members.items() for word in ("--member", f"{user}={name}")]
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-u", "-m", "connectors.wecom.sandbox", "--port", str(self._port), *members,
                stdout=asyncio.subprocess.PIPE, stderr=log, start_new_session=True,
                preexec_fn=end_with_parent,
            )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            while "base_url" not in self.settings:
                line = (await self._process.stdout.readline()).decode()
                if not line:
                    raise RuntimeError(f"WeCom's stand-in did not start: see {self._log}")
                name, colon, value = line.strip().partition(": ")
                if colon and " " not in name:
                    self.settings[name] = int(value) if name == "agent_id" else value
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def save(self, callback_url: str) -> None:
        """Enter the callback URL in the console, as often as it takes until the hub gives the echo."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, wire.Refused):
                await wire.request("POST", f"{self.url}/callback", {"url": callback_url})
                return
            await asyncio.sleep(1)

    async def switch(self, **faults: bool) -> None:
        """Switch faults of the platform on or off."""
        await wire.request("PATCH", f"{self.url}/faults", faults)

    async def callbacks(self) -> list[dict[str, Any]]:
        """Every callback so far, with the hub's answers to each attempt."""
        found: list[dict[str, Any]] = (await wire.request("GET", f"{self.url}/ledger"))["callbacks"]
        return found


class Phone:
    """One agent's phone: `name` in teams.yaml, `user` at WeCom."""

    def __init__(self, name: str, user: str, stand_in: StandIn, ledger: Ledger, rng: random.Random, share: float):
        self.name = name
        self.writing = True
        self.typing = 0
        """Texts that the platform is handing to the hub."""
        self._user, self._stand_in, self._ledger, self._rng, self._share = user, stand_in, ledger, rng, share
        self._said = 0
        self.shown: set[str] = set()
        self._at_work = asyncio.Event()
        self._typed: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def begin(self) -> None:
        """Read from now on, and go on duty; as often as it takes."""
        self._keep(self._read())
        while not self._at_work.is_set():
            await self._post("上班")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._at_work.wait(), 10)

    async def close(self) -> None:
        """Read no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _keep(self, coroutine: Any) -> None:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self) -> None:
        after = 0
        while True:
            url = f"{self._stand_in.url}/phone/{self._user}/texts?after={after}&wait={READ_S:g}"
            try:
                chat = await wire.request("GET", url, within_s=READ_S + 10)
            except (OSError, TimeoutError, wire.Refused):
                await asyncio.sleep(1)
                continue
            after = chat["last"]
            for bubble in chat["bubbles"]:
                self._take(bubble["text"])

    def _take(self, text: str) -> None:
        if "已上班" in text:
            self._at_work.set()
        lines = text.split("\n")
        if NOT_SENT in text:
            for typed in self._typed.intersection(lines):
                self._typed.discard(typed)
                self._ledger.dropped(self.name, "", "", typed, lines[0])
        for line in lines:
            found = BLOCK.match(line)
            if not found:
                continue
            no, seq, said = int(found[1]), int(found[2]), found[3]
            self.shown.add(said)
            self._ledger.shown(self.name, no, seq, said)
            if self.writing and self._rng.random() < self._share:
                self._keep(self._answer(no, said))

    async def _answer(self, no: int, to: str) -> None:
        await asyncio.sleep(self._rng.uniform(*ANSWER_AFTER_S))
        self._said += 1
        text = f"answer {self.name} {self._said}"
        self._typed.add(text)
        self._ledger.sent(self.name, "", "", text, to)
        self.typing += 1
        try:
            taken = await self._post(f"#{no} {text}")
        finally:
            self.typing -= 1
        if taken:
            self._ledger.acknowledged(self.name, "", "", 0, text)

    async def _post(self, text: str) -> bool:
        url = f"{self._stand_in.url}/phone/{self._user}/type"
        try:
            typed = await wire.request("POST", url, {"text": text, "wait": True}, within_s=TYPE_WITHIN_S + 60)
        except (OSError, TimeoutError, wire.Refused) as error:
            self._ledger.trouble(self.name, f"the stand-in gave no answer: {error!r}")
            return False
        return bool(typed["taken"])


def members(count: int) -> dict[str, str]:
    """Userids and names of so many members."""
    return {f"Phone{n}": f"phone{n}" for n in range(count)}
