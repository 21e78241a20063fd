"""Each kind of sabotage does its one harm, to a text with a message in it."""

import pytest

from hub.demo.sabotage import Sabotage, kind_of
from hub.demo.serials import serial
from hub.errors import HubError

NOTE = "新会话 #12 张三（售后）"
FIRST, OTHER, SECOND = (
    f"【#12·2 张三】在吗 {serial(1)}",
    f"【#13·2 李四】你好 {serial(2)}",
    f"【#12·3 张三】？ {serial(3)}",
)
SHOWN = [NOTE, FIRST, OTHER, SECOND]
UNHARMED = [(0, text) for text in SHOWN]


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (None, UNHARMED),
        ("cross", UNHARMED),
        ("drop", [(0, NOTE), (0, OTHER), (0, SECOND)]),
        ("double", [(0, NOTE), (0, FIRST), (0, FIRST), (0, OTHER), (0, SECOND)]),
        ("misroute", [(0, NOTE), (1, FIRST), (0, OTHER), (0, SECOND)]),
        ("swap", [(0, NOTE), (0, OTHER), (0, SECOND), (0, FIRST)]),
    ],
)
def test_what_robots_get_to_read(kind: str | None, read: list[tuple[int, str]]) -> None:
    sabotage = Sabotage(kind_of(kind) if kind else None, agents=5)
    assert [passed for text in SHOWN for passed in sabotage.pass_on(0, text)] == read


def test_the_last_agents_text_goes_to_the_first() -> None:
    assert Sabotage("misroute", agents=5).pass_on(4, FIRST) == [(0, FIRST)]


def test_a_robot_that_crosses_aims_at_another_once() -> None:
    sabotage = Sabotage("cross", agents=5)
    assert [sabotage.aim(12, []), sabotage.aim(12, [13, 14]), sabotage.aim(12, [13])] == [12, 13, 12]


def test_an_honest_robot_hits_what_it_aims_at() -> None:
    assert Sabotage(None, agents=5).aim(12, [13]) == 12


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(HubError, match='--sabotage "crash": there are drop, double, swap, misroute, cross'):
        kind_of("crash")
