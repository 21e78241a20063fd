"""Texts as the Bot API takes them: HTML read into entities, trimmed, measured. No I/O."""

from collections.abc import Mapping
from html.parser import HTMLParser

from connectors.telegram.sandbox_answers import Args, Json, bad, parsed

MOST_TEXT, MOST_CAPTION = 4096, 1024
"""https://core.telegram.org/bots/api#sendmessage, #sendphoto: after entities parsing.

Counted here in UTF-16 units, as entities are. The server's library counts code points (td, MessageContent.cpp,
utf8_length), so that the real one takes longer texts of emoji; nothing that passes here is too long there.
"""
MOST_BYTES = 1 << 15
"""Of a text before it is read (Client.cpp, get_formatted_text)."""
_TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "code": "code", "pre": "pre",
    "a": "text_link", "tg-spoiler": "spoiler", "span": "spoiler", "blockquote": "blockquote",
}  # fmt: skip
"""https://core.telegram.org/bots/api#html-style."""


def text_of(args: Args) -> tuple[str, list[Json]]:
    """The text of sendMessage and editMessageText, and its entities. Raises Refusal."""
    if not args.get("text"):
        raise bad("message text is empty")
    text, entities = _formatted(args, "text", "entities")
    if not text:
        raise bad("text must be non-empty")
    if utf16(text) > MOST_TEXT:
        raise bad("message is too long")
    return text, entities


def caption_of(args: Args) -> tuple[str, list[Json]]:
    """The caption of a file, which may be empty. Raises Refusal."""
    text, entities = _formatted(args, "caption", "caption_entities")
    if utf16(text) > MOST_CAPTION:
        raise bad("message caption is too long")
    return text, entities


def utf16(text: str) -> int:
    """Its length in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _formatted(args: Args, name: str, entities_name: str) -> tuple[str, list[Json]]:
    text = args.get(name, "")
    if len(text.encode(errors="surrogatepass")) > MOST_BYTES:
        raise bad("text is too long")
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise bad("strings must be encoded in UTF-8")
    mode = args.get("parse_mode", "").lower()
    if mode in {"markdown", "markdownv2"}:
        raise bad("the stand-in reads no Markdown: use parse_mode HTML")
    if mode not in {"", "none", "html"}:
        raise bad("unsupported parse_mode")
    entities = _given(args, entities_name)
    if mode == "html":
        text, entities = _html(text)
    return _trimmed(text, entities)


def _given(args: Args, name: str) -> list[Json]:
    """MessageEntity objects of a request; what is no list counts as none (Client.cpp, get_formatted_text)."""
    given = parsed(args, name, "entities")
    entities = given if isinstance(given, list) else []
    for entity in entities:
        if not isinstance(entity, dict) or not all(isinstance(entity.get(at), int) for at in ("offset", "length")):
            raise bad("can't parse MessageEntity: Can't find field \"offset\"")
    return entities


def _trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Without the space around it and without controls (td, MessageEntity.cpp, fix_formatted_text)."""
    kept = "".join(char if char >= " " or char == "\n" else " " for char in text if char != "\r").rstrip()
    start = len(kept) - len(kept.lstrip(" \n"))
    moved = [entity | {"offset": entity["offset"] - start} for entity in entities]
    return kept[start:], [entity for entity in moved if entity["offset"] >= 0]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.entities: list[Json] = []
        self._open: list[tuple[str, Json]] = []

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            raise bad(f'can\'t parse entities: Unsupported start tag "{tag}" at byte offset {self._offset()}')
        entity: Json = {"type": _TAGS[tag], "offset": utf16(self.text), "length": 0}
        href = _attribute(dict(attrs), "href")
        self._open.append((tag, entity | {"url": href} if tag == "a" else entity))

    def handle_endtag(self, tag: str) -> None:
        if not self._open:
            raise bad(f"can't parse entities: Unexpected end tag at byte offset {self._offset()}")
        opened, entity = self._open.pop()
        if opened != tag:
            raise bad(
                f"can't parse entities: Unmatched end tag at byte offset {self._offset()}, "
                f'expected "</{opened}>", found "</{tag}>"'
            )
        entity["length"] = utf16(self.text) - entity["offset"]
        if entity["length"] and entity.get("url", "-"):
            self.entities.append(entity)

    def ended(self) -> None:
        """Nothing is left open."""
        if self._open:
            raise bad(f"can't parse entities: Can't find end tag corresponding to start tag \"{self._open[-1][0]}\"")

    def _offset(self) -> int:
        line, column = self.getpos()
        before = "".join(self.rawdata.splitlines(keepends=True)[: line - 1])
        return len(before.encode()) + len(self.rawdata[len(before) :][:column].encode())


def _attribute(attributes: Mapping[str, str | None], name: str) -> str:
    return attributes.get(name) or ""


def _html(text: str) -> tuple[str, list[Json]]:
    reader = _Reader()
    reader.feed(text)
    reader.close()
    reader.ended()
    return reader.text, sorted(reader.entities, key=lambda entity: (entity["offset"], -entity["length"]))
