"""A mail of ours, as bytes: the same arguments give the same bytes, so that a repeat can be recognised.

Fields are written here and not by the standard library, which folds long message ids into encoded words (then no
mail program finds the thread), and draws random boundaries.
"""

import base64
import binascii
import datetime
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import format_datetime
from urllib.parse import quote

from connectors.email.headers import MAX_ID, Address

_MAX_REFERENCES = 20
_FOLD_AT = 76
_WORD_BYTES = 39
"""UTF-8 octets in an encoded word: in base64 and with "Subject: " 73 of the 76 characters of a line (RFC 2047, 2)."""

_MAX_FILE_NAME = 240
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?=[^@]{{1,64}}@){_ATOM}(?:\.{_ATOM})*@(?:{_LABEL}\.)*{_LABEL}")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]+>")
_MIME_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,63}")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_CONTROLS_IN_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PREFIX = re.compile(
    r"\s*(?:re|fwd?|aw|wg|sv|vs|antw|回复|答复|回覆|答覆|回信|转发|轉寄|轉發)\s?(?:\[\d{1,4}\]|\(\d{1,4}\)|\^\d{1,4})?\s?[:：]\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Attachment:
    """A file to send along; `type` such as image/png."""

    name: str
    type: str
    data: bytes


def is_address(text: str) -> bool:
    """Whether any server can take mail for `text`: local@domain in ASCII, without quotes (RFC 5321, 4.1.2)."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None


def reply_subject(subject: str) -> str:
    """`subject` with one "Re: " before it, however many prefixes of whatever language it came with."""
    return f"Re: {base_subject(subject)}".strip()


def base_subject(subject: str) -> str:
    """`subject` without "Re:", "回复：", "转发:" and the like, nested ones too."""
    at = 0
    while found := _PREFIX.match(subject, at):
        at = found.end()
    return subject[at:].strip()


def compose(
    *,
    sender: Address,
    to: Sequence[Address],
    subject: str,
    text: str,
    date: datetime.datetime,
    message_id: str,
    reply_to: str = "",
    in_reply_to: str = "",
    references: Sequence[str] = (),
    automatic: bool = False,
    attachments: Sequence[Attachment] = (),
) -> bytes:
    """The mail, with CRLF. `date` is aware; ids are in angle brackets; `references` is the chain, oldest first.

    `automatic`: no person wrote it; programs are asked not to answer (RFC 3834, 5; MS-OXCMAIL 2.1.3.2.20).
    Line breaks in names and the subject become blanks; a stranger's id that cannot be written is left out. ValueError
    for an address, an id of ours or a type that cannot.
    """
    if not _is_id(message_id):
        raise ValueError(f"{message_id[:100]!r} is no message id; one looks like <name@example.com>")
    if not to:
        raise ValueError("a mail needs somebody to go to")
    fields = [
        ("From", _mailbox(sender)),
        ("To", ",\r\n ".join(_mailbox(one) for one in to)),
        ("Subject", _unstructured(subject, len("Subject: "))),
        ("Date", format_datetime(date)),
        ("Message-ID", message_id),
    ]
    if reply_to:
        fields.append(("Reply-To", _mailbox(Address(reply_to))))
    if _is_id(in_reply_to):
        fields.append(("In-Reply-To", in_reply_to))
    if chain := [one for one in references if _is_id(one)]:
        fields.append(("References", "\r\n ".join(_trimmed(chain))))
    if automatic:
        fields += [("Auto-Submitted", "auto-replied"), ("X-Auto-Response-Suppress", "All")]
    fields.append(("MIME-Version", "1.0"))
    content = _content(text, attachments, boundary=hashlib.sha256(message_id.encode()).hexdigest()[:32])
    return _head(fields) + content


# --- fields --------------------------------------------------------------------------------------------------------


def _head(fields: Sequence[tuple[str, str]]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def _mailbox(one: Address) -> str:
    if not is_address(one.address):
        raise ValueError(f"{one.address!r} is no address that mail can be sent to")
    name = _one_line(one.name)
    if not name:
        return one.address
    if not name.isascii() or "=?" in name or len(name) > _FOLD_AT:
        return f"{_words(name)}\r\n <{one.address}>"
    escaped = name.replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}" <{one.address}>'


def _unstructured(text: str, used: int) -> str:
    """`text` as it is where it fits a line in ASCII, else in encoded words."""
    text = _one_line(text)
    return text if text.isascii() and "=?" not in text and len(text) + used <= _FOLD_AT else _words(text)


def _words(text: str) -> str:
    """RFC 2047 words, one a line; none ends within a character."""
    words, word = [], b""
    for character in text:
        encoded = character.encode()
        if len(word) + len(encoded) > _WORD_BYTES:
            words.append(word)
            word = b""
        word += encoded
    return "\r\n ".join(f"=?utf-8?B?{base64.b64encode(one).decode()}?=" for one in [*words, word])


def _one_line(text: str) -> str:
    return _CONTROLS.sub(" ", text).strip()


def _is_id(text: str) -> bool:
    return len(text) <= MAX_ID and _MESSAGE_ID.fullmatch(text) is not None


def _trimmed(chain: list[str]) -> list[str]:
    """The first of a long chain, which names the thread, and the last ones (RFC 5537, 3.4.4, has it so for news)."""
    return chain if len(chain) <= _MAX_REFERENCES else [chain[0], *chain[1 - _MAX_REFERENCES :]]


# --- content -------------------------------------------------------------------------------------------------------


def _content(text: str, attachments: Sequence[Attachment], boundary: str) -> bytes:
    written = _text_part(text)
    if not attachments:
        return written
    delimiter = f"--=_{boundary}".encode()  # neither base64 nor quoted-printable text can hold "=_"
    parts = [written, *(_file_part(one) for one in attachments)]
    head = f'Content-Type: multipart/mixed; boundary="=_{boundary}"\r\n\r\n'.encode()
    return head + b"".join(delimiter + b"\r\n" + part for part in parts) + delimiter + b"--\r\n"


def _text_part(text: str) -> bytes:
    """UTF-8, in whichever transfer encoding is the shorter."""
    lines = _CONTROLS_IN_TEXT.sub("", text).splitlines()
    data = "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")
    printable, packed = binascii.b2a_qp(data, istext=True), _base64_lines(data)
    encoding, body = ("quoted-printable", printable) if len(printable) <= len(packed) else ("base64", packed)
    head = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", encoding)]
    return _head(head) + b"\r\n" + body


def _file_part(file: Attachment) -> bytes:
    """The name is written twice: as RFC 2231 has it, and as RFC 2047 words in quotes, which most others understand."""
    if _MIME_TYPE.fullmatch(file.type) is None:
        raise ValueError(f"{file.type!r} is no type of a file; one looks like image/png")
    name = _short(_one_line(file.name)) or "file"
    plain = name.replace("\\", "_").replace('"', "_") if name.isascii() else _words(name)
    head = [
        ("Content-Type", f'{file.type};\r\n name="{plain}"'),
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", f"attachment;\r\n filename=\"{plain}\";\r\n filename*=UTF-8''{quote(name, safe='')}"),
    ]
    return _head(head) + b"\r\n" + _base64_lines(file.data)


def _short(name: str) -> str:
    """Cut at the end of its stem: a file without its extension cannot be opened by a click."""
    stem, dot, extension = name.rpartition(".")
    stem, tail = (stem, dot + extension) if stem and len(extension) <= 20 else (name, "")
    return stem.encode()[: _MAX_FILE_NAME - len(tail.encode())].decode(errors="ignore") + tail


def _base64_lines(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")
