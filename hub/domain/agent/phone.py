"""Texts on an agent's phone: heads of blocks that nobody can imitate, and cuts that fall between characters."""

import re

from hub.domain.messages import Attachment, Block, Limits, takes
from hub.domain.text import cut, size

CONTINUED = "│ "
"""Begins every further line of a visitor's text: a line that begins otherwise is the hub's."""

NAME_BYTES = 48
"""A longer name is cut in a head, so that a head always leaves room for text."""

BLOCK_MARGIN = 16
"""Bytes that blocks and notes leave free in a text, for the number that may have to end it."""

_OPENERS = "【〖［〔〘〚「『[⟦❲⦗→⇒➔➜➡⟶"
_HASHES = "#＃﹟♯⌗"
_UNSEEN = (
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff]*"
)
_HEAD = re.compile(f"[{re.escape(_OPENERS)}](?={_UNSEEN}[{_HASHES}])")
_BLOCK_HEAD = re.compile(r"【#[0-9]+·[0-9]+ ")
_LINE_END = re.compile("\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069]|[\ud800-\udfff]")


def harmless(text: str) -> str:
    """A stranger's text that cannot pass for one of the hub's lines.

    Whatever looks like the beginning of a head or a switch (`【#`, `［ ＃`, `→ #`, also with invisible characters
    between) loses its opening sign to a `(`; controls that reorder a line go; further lines are marked as such.
    """
    text = _CONTROL.sub("", _LINE_END.sub("\n", text))
    return _HEAD.sub("(", text).strip("\n").replace("\n", "\n" + CONTINUED)


def short_name(name: str) -> str:
    """A visitor's name as heads and notes show it: one line, no brackets, at most NAME_BYTES long; never empty."""
    line = " ".join(harmless(name).replace(CONTINUED, " ").replace("】", ")").split())
    return (cut(line, NAME_BYTES)[0] if line else "") or "访客"


def has_head(text: str) -> bool:
    """Whether a block of ours stands in it: it was copied, or quoted."""
    return _BLOCK_HEAD.search(text) is not None


def head(block: Block, part: str = "") -> str:
    """`【#12·57 张三】`, and of a part `【#12·57 2/3 张三】`."""
    return f"【#{block.no}·{block.seq} {part + ' ' if part else ''}{short_name(block.name)}】"


def pieces(block: Block, limits: Limits) -> list[str | Attachment]:
    """The block in the order in which the phone shows it: its texts, then the files that the channel takes."""
    texts = parts(block, limits.max_text - BLOCK_MARGIN)
    return [*texts, *(file for file in block.files if takes(limits, file))]


def parts(block: Block, limit: int) -> list[str]:
    """The block as texts of at most `limit` UTF-8 bytes (not less than 128), each with its head; mostly one.

    Files are named at the end of the text: under which head they belong, the phone does not show.
    """
    text = harmless("\n".join(filter(None, [block.text, *(f"[{file.name}]" for file in block.files)])))
    whole = head(block) + text
    if size(whole) <= limit:
        return [whole]
    digits = 1
    while True:
        longest = head(block, f"{'9' * digits}/{'9' * digits}")
        pieces = cut(text, limit - size(longest))
        if len(pieces) < 10**digits:
            return [head(block, f"{i}/{len(pieces)}") + piece for i, piece in enumerate(pieces, 1)]
        digits += 1


def pages(text: str, limit: int) -> list[str]:
    """A note as texts of at most `limit` UTF-8 bytes, cut between lines where that is possible."""
    out: list[str] = []
    for line in text.split("\n"):
        for piece in cut(line, limit):
            if out and size(out[-1]) + 1 + size(piece) <= limit:
                out[-1] += "\n" + piece
            else:
                out.append(piece)
    return out
