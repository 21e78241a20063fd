"""What is kept beside the log so that it need not be replayed from its beginning: entity images and checkpoints.

JSON, like the log's batches (batch.py): an image holds an entity's state and its last events as they stand in the log.
A large state is written and read in parts, each a line of its own: the event loop has its turn in between.
"""

import io
import itertools
from collections.abc import Collection, Generator, Iterable, Iterator
from typing import Any, TypeVar

import msgspec

AT_ONCE = 8
"""So many values are encoded in one go: each may be a list of some hundred."""
TURN_BYTES = 32 * 1024
"""So much of an image is made, or read, in one turn of the loop."""

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


def decode_image(data: bytes) -> tuple[Image, Iterator[bytes]]:
    """The image, and what `out_of_parts` makes its state of.

    Raises ValueError for one that this version cannot read.
    """
    begin, end = data.find(b"\n"), data.rfind(b"\n")
    if begin < 0:  # an older version's
        image = _known(_decode_image(data))
        return image, iter((bytes(image.state),))
    lines = io.BytesIO(data)
    lines.seek(begin + 1)
    return _known(_decode_image(b"%bnull%b" % (data[:begin], data[end:]))), lines


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
    yield b'{"schema":%d,"entity":%b,"state":\n' % (SCHEMA, encode(entity))
    yield from state
    yield b'\n,"recent":[%b]}' % b",".join(recent)


def in_parts(value: Any) -> Iterator[bytes]:
    """What `encode` makes of it, in lines that take a tenth of a millisecond or two; nothing of it may change
    meanwhile.

    Structs that can be changed are opened, and have no tag and no defaults that are left out; frozen ones are small.
    """
    match value:
        case msgspec.Struct() if not value.__struct_config__.frozen:
            for number, field in enumerate(msgspec.structs.fields(value)):
                yield b"%b%b:\n" % (b"," if number else b"{", encode(field.encode_name))
                yield from in_parts(getattr(value, field.name))
            yield b"}\n"
        case dict():
            yield from _joined(value, dict, b"{\n", b"}\n")
        case list():
            yield from _joined(value, list, b"[\n", b"]\n")
        case _:
            yield encode(value) + b"\n"


def _joined(
    values: Collection[Any], kind: type[dict[Any, Any] | list[Any]], begin: bytes, end: bytes
) -> Iterator[bytes]:
    yield begin
    items, comma = iter(values.items() if isinstance(values, dict) else values), b""
    while some := kind(itertools.islice(items, AT_ONCE)):
        yield comma + encode(some)[1:-1] + b"\n"
        comma = b","
    yield end


def out_of_parts(kind: Any, lines: Iterator[bytes]) -> Generator[None, None, Any]:
    """The `kind` of which `in_parts` has made these lines, step by step; takes no more of them than that.

    Raises ValueError for what is none.
    """
    first = next(lines, b"")
    yield
    match first:
        case b"{\n" | b"[\n":
            return (yield from _gathered(kind, first[:1], b"}" if first == b"{\n" else b"]", lines))
        case _ if first.endswith(b":\n"):
            return (yield from _opened(kind, first, lines))
        case _:
            return msgspec.json.decode(first, type=kind)


def _gathered(kind: Any, begin: bytes, end: bytes, lines: Iterator[bytes]) -> Generator[None, None, Any]:
    decode = msgspec.json.Decoder(kind).decode
    whole = decode(begin + end)
    add = whole.update if begin == b"{" else whole.extend
    while not (line := next(lines, end)).startswith(end):
        add(decode(begin + line.removeprefix(b",") + end))
        yield
    return whole


def _opened(kind: Any, name: bytes, lines: Iterator[bytes]) -> Generator[None, None, Any]:
    """A struct; what it no longer has is passed over."""
    fields = {} if kind is Any else {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values = {}
    while not name.startswith(b"}"):
        field = fields.get(msgspec.json.decode(name[1:-2]))
        value = yield from out_of_parts(field.type if field else Any, lines)
        if field is not None:
            values[field.name] = value
        name = next(lines, b"}")
    return None if kind is Any else kind(**values)
