"""The leaves of a mail as what a person gets: text, harmless HTML and files."""

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from connectors.email.charsets import decode
from connectors.email.headers import split_head
from connectors.email.html import harmless, referenced_ids, to_lines
from connectors.email.mime import Leaf, Limits
from connectors.email.quoting import Line

_MAX_NAME = 120
_MAX_INNER_HEAD = 64_000
_META_CHARSET = re.compile(rb"""<meta\s[^>]{0,200}charset=["']?([\w-]{2,40})""", re.IGNORECASE)
_UNSAFE_IN_NAME = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069<>:"|?*]')
_EXTENSIONS = {
    **{"image/jpeg": "jpg", "image/png": "png", "image/gif": "gif", "image/webp": "webp", "image/bmp": "bmp"},
    **{"application/pdf": "pdf", "text/calendar": "ics", "text/plain": "txt", "text/html": "html"},
    **{"message/rfc822": "eml", "message/delivery-status": "txt", "text/rfc822-headers": "txt"},
    **{"application/zip": "zip", "audio/mpeg": "mp3", "audio/amr": "amr", "video/mp4": "mp4"},
}
_CLOSED = {
    "application/pkcs7-mime": "the mail is encrypted or sealed (S/MIME): it is there as a file only",
    "application/x-pkcs7-mime": "the mail is encrypted or sealed (S/MIME): it is there as a file only",
    "application/pgp-encrypted": "the mail is encrypted (PGP): it is there as a file only",
    "application/ms-tnef": "winmail.dat was not unpacked: Outlook's own format may hold files",
}


@dataclass(frozen=True)
class File:
    """An attachment or a picture in the text. `type` is what its sender says it is: believe the bytes, not this.

    `name` holds no path. `content_id` is without angle brackets; `inline`: the HTML shows it by that id.
    """

    name: str
    type: str
    content_id: str
    inline: bool
    data: bytes


@dataclass(frozen=True)
class Body:
    """What there is below a mail's head. `lines` are its whole text, `html` is empty when there is none."""

    lines: Sequence[Line]
    html: str
    files: tuple[File, ...]
    notes: tuple[str, ...]


def charset_of(leaves: Iterable[Leaf]) -> str:
    """The first charset that a part declares: the likeliest one for what is declared nowhere."""
    return next((charset for leaf in leaves if (charset := leaf.parameters.get("charset", ""))), "")


def read_body(leaves: Sequence[Leaf], limits: Limits) -> Body:
    """All text and all files. Of an alternative the plain text is read, or the HTML where that is empty."""
    work = _Work(charset_of(leaves), limits.text_chars, limits.html_chars)
    shown = [leaf for leaf in leaves if _is_shown(leaf)]
    has_html = any(leaf.type == "text/html" for leaf in shown)
    lines: list[Line] = []
    pages: list[str] = []
    for _, slot in groupby(shown, key=lambda leaf: leaf.slot):
        slot_lines, page = work.read(list(slot), has_html)
        lines += slot_lines
        pages.append(page)
    page = "".join(pages)
    referenced = referenced_ids(page)
    numbered = [(number, leaf) for number, leaf in enumerate(leaves, 1) if not _is_shown(leaf)]
    files = tuple(_file(leaf, number, referenced, work.hint) for number, leaf in numbered)
    work.notes.update({_CLOSED[leaf.type]: None for leaf in leaves if leaf.type in _CLOSED})
    return Body(lines, page, files, tuple(work.notes))


def _is_shown(leaf: Leaf) -> bool:
    return leaf.type in ("text/plain", "text/html") and not leaf.filename and leaf.disposition != "attachment"


# --- text ----------------------------------------------------------------------------------------------------------


@dataclass
class _Work:
    """What may still be read of one mail, in characters; `notes` is a dict for its order."""

    hint: str
    text_left: int
    html_left: int
    notes: dict[str, None] = field(default_factory=dict)

    def read(self, slot: Sequence[Leaf], has_html: bool) -> tuple[list[Line], str]:
        """The lines of one slot, and its HTML; plain text becomes HTML only in a mail that has some."""
        plain = "\n".join(self._plain(leaf) for leaf in slot if leaf.type == "text/plain")
        source = "\n".join(self._source(leaf) for leaf in slot if leaf.type == "text/html")
        lines = [Line(line) for line in plain.split("\n")] if plain.strip() else to_lines(source)
        if source or not has_html or not plain.strip():
            return lines, harmless(source)
        return lines, f"<pre>{html.escape(plain, quote=False)}</pre>"

    def _plain(self, leaf: Leaf) -> str:
        text = decode(leaf.content, leaf.parameters.get("charset", ""), self.hint)
        if len(text) > self.text_left:
            self.notes["the text was cut: it is too long to be read by a person"] = None
        text = text[: self.text_left].replace("\r\n", "\n").replace("\r", "\n")
        self.text_left -= len(text)
        if leaf.parameters.get("format", "").lower() == "flowed":
            return _unflowed(text, leaf.parameters.get("delsp", "").lower() == "yes")
        return text

    def _source(self, leaf: Leaf) -> str:
        meta = _META_CHARSET.search(leaf.content, 0, 4000)
        charset = leaf.parameters.get("charset", "") or (meta[1].decode() if meta else "")
        source = decode(leaf.content, charset, self.hint)
        if len(source) > self.html_left:
            self.notes["the HTML was cut: it is too long to be read by a person"] = None
        source = source[: self.html_left]
        self.html_left -= len(source)
        return source


def _unflowed(text: str, delete_space: bool) -> str:
    """Lines that were broken for the way, whole again (RFC 3676, 4)."""
    paragraphs: list[list[str]] = []
    open_depth = -1
    for line in text.split("\n"):
        content = line.lstrip(">")
        depth = len(line) - len(content)
        content = content.removeprefix(" ")
        flows = content.endswith(" ") and content != "-- "
        kept = content[:-1] if flows and delete_space else content
        if depth == open_depth and content != "-- ":
            paragraphs[-1].append(kept)
        else:
            paragraphs.append([">" * depth + " " * (depth > 0), kept])
        open_depth = depth if flows else -1
    return "\n".join("".join(pieces) for pieces in paragraphs)


# --- files ---------------------------------------------------------------------------------------------------------


def _file(leaf: Leaf, number: int, referenced: frozenset[str], hint: str) -> File:
    content_id = leaf.headers.text("content-id").strip("<> ")
    name = leaf.filename
    if not name and leaf.type == "message/rfc822":
        name = split_head(leaf.content, 0, len(leaf.content), _MAX_INNER_HEAD)[0].text("subject", hint)
        name = name and f"{name}.eml"
    return File(_safe(name) or _made(leaf.type, number), leaf.type, content_id, content_id in referenced, leaf.content)


def _safe(name: str) -> str:
    """A name without a path, and without marks that make an .exe look like something else."""
    name = _UNSAFE_IN_NAME.sub("", name.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 20:
        return name[:_MAX_NAME]
    return stem[: _MAX_NAME - len(extension) - 1] + dot + extension


def _made(type_: str, number: int) -> str:
    return f"{type_.partition('/')[0]}-{number}.{_EXTENSIONS.get(type_, 'bin')}"
