"""Placement: which free partitions a worker takes, and how many of its own it hands over. Pure.

Every worker works this out by itself from what the leases say, so that all who see the same come to the same: the
free partitions are dealt out, nobody reaches for another's share, and nothing moves that need not move.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple


class Share(NamedTuple):
    """What one worker has to do: take these free partitions, and hand over so many of its own."""

    take: list[int]
    surplus: int


def share(me: str, workers: Collection[str], holders: Sequence[str | None]) -> Share:
    """The share of worker `me`. `holders` names who holds each partition; None: it is free.

    With P partitions and N workers each comes to hold P // N or one more. A holder who is not among the workers is
    about to leave: what they hold is dealt out once they have let go of it.
    """
    held = dict.fromkeys(workers, 0)
    free = []
    for partition, holder in enumerate(holders):
        if holder is None:
            free.append(partition)
        elif holder in held:
            held[holder] += 1
    if me not in held:
        return Share([], 0)
    quotas = _quotas(held, len(holders))
    take: list[int] = []
    counts = dict(held)
    for partition in free:
        poorest = min(counts, key=lambda worker: (counts[worker] - quotas[worker], worker))
        counts[poorest] += 1
        if poorest == me:
            take.append(partition)
    return Share(take, max(0, held[me] - quotas[me]))


def _quotas(held: dict[str, int], partitions: int) -> dict[str, int]:
    """How many each worker is to hold. Those who hold most keep the one more, where it does not come out even."""
    least, more = divmod(partitions, len(held))
    ranked = sorted(held, key=lambda worker: (-held[worker], worker))
    return {worker: least + (place < more) for place, worker in enumerate(ranked)}
