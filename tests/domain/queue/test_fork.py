"""A fork behaves as a copy would, and leaves what it was forked from alone."""

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.queue.fork import Fork

STEPS = st.lists(st.tuples(st.sampled_from(["set", "delete", "add"]), st.integers(0, 5), st.integers(0, 9)))


@given(st.dictionaries(st.integers(0, 5), st.lists(st.integers(0, 9))), STEPS)
def test_fork_behaves_as_a_copy_and_leaves_its_base_alone(
    base: dict[int, list[int]], steps: list[tuple[str, int, int]]
) -> None:
    before = {key: list(value) for key, value in base.items()}
    copy = {key: list(value) for key, value in base.items()}
    fork = Fork(base, list.copy)
    for what, key, value in steps:
        if what == "set":
            copy[key], fork[key] = [value], [value]
        elif key in copy and what == "delete":
            del copy[key], fork[key]
        elif key in copy:
            copy[key].append(value)
            fork[key].append(value)
        for other in range(6):
            assert (other in fork) == (other in copy)
            assert fork.get(other) == copy.get(other)
    assert base == before
