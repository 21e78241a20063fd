"""Each kind of sabotage does its harm, to a text with a message in it, and the ledgers notice it."""

import pytest

from hub.demo.comparison import compare
from hub.demo.ledgers import AgentLedger, Sent, Typed, VisitorLedger
from hub.demo.sabotage import COUNTERS, Kind, Sabotage, kind_of
from hub.demo.serials import serial
from hub.errors import HubError

NOTE = "新会话 #12 张三（售后）"
FIRST, OTHER, SECOND = (
    f"【#12·2 张三】在吗 {serial(1)}",
    f"【#13·2 李四】你好 {serial(2)}",
    f"【#12·3 张三】？ {serial(3)}",
)
SHOWN = [f"{NOTE}\n{FIRST}", OTHER, SECOND]
BEGUN = SHOWN[0]
UNHARMED = [(0, text) for text in SHOWN]


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (None, UNHARMED),
        ("cross", UNHARMED),
        ("drop", [(0, OTHER), (0, SECOND)]),
        ("double", [(0, BEGUN), (0, OTHER), (0, OTHER), (0, SECOND)]),
        ("misroute", [(3, BEGUN), (0, OTHER), (0, SECOND)]),
        ("swap", [(0, OTHER), (0, SECOND), (0, BEGUN)]),
    ],
)
def test_what_robots_get_to_read(kind: str | None, read: list[tuple[int, str]]) -> None:
    """What is shown when a conversation begins may have been shown before: twice is no harm."""
    sabotage = Sabotage(kind_of(kind) if kind else None, [0, 2, 3])
    assert [passed for text in SHOWN for passed in sabotage.pass_on(0, text)] == read
    assert sabotage.done == (kind not in (None, "cross"))


def test_where_agents_do_not_stay_nothing_is_harmed() -> None:
    sabotage = Sabotage("drop", [0, 2])
    assert [passed for text in SHOWN for passed in sabotage.pass_on(1, text)] == [(1, text) for text in SHOWN]


def test_a_robot_that_crosses_aims_at_another_once() -> None:
    sabotage = Sabotage("cross", [0])
    assert [sabotage.aim(12, []), sabotage.aim(12, [13, 14]), sabotage.aim(12, [13])] == [12, 13, 12]


def test_an_honest_robot_hits_what_it_aims_at() -> None:
    assert Sabotage(None, [0]).aim(12, [13]) == 12


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(
        HubError, match='--sabotage "crash": there are drop, double, swap, misroute, cross, drop-answer,'
    ):
        kind_of("crash")


ON_CHANNELS: list[Kind] = ["drop-answer", "double-answer", "swap-answers", "stray-answer"]
CHANNELS = ["h5", "email", "telegram", "webhook"]


def play() -> tuple[list[VisitorLedger], list[AgentLedger]]:
    """Two visitors on each channel, each with an agent of their own who answered twice: a run without a fault."""
    visitors, agents = [], []
    for n in range(2 * len(CHANNELS)):
        said = Sent(serial(10 * n), f"在吗 {serial(10 * n)}")
        answers = [serial(10 * n + 1), serial(10 * n + 2)]
        shown = [said.text, *(f"{answer} 您好" for answer in answers)]
        visitors.append(VisitorLedger("presale", CHANNELS[n // 2], [said], {said.serial}, [], shown))
        typed = [Typed(answer, said.serial, by_number=i == 0) for i, answer in enumerate(answers)]
        agents.append(AgentLedger(frozenset({"presale"}), [f"【#{n}·2 顾客】{said.text}"], typed))
    return visitors, agents


@pytest.mark.parametrize("kind", ON_CHANNELS)
def test_what_visitors_see_is_harmed_once_on_each_channel_and_moves_that_counter_only(kind: Kind) -> None:
    visitors, agents = play()
    assert compare(visitors, agents, 1)[1] == []
    Sabotage(kind, [0]).show(visitors)
    result, _ = compare(visitors, agents, 1)
    assert result.zeros == dict.fromkeys(result.zeros, 0) | {COUNTERS[kind]: len(CHANNELS)}


@pytest.mark.parametrize("kind", [None, *(kind for kind in COUNTERS if kind not in ON_CHANNELS)])
def test_other_kinds_let_visitors_see_what_there_is(kind: Kind | None) -> None:
    visitors, _ = play()
    Sabotage(kind, [0]).show(visitors)
    assert visitors == play()[0]


def test_the_last_visitor_of_the_channel_before_sees_the_stray_answer() -> None:
    visitors, _ = play()
    Sabotage("stray-answer", [0]).show(visitors)
    assert [visitor.shown[-1] for visitor in visitors[1::2]] == [f"{serial(n)} 您好" for n in (21, 41, 61, 1)]
