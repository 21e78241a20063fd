"""What owners write into the log, made by hand."""

from hub.domain import events as e
from hub.domain.batch import SCHEMA, Batch, Entry, encode_batch, encode_entry
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Profile


def record(entity: str, seq: int, event: AnyEvent) -> Record:
    return Record(entity, seq, max(seq - 2, 0), 1_000_000 + seq, event)


def batch(*records: Record, epoch: int = 1, schema: int = SCHEMA) -> bytes:
    entries = tuple(Entry(record) for record in records)
    return encode_batch(Batch(schema, epoch, "w0", 1, 0, took=not entries), [encode_entry(entry) for entry in entries])


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
