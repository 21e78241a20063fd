"""A minute of chaos on one machine; and the proof that a hub which is broken on purpose does not get through."""

from pathlib import Path

import pytest

from tests.chaos.play import play
from tests.chaos.run import Crowd

SMALL = Crowd(visitors=60, desks=3, phones=0, per_s=60)


async def test_a_minute_of_chaos_loses_nothing(tmp_path: Path) -> None:
    crowd = Crowd(visitors=100, desks=4, phones=2, per_s=60)
    faults = ("kill_worker", "stop_worker", "kill_nats", "stop_nats", "cut_clients")
    result = await play(tmp_path, crowd, 60, 7, only=faults, pairs=0)
    assert result.good, (result.verdict, result.toothless, result.unfinished)
    assert set(result.faults) == set(faults)
    assert result.verdict.acknowledged > 2_000


BROKEN = "tests.chaos.sabotage"


async def test_a_hub_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    module = f"{BROKEN}.early_ack"
    result = await play(tmp_path, SMALL, 20, 7, module=module, only=("kill_worker",), pairs=0, drain_s=20)
    assert "kill_worker" in result.faults, result.toothless
    assert result.verdict.lost > 0


async def test_a_hub_without_a_fence_is_found_out(tmp_path: Path) -> None:
    """A worker that is stopped has a batch on its way more often than not, but not each time."""
    module = f"{BROKEN}.unfenced"
    for seed in (7, 8, 9):
        folder = tmp_path / str(seed)
        folder.mkdir()
        result = await play(folder, SMALL, 30, seed, module=module, only=("wake_zombie",), pairs=0, drain_s=20)
        assert "wake_zombie" in result.faults, result.toothless
        if result.verdict.lost + result.verdict.duplicated + result.verdict.holes > 0:
            return
    pytest.fail("three runs without a fence, and nothing is wrong")
