"""What owners write into the log, made by hand."""

from hub.domain import events as e
from hub.domain.batch import SCHEMA, Batch, Entry, encode_batch, encode_entry
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Outgoing, Profile


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
P, PHONE, INTAKE = "p0-mail-x", "a0-wang", "i0-mail"
ANSWER = Outgoing((4, 6), 1, 2)
DELIVERED: list[e.AnyEvent] = [
    e.Attempted(1, "mail", "zhang@example.org", "first part", message=ANSWER),
    e.AttemptDelayed(1, "busy", 9_000),
    e.Attempted(1, "mail", "zhang@example.org", "first part", tries=2, message=ANSWER),
    e.AttemptSent(1, "<r1>"),
    e.ReceiptHad(1, "failed", "mailbox full"),
    e.AttemptRefused(2, "too late", "rest", refs=(4, 6), message=Outgoing((4, 6), 2, 2)),
    e.DeliveryRetried(2, "admin"),
    e.Attempted(3, "mail", "zhang@example.org", "rest", message=Outgoing((4, 6), 2, 2)),
    e.AttemptRefused(3, "no such mailbox", "rest", refs=(4, 6)),
    e.DeliveryDropped(3, "admin"),
]
SHOWN: list[e.AnyEvent] = [
    e.Attempted(1, "phone", "wang", "【#12·4】 hi", 2, carries=(("c0-a", 4), (P, 2))),
    e.AttemptRefused(1, "no answer", "【#12·4】 hi", unknown=True),
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
    batch(*(record(P, seq, event) for seq, event in enumerate(DELIVERED[:3], 1)), record(PHONE, 1, SHOWN[0])),
    batch(*(record(P, seq, event) for seq, event in enumerate(DELIVERED[3:5], 4)), record(PHONE, 2, SHOWN[1])),
    batch(*(record(P, seq, event) for seq, event in enumerate(DELIVERED[5:8], 6))),
    batch(record(P, 9, DELIVERED[8]), record(INTAKE, 1, e.Unparsed("an event of type 7", '{"method":"POST"}'))),
    batch(record(P, 10, DELIVERED[9])),
]
