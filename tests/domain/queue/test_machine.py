"""What the queue promises, under whatever may happen, with a restart between any two events."""

import pytest

from hub.domain.queue import arranging
from hub.domain.queue import draft as queue_draft
from hub.domain.queue import entity as queue_entity
from tests.domain.queue.world import Walk

STEPS = 250


@pytest.mark.parametrize(("first", "at_once"), [(0, 100), (10, 100), (20, 3), (30, 3)])
def test_queue_keeps_its_promises(first: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 × 10 × 250 steps, the later ones with most decisions cut into parts.

    The checks are the world's own; what stands below says that it was worth looking.
    """
    monkeypatch.setattr(queue_draft, "AT_ONCE", at_once)
    if at_once < 100:
        monkeypatch.setattr(arranging, "PART", 2)
        monkeypatch.setattr(queue_entity, "LOOKED_AT", 1)
    counts: dict[str, int] = {}
    restarts = refused = 0
    for seed in range(first, first + 10):
        walk = Walk(seed)
        try:
            for _ in range(STEPS):
                walk.step()
            walk.settle()
        except Exception as error:
            raise AssertionError(f"seed {seed}, after {walk.desk.state.seq} events") from error
        for name, count in walk.judge.counts.items():
            counts[name] = counts.get(name, 0) + count
        restarts += walk.restarts
        refused += walk.refused
    assert restarts > 30
    assert refused > 20
    least = {"Chosen": 200, "Told": 200, "Overflowed": 20, "Left": 100, "TakeRefused": 10, "WaitingListed": 3}
    assert {name: counts.get(name, 0) for name in least if counts.get(name, 0) < least[name]} == {}
