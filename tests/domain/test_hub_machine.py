"""What the hub promises as a whole, under whatever may happen, with a restart between any two events."""

import os

import pytest

from tests.domain.hub_walk import Walk

STEPS = 300
WALKS = int(os.environ.get("WALKS", "20"))
"""How many each test does; WALKS=400 has them do 240,000 steps, and FIRST=1000 others than these."""
FIRST = int(os.environ.get("FIRST", "0"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", [FIRST, FIRST + WALKS])
def test_nobody_is_forgotten_and_nobody_is_served_by_two(first: int) -> None:
    """2 × 20 × 300 steps. The checks are hub_properties; what stands below says that it was worth looking."""
    counts: dict[str, int] = {}
    restarts = repeats = 0
    for seed in range(first, first + WALKS):
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
        "MessageCorrected": 5, "MessageRecalled": 5, "ChangeBegun": 3, "MessageEdited": 5, "DeliveryRetried": 1,
        "team gone": 3, "agent gone": 3, "agent moved": 3, "address changed": 3, "clock set back": 5,
    }  # fmt: skip
    assert {name: counts.get(name, 0) for name in least if counts.get(name, 0) < least[name]} == {}
