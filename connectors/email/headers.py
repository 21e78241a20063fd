"""The head of a mail or of a part of it, from raw bytes: fields, parameters, addresses, message ids, dates.

The standard library's own parser loses or breaks what Chinese mailers write (raw GBK, words in quotes, both `filename`
and `filename*`), and raises IndexError on some hostile fields. Here every field gives a value, if only an empty one.
"""

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import unquote_to_bytes

from connectors.email.charsets import decode, decode_words

MAX_ID = 900
"""Octets of a message id, so that it fits a line (998: RFC 5322, 2.1.1) with its field's name."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:(.*)", re.DOTALL)
_FOLD = re.compile(rb"(\r\n|\n|\r)[ \t]")
_NEWLINE = re.compile(rb"\r\n|\n|\r")
_BLANK = re.compile(rb"\r?\n\r?\n")
_QUOTE = ord('"')
_SPECIAL = re.compile(rb'[",;(=]')
_COMMENT = re.compile(rb"\([^()]*\)")
_SPANS = {
    b'"': re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL),
    b"(": _COMMENT,
    b"=": re.compile(rb"=\?[^\s?]+\?[bBqQ]\?[^\s?]*\?="),
}
_PARAMETER = re.compile(rb"\s*([^\s=*;]+)(?:\*(\d{1,3}))?(\*?)\s*=\s*(.*)", re.DOTALL)
_ESCAPED = re.compile(rb'\\(["\\])')
_ADDRESS = re.compile(r'(?:"[^"<>]{1,256}"|[^\s<>"(),:;@]{1,256})@[^\s<>"(),:;@]{1,255}')
_MAX_ENTRY = 2000
_ID = re.compile(r"<[^<>]+>")


@dataclass(frozen=True)
class Address:
    """Whom a mail is from or to. `address` is empty when the field holds none that mail could be sent to."""

    address: str
    name: str = ""


class Headers:
    """The fields of one head. `cut_after` is the allowed number of bytes when there were more, else 0."""

    def __init__(self, head: bytes, max_bytes: int) -> None:
        self.cut_after = max_bytes if len(head) > max_bytes else 0
        self._fields: dict[str, list[bytes]] = {}
        for name, value in _fields(head[:max_bytes]):
            self._fields.setdefault(name, []).append(value)

    def __len__(self) -> int:
        return len(self._fields)

    def raw(self, name: str) -> bytes:
        """The first field of that name (in lower case), unfolded; empty when there is none."""
        return self._fields.get(name, [b""])[0]

    def all(self, name: str) -> list[bytes]:
        """Each field of that name, in the order of the mail."""
        return self._fields.get(name, [])

    def text(self, name: str, hint: str = "") -> str:
        """The first field of that name as a person reads it; `hint` as for charsets.decode."""
        return decode_words(self.raw(name), hint)


def split_head(data: bytes, start: int, stop: int, max_bytes: int) -> tuple[Headers, int]:
    """The fields at the start of data[start:stop], and where the body begins, behind the first blank line."""
    if data.startswith((b"\n", b"\r\n"), start, stop):
        return Headers(b"", max_bytes), data.index(b"\n", start) + 1
    found = _BLANK.search(data, start, stop)
    head_stop, body = found.span() if found else (stop, stop)
    return Headers(data[start : min(head_stop, start + max_bytes + 1)], max_bytes), body


def _fields(head: bytes) -> Iterator[tuple[str, bytes]]:
    for line in _NEWLINE.split(_FOLD.sub(b" ", head)):
        if found := _FIELD.fullmatch(line):
            yield found[1].decode("latin-1").lower(), found[2].strip()


# --- parameters ----------------------------------------------------------------------------------------------------


def parameters(raw: bytes, hint: str = "") -> tuple[str, dict[str, str]]:
    """The value of a Content-Type or Content-Disposition in lower case, and its parameters by lower-case name.

    A name with a star (RFC 2231) wins over the one without: senders add the plain one for old readers. In the plain
    one RFC 2047 words, in quotes or not, and raw 8-bit text are understood, which no RFC allows and many send.
    """
    value, *rest = _split(raw, b";") or [b""]
    plain: dict[str, str] = {}
    starred: dict[str, dict[int, tuple[bool, bytes]]] = {}
    for one in rest:
        if not (found := _PARAMETER.fullmatch(one)):
            continue
        name, text = found[1].decode("latin-1").lower(), _unquoted(found[4].strip())
        if found[2] or found[3]:
            starred.setdefault(name, {}).setdefault(int(found[2] or 0), (bool(found[3]), text))
        else:
            plain.setdefault(name, decode_words(text, hint))
    joined = {name: _joined(pieces, hint) for name, pieces in starred.items()}
    return decode(value).strip().lower(), plain | joined


def _joined(pieces: dict[int, tuple[bool, bytes]], hint: str) -> str:
    """RFC 2231, sections 3 and 4; senders cut within a character and even within a %XX, so decode after joining."""
    charset, whole, run = "", b"", b""
    for number, (extended, text) in sorted(pieces.items()):
        if number == 0 and extended and text.count(b"'") >= 2:
            named, _, text = text.split(b"'", 2)
            charset = named.decode("latin-1")
        if extended:
            run += text
        else:
            whole, run = whole + unquote_to_bytes(run) + text, b""
    whole += unquote_to_bytes(run)
    return decode(whole, charset, hint) if charset else decode_words(whole, hint)


def _unquoted(text: bytes) -> bytes:
    return _ESCAPED.sub(rb"\1", text[1:-1]) if len(text) > 1 and text[:1] == text[-1:] == b'"' else text.strip(b'"')


def _split(raw: bytes, at: bytes) -> list[bytes]:
    """`raw` cut at each of the octets `at` that stands in no quotes, comment or encoded word.

    Quotes that are never closed are plain text. Linear: a search that reaches the end in vain is not made again.
    """
    pieces, start, i, unclosed = [], 0, 0, False
    while found := _SPECIAL.search(raw, i):
        i = found.start()
        if raw[i] in at:
            pieces.append(raw[start:i])
            start = i + 1
        elif raw[i : i + 1] in _SPANS and not (unclosed and raw[i] == _QUOTE):
            if span := _SPANS[raw[i : i + 1]].match(raw, i):
                i = span.end()
                continue
            unclosed = unclosed or raw[i] == _QUOTE
        i += 1
    return [*pieces, raw[start:]]


# --- addresses -----------------------------------------------------------------------------------------------------


def addresses(fields: list[bytes], hint: str = "") -> tuple[Address, ...]:
    """All that stand in address fields; one that cannot be read has an empty `address` and the text as its name.

    Groups are opened, and `a <b <c@d>>` is c@d: the last angle bracket counts, as mail servers have it.
    """
    entries = (entry[:_MAX_ENTRY].strip() for field in fields for entry in _split(field, b",;"))
    found = (_address(entry, hint) for entry in entries if entry)
    return tuple(address for address in found if address.address or address.name)


def _address(entry: bytes, hint: str) -> Address:
    name, angle, rest = entry.rpartition(b"<")
    if angle:
        address = decode(rest.partition(b">")[0]).strip().removeprefix("mailto:")
        if _ADDRESS.fullmatch(address):
            return Address(address, _name(name, hint))
    elif bare := _ADDRESS.search(decode(_COMMENT.sub(b" ", entry))):
        comment = _COMMENT.search(entry)
        return Address(bare[0], _name(comment[0][1:-1], hint) if comment else "")
    return Address("", decode_words(entry, hint))


def _name(raw: bytes, hint: str) -> str:
    return decode_words(_unquoted(raw.strip()), hint)


# --- ids and dates -------------------------------------------------------------------------------------------------


def message_ids(raw: bytes) -> tuple[str, ...]:
    """The message ids in a field, each in angle brackets, in its order; none longer than MAX_ID.

    Blanks within one come from folding. Where there are no brackets, each word with an @ is an id.
    """
    text = decode(raw)
    found = _ID.findall(text) or [f"<{word}>" for word in re.split(r"[\s,;<>]+", text) if "@" in word]
    ids = ("".join(one.split()) for one in found)
    return tuple(one for one in ids if 2 < len(one.encode()) <= MAX_ID)


def sent_at(raw: bytes) -> datetime.datetime | None:
    """The moment in a Date field, aware and in UTC; None when there is none or it is none."""
    try:
        moment = parsedate_to_datetime(decode_words(raw[:100]))
        if moment.tzinfo is None:  # "-0000": UTC, and nobody says where (RFC 5322, 3.3)
            moment = moment.replace(tzinfo=datetime.UTC)
        return moment.astimezone(datetime.UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
