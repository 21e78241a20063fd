"""The projector: which rows a batch becomes, and that no order of reading changes the tables."""

import random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine
from sqlmodel import SQLModel

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record, encode_record
from hub.domain.messages import Profile
from hub.errors import LogError
from hub.history.models import CONVERSATIONS, EVENTS, POSITIONS
from hub.history.projector import Rows, project, statements
from tests.history.batches import batch, record

WANG = e.Assigned("a1-wang", "Wang", 12, "sales", True, "Zhang")
STORY: list[e.AnyEvent] = [
    e.Opened(Profile("h5", name="Zhang")),
    e.MessagePosted("t.1", "你好"),
    e.QueueJoined("sales", 0, False),
    WANG,
    e.AnswerPosted("", "a1-wang", "Wang", "hello"),
    e.Returned("a1-wang", "phone is off", 12, "sales", 0),
    WANG,
    e.Closed("a1-wang"),
    e.Reopened(),
    e.MessagePosted("t.2", "again"),
]
BATCHES = [
    batch(),
    batch(*(record("c0-a", seq, event) for seq, event in enumerate(STORY[:3], 1))),
    batch(
        record("c0-a", 4, STORY[3]),
        record("c0-b", 1, e.Opened(Profile("mail"))),
        record("a0-li", 1, e.DutyChanged(True)),
    ),
    batch(record("c0-b", 2, e.QueueJoined("service", 1, True)), record("c0-a", 5, STORY[4])),
    batch(*(record("c0-a", seq, event) for seq, event in enumerate(STORY[5:], 6))),
]


def tables(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table.name: sorted(tuple(row) for row in connection.execute(table.select()))
        for table in (EVENTS, CONVERSATIONS, POSITIONS)
    }


def written(runs: list[list[int]]) -> dict[str, list[tuple[Any, ...]]]:
    """The tables after transactions that each hold the batches with these indices."""
    engine = create_engine("sqlite://")
    SQLModel.metadata.create_all(engine)
    for run in runs:
        rows = Rows()
        for index in run:
            rows.add(project(0, index + 1, BATCHES[index]))
        with engine.begin() as connection:
            for statement, parameters in statements(rows):
                connection.exec_driver_sql(statement, parameters)
    with engine.connect() as connection:
        found = tables(connection)
    engine.dispose()
    return found


ONCE = written([list(range(len(BATCHES)))])


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
    assert len(ONCE["events"]) == len(STORY) + 3
    bodies = {row[:2]: row[-1] for row in ONCE["events"]}
    assert bodies["c0-a", 2] == encode_record(record("c0-a", 2, STORY[1]))
    assert decode_record(bodies["a0-li", 1]) == record("a0-li", 1, e.DutyChanged(True))
    assert ONCE["positions"] == [(0, len(BATCHES), 1, "")]
    assert [row[0] for row in ONCE["conversations"]] == ["c0-a", "c0-b"]


def cuts(seed: int) -> list[list[int]]:
    """A reading in order, in transactions of any size."""
    rng = random.Random(seed)
    runs: list[list[int]] = [[]]
    for index in range(len(BATCHES)):
        if rng.random() < 0.5:
            runs.append([])
        runs[-1].append(index)
    return runs


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(BATCHES) - 1), st.integers(0, 99)), max_size=3), st.integers(0, 99))
def test_reading_again_from_anywhere_gives_the_same_rows(again: list[tuple[int, int]], seed: int) -> None:
    runs = cuts(seed)
    for start, cut in again:  # a follower that starts again somewhere, and may not come to the end
        runs += [[index for index in run if start <= index < start + 1 + cut % 5] for run in cuts(cut)]
    assert written(runs) == ONCE


def test_event_of_a_later_version_is_kept_as_it_is() -> None:
    body = b'{"entity":"c0-a","seq":3,"prev":2,"at_ms":5,"event":{"type":"Danced","how":"well"},"mood":1}'
    rows = project(0, 7, b'{"schema":1,"epoch":1,"owner":"w","n":1,"relayed":0,"entries":[{"record":' + body + b"}]}")
    assert [(row["kind"], row["body"]) for row in rows.events] == [("Danced", body)]
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
    with pytest.raises(LogError, match=rf"^LOG-3: the batch at sequence 9 cannot be read \(.*{reason}.*hub doctor$"):
        project(3, 9, data)
