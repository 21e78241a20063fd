"""The last events of an entity as its owner keeps them: encoded, and all but the newest few deflated."""

import zlib

KEPT = 50
"""At least so many, where there are so many."""
BLOCK = 10
"""So many are deflated together: events are alike, so a block of ten takes a quarter of the room."""


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
            packed = zlib.compress(b"\n".join(self._loose[:BLOCK]), 1)  # JSON has no newline
            self._blocks = (*self._blocks[-(KEPT // BLOCK) + 1 :], packed)
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
            entries = zlib.decompress(block).split(b"\n") + entries
        return entries[len(entries) - count :] if count < len(entries) else list(entries)
