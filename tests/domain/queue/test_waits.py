"""How long somebody will wait: held against the Gamma distribution, and against queues that are played through."""

import math
import random

import pytest

from hub.domain.queue.waits import LEAST, WINDOW, Service, expected, measured


def service(*took_s: float) -> Service:
    found = Service()
    for one in took_s:
        found = measured(found, one)
    return found


def test_nothing_is_said_before_enough_was_measured() -> None:
    assert expected(service(*[60] * (LEAST - 1)), 1, 3) == (0, 0)
    assert expected(service(*[60] * LEAST), 1, 3) != (0, 0)
    assert expected(service(*[60] * LEAST), 1, 0) == (0, 0), "nobody is on duty"
    assert expected(service(*[0] * LEAST), 1, 3) == (0, 0)


def test_mean_and_spread_are_those_of_what_was_measured() -> None:
    took = [random.Random(1).expovariate(1 / 300) for _ in range(WINDOW)]
    found = service(*took)
    assert found.count == WINDOW
    assert found.mean_s == pytest.approx(sum(took) / WINDOW)
    assert found.square_s2 == pytest.approx(sum(one**2 for one in took) / WINDOW)


def test_what_is_long_ago_is_forgotten() -> None:
    assert service(*[1000] * 50, *[100] * 1000).mean_s == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(
    ("position", "low", "high"),
    # 20th and 80th percentiles of the Gamma distribution of that shape, scale 1 (its closed form for k = 1)
    [(1, -math.log(0.8), -math.log(0.2)), (2, 0.8244, 2.9943), (5, 3.0895, 6.7210), (20, 16.172, 23.634)],
)
def test_bounds_are_the_percentiles_of_the_time_to_so_many_ends(position: int, low: float, high: float) -> None:
    exact = Service(10**9, 1000.0, 1000.0**2)  # no doubt about the mean
    assert expected(exact, position, 1) == pytest.approx((low * 1000, high * 1000), rel=0.02)


def test_few_measurements_make_it_wider() -> None:
    few, many = Service(5, 300, 2 * 300**2), Service(1000, 300, 2 * 300**2)
    (low, high), (low_of_many, high_of_many) = expected(few, 10, 5), expected(many, 10, 5)
    assert low < low_of_many < 600 < high_of_many < high


@pytest.mark.parametrize("position", [1, 4, 15])
def test_six_of_ten_visitors_are_served_within_the_bounds(position: int) -> None:
    """5 busy agents with exponential service times; the line is served as agents become free."""
    draw = random.Random(position)
    low, high = expected(service(*[draw.expovariate(1 / 300) for _ in range(2000)]), position, 5)
    inside = 0
    for _ in range(4000):
        free_at = [draw.expovariate(1 / 300) for _ in range(5)]
        for _ in range(position):
            at = min(free_at)
            free_at[free_at.index(at)] = at + draw.expovariate(1 / 300)
        inside += low <= at <= high
    assert 0.55 < inside / 4000 < 0.67
