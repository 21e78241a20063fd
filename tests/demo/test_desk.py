"""What an agent's page shows of a conversation's events."""

from typing import Any

from hub.demo.desk import Transcript
from hub.demo.reading import Began, Block, Ended, Found, Undelivered


def told(transcript: Transcript, *events: dict[str, Any]) -> list[Found]:
    first = transcript.history.solid + 1
    transcript.history.merge([{"seq": n, "prev": n - 1} | event for n, event in enumerate(events, start=first)])
    return list(transcript.news("马俊"))


MINE = {"kind": "assigned", "by": "马俊", "no": 7}
OTHERS = {"kind": "assigned", "by": "王芳", "no": 7}


def message(text: str, **fields: object) -> dict[str, Any]:
    return {"kind": "message", "text": text, **fields}


def test_a_conversation_begins_with_what_nobody_has_answered() -> None:
    events = (message("在吗"), OTHERS, {"kind": "answer"}, message("你好"), message("", status="held"))
    transcript = Transcript()
    assert told(transcript, *events) == []
    assert told(transcript, {"kind": "transferred", "text": "请您接待"}, MINE) == [
        Began(7, "请您接待"),
        Block(7, 4, "你好"),
    ]
    assert told(transcript, message("？")) == [Block(7, 8, "？")]


def test_what_an_answer_had_not_seen_is_unanswered() -> None:
    transcript = Transcript()
    told(transcript, message("在吗"), message("急"), OTHERS, {"kind": "answer", "seen": 1})
    assert told(transcript, MINE) == [Began(7), Block(7, 2, "急")]
    assert told(transcript, {"kind": "answer", "seen": 0}, OTHERS, MINE)[1:] == [Began(7), Block(7, 2, "急")]
    assert told(transcript, {"kind": "answer", "seen": 2}, OTHERS, MINE)[1:] == [Began(7)]


def test_what_did_not_arrive_is_told_and_whoever_gets_it_next_reads_so() -> None:
    transcript, failed = Transcript(), {"kind": "undelivered", "text": "no line", "refs": [3, 4]}
    told(transcript, message("在吗"), MINE, {"kind": "answer", "text": "在"}, {"kind": "answer", "text": "请讲"})
    assert told(transcript, failed) == [Undelivered(7, "no line", "在 请讲")]
    assert told(transcript, {"kind": "undelivered", "text": "no line", "refs": [99]}) == [], "nobody wrote it"
    assert told(transcript, {"kind": "closed"}, failed, {"kind": "reopened"}) == [Ended(7)]
    assert told(transcript, MINE) == [Began(7, "no line: 在 请讲")]


def test_it_ends_when_it_is_closed_or_a_colleagues_and_may_come_back() -> None:
    transcript = Transcript()
    assert told(transcript, message("在吗"), MINE, OTHERS) == [Began(7), Block(7, 1, "在吗"), Ended(7)]
    assert told(transcript, MINE) == [Began(7), Block(7, 1, "在吗")]
    assert told(transcript, {"kind": "answer"}, {"kind": "closed"}, {"kind": "reopened"}, message("?")) == [Ended(7)]
    assert told(transcript, MINE) == [Began(7), Block(7, 8, "?")]


def test_what_comes_twice_or_out_of_order_is_shown_once_and_in_order() -> None:
    transcript = Transcript()
    told(transcript, MINE)
    late = {"seq": 3, "prev": 2} | message("二")
    transcript.history.merge([late])
    assert list(transcript.news("马俊")) == []
    assert transcript.history.hole() == (1, 3)
    transcript.history.merge([late, {"seq": 2, "prev": 1} | message("一")])
    assert list(transcript.news("马俊")) == [Block(7, 2, "一"), Block(7, 3, "二")]
