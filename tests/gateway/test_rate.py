"""The token bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.gateway.rate import Bucket


def test_a_burst_then_an_even_flow() -> None:
    bucket = Bucket(3, 100.0)
    assert [bucket.take(100.0, 2, 3) for _ in range(4)] == [True, True, True, False]
    assert bucket.wait_s(2) == pytest.approx(0.5)
    assert [bucket.take(100.5, 2, 3) for _ in range(2)] == [True, False]
    assert [bucket.take(999.0, 2, 3) for _ in range(4)] == [True, True, True, False]


def test_what_costs_more_takes_all_of_it_or_nothing() -> None:
    bucket = Bucket(8, 0.0)
    assert [bucket.take(0.0, 1, 8, 5), bucket.take(0.0, 1, 8, 5), bucket.take(0.0, 1, 8)] == [True, False, True]


@given(st.lists(st.floats(0, 2), min_size=1, max_size=50))
def test_never_more_than_burst_and_flow(pauses: list[float]) -> None:
    bucket, now_s, taken = Bucket(5, 0.0), 0.0, 0
    for pause in pauses:
        now_s += pause
        taken += bucket.take(now_s, 3, 5)
    assert taken <= 5 + 3 * now_s + 1e-6
