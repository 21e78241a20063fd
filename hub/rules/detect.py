"""Detectors: what no word list can name, found by its form (phone numbers, identity cards, bank cards, mail addresses).

They are built in and bounded, because a regular expression written by an admin could stop the hub. Numbers are read
in any digits (１, ①, 一 or 幺) and with spaces or hyphens between them.
"""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from hub.rules.match import Reading, Span

Detector = Literal["phone", "id_card", "bank_card", "email"]

_CHINESE_DIGITS = str.maketrans("〇零一幺二两三四五六七八九壹贰叁肆伍陆柒捌玖", "0011223456789123456789")
_NUMBER = re.compile(r"[0-9〇零一幺二两三四五六七八九壹贰叁肆伍陆柒捌玖]{7}")
"""In the bare view: without it no number is long enough for any detector."""

# RFC 5321's limits; the address is sought in the original text, where white space ends it.
_EMAIL = re.compile(
    r"(?<![a-z0-9._%+-])[a-z0-9._%+-]{1,64}@(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}(?![a-z0-9-])",
    re.ASCII | re.IGNORECASE,
)


_NO_DIGIT = re.compile("[^0-9x]")
_HYPHEN = "[-‐–.]?"
_DOUBLED = str.maketrans("0123456789", "0246813579")
"""Twice a digit, its digits added."""


class _Form(NamedTuple):
    """How a number may be written, and what else makes it one."""

    pattern: re.Pattern[str]
    is_valid: Callable[[str], bool] = lambda digits: True
    max_gaps: int = 16
    """So many code points of white space may stand inside: people write cards in groups, but a phone digit by digit."""


def _is_id_card(digits: str) -> bool:
    """GB 11643: a birthday, and a check character by ISO 7064 MOD 11-2."""
    try:
        datetime.date(int(digits[6:10]), int(digits[10:12]), int(digits[12:14]))
    except ValueError:
        return False
    weighted = sum(int(digit) * pow(2, 17 - index, 11) for index, digit in enumerate(digits[:17]))
    return "10x98765432"[weighted % 11] == digits[17]


def _is_bank_card(digits: str) -> bool:
    """ISO 7812: the Luhn check; the schemes in use here begin so, and most order numbers do not."""
    if not digits.startswith(("62", "4", "5", "35", "37")):
        return False
    return (sum(map(int, digits[-1::-2])) + sum(map(int, digits[-2::-2].translate(_DOUBLED)))) % 10 == 0


def _number(first: str, more: int, last: str = "") -> re.Pattern[str]:
    """What begins like `first` and goes on with `more` digits, and `last`."""
    return re.compile(f"{first}(?:{_HYPHEN}[0-9]){{{more}}}{last}")


_FORMS: dict[Detector, tuple[_Form, ...]] = {
    "phone": (
        _Form(_number(rf"(?:\+?(?:00)?86{_HYPHEN})?1{_HYPHEN}[3-9]", 9)),
        _Form(_number(rf"0(?:10|2[0-9]){_HYPHEN}[2-8]", 7)),
        _Form(_number(rf"0[3-9][0-9]{{2}}{_HYPHEN}[2-8]", 6)),
        _Form(_number(rf"0[3-9][0-9]{{2}}{_HYPHEN}[2-8]", 7)),
    ),
    "id_card": (_Form(_number("[1-9]", 16, f"{_HYPHEN}[0-9x]"), _is_id_card, max_gaps=6),),
    "bank_card": tuple(_Form(_number("[3-6]", more), _is_bank_card, max_gaps=6) for more in (15, 16, 17, 18)),
}


def detect(reading: Reading, wanted: Iterable[Detector]) -> dict[Detector, list[Span]]:
    """Where each of the `wanted` things stands; those that are nowhere are left out."""
    found: dict[Detector, list[Span]] = {}
    has_number, may_be_email = _NUMBER.search(reading.bare) is not None, "@" in reading.text
    if not has_number and not may_be_email:
        return found
    for detector in wanted:
        if detector not in _FORMS:  # a mail address, which is no number
            spans = [match.span() for match in _EMAIL.finditer(reading.text)] if may_be_email else []
        else:
            spans = list(_numbers(reading, _FORMS[detector])) if has_number else []
        if spans:
            found[detector] = spans
    return found


def _numbers(reading: Reading, forms: Iterable[_Form]) -> Iterator[Span]:
    """Each number that is no part of a longer one; tried only where one may begin, so that long texts stay cheap."""
    digits = reading.folded.translate(_CHINESE_DIGITS)
    places = reading.origins()
    starts = [index for index, char in enumerate(digits) if char in "+0123456789" and not reading.is_joined(index)]
    for form in forms:
        for start in starts:
            match = form.pattern.match(digits, start)
            if match is None or reading.is_joined(match.end()):
                continue
            first, last = places[start], places[match.end() - 1]
            gaps = last - first - (match.end() - 1 - start)
            if gaps <= form.max_gaps and form.is_valid(_NO_DIGIT.sub("", match[0])):
                yield first, last + 1
