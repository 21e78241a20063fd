"""What the hub promises as a whole, under whatever may happen, with a restart between any two events."""

import pytest

from tests.domain.hub_walk import Walk

STEPS = 300


@pytest.mark.parametrize("first", [0, 8])
def test_nobody_is_forgotten_and_nobody_is_answered_by_two(first: int) -> None:
    """2 × 8 × 300 steps. The checks are the world's own; what stands below says that it was worth looking."""
    counts: dict[str, int] = {}
    for seed in range(first, first + 8):
        walk = Walk(seed)
        try:
            for _ in range(STEPS):
                walk.step()
            walk.finish()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        for name, count in walk.counts.items():
            counts[name] = counts.get(name, 0) + count
    print(counts)
