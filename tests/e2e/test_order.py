"""What one person sends goes on in its order, whichever workers it comes to while nothing can be committed."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from hub.demo.stage import Stage, free_port
from tests.e2e.conftest import unlimited
from tests.e2e.test_edges import nothing_is_committed
from tests.e2e.test_whole_way import WANG, answers, phone, type_on_phone, until
from tests.e2e.visitors import Visitors


@pytest.mark.parametrize("killed", [0, 1])
async def test_texts_spooled_by_several_workers_are_answered_in_their_order(
    tmp_path: Path, http: httpx.AsyncClient, killed: int
) -> None:
    said = [f"spooled {n}" for n in range(20)]
    async with Stage(tmp_path / "hub", unlimited, port=free_port()) as stage:
        visitors = Visitors(stage, http)
        (visitor,) = await visitors.come(1)
        visitor.say("这款有货吗？想买一件")
        await visitor.settled()
        await type_on_phone(stage, WANG, "上班")
        await phone(stage, WANG, "这款有货吗")
        stage.stand_in.callbacks._http.headers["connection"] = "close"  # type: ignore[attr-defined]  # any worker's
        spool = stage.folder / "data" / "spool"
        with nothing_is_committed(stage):
            for n, text in enumerate(said):
                await type_on_phone(stage, WANG, f"#1 {text}")
                if n == 14:
                    for pid in stage.children("hub-worker")[:killed]:
                        os.kill(pid, signal.SIGKILL)
        assert len(list(spool.glob("*.spool"))) > 1
        await until(lambda: len(answers(visitor)) >= len(said), 60)
        await until(lambda: not list(spool.glob("turns")))
        assert answers(visitor) == said
        await visitors.leave()
