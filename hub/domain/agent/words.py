"""What an agent typed on their phone, taken apart: a command, an answer with a number, or plain text.

A command word counts when it is the whole text, or when what follows it can mean nothing else: a number after #, a
name after @. Sentences to a visitor begin with the same words (结束了吗, close the app, note that …): those stay plain
text. Where both would be likely, the text is `Doubtful`: it goes nowhere, and the agent is asked.
"""

import re

import msgspec


class Duty(msgspec.Struct, frozen=True):
    """上班 or 下班."""

    on: bool


class ListOwn(msgspec.Struct, frozen=True):
    """列表."""


class ListWaiting(msgspec.Struct, frozen=True):
    """排队."""


class Take(msgspec.Struct, frozen=True):
    """接入 #12, or with 0 下一位."""

    no: int = 0


class Keep(msgspec.Struct, frozen=True):
    """保留: what is open stays with the agent after their shift. Not `sure`: plain text where nobody asked them."""

    sure: bool = True


class Help(msgspec.Struct, frozen=True):
    """帮助, or a command word without what must follow it."""


class Cancel(msgspec.Struct, frozen=True):
    """取消: what is held is not to be sent."""


class Close(msgspec.Struct, frozen=True):
    """结束, with the reason; without a number `no` is 0: the one they are at."""

    no: int = 0
    because: str = ""


class Transfer(msgspec.Struct, frozen=True):
    """转接. `target` is all that stands after @: a name, and perhaps a note for whoever bears it."""

    target: str
    no: int = 0


class Hold(msgspec.Struct, frozen=True):
    """挂起, or 恢复."""

    on: bool
    no: int = 0


class Note(msgspec.Struct, frozen=True):
    """备注: `text` is for colleagues only."""

    text: str
    no: int = 0


class Quick(msgspec.Struct, frozen=True):
    """快捷 or `/name`: the quick reply of this name. Not `sure`: where there is none, `text` is what they meant."""

    name: str
    no: int = 0
    sure: bool = True
    text: str = ""


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


class Doubtful(msgspec.Struct, frozen=True):
    """A command in the wrong form, or an answer that looks like one; `form` is how the command is written."""

    form: str


class Plain(msgspec.Struct, frozen=True):
    """Text without a number."""

    text: str


Said = (
    Duty | ListOwn | ListWaiting | Take | Keep | Help | Cancel | Close | Transfer | Hold | Note | Quick | Recall
    | Correct | Switch | Answer | Misspelt | Doubtful | Plain
)  # fmt: skip

_WORDS: dict[str, Said] = {
    **dict.fromkeys(("上班", "on"), Duty(on=True)),
    **dict.fromkeys(("下班", "off"), Duty(on=False)),
    **dict.fromkeys(("列表", "list"), ListOwn()),
    **dict.fromkeys(("排队", "waiting"), ListWaiting()),
    **dict.fromkeys(("下一位", "next"), Take()),
    **dict.fromkeys(("帮助", "help", "?", "转接", "transfer", "更正", "接入", "备注", "快捷"), Help()),
    **dict.fromkeys(("取消", "cancel"), Cancel()),
    **dict.fromkeys(("结束", "close"), Close()),
    **dict.fromkeys(("挂起", "hold"), Hold(on=True)),
    **dict.fromkeys(("恢复", "resume"), Hold(on=False)),
    **dict.fromkeys(("撤回", "recall"), Recall()),
    "保留": Keep(),
    "keep": Keep(sure=False),
}
_FORMS = {
    "结束": "结束 #12 原因", "close": "close #12 reason",
    "转接": "转接 #12 @同事 留言", "transfer": "transfer #12 @colleague note",
    "接入": "接入 #12", "take": "take #12",
    "挂起": "挂起 #12", "hold": "hold #12", "恢复": "恢复 #12", "resume": "resume #12",
    "备注": "备注 #12 内容", "note": "note #12 text",
    "快捷": "快捷 #12 名称", "quick": "quick #12 name",
    "撤回": "#12 撤回", "recall": "#12 recall",
}  # fmt: skip
"""The commands that may have a number, and their forms."""

_HALF_WIDTH = {0xFEE0 + sign: sign for sign in range(0x21, 0x7F)} | {0x3000: 0x20}
_NO = "(0*[1-9][0-9]{0,8})(?![0-9])"


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("NO", _NO), re.IGNORECASE | re.DOTALL)


_CLOSE = _form(r"(?:结束|close)\s*(?:#\s*)?NO")
_CLOSE_BECAUSE = _form(r"(?:结束|close)\s*#\s?NO[\s:]+(\S.*)")
_TRANSFER = _form(r"(?:转接|transfer)\s*(?:(?:#\s*)?NO\s*)?@\s*(\S.*)")
_TAKE = _form(r"(?:接入\s*(?:#\s*)?|take\s*#\s*)NO")
_HOLD = _form(r"(?:挂起\s*(?:#\s*)?|hold\s*#\s*)NO")
_RESUME = _form(r"(?:恢复\s*(?:#\s*)?|resume\s*#\s*)NO")
_RECALL = _form(r"(?:撤回|recall)\s*(?:#\s*)?NO")
_CORRECT = _form(r"(?:更正|correction)(?:\s*#\s?NO)?\s+(\S.*)")
_NOTE = _form(r"(?:备注|note)\s*#\s?NO[\s:]*(\S.*)|备注\s+(\S.*)")
_QUICK = _form(r"(?:快捷|quick)\s*#\s?NO\s*(\w[^\n]*)|快捷\s+(\w[^\n]*)|/(\w[^/\n]*)")
_PERHAPS_QUICK = _form(r"quick\s+(\w[^\n]*)")
_NUMBERED = _form(r"#\s?NO[\s:]*(.*)")
_COMMAND = _form(r"#\s*([^\W\d_]+|\?)\s*(.*)")
_DOUBTFUL = _form(rf"({'|'.join(_FORMS)})\s*#|(结束|转接)[\s:]|(备注)\s*:")


def half_width(text: str) -> str:
    """The text with its full-width letters, digits and signs as ordinary ones, each in its place."""
    return text.translate(_HALF_WIDTH)


def parse(text: str) -> Said:
    """What was meant, in any case and width.

    A bare number is a plausible answer, so `12 text` is plain; `结束 12` can mean but one thing. 撤回, 更正, 备注 and
    快捷, unlike other command words, count after `#12` as well.
    """
    text = text.strip()
    plain = half_width(text)
    if said := _WORDS.get(plain.lower()) or _numbered_word(plain) or _with_text(text, plain):
        return said
    if plain.startswith("#"):
        return _numbered(text, plain)
    if found := _DOUBTFUL.match(plain):
        return Doubtful(_FORMS[found[found.lastindex or 0].lower()])
    return Plain(text)


_TAKES_TEXT = frozenset({"结束", "close", "转接", "transfer", "备注", "note", "更正", "correction"})


def in_thread(text: str, no: int) -> Said:
    """What was meant by an answer in the thread of conversation `no`; 0: of none, or of one that is not theirs.

    A command stands in the first line, behind #; what is below belongs to it where it takes a text, and is a signature
    where it does not. All else is the answer. Of no conversation, a command may also stand without #.
    """
    first, _, below = text.strip().partition("\n")
    if found := _COMMAND.fullmatch(half_width(first)):
        word, rest = found[1].lower(), _last(first, found)
        if word in _TAKES_TEXT:
            rest = f"{rest}\n{below}".strip()
        said = parse(_spelt(word, rest, no))
        return said if not isinstance(said, Plain) else Misspelt()
    said = parse(text if half_width(text).startswith("#") else first)
    if isinstance(said, Keep) and not no:
        return Keep()
    if isinstance(said, Quick) and said.sure:
        return msgspec.structs.replace(said, no=said.no or no)
    if half_width(text).startswith("#") or (not no and not isinstance(said, Plain | Doubtful)):
        return said
    return Answer(no, text.strip()) if no else Plain(text.strip())


def _spelt(word: str, rest: str, no: int) -> str:
    """The command as it would be typed on a phone, with the number that the thread gives it."""
    if word in ("接入", "take"):
        return f"{word} #{half_width(rest).lstrip('# ') or no}"
    numbered = no and (word in _FORMS or word in ("更正", "correction"))
    return f"{word} #{no} {rest}".strip() if numbered else f"{word} {rest}".strip()


def _numbered_word(plain: str) -> Said | None:
    """A command word with a number and nothing else."""
    if found := _CLOSE.fullmatch(plain):
        return Close(int(found[1]))
    if found := _TAKE.fullmatch(plain):
        return Take(int(found[1]))
    if found := _HOLD.fullmatch(plain):
        return Hold(on=True, no=int(found[1]))
    if found := _RESUME.fullmatch(plain):
        return Hold(on=False, no=int(found[1]))
    if found := _RECALL.fullmatch(plain):
        return Recall(int(found[1]))
    return None


def _with_text(text: str, plain: str) -> Said | None:
    """A command word that takes a text, with it."""
    if found := _CLOSE_BECAUSE.fullmatch(plain):
        because = _last(text, found)
        return Misspelt() if _hashed(because) else Close(int(found[1]), because)
    if found := _TRANSFER.fullmatch(plain):
        return Transfer(_last(text, found), int(found[1] or 0))
    if found := _CORRECT.fullmatch(plain):
        new = _last(text, found)
        return Misspelt() if _hashed(new) else Correct(new, int(found[1] or 0))
    if found := _NOTE.fullmatch(plain):
        note = _last(text, found)
        return Misspelt() if _hashed(note) else Note(note, int(found[1] or 0))
    if found := _QUICK.fullmatch(plain):
        return Quick(_last(text, found), int(found[1] or 0))
    if found := _PERHAPS_QUICK.fullmatch(plain):
        return Quick(_last(text, found), sure=False, text=text)
    return None


def _numbered(text: str, plain: str) -> Said:
    """What begins with #."""
    found = _NUMBERED.fullmatch(plain)
    if not found or found[2].startswith("#"):
        return Misspelt()
    no, rest = int(found[1]), _last(text, found)
    if not rest or half_width(rest) in ("更正", "备注", "快捷"):
        return Switch(no)
    match _WORDS.get(half_width(rest).lower()) or _with_text(rest, half_width(rest)):
        case Recall():
            return Recall(no)
        case Correct(text=new, no=0):
            return Correct(new, no)
        case Note(text=note, no=0):
            return Note(note, no)
        case Quick(name=name, no=0, sure=True):
            return Quick(name, no, sure=False, text=rest)
        case Correct() | Note() | Quick(sure=True) | Misspelt():
            return Misspelt()
    return Answer(no, rest)


def _last(text: str, found: re.Match[str]) -> str:
    """The last group that was found, as it was typed."""
    return text[slice(*found.span(found.lastindex or 0))]


def _hashed(text: str) -> bool:
    return half_width(text).startswith("#")
