"""Bytes on the wire, as docs/protocol.md and RFC 6455 describe them: one HTTP request, WebSocket frames both ways.

Written for the chaos run alone: a fault of the hub's own code must not hide in the client's.
"""

import asyncio
import base64
import json
import os
from typing import Any
from urllib.parse import urlsplit

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
"""Opcodes."""
LONGEST_FRAME = 16 * 1024 * 1024
ANSWER_S = 15.0


class Garbled(Exception):
    """The far side sent what no server may send."""


class Refused(Exception):
    """The far side answered a request with this status."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"HTTP {status}: {body[:300].decode(errors='replace')}")
        self.status = status


def frame(opcode: int, payload: bytes) -> bytes:
    """One masked frame."""
    key, size = os.urandom(4), len(payload)
    pad = (size + 3) // 4
    mask = int.from_bytes((key * pad)[:size], "big")
    masked = (int.from_bytes(payload, "big") ^ mask).to_bytes(size, "big")
    if size < 126:
        head = bytes((0x80 | opcode, 0x80 | size))
    elif size < 65_536:
        head = bytes((0x80 | opcode, 0x80 | 126)) + size.to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, 0x80 | 127)) + size.to_bytes(8, "big")
    return head + key + masked


def text(fields: dict[str, Any]) -> bytes:
    """One JSON object as a text frame."""
    return frame(TEXT, json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode())


class Frames:
    """Cuts what a server sends into frames. The hub sends each message whole: a fragment is Garbled here."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The opcodes and payloads that are complete now. Raises Garbled."""
        data = self._rest + data
        found, at = [], 0
        while len(data) - at >= 2:
            first, size, head = data[at], data[at + 1], 2
            if first & 0xF0 != 0x80 or size > 127 or first & 0x0F not in (TEXT, CLOSE, PING, PONG):
                raise Garbled(f"a frame that begins with {data[at : at + 2].hex()}")
            if size == 126:
                size, head = int.from_bytes(data[at + 2 : at + 4], "big"), 4
            elif size == 127:
                size, head = int.from_bytes(data[at + 2 : at + 10], "big"), 10
            if size > LONGEST_FRAME:
                raise Garbled(f"a frame of {size} bytes")
            if len(data) - at < head + size:
                break
            found.append((first & 0x0F, data[at + head : at + head + size]))
            at += head + size
        self._rest = data[at:]
        return found


def upgrade(host: str) -> bytes:
    """The request that turns a connection into a socket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET /ws HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()


async def request(
    method: str,
    url: str,
    body: object = None,
    *,
    token: str = "",
    source: str = "127.0.0.1",
    within_s: float = ANSWER_S,
) -> Any:
    """The JSON that `url` answers, from a connection of its own; None for an empty body.

    Raises Refused for a status that is no 2xx, OSError and TimeoutError when there is no whole answer.
    """
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    data = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}", "Connection: close", f"Content-Length: {len(data)}"]
    if data:
        lines.append("Content-Type: application/json")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    async with asyncio.timeout(within_s):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port, local_addr=(source, 0))
        try:
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
            answer = await reader.read()
        finally:
            writer.transport.abort()
    return _parse(answer)


def _parse(answer: bytes) -> Any:
    head, end, body = answer.partition(b"\r\n\r\n")
    status, *fields = head.split(b"\r\n")
    if not end or not status.startswith(b"HTTP/1.1 "):
        raise ConnectionResetError("the answer was cut off")
    sizes = [int(field[15:]) for field in fields if field.lower().startswith(b"content-length:")]
    if sizes and len(body) < sizes[0]:
        raise ConnectionResetError("the answer was cut off")
    code = int(status[9:12])
    if not 200 <= code < 300:
        raise Refused(code, body)
    return json.loads(body) if body else None
