"""The last events of an entity as its owner keeps them: encoded, and all but the newest few deflated."""

import zlib
from functools import partial

from hub.domain.batch import Entry, encode_entry
from hub.domain.events import MessagePosted, Record

KEPT = 50
"""At least so many, where there are so many."""
BLOCK = 10
"""So many are deflated together: events are alike, so a block of ten takes a quarter of the room."""

_ALIKE = encode_entry(Entry(Record("c0-", 10, 9, 1_790_000_000_000, MessagePosted("a.10", "您好，请问", rules="0"))))
"""What nearly every entry looks like: the first one of a block need not be spelt out either (RFC 1950, FDICT)."""
_WINDOW = -11
"""2 KB, and no header: a block is hardly longer, and less memory has to be made ready for each."""
_deflater = partial(zlib.compressobj, 1, zlib.DEFLATED, _WINDOW, 6, zlib.Z_DEFAULT_STRATEGY, _ALIKE)
_inflater = partial(zlib.decompressobj, _WINDOW, _ALIKE)


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
            deflater = _deflater()
            packed = deflater.compress(b"\n".join(self._loose[:BLOCK]))  # JSON has no newline
            self._blocks = (*self._blocks[-(KEPT // BLOCK) + 1 :], packed + deflater.flush())
            self._loose = self._loose[BLOCK:]

    def load(self, entries: list[bytes]) -> None:
        """Remember these and no others. They are deflated when more come: most of what is loaded is only looked at."""
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
            entries = _inflater().decompress(block).split(b"\n") + entries
        return entries[len(entries) - count :] if count < len(entries) else list(entries)
