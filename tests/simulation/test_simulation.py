"""The queue keeps to Erlang C where its assumptions hold, and a broken queue does not; nothing here measures."""

import math
import random
import statistics
import subprocess
import sys
import xml.etree.ElementTree as ET

import pytest

from hub.domain.queue import draft as queue_draft
from hub.domain.queue.draft import Draft
from hub.domain.queue.fit import next_for
from hub.domain.queue.state import Load, Queue, Spot
from hub.domain.teams import AgentSettings, Team, Teams
from tests.simulation import __main__ as command
from tests.simulation import day, picture, steady
from tests.simulation.erlang import exact
from tests.simulation.estimate import estimate, gini, percentile, table
from tests.simulation.shop import GONE, SECOND_MS, Shop, Turn, Visitor
from tests.simulation.steady import Compared, Shape, Size

LOAD, SIZE = 0.6, Size(12, 100, 1_500)


def off(compared: dict[str, Compared]) -> set[str]:
    """What is not in the 95 % confidence interval."""
    return {name for name, one in compared.items() if not one.measured.holds(one.exact)}


@pytest.mark.parametrize("shape", [Shape(3, 1), Shape(2, 3)])
def test_waits_are_those_of_erlang_c(shape: Shape) -> None:
    assert off(steady.against_erlang(shape, LOAD, SIZE)) == set()


def test_an_agent_left_idle_is_seen_in_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    filled = Draft.fill
    monkeypatch.setattr(Draft, "fill", lambda *a, **b: None if a[1] == "a0-0" else filled(*a, **b))
    assert "mean" in off(steady.against_erlang(Shape(3, 1), LOAD, SIZE))


def test_an_order_other_than_that_of_coming_is_seen_in_the_squares_and_not_in_the_mean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def last_for(state: Queue, load: Load, now_ms: int, *, but: str = "") -> tuple[Spot, str] | tuple[None, None]:
        first, team = next_for(state, load, now_ms, but=but)
        return (state.lines[team][-1], team) if first is not None and team is not None else (None, None)

    monkeypatch.setattr(queue_draft, "next_for", last_for)
    found = off(steady.against_erlang(Shape(3, 1), LOAD, SIZE))
    assert "square" in found
    assert "mean" not in found


def test_what_visitors_are_told_is_true_for_six_of_ten() -> None:
    visits = [visit for run in steady.play(Shape(5, 1), 0.9, Size(2, 500, 4_000), steady.log_normal) for visit in run]
    found = steady.kept(visits)
    assert found.promises > 3_000
    assert 0.55 < found.within < 0.68
    assert found.less == pytest.approx(found.longer, abs=0.05)


# --- that the simulation itself is right ---------------------------------------------------------------------------


def test_erlang_c_is_that_of_the_tables() -> None:
    assert exact(1, 0.8, 10).waiting == pytest.approx(0.8), "one server: the load"
    assert exact(1, 0.8, 10).mean_s == pytest.approx(40), "M/M/1: load / (1 - load) times the service"
    assert exact(2, 0.75, 1).waiting == pytest.approx(2 * 0.75**2 / 1.75), "two servers: its closed form"
    assert exact(5, 0.8, 300).longer(0) == exact(5, 0.8, 300).waiting


def shop(*visitors: Visitor, capacity: int = 1, slowdown: float = 0.0, turns: tuple[Turn, ...] = ()) -> Shop:
    """One agent, on duty from the beginning, and these visitors."""
    agent = AgentSettings("a0-wang", "wang", "Wang", ("sales",), capacity)
    played = Shop(Teams("1", "sales", (Team("sales", "Sales"),), (agent,)), visitors,
                  [Turn(0, agent.id, True), *turns], slowdown)  # fmt: skip
    played.run()
    return played


def visitor(name: str, at_s: int, work_s: float, patience_s: float = math.inf) -> Visitor:
    return Visitor(f"c0-{name}", at_s * SECOND_MS, "sales", work_s, patience_s)


def times(played: Shop) -> list[tuple[float, float]]:
    """When each began and ended, in seconds."""
    return [(visit.begun_ms / SECOND_MS, visit.ended_ms / SECOND_MS) for visit in played.visits.values()]


def test_one_after_the_other_is_served() -> None:
    assert times(shop(visitor("a", 1, 10), visitor("b", 2, 5))) == [(1, 11), (11, 16)]


def test_conversations_at_the_same_time_slow_each_other_down() -> None:
    played = shop(visitor("a", 0, 10), visitor("b", 5, 10), capacity=2, slowdown=1)
    # From 5 both go on at half the pace: a has 5 s of work left and ends at 15, b is alone from then on, with 5 s left.
    assert times(played) == [(0, 15), (5, 20)]
    assert times(shop(visitor("a", 0, 10), visitor("b", 5, 10), capacity=2)) == [(0, 10), (5, 15)]


def test_who_is_gone_keeps_their_place_and_is_answered_with_less_work() -> None:
    played = shop(visitor("a", 0, 100), visitor("b", 1, 40, patience_s=50), visitor("c", 2, 40, patience_s=200))
    assert times(played) == [(0, 100), (100, 100 + GONE * 40), (110, 150)]
    assert [visit.gone for visit in played.visits.values()] == [False, True, False]


def test_who_goes_off_duty_finishes_what_they_have() -> None:
    turns = (Turn(5 * SECOND_MS, "a0-wang", False), Turn(60 * SECOND_MS, "a0-wang", True))
    assert times(shop(visitor("a", 0, 10), visitor("b", 1, 10), turns=turns)) == [(0, 10), (60, 70)]


def test_all_policies_meet_the_same_visitors() -> None:
    first, second = (day.play(policy, 1, day.World()) for policy in (day.CAPACITIES[0], day.CAPACITIES[4]))
    assert [visit.visitor for visit in first] == [visit.visitor for visit in second]
    assert all(visit.ended_ms for visit in first)


def test_confidence_intervals_hold_what_they_should() -> None:
    draw = random.Random(1)
    hits = [estimate([draw.gauss(3, 2) for _ in range(5)]).holds(3) for _ in range(4000)]
    assert statistics.fmean(hits) == pytest.approx(0.95, abs=0.015)


def test_small_figures() -> None:
    assert gini([1, 1, 1]) == pytest.approx(0)
    assert gini([0, 0, 0, 4]) == pytest.approx(0.75)
    assert gini([0, 0]) == 0
    assert percentile([3, 1, 2, 4], 0.5) == 2
    assert table(["a", "b"], [["x", "1"]]) == "| a | b |\n|---|---:|\n| x | 1 |"


def test_the_command_works_and_leaves_the_document_alone() -> None:
    before = (command.DOCS / "queueing.md").read_bytes()
    ran = subprocess.run(
        [sys.executable, "-m", "tests.simulation", "erlang", "--small"],
        cwd=command.DOCS.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "agents × capacity" in ran.stdout
    assert (command.DOCS / "queueing.md").read_bytes() == before


def test_the_document_has_a_place_for_each_table() -> None:
    text = (command.DOCS / "queueing.md").read_text(encoding="utf-8")
    names = [
        "erlang",
        "promises",
        "policies",
        "priorities",
        "told",
        *(f"{part}_time" for part in command.PARTS),
    ]
    assert "| never |" in command.filled(text, dict.fromkeys(names, "| never |"))
    with pytest.raises(ValueError, match="queueing"):
        command.filled(text, {"unknown": ""})


def test_the_picture_is_well_formed() -> None:
    played = day.play(day.PICKS[0], 1, day.World())
    drawn = picture.draw({p: day.Found([played] * 3, p) for p in [*day.OVERFLOWS, *day.CAPACITIES]})
    assert ET.fromstring(drawn).tag.endswith("svg")
