"""What one log message holds: the events that an owner committed together.

JSON, so that any language (and a person with the nats tool) can read the log.
"""

from collections.abc import Sequence

import msgspec

from hub.domain.commands import Origin
from hub.domain.events import Record

SCHEMA = 1
"""Of batches; raised once every live worker can read the next one."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One record, and the relayed command that caused it, if one did."""

    record: Record
    origin: Origin | None = None


class Batch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One commit of one owner.

    `n` counts the owner's batches. `relayed` is the log sequence up to which everything that earlier batches call for
    in other entities has been done. A batch with `took` and no entries is an owner's first act (OwnerTook).
    """

    schema: int
    epoch: int
    owner: str
    n: int
    relayed: int
    entries: tuple[Entry, ...] = ()
    took: bool = False


_decode_batch = msgspec.json.Decoder(Batch).decode
decode_entry = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode
encode_entry = msgspec.json.Encoder().encode
decode_record = msgspec.json.Decoder(Record).decode
encode_record = msgspec.json.Encoder().encode


def encode_batch(batch: Batch, entries: Sequence[bytes]) -> bytes:
    """The log message of a batch without entries and of the entries, which are encoded already."""
    head = _encode(batch)
    return head[:-1] + b',"entries":[' + b",".join(entries) + b"]}" if entries else head


def decode_batch(data: bytes) -> Batch:
    """The batch in a log message. Raises ValueError for one that this version cannot read."""
    try:
        batch = _decode_batch(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it cannot be read: {error}") from error
    if batch.schema > SCHEMA:
        raise ValueError(f"its schema is {batch.schema}, this version knows {SCHEMA}: run the newer version")
    return batch
