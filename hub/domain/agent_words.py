"""What an agent typed on their phone, taken apart: a command word, an answer with a number, or plain text."""

import re

import msgspec


class Duty(msgspec.Struct, frozen=True):
    """上班 or 下班."""

    on: bool


class ListOwn(msgspec.Struct, frozen=True):
    """列表."""


class Help(msgspec.Struct, frozen=True):
    """帮助, or a command word without what must follow it."""


class Cancel(msgspec.Struct, frozen=True):
    """取消: what is held is not to be sent."""


class Close(msgspec.Struct, frozen=True):
    """结束; without a number `no` is 0: the one they are at."""

    no: int = 0


class Transfer(msgspec.Struct, frozen=True):
    """转接 to `target`, the word after @."""

    target: str
    no: int = 0


class Recall(msgspec.Struct, frozen=True):
    """撤回: the last answer is taken back."""

    no: int = 0


class Correct(msgspec.Struct, frozen=True):
    """更正: the last answer reads `text` from now on."""

    text: str
    no: int = 0


class Switch(msgspec.Struct, frozen=True):
    """`#12` alone."""

    no: int


class Answer(msgspec.Struct, frozen=True):
    """`#12 text`."""

    no: int
    text: str


class Misspelt(msgspec.Struct, frozen=True):
    """It begins with # and names no single conversation: a typing error, to be given back, never to be sent."""


class Plain(msgspec.Struct, frozen=True):
    """Text without a number."""

    text: str


Said = Duty | ListOwn | Help | Cancel | Close | Transfer | Recall | Correct | Switch | Answer | Misspelt | Plain

_WORDS: dict[str, Said] = {
    **dict.fromkeys(("上班", "on"), Duty(on=True)),
    **dict.fromkeys(("下班", "off"), Duty(on=False)),
    **dict.fromkeys(("列表", "list"), ListOwn()),
    **dict.fromkeys(("帮助", "help", "?", "？", "转接", "transfer", "更正"), Help()),
    **dict.fromkeys(("取消", "cancel"), Cancel()),
    **dict.fromkeys(("结束", "close"), Close()),
    **dict.fromkeys(("撤回", "recall"), Recall()),
}
_CLOSE = re.compile(r"(?:结束|close)\s*(?:[#＃]\s*)?(\d{1,9})", re.IGNORECASE)
_TRANSFER = re.compile(r"(?:转接|transfer)\s*(?:(?:[#＃]\s*)?(\d{1,9})\s*)?[@＠]\s*(\S[^\n]*)", re.IGNORECASE)
_RECALL = re.compile(r"(?:撤回|recall)\s*(?:[#＃]\s*)?(\d{1,9})", re.IGNORECASE)
_CORRECT = re.compile(r"(?:更正|correction)(?:\s*[#＃]\s?(\d{1,9})(?!\d))?\s+(\S.*)", re.IGNORECASE | re.DOTALL)
_NUMBERED = re.compile(r"[#＃]\s?(\d{1,9})(?!\d)[\s:：]*(.*)", re.DOTALL)


def parse(text: str) -> Said:
    """What was meant. Command words count only when they are the whole text, in any case and width.

    A bare number is a plausible answer, so `12 text` is plain; `结束 12` can mean but one thing. 撤回 and 更正, unlike
    other command words, count after `#12` as well.
    """
    text = text.strip()
    if word := _WORDS.get(text.lower()):
        return word
    if found := _CLOSE.fullmatch(text):
        return Close(int(found[1]))
    if found := _TRANSFER.fullmatch(text):
        return Transfer(found[2].strip(), int(found[1] or 0))
    if found := _RECALL.fullmatch(text):
        return Recall(int(found[1]))
    if found := _CORRECT.fullmatch(text):
        return Misspelt() if found[2].startswith(("#", "＃")) else Correct(found[2], int(found[1] or 0))
    if not text.startswith(("#", "＃")):
        return Plain(text)
    found = _NUMBERED.fullmatch(text)
    if not found or found[2].startswith(("#", "＃")):
        return Misspelt()
    return _numbered(int(found[1]), found[2]) if found[2] else Switch(int(found[1]))


def _numbered(no: int, text: str) -> Said:
    """What stands after `#12`."""
    if text.lower() in ("撤回", "recall"):
        return Recall(no)
    if text == "更正":
        return Switch(no)
    if found := _CORRECT.fullmatch(text):
        return Misspelt() if found[1] or found[2].startswith(("#", "＃")) else Correct(found[2], no)
    return Answer(no, text)
