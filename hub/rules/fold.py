"""Folding: many ways to write the same word become one, and each folded character knows where it came from.

A text has two views. *Folded* is the text code point by code point, without white space (but for line feeds):
lower case, half width, simplified characters, plain letters and digits for circled or mathematical ones; what nobody
can see is dropped. *Bare* is the folded text without signs: letters and digits only. Words of the rules are folded the
same way, so that both sides meet.
"""

import re
import unicodedata
from collections.abc import Sequence

import opencc

BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Invisible, although Unicode calls them letters or symbols."""

_LETTER = re.compile(r"(?:CIRCLED|PARENTHESIZED|SQUARED|INDICATOR SYMBOL)(?: LATIN (?:CAPITAL|SMALL))? LETTER ([A-Z])$")
_SIGNS = re.compile(r"[\W_]+")
_SIMPLIFY = opencc.OpenCC("t2s").convert


class _Table(dict[int, str]):
    """What each code point folds to, worked out when it is first seen."""

    def __missing__(self, point: int) -> str:
        char = chr(point)
        # Unassigned and private ones are a million, mean nothing and would only fill the memory.
        if unicodedata.category(char) in ("Cn", "Co"):
            return char
        folded = self[point] = fold_point(char)
        return folded


def fold_point(char: str) -> str:
    """What one code point becomes: usually one character, none for what nobody sees, several for ligatures."""
    category = unicodedata.category(char)
    if char == "\n":
        return char
    if category in ("Cc", "Cf", "Cs", "Mn", "Me") or char in BLANK or char.isspace():
        return ""
    name = unicodedata.name(char, "")
    # NFKC leaves 🅺 alone and makes "(k)" of ⒦ and "4." of ⒋; the name and the numeric value know better.
    if letter := _LETTER.search(name):
        return letter[1].lower()
    number = unicodedata.numeric(char, None) if category in ("Nd", "No") and "IDEOGRAPH" not in name else None
    if number is not None and number.is_integer():
        return str(int(number))
    parts = unicodedata.normalize("NFKD", char).casefold()
    marked_off = "".join(part for part in parts if unicodedata.category(part) != "Mn" and not part.isspace())
    plain = unicodedata.normalize("NFKC", marked_off)
    if name.startswith("PARENTHESIZED"):
        plain = plain.strip("()")
    # Character by character: phrases would make the result depend on the neighbours, and lose the offsets.
    return "".join(map(_SIMPLIFY, plain))


_TABLE = _Table()


def fold(text: str) -> str:
    """The folded view of `text`."""
    return text.translate(_TABLE)


def bare(folded: str) -> str:
    """The bare view of a folded text."""
    return folded if folded.isalnum() else _SIGNS.sub("", folded)


def origins(text: str) -> list[int]:
    """For each character of `fold(text)`, the index in `text` of the code point it came from."""
    return [index for index, char in enumerate(text) for _ in _TABLE[ord(char)]]


def bare_origins(folded: str, places: Sequence[int]) -> list[int]:
    """For each character of `bare(folded)`, its origin; `places` are the origins of `folded`."""
    return [place for place, char in zip(places, folded, strict=True) if char.isalnum()]


def is_invisible(char: str) -> bool:
    """Whether the code point folds to nothing and takes no room: a zero-width or combining mark."""
    return not _TABLE[ord(char)] and not char.isspace()


def touches_ascii(text: str, index: int, step: int) -> bool:
    """Whether the first visible code point of `text` from `index` on (in steps of 1 or -1) is an ASCII letter or digit.

    It says whether a word is only part of a longer one; white space, a sign or a Chinese character end a word.
    """
    while 0 <= index < len(text):
        folded = _TABLE[ord(text[index])]
        if folded:
            edge = folded[0 if step > 0 else -1]
            return edge.isascii() and edge.isalnum()
        if text[index].isspace():
            return False
        index += step
    return False
