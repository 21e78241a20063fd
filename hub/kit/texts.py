"""Texts in which careless code breaks."""

import re

TRAPS = {
    "beyond the basic plane": "😀𠮷𝒳",
    "joined emoji": "👩‍👩‍👧‍👦🧑🏽‍🚀🏴‍☠️",
    "flags": "🇨🇳🇩🇪🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "marks": "éạ̈̂한각नि",
    "right to left": "שלום \u202eabc\u202c مرحبا",
    "half of a surrogate pair": "a\ud83db",
    "controls": "a\x00b\x07c\x1bd\x7fe",
    "what means something elsewhere": "<a href='x'>]]>&amp;{{7*7}}%s${x}\\u0041",
}
"""By what each tries."""
_UNCARRIED = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffd?\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What a platform, its XML, UTF-8 or the hub may leave out or replace."""


def carried(text: str) -> str:
    """What must be left of a text at the other end."""
    return _UNCARRIED.sub("", text)


LONG = "".join(
    trap for name, trap in TRAPS.items() if name in ("beyond the basic plane", "joined emoji", "flags", "marks")
)
"""Nothing but characters that are several code points, or several units, each."""
