"""How long a text is, and cuts that fall between characters as people see them."""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Literal

Unit = Literal["bytes", "characters", "utf16"]


def size(text: str) -> int:
    """Bytes in UTF-8; a lone surrogate counts as it would be replaced."""
    return len(text.encode(errors="surrogatepass"))


BEGINNING = 36
"""Bytes of what is quoted of a text."""

SIZES: dict[Unit, Callable[[str], int]] = {
    "bytes": size,
    "characters": len,
    "utf16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
}
"""How channels count."""


def cut(text: str, limit: int, size: Callable[[str], int] = size) -> list[str]:
    """Pieces of at most `limit` by `size` that joined give `text`; [""] for an empty one.

    Cuts fall between characters as people see them; only one that alone is longer than `limit` is cut inside.
    """
    if size(text) <= limit:
        return [text]
    out, used = [""], 0
    for cluster in clusters(text):
        for piece in [cluster] if size(cluster) <= limit else cluster:
            length = size(piece)
            if used + length > limit:
                out.append("")
                used = 0
            out[-1] += piece
            used += length
    return out


def beginning(text: str) -> str:
    """How a text begins, on one line, for those who are to recognise it."""
    first = cut(text[:BEGINNING].replace("\n", " "), BEGINNING)[0]  # no character is shorter than a byte
    return first + ("…" if len(first) < len(text) else "")


def clusters(text: str) -> Iterator[str]:
    """The characters of a text as people see them.

    The part of UAX #29 that chat needs: marks, variation selectors, joined emoji, skin tones, flags, tags, Hangul.
    """
    start = flags = 0
    for i in range(1, len(text)):
        before, char = text[i - 1], text[i]
        flags = flags + 1 if _is_flag(before) else 0
        if not (_joins(before, char) or (_is_flag(char) and flags % 2)):
            yield text[start:i]
            start = i
    if text:
        yield text[start:]


def _joins(before: str, char: str) -> bool:
    if before == "\u200d" or char == "\u200d" or (before == "\r" and char == "\n"):
        return True
    if char < "\u0300":
        return False
    return (
        unicodedata.category(char) in ("Mn", "Me", "Mc")
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
        or ("\u1160" <= char <= "\u11ff" and "\u1100" <= before <= "\u11ff")
    )


def _is_flag(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
