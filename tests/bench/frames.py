"""The bench's own few lines of RFC 6455: masked text frames out (the mask is zeros, to cost no time), frames in."""

import struct

_KEY = bytes(4)
"""A legal masking key that leaves the payload as it is. The hub unmasks it like any other."""


def text(payload: bytes) -> bytes:
    """A client's text frame."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, 0x80 | size)) + _KEY + payload
    if size < 65_536:
        return struct.pack("!BBH", 0x81, 0xFE, size) + _KEY + payload
    raise ValueError(f"a payload of {size} bytes exceeds the protocol's limit of 65,535")


CLOSE, PING = 8, 9
"""Opcodes."""
PONG = bytes((0x8A, 0x80)) + _KEY


def is_one(data: bytes) -> bool:
    """Whether a read that begins with a frame is exactly that frame, a short one; nearly every read of a visitor is."""
    return data[1] == len(data) - 2


class Reader:
    """Cuts what a hub sends into frames: unmasked, unfragmented, at most 2^32 bytes."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The opcodes and payloads that are complete now."""
        if self._rest:
            data = self._rest + data
        frames, at, end = [], 0, len(data)
        while end - at >= 2:
            size, head = data[at + 1], 2
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if end - at < head + size:
                break
            frames.append((data[at] & 0x0F, data[at + head : at + head + size]))
            at += head + size
        self._rest = data[at:]
        return frames
