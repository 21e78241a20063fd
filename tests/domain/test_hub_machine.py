"""What the hub promises as a whole, under whatever may happen, with a restart between any two events."""

import os

import pytest

from tests.domain.hub_walk import Walk

STEPS = 300
WALKS = int(os.environ.get("WALKS", "40"))
"""How many each test does; WALKS=400 has them do 240,000 steps, and FIRST=1000 others than these."""
FIRST = int(os.environ.get("FIRST", "0"))


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", [FIRST, FIRST + WALKS])
def test_nobody_is_forgotten_and_nobody_is_served_by_two(first: int) -> None:
    """2 × 40 × 300 steps. The checks are hub_properties; what stands below says that it was worth looking."""
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
        "Chosen": 100, "Overflowed": 30, "AnswerPosted": 30, "Transferred": 30, "Returned": 30, "Closed": 3,
        "Reopened": 2, "ServingMissed": 5, "HandoverAsked": 30, "Unreachable": 3, "PhoneSet": 5, "TeamsChanged": 20,
        "MessageCorrected": 4, "MessageRecalled": 3, "MessageEdited": 5, "clock set back": 5, "ChangeBegun": 5,
        "DeliveryRetried": 2, "DeliveryDropped": 3, "team added": 3, "team gone": 3, "agent added": 2, "agent gone": 4,
        "agent moved": 4, "address changed": 4, "capacity changed": 4,
    }  # fmt: skip
    assert {name: counts.get(name, 0) for name in least if counts.get(name, 0) < least[name]} == {}
