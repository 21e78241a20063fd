"""Who reads what of a conversation's events: the visitor never what agents say among themselves."""

import msgspec
import pytest

from hub.domain import events as e
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Wait
from hub.domain.views import agent_view, view, visitor_may_see, visitor_view

WAIT = Wait(170, 290, True, 1_764_000_000_000, "Asia/Shanghai", "请致电 400", "Call 400")
BETWEEN_AGENTS: list[AnyEvent] = [
    e.Accepted("a1-li"),
    e.Reminded("a9-zhao", "a1-li", "李", 12, "张三", "售前", 60, lead=True),
    e.HoldSet("a1-li", on=True),
    e.NoteWritten("a1-li", "李", "小心，要求赔偿"),
    e.Transferred("a1-li", "", "refunds", 0, 12, True, "要退款", "off duty"),
    e.Assigned("a1-li", "李", 12, "sales", True, "张三", because="售前: 李 has 0/5", note="要退款"),
    e.Returned("a1-li", "not accepted within 30 s", 12, "sales", 0, missed=True),
]


def frame(event: AnyEvent, audience: str) -> dict[str, object]:
    made = view(Record("c7-x", 9, 4, 1000, event), audience)  # type: ignore[arg-type]
    said: dict[str, object] = msgspec.to_builtins(made)
    return {name: value for name, value in said.items() if name not in ("t", "c", "seq", "prev", "at")}


@pytest.mark.parametrize("event", BETWEEN_AGENTS, ids=lambda event: type(event).__name__)
def test_a_visitor_sees_nothing_of_what_is_between_agents(event: AnyEvent) -> None:
    record = Record("c7-x", 9, 4, 1000, event)
    assert visitor_view(record) is None
    assert not visitor_may_see(event)
    assert agent_view(record) is not None


def test_who_waits_is_told_all_that_is_known_and_nothing_that_is_not() -> None:
    told = frame(e.WaitTold(12, "sales", 3, True, WAIT), "visitor")
    assert told == {
        "kind": "waiting", "position": 3, "on_duty": True, "low_s": 170, "high_s": 290, "full": True,
        "opens_at": 1_764_000_000_000, "away": "请致电 400", "away_en": "Call 400",
    }  # fmt: skip
    assert frame(e.WaitTold(12, "sales", 3, True), "visitor") == {"kind": "waiting", "position": 3, "on_duty": True}
    assert frame(e.WaitTold(12, "sales", 3, True), "agent")["no"] == 12


def test_a_visitor_hears_that_they_were_silent_and_never_what_an_agent_says_of_the_end() -> None:
    assert frame(e.Nudged(300), "visitor") == {"kind": "nudged", "seconds": 300}
    assert frame(e.Closed("", "a1-li", because=e.IDLE), "visitor") == {"kind": "closed", "because": "idle"}
    said = e.Closed("a1-li", "a1-li", because="骚扰客户")
    assert frame(said, "visitor") == {"kind": "closed"}
    assert frame(said, "agent") == {"kind": "closed", "by": "a1-li", "because": "骚扰客户"}


@pytest.mark.parametrize(("seen", "said"), [(None, {}), (0, {"seen": 0}), (7, {"seen": 7})])
def test_agents_read_what_the_writer_of_an_answer_had_seen_and_the_visitor_does_not(
    seen: int | None, said: dict[str, int]
) -> None:
    answer = e.AnswerPosted("d1.1", "a1-li", "李", "今天就发", seen=seen)
    told = {"kind": "answer", "id": "d1.1", "by": "李", "text": "今天就发"}
    assert frame(answer, "agent") == told | said
    assert frame(answer, "visitor") == told


def test_agents_read_why_and_for_whom() -> None:
    views = {type(event): frame(event, "agent") for event in BETWEEN_AGENTS}
    assert views[e.Transferred] == {
        "kind": "transferred", "by": "a1-li", "to": "refunds", "text": "要退款", "because": "off duty"
    }  # fmt: skip
    assert views[e.Reminded] == {"kind": "reminded", "to": "a9-zhao", "seconds": 60}
    assert views[e.Assigned]["because"] == "售前: 李 has 0/5"
    assert views[e.NoteWritten] == {"kind": "note", "by": "李", "text": "小心，要求赔偿"}


@pytest.mark.parametrize("event", [e.WaitTold(1, "", 1, True), e.Nudged(1), e.Closed("")])
def test_what_a_visitor_may_see_is_what_they_get_a_frame_of(event: AnyEvent) -> None:
    assert visitor_may_see(event)
    assert visitor_view(Record("c7-x", 9, 4, 1000, event)) is not None
