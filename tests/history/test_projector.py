"""The projector: which rows a batch becomes."""

from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from hub.domain import events as e
from hub.domain.batch import SCHEMA, decode_record, encode_record
from hub.domain.messages import Outgoing
from hub.errors import UnreadableBatch
from hub.history.deliveries import STATES
from hub.history.projector import Position, Rows, project
from tests.history.batches import BATCHES, DELIVERED, INTAKE, PHONE, SHOWN, STORY, P, batch, record


@pytest.mark.parametrize("told", range(len(STORY)))
def test_conversation_row_is_the_story_so_far(told: int) -> None:
    rows = Rows()
    for seq, event in enumerate(STORY[: told + 1], 1):
        rows.add(project(0, seq, batch(record("c0-a", seq, event))))
    opened = {"entity": "c0-a", "opened_at_ms": 1_000_001, "channel": "h5", "name": "Zhang"}
    waiting = {"stage": "waiting", "team": "sales", "agent": ""}
    served = {"stage": "served", "team": "sales", "agent": "a1-wang", "no": 12}
    new = {"stage": "new", "agent": ""}
    closed = served | {"stage": "closed"}
    expected: list[dict[str, Any]] = [
        new, new, waiting, served, served, served | waiting, served, closed, closed | new, closed | new
    ]  # fmt: skip
    assert rows.conversations["c0-a"] == opened | expected[told] | {"seq": told + 1, "at_ms": 1_000_001 + told}


def test_what_was_given_away_waits_for_the_next_team_and_is_nobodys() -> None:
    rows = Rows()
    rows.add(project(0, 1, batch(record("c0-a", 1, e.Assigned("a1-wang", "王芳", 12, "sales", False, "张三")))))
    rows.add(project(0, 2, batch(record("c0-a", 2, e.Transferred("a1-wang", "", "service", 0, 12, False)))))
    row = rows.conversations["c0-a"]
    assert (row["stage"], row["agent"], row["team"]) == ("waiting", "", "service")


def test_every_event_is_a_row_with_the_bytes_of_the_log() -> None:
    rows = Rows()
    for seq, data in enumerate(BATCHES, 1):
        rows.add(project(0, seq, data))
    assert len(rows.events) == len(STORY) + 3 + len(DELIVERED) + len(SHOWN) + 1
    bodies = {row[:2]: row[-1] for row in rows.events}
    assert bodies["c0-a", 2] == encode_record(record("c0-a", 2, STORY[1]))
    assert decode_record(bodies["a0-li", 1]) == record("a0-li", 1, e.DutyChanged(True))
    assert rows.positions == {0: Position(len(BATCHES), 1)}
    assert sorted(rows.conversations) == ["c0-a", "c0-b", P]


def deliveries(entity: str, events: list[e.AnyEvent]) -> dict[int, dict[str, object]]:
    """The rows after these events, each in a batch of its own, by the number of the attempt."""
    rows = Rows()
    for seq, event in enumerate(events, 1):
        rows.add(project(0, seq, batch(record(entity, seq, event))))
    return {attempt: row for (_, attempt), row in rows.deliveries.items()}


@pytest.mark.parametrize(
    ("told", "state", "tries", "because"),
    [
        (1, "sending", 1, None),
        (2, "delayed", 1, "busy"),
        (3, "sending", 2, "busy"),
        (4, "sent", 2, ""),
        (5, "failed", 2, "mailbox full"),
    ],
)
def test_a_delivery_is_as_the_last_event_says(told: int, state: str, tries: int, because: str | None) -> None:
    row = deliveries(P, DELIVERED[:told])[1]
    assert (row["state"], row["tries"], row.get("because"), row["seq"]) == (state, tries, because, told)
    assert (row["began_ms"], row["at_ms"], row["text_seq"]) == (1_000_001, 1_000_000 + told, 1)
    assert (row["channel"], row["address"], row["text"]) == ("mail", "zhang@example.org", "first part")
    assert (row["refs"], row["part"], row["parts"]) == ('["p0-mail-x/4","p0-mail-x/6"]', 1, 2)


def test_every_state_that_events_tell_is_a_known_one() -> None:
    told = {row["state"] for at in range(len(DELIVERED)) for row in deliveries(P, DELIVERED[: at + 1]).values()}
    told |= {row["state"] for row in deliveries(PHONE, SHOWN).values()} | set(
        get_args(get_type_hints(e.ReceiptHad)["kind"])
    )
    assert told == set(STATES)


def test_what_the_hub_itself_refused_is_a_delivery_too_and_what_a_person_decides_is_its_end() -> None:
    rows = deliveries(P, DELIVERED)
    refused = {name: rows[2].get(name) for name in ("state", "channel", "address", "tries", "because", "text", "part")}
    assert refused == {
        "state": "retried", "channel": "mail", "address": None, "tries": 0, "because": "too late", "text": "rest",
        "part": 2,
    }  # fmt: skip
    assert (rows[3]["state"], rows[3]["because"]) == ("dropped", "no such mailbox")


def test_a_phone_s_delivery_names_the_messages_of_all_its_conversations() -> None:
    row = deliveries(PHONE, SHOWN)[1]
    assert (row["refs"], row["state"], row["address"]) == ('["c0-a/4","p0-mail-x/2"]', "unknown", "wang")


def test_a_mail_to_an_agent_names_them_too() -> None:
    mail = e.Attempted(1, "email", "w@corp", "x", 1, carries=(("c0-a", 4),), message=Outgoing((), thread="c0-a"))
    assert deliveries(PHONE, [mail])[1]["refs"] == '["c0-a/4"]'


def test_the_row_of_a_delivery_holds_the_beginning_of_its_text_without_what_is_no_text() -> None:
    (row,) = deliveries(PHONE, [e.Attempted(1, "phone", "w\0", "\0" + "长" * 300)]).values()
    assert (row["text"], row["address"]) == ("长" * 199, "w")


def test_unread_input_is_a_row_that_names_its_event() -> None:
    rows = project(0, 1, batch(record(INTAKE, 5, e.Unparsed("type \0 7", '{"method":"POST"}'))))
    assert rows.unparsed == [{"entity": INTAKE, "seq": 5, "channel": "mail", "at_ms": 1_000_005, "because": "type  7"}]


def test_a_message_from_a_page_touches_no_other_table() -> None:
    rows = project(0, 1, batch(*(record("c0-a", seq, event) for seq, event in enumerate(STORY, 1))))
    assert (rows.deliveries, rows.unparsed) == ({}, [])


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
