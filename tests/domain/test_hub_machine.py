"""What the hub promises as a whole, under whatever may happen, with a restart between any two events."""

import pytest

from tests.domain.hub_walk import Walk

STEPS = 300


@pytest.mark.parametrize("first", [0, 15])
def test_nobody_is_forgotten_and_nobody_is_served_by_two(first: int) -> None:
    """2 × 15 × 300 steps. The checks are the world's own; what stands below says that it was worth looking."""
    counts: dict[str, int] = {}
    restarts = repeats = 0
    for seed in range(first, first + 15):
        walk = Walk(seed)
        try:
            for _ in range(STEPS):
                walk.step()
            walk.finish()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        for name, count in walk.counts.items():
            counts[name] = counts.get(name, 0) + count
        restarts += walk.restarts
        repeats += walk.repeats
    assert restarts > 10
    assert repeats > 10
    least = {
        "Chosen": 100, "Overflowed": 30, "AnswerPosted": 30, "Transferred": 30, "Returned": 30, "Closed": 5,
        "Reopened": 3, "ServingMissed": 20, "HandoverAsked": 30, "Unreachable": 3, "PhoneSet": 5, "TeamsChanged": 20,
    }  # fmt: skip
    assert {name: counts.get(name, 0) for name in least if counts.get(name, 0) < least[name]} == {}
