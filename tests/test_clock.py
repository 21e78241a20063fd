"""The hub's clock beside a machine's clock that somebody sets."""

from hypothesis import given
from hypothesis import strategies as st

from hub.clock import Clock


class Machine:
    def __init__(self) -> None:
        self.wall = 1_764_000_000.0
        self.monotonic = 10.0

    def pass_s(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def clock_of(machine: Machine) -> Clock:
    return Clock(lambda: machine.wall, lambda: machine.monotonic)


def test_clock_set_forward_is_followed_at_once() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.wall += 3600
    assert clock.now_ms() == 1_764_000_000_000
    clock.follow()
    assert clock.now_ms() == 1_764_003_600_000


def test_clock_set_back_is_met_after_a_while_and_nothing_stands_still() -> None:
    machine = Machine()
    clock = clock_of(machine)
    machine.wall -= 3600
    clock.follow()
    machine.pass_s(10)
    clock.follow()
    assert clock.now_ms() == 1_764_000_005_000
    for _ in range(200):
        machine.pass_s(60)
        clock.follow()
    assert clock.now_ms() == int(machine.wall * 1000)


def test_what_was_told_by_another_process_is_not_undercut() -> None:
    machine = Machine()
    clock = clock_of(machine)
    clock.at_least(1_764_000_060_000)
    assert clock.now_ms() == 1_764_000_060_000
    machine.pass_s(10)
    assert clock.now_ms() == 1_764_000_065_000
    clock.at_least(1_764_000_000_000)
    assert clock.now_ms() == 1_764_000_065_000


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(-1e5, 1e5))))
def test_clock_never_goes_back(steps: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = clock_of(machine)
    last = clock.now_ms()
    for passed_s, set_by_s in steps:
        machine.pass_s(passed_s)
        machine.wall += set_by_s
        assert last <= clock.now_ms()
        clock.follow()
        assert last <= (last := clock.now_ms())
