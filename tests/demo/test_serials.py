"""Serials: each its own, and found again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.demo.serials import LIMIT, SERIAL, serial


def test_the_first_serials_are_all_different() -> None:
    assert len({serial(n) for n in range(50_000)}) == 50_000


@given(st.integers(0, LIMIT - 1), st.integers(0, LIMIT - 1))
def test_serials_are_equal_only_for_equal_numbers(one: int, other: int) -> None:
    assert (serial(one) == serial(other)) == (one == other)


def test_serials_are_found_in_order_in_folded_texts() -> None:
    text = f"【#12·57 张三】你好 {serial(1)}\n【#13·2 李四】⟦不是⟧ ⟦abcdef⟧{serial(2)}"
    assert SERIAL.findall(text) == [serial(1), serial(2)]


def test_neighbours_look_nothing_alike() -> None:
    pairs = [(serial(n)[1:-1], serial(n + 1)[1:-1]) for n in range(1000)]
    assert all(sum(a != b for a, b in zip(*pair, strict=True)) >= 3 for pair in pairs)


@pytest.mark.parametrize("n", [-1, LIMIT])
def test_a_number_beyond_the_limit_is_refused(n: int) -> None:
    with pytest.raises(ValueError, match=f"serial {n} is not between 0 and {LIMIT - 1}"):
        serial(n)
