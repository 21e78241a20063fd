"""The wheel: nothing is due early, nothing is due much too late, nothing is due twice."""

from hypothesis import given
from hypothesis import strategies as st

from hub.gateway.heartbeat import SLOTS, TICK_S, Wheel


class Item:
    slot = -1


@given(st.floats(0, 30), st.integers(0, 300))
def test_an_item_is_due_once_and_in_time(delay_s: float, turned: int) -> None:
    wheel: Wheel[Item] = Wheel()
    for _ in range(turned):
        wheel.turn()
    item = Item()
    wheel.put(item, delay_s)
    due = [turn for turn in range(1, 3 * SLOTS) if item in wheel.turn()]
    assert len(due) == 1
    # put just before a turn, it has waited one step less than it has seen turns
    assert delay_s <= (due[0] - 1) * TICK_S < delay_s + TICK_S + 1e-9


def test_an_item_that_is_put_again_leaves_its_place() -> None:
    wheel: Wheel[Item] = Wheel()
    item = Item()
    wheel.put(item, 1)
    wheel.put(item, 2)
    assert [turn for turn in range(20) if item in wheel.turn()] == [8]


def test_an_item_that_is_dropped_is_never_due() -> None:
    wheel: Wheel[Item] = Wheel()
    item = Item()
    wheel.put(item, 1)
    wheel.drop(item)
    wheel.drop(item)
    assert not any(wheel.turn() for _ in range(SLOTS))


def test_what_is_put_while_the_wheel_turns_waits_for_the_next_turn() -> None:
    wheel: Wheel[Item] = Wheel()
    item = Item()
    wheel.put(item, 0)
    assert wheel.turn() == {item}
    wheel.put(item, 0)
    assert wheel.turn() == {item}
