"""The seed gives the schedule; in ten minutes it has everything."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.schedule import PAIRS, SHORTEST_STEP_S, plan

FAULTS = tuple(f"fault{n}" for n in range(15))
seeds = st.integers(0, 10_000)


@given(seeds)
def test_ten_minutes_have_every_fault_alone_and_five_pairs(seed: int) -> None:
    steps = plan(seed, 600, FAULTS)
    alone = [step.strikes[0].name for step in steps if len(step.strikes) == 1]
    assert set(alone) == set(FAULTS)
    assert sum(len(step.strikes) == 2 for step in steps) >= PAIRS


@given(seeds, st.integers(20, 4_000), st.integers(0, 15))
def test_steps_keep_their_distance_and_end_in_time(seed: int, duration_s: int, count: int) -> None:
    steps = plan(seed, duration_s, FAULTS[:count])
    for step, following in pairwise(steps):
        assert following.at_s - step.at_s >= SHORTEST_STEP_S - 0.2
        assert all(step.at_s + one.after_s + one.hold_s <= following.at_s for one in step.strikes)
    for step in steps:
        assert len({one.name for one in step.strikes}) == len(step.strikes)
        assert all(step.at_s + one.after_s + one.hold_s < duration_s for one in step.strikes)


@given(seeds, st.integers(20, 1_000))
def test_the_seed_replays_the_schedule(seed: int, duration_s: int) -> None:
    assert plan(seed, duration_s, FAULTS) == plan(seed, duration_s, FAULTS)


def test_another_seed_gives_another_schedule() -> None:
    assert len({str(plan(seed, 600, FAULTS)) for seed in range(50)}) == 50
