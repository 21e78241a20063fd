"""What is kept beside the log so that it need not be replayed from its beginning: entity images and checkpoints.

JSON, like the log's batches (batch.py): an image holds an entity's state and its last events as they stand in the log.
"""

import itertools
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

AT_ONCE = 16
"""So many values are encoded in one go: each may be a list of some hundred."""

SCHEMA = 1
"""Of images and checkpoints; raised once every live worker can read the next one."""


class Image(msgspec.Struct, frozen=True):
    """An entity as of its event `state.seq`. `recent`: its last entries (hub.domain.batch.Entry), encoded."""

    schema: int
    entity: str
    state: msgspec.Raw
    recent: list[msgspec.Raw]


class Checkpoint(msgspec.Struct, frozen=True):
    """From where on a partition's log has to be replayed.

    Every entity's image is at least as new as the batch `seq` of the log. `relayed` as in hub.domain.batch.Batch.
    `due`: what waits for its time (entity → Unix ms). `awake`: what may have something on its way to the outside.
    """

    schema: int
    seq: int
    relayed: int
    due: dict[str, int]
    awake: list[str]


T = TypeVar("T", Image, Checkpoint)
encode = msgspec.json.Encoder().encode
_decode_image = msgspec.json.Decoder(Image).decode
_decode_checkpoint = msgspec.json.Decoder(Checkpoint).decode


def decode_image(data: bytes) -> Image:
    """The image. Raises ValueError for one that this version cannot read."""
    return _known(_decode_image(data))


def decode_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint. Raises ValueError for one that this version cannot read."""
    return _known(_decode_checkpoint(data))


def _known(read: T) -> T:
    if read.schema > SCHEMA:
        raise ValueError(f"its schema is {read.schema}, this version knows {SCHEMA}: run the newer version")
    return read


def begins(checkpoint: Checkpoint) -> int:
    """After this log sequence an owner reads on: what lies before is in the images, and has been relayed.

    Only what a checkpoint itself says counts. An owner may be further with its relaying; its successor knows nothing
    of that.
    """
    return min(checkpoint.seq, checkpoint.relayed)


def encode_image(entity: str, state: Iterable[bytes], recent: Iterable[bytes]) -> Iterator[bytes]:
    """The parts of an Image, whose `state` comes in parts, and whose `recent` entries are encoded."""
    yield b'{"schema":%d,"entity":%b,"state":' % (SCHEMA, encode(entity))
    yield from state
    yield b',"recent":[%b]}' % b",".join(recent)


def in_parts(value: Any) -> Iterator[bytes]:
    """What `encode` makes of it, in parts of a tenth of a millisecond or two; nothing of it may change meanwhile.

    Structs that can be changed are opened, and have no tag and no defaults that are left out; frozen ones are small.
    """
    match value:
        case msgspec.Struct() if not value.__struct_config__.frozen:
            for number, field in enumerate(msgspec.structs.fields(value)):
                yield b"%b%b:" % (b"," if number else b"{", encode(field.encode_name))
                yield from in_parts(getattr(value, field.name))
            yield b"}"
        case dict() if len(value) > AT_ONCE:
            yield from _joined(value, dict, b"{", b"}")
        case list() if len(value) > AT_ONCE:
            yield from _joined(value, list, b"[", b"]")
        case _:
            yield encode(value)


def _joined(
    values: Collection[Any], kind: type[dict[Any, Any] | list[Any]], begin: bytes, end: bytes
) -> Iterator[bytes]:
    items = iter(values.items() if isinstance(values, dict) else values)
    while some := kind(itertools.islice(items, AT_ONCE)):
        yield begin + encode(some)[1:-1]
        begin = b","
    yield end
