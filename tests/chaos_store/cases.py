"""One case: a copy of a stopped hub's folder is damaged and started again. What does it say, and is that true?"""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

import httpx

from tests.chaos_store.damage import IN_MANY_BLOCKS, IN_ONE_BLOCK, Damage, blocks
from tests.chaos_store.hub import PARTITIONS, REFUSED, Hub, Visitors

Verdict = Literal["refused", "stopped", "whole", "SILENT"]
"""It did not start and said why; one partition is not served, and it says why; nothing is missing; none of these."""
Stop = Literal["killed", "stopped", "checkpointed"]
"""How the hub ended: by SIGKILL; in order; in order, when it had made checkpoints and trimmed its log."""
ANSWER_S = 12.0
CHECKPOINT_S, TRIM_S = 60.0, 15.0
"""The history tells every 10 s how far it is: the log is trimmed up to there."""
CURE = "hub log restore"
SETTLE_S = 1.5
"""After this the watermark has been written, and the health has been told."""


class Case(NamedTuple):
    """`damage` done to `stream` of a hub that has ended in the way `stop`."""

    stop: Stop
    stream: str
    damage: str
    do: Damage


class Result(NamedTuple):
    """What came of a case: the verdict, and the hub's words (or what it kept quiet about)."""

    case: Case
    verdict: Verdict
    says: str


class Bench:
    """Makes the folders of three hubs, one for each Stop, and tries cases on copies of them."""

    def __init__(self, folder: Path, port: int, http: httpx.AsyncClient) -> None:
        self._folder, self._port, self._http = folder, port, http
        self._visitors: dict[Stop, Visitors] = {}

    async def prepare(self, visitors: int = 6, texts: int = 350, size: int = 4000, trim_s: float = TRIM_S) -> None:
        """Let visitors talk: enough for three block files of 8 MB in their partition's log."""
        hub = Hub(self._folder / "hub", self._port)
        talking = Visitors(hub.url, self._http)
        try:
            await hub.up()
            await talking.come(visitors)
            await talking.talk(texts, size)
            await asyncio.sleep(SETTLE_S)
            await hub.kill()
            self._keep(hub, "killed", talking)
            await hub.up()
            await hub.stop()
            self._keep(hub, "stopped", talking)
            await hub.up(checkpoints=True)
            talking = talking.come_back()
            for made in (1, 2):  # the log is trimmed up to the last checkpoint but one
                await talking.talk(1, size)
                async with asyncio.timeout(CHECKPOINT_S):
                    while hub.said.count(f'"partition": {talking.partition}, "seq"') < made:
                        await asyncio.sleep(0.1)
            await asyncio.sleep(trim_s)
            await talking.leave()
            await hub.stop()
            self._keep(hub, "checkpointed", talking)
        finally:
            await hub.stop()

    def _keep(self, hub: Hub, stop: Stop, visitors: Visitors) -> None:
        shutil.copytree(hub.folder, self._of(stop))
        self._visitors[stop] = visitors

    @property
    def partition(self) -> int:
        """Where the visitors live."""
        return self._visitors["killed"].partition

    def cases(self) -> list[Case]:
        """All of them."""
        found = []
        for stop, visitors in self._visitors.items():
            mine, other = visitors.partition, (visitors.partition + 1) % PARTITIONS
            for stream in (f"LOG-{mine}", f"SNAP-{mine}", f"LOG-{other}", "KV_HUB", "KV_LEASES"):
                many = len(blocks(Hub(self._of(stop), self._port).store, stream)) > 2
                found += [Case(stop, stream, *damage) for damage in (IN_MANY_BLOCKS if many else IN_ONE_BLOCK).items()]
        return found

    async def run(self, case: Case) -> Result:
        """Damage a copy, start it, and compare what it says with what is true."""
        hub = Hub(self._folder / "case", self._port)
        shutil.rmtree(hub.folder, ignore_errors=True)
        shutil.copytree(self._of(case.stop), hub.folder)
        case.do(hub.store, case.stream)
        try:
            return Result(case, *await self._judge(hub, self._visitors[case.stop]))
        except TimeoutError:
            return Result(case, "SILENT", "it neither starts nor refuses")
        finally:
            await hub.stop()

    async def _judge(self, hub: Hub, visitors: Visitors) -> tuple[Verdict, str]:
        if not await hub.start():
            words = hub.said[hub.said.find(REFUSED) :].strip()
            return ("refused", words) if CURE in words else ("SILENT", f"no cure: {words}")
        wrong, unserved = await self._come_back(visitors)
        reasons = "; ".join((await hub.health(self._http))["reasons"])
        if wrong:
            return "SILENT", f"{wrong[0]} (it says: {reasons or 'nothing'})"
        if not unserved and "is not taken" not in reasons:
            return "whole", reasons or "nothing is missing"
        critical = [line for line in hub.said.splitlines() if CURE in line and '"level": "critical"' in line]
        named = f"partition {visitors.partition} is not taken" in reasons
        unnamed = [entity for entity in unserved if not named and not any(entity in line for line in critical)]
        if unnamed or not reasons or not critical:
            return "SILENT", f"not served: {unnamed} (it says: {reasons or 'nothing'})"
        return "stopped", reasons if named else json.loads(critical[0])["because"]

    async def _come_back(self, visitors: Visitors) -> tuple[list[str], list[str]]:
        """Pages that are not as they were, in words, and the conversations that are not served."""
        back = visitors.come_back()
        for robot in back.robots:
            robot.say("还在吗")
        settling = [robot.settled(ANSWER_S) for robot in back.robots]
        settled = await asyncio.gather(*settling, return_exceptions=True)
        wrong, unserved = [], []
        for robot, failed in zip(back.robots, settled, strict=True):
            written = [entry.text for entry in robot.sent]
            page = [event["text"] for event in robot.history.shown if event["kind"] == "message"]
            if isinstance(failed, TimeoutError) and not robot.live:
                unserved.append(robot.conversation)
            elif failed is not None:
                wrong.append(f"{robot.name} is served, but: {failed}")
            elif page != written:
                wrong.append(f"{robot.name} wrote {len(written)} texts, the page shows {len(page)}")
        await back.leave()
        return wrong, unserved

    def _of(self, stop: Stop) -> Path:
        return self._folder / stop
