"""Placement: whatever comes and goes, each partition has one holder, the shares are fair, and nothing moves in vain."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.engine.placement import Share, share


class Cluster:
    """Workers who follow their shares in any order, each move checked as a lease would check it."""

    def __init__(self, partitions: int, rng: random.Random) -> None:
        self.holders: list[str | None] = [None] * partitions
        self.workers: set[str] = set()
        self.handed_over = 0
        self._rng = rng

    def leave(self, worker: str) -> None:
        """It dies: what it held is free."""
        self.workers.discard(worker)
        self.holders = [None if holder == worker else holder for holder in self.holders]

    def settle(self) -> None:
        """All act, one after the other, until nobody has anything to do."""
        while True:
            shares = {worker: share(worker, self.workers, self.holders) for worker in self.workers}
            busy = [worker for worker, share in shares.items() if share != Share([], 0)]
            if not busy:
                return
            worker = self._rng.choice(sorted(busy))
            for partition in shares[worker].take:
                assert self.holders[partition] is None
                self.holders[partition] = worker
            if shares[worker].surplus and not shares[worker].take:
                self.holders[self._rng.choice(self.held(worker))] = None
                self.handed_over += 1

    def held(self, worker: str) -> list[int]:
        return [partition for partition, holder in enumerate(self.holders) if holder == worker]


@given(
    st.integers(1, 40),
    st.lists(st.tuples(st.booleans(), st.sampled_from("abcdefgh")), max_size=12),
    st.randoms(use_true_random=False),
)
def test_shares_come_to_be_fair_and_only_a_newcomers_share_moves(
    partitions: int, changes: list[tuple[bool, str]], rng: random.Random
) -> None:
    cluster = Cluster(partitions, rng)
    for joins, worker in [(True, "a"), *changes]:
        before = cluster.handed_over
        if joins:
            newcomer = worker not in cluster.workers
            cluster.workers.add(worker)
        elif cluster.workers != {worker}:
            newcomer = False
            cluster.leave(worker)
        cluster.settle()
        counts = [len(cluster.held(worker)) for worker in cluster.workers]
        assert sum(counts) == partitions
        assert max(counts) - min(counts) <= 1
        assert cluster.handed_over - before == (partitions // len(counts) if newcomer and len(counts) > 1 else 0)


@given(st.integers(1, 40), st.sets(st.sampled_from("abcdefgh"), min_size=1), st.data())
def test_nobody_reaches_for_what_another_one_takes(partitions: int, workers: set[str], data: st.DataObject) -> None:
    holders = data.draw(st.lists(st.sampled_from([*sorted(workers), None]), min_size=partitions, max_size=partitions))
    taken = [partition for worker in sorted(workers) for partition in share(worker, workers, holders).take]
    assert sorted(taken) == [partition for partition, holder in enumerate(holders) if holder is None]


def test_one_worker_takes_all() -> None:
    assert share("a", ["a"], [None] * 4) == Share([0, 1, 2, 3], 0)


def test_what_somebody_who_leaves_still_holds_is_left_to_them() -> None:
    assert share("a", ["a", "b"], ["c", "c", None, "a"]) == Share([], 0)
    assert share("b", ["a", "b"], ["c", "c", None, "a"]) == Share([2], 0)


@pytest.mark.parametrize("holders", [["a"] * 4, [None] * 4, ["a", "b", None, None]])
def test_who_is_no_member_has_no_share(holders: list[str | None]) -> None:
    assert share("c", ["a", "b"], holders) == Share([], 0)
