"""A visitor's messages that no agent has answered yet: what an agent who takes over is shown."""

import msgspec

from hub.domain.messages import Attachment

LIMIT = 50
"""So many are kept; of those before them only the number."""


class Line(msgspec.Struct, frozen=True, array_like=True):
    """One of them."""

    seq: int
    text: str
    files: tuple[Attachment, ...] = ()


_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(Line).decode_lines


class Backlog(msgspec.Struct, gc=False):
    """The last LIMIT of them, oldest first.

    They are packed, a line of JSON each: as objects they would take three times the memory, and be most of what a
    busy conversation takes.
    """

    packed: bytes = b""
    count: int = 0
    skipped: int = 0
    """So many older ones are not kept."""

    def add(self, seq: int, text: str, files: tuple[Attachment, ...] = ()) -> None:
        """The message `seq` is not answered; the oldest one makes room for it."""
        self.packed += _encode((seq, text, files) if files else (seq, text)) + b"\n"
        if self.count < LIMIT:
            self.count += 1
        else:
            self.packed = self.packed[self.packed.index(b"\n") + 1 :]
            self.skipped += 1

    def answer(self, seen: int | None) -> None:
        """Those up to `seen` have been answered; None: all."""
        kept = self.after(seen)
        if len(kept) < self.count:
            self.packed, self.count, self.skipped = _encode_lines(kept), len(kept), 0

    def after(self, seen: int | None) -> list[Line]:
        """Those that somebody who has seen all up to `seen` has not; None: they have seen all."""
        return [] if seen is None else [line for line in self.messages() if line.seq > seen]

    def drop(self, seq: int) -> None:
        """The message `seq` does not count any more."""
        kept = [line for line in self.messages() if line.seq != seq]
        self.packed, self.count = _encode_lines(kept), len(kept)

    def messages(self) -> list[Line]:
        """All of them."""
        return _decode_lines(self.packed)
