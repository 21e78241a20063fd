"""The last events of an entity as its owner keeps them: encoded, and all but the newest few compressed."""

import zstandard

from hub.domain.batch import Entry, encode_entry
from hub.domain.events import MessagePosted, Record

KEPT = 50
"""At least so many, where there are so many."""
BLOCK = 10
"""So many are compressed together: events are alike, so a block of ten takes a fifth of the room."""

_ALIKE = encode_entry(Entry(Record("c0-", 10, 9, 1_790_000_000_000, MessagePosted("a.10", "您好，请问", rules="0"))))
"""What nearly every entry looks like: the first one of a block need not be spelt out either."""
_KNOWN = zstandard.ZstdCompressionDict(_ALIKE, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_compress = zstandard.ZstdCompressor(level=-1, dict_data=_KNOWN).compress
"""A third of the time that the fastest level of zlib takes, for the same size."""
_decompress = zstandard.ZstdDecompressor(dict_data=_KNOWN).decompress


class Recent:
    """Encoded entries (hub.domain.batch.Entry), oldest first."""

    __slots__ = ("_blocks", "_loose")

    def __init__(self) -> None:
        self._blocks: tuple[bytes, ...] = ()
        self._loose: list[bytes] = []

    def __len__(self) -> int:
        return len(self._blocks) * BLOCK + len(self._loose)

    def append(self, entry: bytes) -> None:
        """Remember the entity's newest event."""
        self._loose.append(entry)
        if len(self._loose) >= BLOCK:
            block = memoryview(_compress(b"\n".join(self._loose[:BLOCK])))  # JSON has no newline
            # A copy: what was made ready for the result is five times as long, and its rest would lie idle beside it.
            self._blocks = (*self._blocks[-(KEPT // BLOCK) + 1 :], bytes(block))
            self._loose = self._loose[BLOCK:]

    def load(self, entries: list[bytes]) -> None:
        """Remember these and no others. They are compressed when more come: most of it is only looked at."""
        self._blocks, self._loose = (), entries

    def clear(self) -> None:
        """Forget all."""
        self._blocks, self._loose = (), []

    def last(self, count: int) -> list[bytes]:
        """The newest `count`, or as many as there are."""
        entries = self._loose
        for block in reversed(self._blocks):
            if len(entries) >= count:
                break
            entries = _decompress(block).split(b"\n") + entries
        return entries[len(entries) - count :] if count < len(entries) else list(entries)
