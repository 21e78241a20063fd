"""What somebody wrote themselves, apart from the mail that they answer.

A scanner of lines: each is looked at a fixed number of times and only its first characters, so a hostile mail costs
no more than an honest one. Nothing is deleted: what is folded away is still there, and when all of it looks quoted,
all of it is shown.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class Mark(enum.Enum):
    """What a mail's HTML says about a line."""

    OWN = "nothing: the text decides"
    QUOTED = "stands in a quotation"
    REST = "from here to the end is the mail that is answered"


@dataclass(frozen=True)
class Line:
    """One line without its end."""

    text: str
    mark: Mark = Mark.OWN


@dataclass(frozen=True)
class Split:
    """Each line of a mail stands in exactly one of the first two; blank ones around them are dropped.

    `own` holds no quoted line, wherever those stand, and no signature: it may be empty.
    """

    visible: str
    quoted: str
    own: str


_LOOKED_AT = 400
"""Characters of a line that a pattern gets to see."""

_WRAPPED = 3
"""Lines over which mailers spread "On …, … wrote:"."""

_BLOCK = 8
"""Lines after "From:" in which the other fields of a quoted head stand."""

_SIGNATURE = 10
"""Lines that a signature may have after its "-- " (RFC 3676, 4.3)."""

_QUOTE = re.compile(r"\s{0,3}[>＞]")
_SEPARATOR = re.compile(
    r"[\s*]{0,9}-{2,60}\s?"
    r"(?:(?:回复的|回覆的)?(?:原始|原)(?:邮件|郵件)|(?:转发|轉寄|轉發)的?(?:原)?(?:邮件|郵件)(?:信息)?|邮件原件"
    r"|original(?: message| mail| appointment)?|forwarded message|replied message|on\s.{1,200}\swrote)"
    r"\s?-{2,60}[\s*]{0,9}",
    re.IGNORECASE,
)
_RULE = re.compile(
    r"\s{0,9}(?:[-_—=]{5,200}|-{0,9}\s?(?:原始邮件|原邮件|original message)\s?-{0,9}|-{2,60}[^-]{1,60}-{2,60})\s{0,9}",
    re.IGNORECASE,
)
_WROTE = re.compile(r"(?:写道|寫道|wrote)\s?[:：]?[\s*]{0,4}$")
_WHO_AND_WHEN = re.compile(r"(?=.*<[^<>]{0,200}@[^<>]{1,200}>)(?=.*(?:19|20)\d\d).*[:：][\s*]{0,4}$")  # in any language
_WHEN_OR_WHO = re.compile(r"(?:19|20)\d\d|\d{1,4}\s?[年/.:-]\s?\d{1,2}|\S@\S")
_WRAPPED_START = re.compile(
    r"[\s*]{0,4}(?:[在于於]|On\s|At\s|\d{4}\s?年|[^<>]{1,120}<(?:\s{0,2}$|[^<>\s]{1,100}@[^<>\s]{1,100}>))"
)
_SIGN_OFF = re.compile(
    r"\s{0,3}(?:[发發]自(?:我的)?\s?.{1,30}|来自我的.{1,30}|[從从]我的.{1,30}(?:傳送|发送)"
    r"|Sent from (?:my|Mail for|Outlook for) .{1,40}|(?:Get|获取|下载)\s?Outlook for .{1,40})\s{0,3}"
)
_FIELD = {
    kind: re.compile(rf"[\s*|]{{0,6}}(?:{labels})[\s*]{{0,4}}[:：|]", re.IGNORECASE)
    for kind, labels in {
        "from": "发件人|寄件者|寄件人|发信人|from|von|de|da|van|от|差出人|보낸 사람",
        "date": r"发送时间|发送日期|发件时间|日\s{0,2}期|时\s{0,2}间|寄件日期|傳送時間|sent|date|gesendet|envoyé"
        r"|enviad[oa](?: el| em)?|inviato|verzonden|отправлено|送信日時|보낸 날짜",
        "to": "收件人|收件者|收信人|to|an|à|a|para|aan|кому|宛先|받는 사람",
        "cc": "抄送|抄送人|副本|cc|копия|참조",
        "subject": r"主\s{0,2}[题題]|主旨|subject|betreff|objet|asunto|assunto|oggetto|onderwerp|тема|件名|제목",
    }.items()
}


def split(lines: Sequence[Line]) -> Split:
    """The lines that their sender wrote, and those of the mail that they answer, signature included.

    A quotation between two answers is what they answer, and stays with them.
    """
    quoted = _quoted(lines)
    own = [i for i, line in enumerate(lines) if line.text.strip() and not quoted[i]]
    signature = _signature(lines, own)
    own = [i for i in own if i not in signature]
    for i in signature:
        quoted[i] = True
    written = _joined(lines, quoted)[0]
    if own and any(quoted[own[0] : own[-1]]):
        quoted[: own[-1]] = [False] * own[-1]
    visible, folded = _joined(lines, quoted)
    return Split(visible, folded, written) if visible else Split(_text(lines), "", "")


def _joined(lines: Sequence[Line], quoted: Sequence[bool]) -> tuple[str, str]:
    """The lines that are not quoted, and those that are; a blank line goes with what follows it."""
    away = list(quoted)
    for i in range(len(lines) - 2, -1, -1):
        if not lines[i].text.strip():
            away[i] = away[i + 1]
    marked = list(zip(lines, away, strict=True))
    return _text(line for line, gone in marked if not gone), _text(line for line, gone in marked if gone)


def _text(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines).strip()


def _quoted(lines: Sequence[Line]) -> list[bool]:
    quoted = [False] * len(lines)
    i = 0
    while i < len(lines):
        text = lines[i].text[:_LOOKED_AT]
        if lines[i].mark is Mark.QUOTED or _QUOTE.match(text):
            quoted[i] = True
            i += 1
        elif lines[i].mark is Mark.REST or _SEPARATOR.fullmatch(text) or _is_head(lines, i):
            start = _before_rules(lines, i)
            quoted[start:] = [True] * (len(lines) - start)
            break
        elif wrapped := _attribution(lines, i):
            quoted[i : i + wrapped] = [True] * wrapped
            i += wrapped
            if not _is_quotation_next(lines, i):
                quoted[i:] = [True] * (len(lines) - i)
                break
        else:
            i += 1
    return quoted


def _attribution(lines: Sequence[Line], i: int) -> int:
    """How many lines from the i-th on say who wrote what follows; 0: they don't."""
    text = ""
    for count in range(1, _WRAPPED + 1):
        line = lines[i + count - 1].text.strip() if i + count <= len(lines) else ""
        if not line or len(text) > _LOOKED_AT or (count == 2 and not _WRAPPED_START.match(text)):
            return 0
        text = f"{text} {line[:_LOOKED_AT]}".strip()
        if len(line) <= _LOOKED_AT and _says_who_wrote(text):
            return count
    return 0


def _says_who_wrote(text: str) -> bool:
    if _WROTE.search(text[-20:]):
        return _WHEN_OR_WHO.search(text) is not None
    return _WHO_AND_WHEN.match(text) is not None


def _is_quotation_next(lines: Sequence[Line], i: int) -> bool:
    """Whether the next line that is not blank is marked as quoted: then the quotation ends where its marks end."""
    while i < len(lines) and not lines[i].text.strip():
        i += 1
    return i < len(lines) and (lines[i].mark is Mark.QUOTED or _QUOTE.match(lines[i].text) is not None)


def _is_head(lines: Sequence[Line], i: int) -> bool:
    """Whether "From:" and two more fields of a mail's head stand from here on."""
    if not _FIELD["from"].match(lines[i].text[:_LOOKED_AT]):
        return False
    block = [line.text[:_LOOKED_AT] for line in lines[i + 1 : i + 1 + _BLOCK]]
    others = (pattern for kind, pattern in _FIELD.items() if kind != "from")
    return sum(any(pattern.match(text) for text in block) for pattern in others) >= 2


def _before_rules(lines: Sequence[Line], i: int) -> int:
    """The quoted mail starts at the line drawn above it."""
    start = i
    for above in range(i - 1, max(-1, i - 1 - _WRAPPED), -1):
        text = lines[above].text
        if text.strip() and not _RULE.fullmatch(text[:_LOOKED_AT]):
            break
        if text.strip():
            start = above
    return start


def _signature(lines: Sequence[Line], own: Sequence[int]) -> range:
    """The lines of a signature at the end of what the sender wrote."""
    for i in own[-_SIGNATURE - 1 :]:
        if lines[i].text == "-- " or (lines[i].text == "--" and i > 0 and not lines[i - 1].text.strip()):
            return range(i, own[-1] + 1)
    if own and _SIGN_OFF.fullmatch(lines[own[-1]].text[:_LOOKED_AT]):
        return range(own[-1], own[-1] + 1)
    return range(0)
