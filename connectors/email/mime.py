"""A mail taken apart into its leaves, in bounded work whatever the bytes are.

The standard library's parser costs lines times depth and recurses; it is made for mail whose sender means well.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from connectors.email.charsets import unbase64
from connectors.email.headers import Headers, parameters, split_head

_TYPE = re.compile(r"[a-z0-9!#$&^_.+-]{1,64}/[a-z0-9!#$&^_.+-]{1,64}")
_NEWLINE = ord("\n")
_MAX_LOOKS = 100_000


@dataclass(frozen=True)
class Limits:
    """How much of one mail is read. What is beyond is left out, and a note says so."""

    mail_bytes: int = 50_000_000
    header_bytes: int = 256_000
    part_header_bytes: int = 32_000
    parts: int = 200
    depth: int = 20
    text_chars: int = 200_000
    html_chars: int = 300_000


@dataclass(frozen=True)
class Leaf:
    """A part without parts. `content` is decoded from its transfer encoding.

    Leaves of one multipart/alternative say the same in different forms and share their `slot`; others have their own.
    """

    headers: Headers
    type: str
    parameters: dict[str, str]
    disposition: str
    filename: str
    content: bytes
    slot: int


@dataclass(frozen=True)
class _Place:
    """Where in the tree a part stands. `slot` is that of the alternative around it, 0 outside of one."""

    depth: int = 0
    slot: int = 0
    default: str = "text/plain"


@dataclass
class _Work:
    """What has been done to one mail so far. `notes` is a dict for its order: each is made once."""

    data: bytes
    limits: Limits
    notes: dict[str, None] = field(default_factory=dict)
    parts: int = 0
    looks: int = 0
    slots: int = 0

    def note(self, text: str) -> None:
        self.notes[text] = None

    def next_slot(self) -> int:
        self.slots += 1
        return self.slots

    def may_open(self) -> bool:
        """Whether one more part may be opened."""
        self.parts += 1
        if self.parts > self.limits.parts:
            self.note(f"parts after the first {self.limits.parts} were left out")
        return self.parts <= self.limits.parts

    def may_look(self) -> bool:
        """Whether one more place may be looked at that resembles a boundary."""
        self.looks += 1
        if self.looks > _MAX_LOOKS:
            self.note(f"more than {_MAX_LOOKS} places resemble a boundary: the rest was left in one part")
        return self.looks <= _MAX_LOOKS


def leaves(headers: Headers, data: bytes, start: int, limits: Limits) -> tuple[list[Leaf], list[str]]:
    """All leaves of the mail whose body is data[start:], in its order, and notes about what is left out or damaged."""
    work = _Work(data, limits)
    return list(_leaves(work, headers, start, len(data), _Place())), list(work.notes)


def _leaves(work: _Work, headers: Headers, start: int, stop: int, place: _Place) -> Iterator[Leaf]:
    if headers.cut_after:
        work.note(f"a head was cut after {headers.cut_after} bytes")
    kind, params = parameters(headers.raw("content-type"))
    kind = kind if _TYPE.fullmatch(kind) else place.default
    if kind.startswith("multipart/"):
        if place.depth >= work.limits.depth:
            work.note(f"parts nested deeper than {work.limits.depth} were left together as one file")
            kind = "application/octet-stream"
        elif pieces := list(_pieces(work, params.get("boundary", "").encode(), start, stop)):
            slot = place.slot or (work.next_slot() if kind == "multipart/alternative" else 0)
            default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
            inner = _Place(place.depth + 1, slot, default)
            for piece_start, piece_stop in pieces:
                head, body = split_head(work.data, piece_start, piece_stop, work.limits.part_header_bytes)
                yield from _leaves(work, head, body, piece_stop, inner)
            return
        else:
            work.note(f"a {kind} without the boundary that it names was read as text")
            kind = "text/plain"
    yield _leaf(work, headers, kind, params, work.data[start:stop], place.slot or work.next_slot())


def _pieces(work: _Work, boundary: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where the parts between the boundary lines are (RFC 2046, 5.1.1); a missing last line is forgiven."""
    data, delimiter = work.data, b"--" + boundary
    part: int | None = None
    at = data.find(delimiter, start, stop) if boundary else -1
    while at >= 0 and work.may_look():
        behind = at + len(delimiter)
        if at == start or data[at - 1] == _NEWLINE:
            end = data.find(b"\n", behind, stop)
            rest = data[behind : end if end >= 0 else stop].rstrip()
            if rest in (b"", b"--"):
                if part is not None:
                    yield part, max(part, at - (2 if data[at - 2 : at] == b"\r\n" else 1))
                part = end + 1 if not rest and end >= 0 and work.may_open() else None
                if part is None:
                    return
        at = data.find(delimiter, behind, stop)
    if part is not None:
        yield part, stop


def _leaf(work: _Work, headers: Headers, kind: str, params: dict[str, str], raw: bytes, slot: int) -> Leaf:
    disposition, more = parameters(headers.raw("content-disposition"), params.get("charset", ""))
    encoding = headers.text("content-transfer-encoding").lower()
    if encoding == "base64":
        content, whole = unbase64(raw)
        if not whole:
            work.note(f"broken base64 in a {kind} was decoded as far as it goes")
    elif encoding == "quoted-printable":
        content = binascii.a2b_qp(raw)
    else:
        content = raw
        if encoding not in ("", "7bit", "8bit", "binary"):
            work.note(f"the transfer encoding {encoding[:40]!r} of a {kind} is unknown: left as it came")
    filename = more.get("filename") or params.get("name") or ""
    return Leaf(headers, kind, params, disposition, filename, content, slot)
