"""What owners write into the log, made by hand."""

from hub.domain.batch import SCHEMA, Batch, Entry, encode_batch
from hub.domain.events import AnyEvent, Record


def record(entity: str, seq: int, event: AnyEvent) -> Record:
    return Record(entity, seq, max(seq - 2, 0), 1_000_000 + seq, event)


def batch(*records: Record, epoch: int = 1, schema: int = SCHEMA) -> bytes:
    entries = tuple(Entry(record) for record in records)
    return encode_batch(Batch(schema, epoch, "w0", 1, 0, entries, took=not entries))
