"""HTML of strangers: as the lines that a person reads, and as HTML that does no harm.

The parser reports tags one by one and builds no tree, so nesting costs nothing and loses no text (a common converter
drops everything below 255 levels).
"""

import abc
import html
import re
from urllib.parse import unquote

import nh3
from lxml import etree  # type: ignore[import-untyped]

from connectors.email.quoting import Line, Mark

MAX_DEPTH = 100
"""Levels that harmless HTML keeps; deeper tags are dropped, their text stays. nh3's time grows with the square."""

_SILENT = frozenset({"head", "script", "style", "template", "title"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "wbr"})
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6"})
_BLOCKS = _PARAGRAPHS | {
    *("address", "article", "aside", "blockquote", "body", "center", "div", "footer", "form", "header", "hr", "main"),
    *("dd", "dl", "dt", "fieldset", "figure", "includetail", "li", "nav", "ol", "pre", "section", "ul"),
    *("table", "tbody", "tfoot", "thead", "tr"),
}
_ATTRIBUTES = {
    "a": {"href", "title"},
    "img": {"src", "alt", "title", "width", "height"},
    "td": {"colspan", "rowspan", "align"},
    "th": {"colspan", "rowspan", "align"},
    "ol": {"start"},
}
_QUOTING_BLOCKS = frozenset({"gmail_quote", "protonmail_quote", "cite"})
_ATTRIBUTIONS = frozenset({"gmail_attr", "moz-cite-prefix"})
_REST_IDS = frozenset({"divRplyFwdMsg", "appendonsend", "isReplyContent"})
_REST_CLASSES = frozenset({"yahoo_quoted", "ntes-mailmaster-quote", "zmail_extra"})
_OUTLOOK_RULES = ("border-top:solid#e1e1e11.0pt", "border-top:solid#b5c4df1.0pt")
_KEPT_SPACE = "\xa0"
_SCHEME = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_CID = re.compile(r"""cid:([^\s"'<>)]{1,998})""", re.IGNORECASE)
_SPACES = re.compile(r"[ \t\r\n\f]+")


def referenced_ids(source: str) -> frozenset[str]:
    """The content ids that the HTML shows as pictures (RFC 2392)."""
    return frozenset(unquote(found) for found in _CID.findall(source))


def to_lines(source: str) -> list[Line]:
    """The text as lines, with what the tags of mail programs say about quotations.

    A link is followed by its address, an item has its bullet or number, a table's row is a line.
    """
    reader = _Reader()
    _parse(source, reader)
    return reader.lines


def harmless(source: str) -> str:
    """HTML without scripts, styles, forms and pictures from elsewhere; pictures of the mail itself (cid:) stay."""
    flattener = _Flattener()
    _parse(source, flattener)
    return nh3.clean(
        "".join(flattener.pieces), attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto", "tel", "cid"}
    )


class _Target(abc.ABC):
    """What lxml calls for each tag and text. Inside silent elements nothing counts."""

    def __init__(self) -> None:
        self._silent = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in _SILENT:
            self._silent += 1
        elif not self._silent:
            self.open(tag, attributes)

    def end(self, tag: str) -> None:
        if tag in _SILENT:
            self._silent -= 1
        elif not self._silent:
            self.shut(tag)

    def data(self, text: str) -> None:
        if not self._silent:
            self.text(text)

    def close(self) -> None:  # noqa: B027 (lxml asks for one)
        """The end of the source."""

    @abc.abstractmethod
    def open(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    @abc.abstractmethod
    def shut(self, tag: str) -> None:
        """It ends."""

    @abc.abstractmethod
    def text(self, text: str) -> None:
        """Text that people see."""


def _parse(source: str, target: _Target) -> None:
    """Calls `target` for what stands in the source; starts and ends come in pairs, whatever the source does."""
    parser = etree.HTMLParser(target=target, encoding="utf-8", huge_tree=True)
    etree.fromstring(source.encode("utf-8", "replace"), parser)


# --- as HTML -------------------------------------------------------------------------------------------------------


class _Flattener(_Target):
    """Well-formed HTML of the allowed tags only, nested no deeper than MAX_DEPTH."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self._open: list[str] = []

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        kept = tag in nh3.ALLOWED_TAGS and len(self._open) < MAX_DEPTH and not _is_remote_picture(tag, attributes)
        self._open.append(tag if kept and tag not in _VOID else "")
        if kept:
            allowed = _ATTRIBUTES.get(tag, set())
            written = (f' {name}="{html.escape(value)}"' for name, value in attributes.items() if name in allowed)
            self.pieces.append(f"<{tag}{''.join(written)}>")

    def shut(self, tag: str) -> None:
        if kept := self._open.pop():
            self.pieces.append(f"</{kept}>")

    def text(self, text: str) -> None:
        self.pieces.append(html.escape(text, quote=False))


def _is_remote_picture(tag: str, attributes: dict[str, str]) -> bool:
    """Loading it would tell its owner who reads the mail, and when."""
    return tag == "img" and not attributes.get("src", "").strip().lower().startswith("cid:")


# --- as text -------------------------------------------------------------------------------------------------------


class _Reader(_Target):
    """Gathers lines. A block's ends are only noted, and become a new line when there is more to read."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[Line] = []
        self._pieces: list[str] = []  # of the line that is being read
        self._mark = Mark.OWN  # of that line
        self._due = 0  # 1: a new line before what comes next, 2: a blank one too
        self._bullet = ""
        self._in_new_cell = False  # a block at the start of a table's cell begins no line
        self._open: list[bool] = []  # for each open tag, whether it is a quotation
        self._quotations = 0  # how many of them are
        self._rest = False
        self._preformatted = 0
        self._lists: list[int] = []  # the number of the next item; 0 where there are no numbers
        self._links: list[tuple[str, int]] = []  # the address, and the piece at which its text begins

    def open(self, tag: str, attributes: dict[str, str]) -> None:
        mark = _quotation(tag, attributes)
        self._rest = self._rest or mark is Mark.REST
        if (tag in _BLOCKS and not self._in_new_cell) or mark is not Mark.OWN:
            self._due = max(self._due, 2 if tag in _PARAGRAPHS else 1)
        self._open.append(mark is Mark.QUOTED)
        self._quotations += mark is Mark.QUOTED
        match tag:
            case "br":
                if self._due:
                    self._finish_line()
                self._end_line()
            case "hr":
                self._write("-" * 20)
            case "img":
                self._write(_picture(attributes))
            case "a":
                self._links.append((attributes.get("href", "").strip(), len(self._pieces)))
            case "td" | "th":
                self._start_cell()
            case "tr":
                self._finish_line()
            case "pre":
                self._preformatted += 1
            case "ul" | "ol":
                self._lists.append(_first_number(attributes) if tag == "ol" else 0)
            case "li":
                self._start_item()

    def shut(self, tag: str) -> None:
        quotation = self._open.pop()
        self._quotations -= quotation
        match tag:
            case "a":
                self._end_link(*self._links.pop())
            case "pre":
                self._preformatted -= 1
            case "ul" | "ol":
                self._lists.pop()
        if tag in _BLOCKS or quotation:
            self._due = max(self._due, 2 if tag in _PARAGRAPHS else 1)

    def text(self, text: str) -> None:
        if not self._preformatted:
            self._write(_SPACES.sub(" ", text))
            return
        first, *others = text.replace(" ", _KEPT_SPACE).split("\n")
        self._write(first)
        for other in others:
            self._end_line()
            self._write(other)

    def close(self) -> None:
        self._finish_line()

    def _write(self, text: str) -> None:
        if not text or (text == " " and (self._due or not self._pieces)):
            return
        if due := self._due:
            self._finish_line()
            if due == 2 and self.lines and self.lines[-1].text:
                self.lines.append(Line("", self._mark))
            self._due = 0
        self._in_new_cell = False
        if not self._pieces:
            self._mark = Mark.REST if self._rest else Mark.QUOTED if self._quotations else Mark.OWN
            self._pieces.append(self._bullet)
            self._bullet = ""
        self._pieces.append(text)

    def _finish_line(self) -> None:
        if self._pieces:
            self._end_line()

    def _end_line(self) -> None:
        text = _SPACES.sub(" ", "".join(self._pieces)).strip(" ").removesuffix(" |")
        self.lines.append(Line(text.replace(_KEPT_SPACE, " ").rstrip(), self._mark))
        self._pieces = []
        self._due = 0

    def _start_cell(self) -> None:
        if self._pieces:
            self._due = 0
            self._write(" | ")
        self._in_new_cell = True

    def _start_item(self) -> None:
        number = self._lists[-1] if self._lists else 0
        if number:
            self._lists[-1] += 1
        self._bullet = _KEPT_SPACE * 2 * (min(len(self._lists), 10) - 1) + (f"{number}. " if number else "- ")

    def _end_link(self, address: str, start: int) -> None:
        if address.lower().startswith(("http://", "https://", "mailto:")) and len(address) < 2000:
            text = "".join(self._pieces[start:]).strip()
            if not text:
                self._write(address)
            elif _SCHEME.sub("", address).rstrip("/") not in text:
                self._write(f" ({address})")


def _first_number(attributes: dict[str, str]) -> int:
    start = attributes.get("start", "1")
    return int(start) if re.fullmatch(r"[1-9][0-9]{0,5}", start) else 1


def _picture(attributes: dict[str, str]) -> str:
    """Its description; a picture from elsewhere without one is mostly there to be counted."""
    alt = " ".join(attributes.get("alt", "").split())
    return f"[{alt}]" if alt else "" if _is_remote_picture("img", attributes) else "[image]"


def _quotation(tag: str, attributes: dict[str, str]) -> Mark:
    """What the marks of mail programs say about an element."""
    id_, classes = attributes.get("id", ""), frozenset(attributes.get("class", "").lower().split())
    if tag == "blockquote" and (attributes.get("type", "").lower() == "cite" or id_ == "isReplyContent"):
        return Mark.QUOTED
    if (tag == "blockquote" and classes & _QUOTING_BLOCKS) or classes & _ATTRIBUTIONS:
        return Mark.QUOTED
    style = attributes.get("style", "").lower().replace(" ", "")
    if (
        tag == "includetail"
        or id_.removeprefix("x_") in _REST_IDS
        or id_.startswith("origbody")
        or classes & _REST_CLASSES
    ):
        return Mark.REST
    return Mark.REST if any(rule in style for rule in _OUTLOOK_RULES) else Mark.OWN
