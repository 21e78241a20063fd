"""A visitor's messages that no agent has answered yet: what an agent who takes over is shown."""

import msgspec

LIMIT = 50
"""So many are kept; of those before them only the number."""

_encode = msgspec.json.Encoder().encode
_encode_lines = msgspec.json.Encoder().encode_lines
_decode_lines = msgspec.json.Decoder(tuple[int, str]).decode_lines


class Backlog(msgspec.Struct, gc=False):
    """The last LIMIT of them, oldest first.

    They are packed, a line of JSON each: as objects they would take three times the memory, and be most of what a
    busy conversation takes.
    """

    packed: bytes = b""
    count: int = 0
    skipped: int = 0
    """So many older ones are not kept."""

    def add(self, seq: int, text: str) -> None:
        """The message `seq` is not answered; the oldest one makes room for it."""
        self.packed += _encode((seq, text)) + b"\n"
        if self.count < LIMIT:
            self.count += 1
        else:
            self.packed = self.packed[self.packed.index(b"\n") + 1 :]
            self.skipped += 1

    def drop(self, seq: int) -> None:
        """The message `seq` does not count any more."""
        kept = [message for message in self.messages() if message[0] != seq]
        self.packed, self.count = _encode_lines(kept), len(kept)

    def messages(self) -> list[tuple[int, str]]:
        """Seq and text of each."""
        return _decode_lines(self.packed)
