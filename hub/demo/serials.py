"""Serials: the mark in each text of the scripted demo, by which its ledgers find it again.

A serial is six consonants in brackets that nobody types, ⟦kdtrbm⟧: no digits, which a detector could take for part of
a number; no vowels, v, q, w or x, so that no word of the rules can stand in it; and brackets, which keep it apart
from a text that ends in a word. Masking and folding several texts into one leave it as it is.
"""

import re

ALPHABET = "bcdfghjkmnprstyz"
LENGTH = 6
LIMIT: int = len(ALPHABET) ** LENGTH
"""So many different serials there are."""

SERIAL = re.compile(f"⟦[{ALPHABET}]{{{LENGTH}}}⟧")
"""Finds the serials of a text, in order."""

# Odd, so that multiplying by it modulo a power of two gives each number once, and neighbours look nothing alike.
_SCATTER = 11_400_715


def serial(n: int) -> str:
    """The `n`-th serial, 0 ≤ n < LIMIT; each n has its own. Raises ValueError beyond."""
    if not 0 <= n < LIMIT:
        raise ValueError(f"serial {n} is not between 0 and {LIMIT - 1}")
    scattered = n * _SCATTER % LIMIT
    letters = (ALPHABET[scattered >> 4 * place & 15] for place in range(LENGTH))
    return f"⟦{''.join(letters)}⟧"
