"""Finding words in the views of a text: one pass of one automaton a view, however many words there are."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import ahocorasick_rs

from hub.rules.fold import bare, bare_origins, fold, is_invisible, origins, touches_ascii

Span = tuple[int, int]
"""From the first index to the one behind the last, in code points of the original text."""


class Hit(NamedTuple):
    """A word at its place; `word` is its index in the words that were given."""

    word: int
    span: Span


class Reading:
    """A text with its two views; the way back to the original is worked out only when somebody asks for it."""

    __slots__ = ("_origins", "bare", "folded", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.folded = fold(text)
        self.bare = bare(self.folded)
        self._origins: list[int] | None = None

    def origins(self) -> list[int]:
        """Where each character of the folded view came from."""
        if self._origins is None:
            self._origins = origins(self.text)
        return self._origins

    def is_joined(self, index: int) -> bool:
        """Whether the folded character at `index` continues an ASCII word or number of the one before it."""
        folded, places = self.folded, self.origins()
        return (
            0 < index < len(folded)
            and _is_ascii_word(folded[index - 1])
            and _is_ascii_word(folded[index])
            and not any(map(str.isspace, self.text[places[index - 1] + 1 : places[index]]))
        )

    def bare_origins(self) -> list[int]:
        """Where each character of the bare view came from."""
        return bare_origins(self.folded, self.origins())


class Matcher:
    """Finds `folded_words` in the folded view and `bare_words` in the bare one; all are folded already, none is empty.

    Their indexes count through: first the folded ones, then the bare ones.
    """

    def __init__(self, folded_words: Sequence[str], bare_words: Sequence[str]) -> None:
        self._words = (*folded_words, *bare_words)
        self._offset = len(folded_words)
        self._in_folded = _automaton(folded_words)
        self._in_bare = _automaton(bare_words)

    def find(self, reading: Reading) -> list[Hit]:
        """All places of all words, overlapping ones too; a word that begins or ends in ASCII only as a whole word."""
        folded = self._in_folded.find_matches_as_indexes(reading.folded, overlapping=True)
        in_bare = self._in_bare.find_matches_as_indexes(reading.bare, overlapping=True)
        hits: list[Hit] = []
        if folded:
            hits += self._whole(reading.text, reading.origins(), folded, 0)
        if in_bare:
            hits += self._whole(reading.text, reading.bare_origins(), in_bare, self._offset)
        return hits

    def _whole(
        self, text: str, places: Sequence[int], found: Iterable[tuple[int, int, int]], offset: int
    ) -> Iterable[Hit]:
        for index, start, end in found:
            span = places[start], places[end - 1] + 1
            if is_whole(self._words[offset + index], text, span):
                yield Hit(offset + index, span)


def is_whole(word: str, text: str, span: Span) -> bool:
    """Whether `word` at `span` is no part of a longer ASCII word; in Chinese nothing marks where a word ends."""
    start, end = span
    return not (
        (_is_ascii_word(word[0]) and touches_ascii(text, start - 1, -1))
        or (_is_ascii_word(word[-1]) and touches_ascii(text, end, 1))
    )


def mask(text: str, spans: Iterable[Span]) -> str:
    """`text` with a star for each code point in `spans`, and for the invisible marks that follow them."""
    chars = list(text)
    for start, end in spans:
        while end < len(text) and is_invisible(text[end]):
            end += 1
        chars[start:end] = "*" * (end - start)
    return "".join(chars)


def _automaton(words: Sequence[str]) -> ahocorasick_rs.AhoCorasick:
    return ahocorasick_rs.AhoCorasick(words, implementation=ahocorasick_rs.Implementation.ContiguousNFA)


def _is_ascii_word(char: str) -> bool:
    return char.isascii() and char.isalnum()
