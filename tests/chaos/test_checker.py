"""The checker finds what doctored ledgers hide: a lost, doubled, swapped or misdirected message, a hole."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chaos.checker import Verdict, check
from tests.chaos.stored import VISITOR_SEES, Stored

Lines = list[dict[str, Any]]
History = dict[str, list[Stored]]


class World:
    """A hub that makes no mistake, and the ledgers of those who used it."""

    def __init__(self) -> None:
        self.lines: Lines = []
        self.history: History = {}
        self._observers: dict[str, list[tuple[str, str]]] = {}
        self._at = 0
        self._written = 0

    def open(self, c: str, *pages: str, desk: str = "desk0") -> None:
        """A conversation with its observers; who serves it has been told."""
        self._observers[c] = [(page, "visitor") for page in pages] + [(desk, "agent")]
        for by, role in self._observers[c]:
            self.lines.append({"e": "watch", "by": by, "c": c, "role": role})
        self._store(c, "opened", "")
        self._store(c, "assigned", "", agent=desk)

    def write(self, c: str, by: str, *, kind: str = "message", acked: bool = True, stored: bool = True) -> str:
        """Somebody writes a text, whatever comes of it."""
        self._written += 1
        text = f"text {self._written}"
        line = {"by": by, "c": c, "id": f"tab{by[-1]}.{self._written}", "text": text}
        self.lines.append({"e": "sent", "at": self._tick(), **line})
        seq = self._store(c, kind, text) if stored else 0
        if acked:
            self.lines.append({"e": "acked", "seq": seq, "at": self._tick(), **line})
        return text

    def verdict(self) -> Verdict:
        return check(self.lines, self.history)

    def _store(self, c: str, kind: str, text: str, agent: str = "") -> int:
        rows = self.history.setdefault(c, [])
        seq = len(rows) + 1
        for by, role in self._observers[c]:
            if role == "agent" or kind in VISITOR_SEES:
                prev = seq - 1 if role == "agent" else max((r.seq for r in rows if r.kind in VISITOR_SEES), default=0)
                saw = {"e": "saw", "by": by, "c": c, "seq": seq, "prev": prev, "kind": kind, "text": text}
                self.lines.append({**saw, "at": self._tick()})
        rows.append(Stored(seq, kind, text, agent))
        return seq

    def _tick(self) -> int:
        self._at += 1
        return self._at


def a_world() -> World:
    """Two conversations, one of them with two pages, ten texts each."""
    world = World()
    world.open("c1-a", "v1/0", "v1/1")
    world.open("c2-b", "v2/0")
    for n in range(10):
        world.write("c1-a", f"v1/{n % 2}")
        world.write("c2-b", "v2/0")
        if n % 3 == 0:
            world.write("c1-a", "desk0", kind="answer")
    return world


def sights(world: World, by: str, text: str) -> Lines:
    return [line for line in world.lines if line["e"] == "saw" and line["by"] == by and line["text"] == text]


def test_a_hub_without_a_fault_is_found_to_have_none() -> None:
    verdict = a_world().verdict()
    assert verdict.good, verdict.findings
    assert (verdict.acknowledged, verdict.in_doubt) == (24, 0)


def test_what_was_not_acknowledged_may_be_there_or_not() -> None:
    world = a_world()
    world.write("c1-a", "v1/0", acked=False)
    world.write("c1-a", "v1/1", acked=False, stored=False)
    verdict = world.verdict()
    assert verdict.good, verdict.findings
    assert verdict.in_doubt == 2


def lose_at_an_observer(world: World) -> None:
    world.lines.remove(sights(world, "v1/1", "text 4")[0])


def lose_everywhere(world: World) -> None:
    world.lines = [line for line in world.lines if line["e"] != "saw" or line["text"] != "text 4"]


def lose_in_sql(world: World) -> None:
    """The last one, so that no number is missing."""
    del world.history["c2-b"][-1]


def lose_an_acknowledged_one(world: World) -> None:
    world.write("c1-a", "v1/0", stored=False)


def never_tell_the_agent(world: World) -> None:
    """Nobody knows at the desk that the conversation is theirs."""
    world.lines = [line for line in world.lines if line["by"] != "desk0" or line["c"] != "c2-b"]


def double_in_sql(world: World) -> None:
    rows = world.history["c2-b"]
    rows.append(rows[-1]._replace(seq=len(rows) + 1))


def double_an_ack(world: World) -> None:
    acked = next(line for line in world.lines if line["e"] == "acked")
    world.lines.append({**acked, "seq": acked["seq"] + 1})


def double_a_refused_one(world: World) -> None:
    world.lines.append({"e": "dropped", "by": "v2/0", "c": "c2-b", "id": "", "text": "text 3", "why": ""})


def swap_in_the_order(world: World) -> None:
    """Two texts of one page stand the other way round, for everybody alike."""
    swap = {"text 5": "text 7", "text 7": "text 5"}
    world.history["c2-b"] = [row._replace(text=swap.get(row.text, row.text)) for row in world.history["c2-b"]]
    for line in world.lines:
        if line["e"] == "saw":
            line["text"] = swap.get(line["text"], line["text"])
    seqs = {row.text: row.seq for row in world.history["c2-b"]}
    for line in world.lines:
        if line["e"] == "acked" and line["text"] in swap:
            line["seq"] = seqs[line["text"]]


def swap_two_pages(world: World) -> None:
    """The second page's text was written when the first one's had been acknowledged; it stands before it."""
    for line in world.lines:
        if line["e"] in ("sent", "acked") and line["text"] == "text 4":
            line["at"] = -2 if line["e"] == "sent" else -1


def hide_in_the_chain(world: World) -> None:
    """The frame after the missing one says that nothing is missing."""
    missing = sights(world, "v2/0", "text 5")[0]
    world.lines.remove(missing)
    for line in world.lines:
        if line["e"] == "saw" and line["by"] == "v2/0" and line["prev"] == missing["seq"]:
            line["prev"] = missing["prev"]


def hide_in_a_page(world: World) -> None:
    world.lines.append({"e": "nothing", "by": "v2/0", "c": "c2-b", "after": 3, "before": 6})


def leave_a_number_out(world: World) -> None:
    """An event that is no message is gone."""
    world.history["c2-b"] = [row for row in world.history["c2-b"] if row.kind != "assigned"]
    world.lines = [line for line in world.lines if line.get("kind") != "assigned"]


def hand_to_another_visitor(world: World) -> None:
    for line in world.lines:
        if line["e"] == "sent" and line["text"] == "text 5":
            line["c"] = "c1-a"


def show_another_text(world: World) -> None:
    sights(world, "v1/1", "text 4")[0]["text"] = "text 5"


def show_what_nobody_wrote(world: World) -> None:
    sights(world, "v1/1", "text 4")[0]["text"] = "never written"


def go_wrong(world: World) -> None:
    world.lines.append({"e": "trouble", "by": "v1/0", "what": "closed with 4503"})


@pytest.mark.parametrize(
    ("doctor", "counted"),
    [
        (lose_at_an_observer, "lost"),
        (lose_everywhere, "lost"),
        (lose_in_sql, "lost"),
        (lose_an_acknowledged_one, "lost"),
        (never_tell_the_agent, "lost"),
        (double_in_sql, "duplicated"),
        (double_an_ack, "duplicated"),
        (double_a_refused_one, "duplicated"),
        (swap_in_the_order, "reordered"),
        (swap_two_pages, "reordered"),
        (hide_in_the_chain, "holes"),
        (hide_in_a_page, "holes"),
        (leave_a_number_out, "holes"),
        (hand_to_another_visitor, "misdelivered"),
        (show_another_text, "diverged"),
        (show_what_nobody_wrote, "diverged"),
        (go_wrong, "troubles"),
    ],
)
def test_a_doctored_ledger_is_found_out(doctor: Callable[[World], None], counted: str) -> None:
    world = a_world()
    doctor(world)
    verdict = world.verdict()
    assert getattr(verdict, counted) > 0, verdict.findings
    assert not verdict.good


def test_a_message_that_many_lack_is_lost_once() -> None:
    world = a_world()
    lose_everywhere(world)
    assert world.verdict().lost == 1


def test_a_reader_who_begins_anew_has_to_see_all_again() -> None:
    world = a_world()
    world.lines.append({"e": "reset", "by": "v2/0", "c": "c2-b"})
    assert world.verdict().lost == 10


def test_who_serves_no_more_need_not_see_the_rest() -> None:
    world = a_world()
    world.open("c3-c", "v3/0", desk="desk1")
    world.lines.append({"e": "unwatch", "by": "desk1", "c": "c3-c"})
    world.write("c3-c", "v3/0")
    world.lines.remove(sights(world, "desk1", "text 25")[0])
    assert world.verdict().good, world.verdict().findings


# --- phones -----------------------------------------------------------------------------------------------------------


def phone_world() -> World:
    """One conversation on a phone, whose agent answers without numbers."""
    world = World()
    world.open("c1-a", "v1/0", desk="phone0")
    world.lines = [line for line in world.lines if line["by"] != "phone0"]
    world._observers["c1-a"].pop()
    for _ in range(4):
        text = world.write("c1-a", "v1/0")
        seq = world.history["c1-a"][-1].seq
        world.lines.append({"e": "shown", "by": "phone0", "no": 1, "seq": seq, "text": text, "at": world._tick()})
    return world


def test_a_phone_that_shows_all_is_good() -> None:
    assert phone_world().verdict().good, phone_world().verdict().findings


def test_an_answer_belongs_to_the_conversation_it_answers() -> None:
    world = phone_world()
    world.lines.append({"e": "sent", "by": "phone0", "c": "", "to": "text 2", "id": "", "text": "yes", "at": 90})
    world.lines.append({"e": "acked", "by": "phone0", "c": "", "id": "", "seq": 0, "text": "yes", "at": 91})
    assert world.verdict().lost == 1, "nowhere in the history"
    world._store("c1-a", "answer", "yes")
    assert world.verdict().good, world.verdict().findings


def show_less(shown: Lines, world: World) -> None:
    world.lines.remove(shown[1])


def show_twice(shown: Lines, world: World) -> None:
    world.lines.append(shown[1])


def show_late(shown: Lines, world: World) -> None:
    shown[1]["seq"], shown[2]["seq"] = shown[2]["seq"], shown[1]["seq"]


def show_under_another_number(shown: Lines, world: World) -> None:
    world.open("c2-b", "v2/0")
    text = world.write("c2-b", "v2/0")
    world.lines.append({**shown[0], "text": text})


@pytest.mark.parametrize(
    ("doctor", "counted"),
    [
        (show_less, "lost"),
        (show_twice, "duplicated"),
        (show_late, "reordered"),
        (show_under_another_number, "misdelivered"),
    ],
)
def test_a_phone_that_errs_is_found_out(doctor: Callable[[Lines, World], None], counted: str) -> None:
    world = phone_world()
    doctor([line for line in world.lines if line["e"] == "shown"], world)
    assert getattr(world.verdict(), counted) == 1, world.verdict().findings


# --- any history ------------------------------------------------------------------------------------------------------


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Some conversations in which somebody writes, in any order, acknowledged or not, stored or not."""
    world = World()
    names = [f"c{n}-x" for n in range(draw(st.integers(1, 3)))]
    for n, c in enumerate(names):
        world.open(c, *[f"v{n}/{page}" for page in range(draw(st.integers(1, 2)))])
    for _ in range(draw(st.integers(1, 25))):
        c = draw(st.sampled_from(names))
        by, role = draw(st.sampled_from(world._observers[c]))
        acked = draw(st.booleans())
        kind = "message" if role == "visitor" else "answer"
        world.write(c, by, kind=kind, acked=acked, stored=acked or draw(st.booleans()))
    return world


@given(worlds())
def test_no_false_alarm(world: World) -> None:
    assert world.verdict().good, world.verdict().findings


@given(worlds(), st.data())
def test_any_single_line_that_is_missing_is_noticed(world: World, data: st.DataObject) -> None:
    """A sight that is taken away from one observer; which one does not matter."""
    candidates = [line for line in world.lines if line["e"] == "saw"]
    world.lines.remove(data.draw(st.sampled_from(candidates)))
    verdict = world.verdict()
    assert verdict.lost + verdict.holes == 1, verdict.findings


@given(worlds(), st.data())
def test_any_row_that_is_missing_is_noticed(world: World, data: st.DataObject) -> None:
    rows = world.history[data.draw(st.sampled_from(sorted(world.history)))]
    del rows[data.draw(st.integers(0, len(rows) - 1))]
    assert not world.verdict().good


@given(worlds(), st.data())
def test_any_text_that_is_stored_again_is_noticed(world: World, data: st.DataObject) -> None:
    rows = [(c, row) for c, found in world.history.items() for row in found if row.kind in ("message", "answer")]
    if rows:
        c, row = data.draw(st.sampled_from(rows))
        world.history[c].append(row._replace(seq=len(world.history[c]) + 1))
        assert world.verdict().duplicated == 1
