"""What an owner keeps of an entity's last events is what was last added, however it is packed."""

from hypothesis import given
from hypothesis import strategies as st

from hub.engine.recent import BLOCK, KEPT, Recent

Step = int | list[bytes] | None
"""Add so many, load these, or clear."""


@given(st.lists(st.one_of(st.integers(0, 30), st.lists(st.binary(max_size=5), max_size=KEPT), st.none()), max_size=12))
def test_last_events_are_the_last_ones_added(steps: list[Step]) -> None:
    recent = Recent()
    all_: list[bytes] = []
    for step in steps:
        if step is None:
            recent.clear()
            all_ = []
        elif isinstance(step, list):
            all_ = [entry.replace(b"\n", b"") for entry in step]
            recent.load(list(all_))
        else:
            for _ in range(step):
                all_.append(b'{"n":%d}' % len(all_))
                recent.append(all_[-1])
        assert min(len(all_), KEPT) <= len(recent) <= min(len(all_), 2 * KEPT + BLOCK)
        for count in (0, 1, BLOCK, KEPT - 1, KEPT, len(recent)):
            assert recent.last(count) == all_[len(all_) - min(count, len(recent)) :]
