"""What the log says of a conversation's way: each move is counted, and who has it is known at each moment."""

from hub.demo.routes import Frame, Routes
from hub.demo.serials import serial

MEMBERS = {"billing": frozenset({"陈静"}), "general": frozenset({"赵敏", "刘洋"})}


def frame(kind: str, **fields: object) -> Frame:
    return {"c": "c1", "kind": kind, **fields}


def assigned(by: str, team: str) -> Frame:
    return frame("assigned", by=by, team=team)


def answer(n: int) -> Frame:
    return frame("answer", seq=n, text=f"{serial(n)} 您好")


WAY = [
    frame("message", text=f"发票 {serial(1)}"),
    frame("queued", team="billing"),
    assigned("赵敏", "billing"),
    answer(2),
    frame("transferred", by="a1-zhaomin", to="general", text="请您接待"),
    answer(3),
    assigned("刘洋", "general"),
    frame("transferred", by="a2-liuyang", to="general", because="off duty"),
    assigned("赵敏", "general"),
    frame("returned", by="a1-zhaomin", text="not accepted within 12 s"),
    assigned("刘洋", "general"),
    frame("closed", by="a2-liuyang", because="问题已解决"),
    frame("reopened"),
]


def test_each_kind_of_move_is_counted() -> None:
    assert Routes(WAY, MEMBERS).counts == {
        "transferred": 1, "handed_over": 1, "missed": 1, "overflowed": 1, "reopened": 1, "closed": 1,
    }  # fmt: skip


def test_a_phone_that_cannot_be_reached_is_no_missed_conversation() -> None:
    assert Routes([frame("returned", text="the agent's phone cannot be reached")], MEMBERS).counts["missed"] == 0


def test_who_gives_it_away_may_answer_until_somebody_has_it() -> None:
    routes = Routes([*WAY, answer(4)], MEMBERS)
    assert routes.routes["c1"].agents == {"赵敏", "刘洋"}
    authors = {serial(2): "赵敏", serial(3): "赵敏", serial(4): "刘洋"}
    assert list(routes.strangers(authors)) == [serial(4)]
    assert list(routes.strangers({serial(3): "刘洋"})) == [serial(3)]


def test_it_waits_until_it_is_assigned_or_closed() -> None:
    waits = [Routes(WAY[:n], MEMBERS).waiting() for n in range(1, len(WAY))]
    assert waits == [0, 1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0]


def test_both_sides_texts_stand_in_the_order_of_the_log() -> None:
    routes = Routes(WAY, MEMBERS)
    assert sorted(routes.order, key=routes.order.__getitem__) == [serial(1), serial(2), serial(3)]
    assert routes.by_serial == {serial(1): "c1"}
