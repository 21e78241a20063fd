"""The numbers `#n`: the smallest that has rested, never one that somebody has or had within a week."""

from hub.domain.queue.numbers import Numbers


def given(numbers: Numbers, at_ms: int) -> int:
    no = numbers.next(at_ms)
    numbers.take(no, at_ms)
    return no


def test_numbers_count_up_while_none_has_rested() -> None:
    numbers = Numbers()
    assert [given(numbers, 0) for _ in range(3)] == [1, 2, 3]
    numbers.give_back(2, free_at_ms=10)
    assert given(numbers, 9) == 4


def test_smallest_rested_number_comes_first_and_only_once() -> None:
    numbers = Numbers()
    for _ in range(5):
        given(numbers, 0)
    for no, free_at_ms in ((5, 10), (3, 11), (4, 12), (1, 90)):
        numbers.give_back(no, free_at_ms)
    assert [given(numbers, 12) for _ in range(4)] == [3, 4, 5, 6]
    assert [given(numbers, 90) for _ in range(2)] == [1, 7]


def test_asking_changes_nothing() -> None:
    numbers = Numbers(highest=1)
    numbers.give_back(1, free_at_ms=10)
    assert [numbers.next(10), numbers.next(9), numbers.next(10)] == [1, 2, 1]


def test_number_is_given_once_though_the_clock_is_set_back_meanwhile() -> None:
    numbers = Numbers(highest=1)
    numbers.give_back(1, free_at_ms=10)
    assert numbers.next(10) == 1
    numbers.take(1, 9)
    assert numbers.next(10) == 2


def test_of_thousands_that_have_rested_each_is_given_once_before_a_new_one() -> None:
    numbers = Numbers(highest=1000)
    for no in range(1000, 0, -1):
        numbers.give_back(no, free_at_ms=no)
    assert {given(numbers, 5000) for _ in range(1000)} == set(range(1, 1001))
    assert given(numbers, 5000) == 1001


def test_clock_that_is_set_forward_gives_the_number_that_was_asked_for() -> None:
    numbers = Numbers(highest=3)
    for no, free_at_ms in ((3, 10), (2, 20), (1, 30)):
        numbers.give_back(no, free_at_ms)
    assert numbers.next(10) == 3
    numbers.take(3, 30)
    assert [given(numbers, 30) for _ in range(3)] == [1, 2, 4]
