"""The projector: which rows a batch becomes."""

import msgspec
import pytest

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record, encode_record
from hub.errors import UnreadableBatch
from hub.history.projector import Position, Rows, project
from tests.history.batches import BATCHES, STORY, batch, record


@pytest.mark.parametrize("told", range(len(STORY)))
def test_conversation_row_is_the_story_so_far(told: int) -> None:
    rows = Rows()
    for seq, event in enumerate(STORY[: told + 1], 1):
        rows.add(project(0, seq, batch(record("c0-a", seq, event))))
    opened = {"entity": "c0-a", "opened_at_ms": 1_000_001, "channel": "h5", "name": "Zhang"}
    waiting = {"stage": "waiting", "team": "sales", "agent": ""}
    served = {"stage": "served", "team": "sales", "agent": "a1-wang", "no": 12}
    new = {"stage": "new", "agent": ""}
    closed = served | {"stage": "closed", "agent": ""}
    expected = [
        new, new, waiting, served, served, served | waiting, served, closed, closed | new, closed | new
    ]  # fmt: skip
    assert rows.conversations["c0-a"] == opened | expected[told] | {"seq": told + 1, "at_ms": 1_000_001 + told}


def test_every_event_is_a_row_with_the_bytes_of_the_log() -> None:
    rows = Rows()
    for seq, data in enumerate(BATCHES, 1):
        rows.add(project(0, seq, data))
    assert len(rows.events) == len(STORY) + 3
    bodies = {row[:2]: row[-1] for row in rows.events}
    assert bodies["c0-a", 2] == encode_record(record("c0-a", 2, STORY[1]))
    assert decode_record(bodies["a0-li", 1]) == record("a0-li", 1, e.DutyChanged(True))
    assert rows.positions == {0: Position(len(BATCHES), 1)}
    assert sorted(rows.conversations) == ["c0-a", "c0-b"]


def test_event_of_a_later_version_is_kept_as_it_is() -> None:
    body = b'{"entity":"c0-a","seq":3,"prev":2,"at_ms":5,"event":{"type":"Danced","how":"well"},"mood":1}'
    rows = project(0, 7, b'{"schema":1,"epoch":1,"owner":"w","n":1,"relayed":0,"entries":[{"record":' + body + b"}]}")
    assert rows.events == [("c0-a", 3, body)]
    assert rows.conversations == {"c0-a": {"entity": "c0-a", "seq": 3, "at_ms": 5}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"nonsense", r"JSON is malformed"),
        (batch(schema=SCHEMA + 1), rf"its schema is {SCHEMA + 1}, this version knows {SCHEMA}"),
        (msgspec.json.encode({"schema": SCHEMA, "epoch": 1, "entries": [{"record": {"entity": "c0-a"}}]}), "seq"),
    ],
)
def test_what_cannot_be_read_is_named(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableBatch, match=rf"^LOG-3, sequence 9: it cannot be read.*{reason}.*hub log skip 3 9$"):
        project(3, 9, data)
