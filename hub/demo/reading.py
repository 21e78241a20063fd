"""What an agent reads on their phone: the texts of the app, taken apart into visitors' blocks and the hub's sentences.

It knows only what a person sees, not how the hub made it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

_HEAD = re.compile(r"【#(\d+)·(\d+) (?:(\d+)/(\d+) )?[^】\n]*】")
_QUOTED = re.compile(r"「(.*)」")
_LEFT_NOTE = "留言："
_CONTINUED = "│ "


@dataclass(frozen=True)
class Block:
    """A visitor's message under its conversation's number, whole again where the phone showed it in parts."""

    no: int
    seq: int
    text: str


@dataclass(frozen=True)
class Switched:
    """`→ #12 …`: what is typed without a number goes there from now on."""

    no: int


@dataclass(frozen=True)
class Undelivered:
    """`未送达 #12：…`: an answer has not arrived, or nobody knows whether it has. `quoted` is how it begins."""

    no: int
    because: str
    quoted: str = ""


@dataclass(frozen=True)
class Began:
    """`新会话 #12 …`: a conversation is the agent's from now on. `note`: what a colleague has left with it."""

    no: int
    note: str = ""


@dataclass(frozen=True)
class Ended:
    """`#12 … 已转给 …`: a conversation is the agent's no more."""

    no: int


@dataclass(frozen=True)
class Kept:
    """`没有照办：#12 …`: what the agent wanted to give away, or to end, is theirs as before."""

    no: int


@dataclass(frozen=True)
class GivenBack:
    """`未发送：…`: the agent's own text has gone to nobody."""

    because: str
    text: str = ""


@dataclass(frozen=True)
class Asked:
    """`发给谁？…`: it is not clear whom the agent's texts without a number are for."""


@dataclass(frozen=True)
class Duty:
    """The agent is on duty from now on, or off."""

    on: bool


@dataclass(frozen=True)
class Moved:
    """From here on they read on another way: what they have not answered is shown again there."""


Found = Block | Switched | Undelivered | Began | Ended | Kept | GivenBack | Asked | Duty | Moved

_SENTENCES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Found]], ...] = (
    (re.compile(r"→ #(\d+) .*"), lambda said: Switched(int(said[1]))),
    (re.compile(r"未送达 #(\d+)：(.*)"), lambda said: Undelivered(int(said[1]), said[2])),
    (re.compile(r"新会话 #(\d+) .*"), lambda said: Began(int(said[1]))),
    (re.compile(r"#(\d+) .*(?:已结束|已转给.*|已退回排队|已转给别人)"), lambda said: Ended(int(said[1]))),
    (re.compile(r"没有照办：#(\d+) .*|#(\d+) .*仍是你的会话"), lambda said: Kept(int(said[1] or said[2]))),
    (re.compile(r"未发送：(.*)"), lambda said: GivenBack(said[1])),
    (re.compile(r"发给谁？.*"), lambda _: Asked()),
    (re.compile(r".*已([上下])班.*"), lambda said: Duty(on=said[1] == "上")),
)
"""What the hub says on a line of its own."""


class Reader:
    """Reads one phone's texts in their order. `repeated_parts` counts parts that the phone showed once more."""

    def __init__(self) -> None:
        self.repeated_parts = 0
        self._parts: dict[tuple[int, int], dict[int, str]] = {}

    def read(self, text: str) -> list[Found]:
        """What the next text says, in order; a block in parts stands where its last part stands."""
        found: list[Found] = []
        for line in _lines(text):
            if head := _HEAD.match(line):
                found += self._join(head, line[head.end() :])
            elif found and (more := _continued(found[-1], line)):
                found[-1] = more
            elif said := _sentence(line):
                found.append(said)
        return found

    def _join(self, head: re.Match[str], text: str) -> list[Block]:
        no, seq = int(head[1]), int(head[2])
        if head[3] is None:
            return [Block(no, seq, text)]
        part, count = int(head[3]), int(head[4])
        parts = self._parts.setdefault((no, seq), {})
        if part in parts:
            self.repeated_parts += 1
            return []
        parts[part] = text
        return [Block(no, seq, "".join(parts[n] for n in sorted(parts)))] if len(parts) == count else []


def _continued(last: Found, line: str) -> Found | None:
    """What the line before said, with what this line adds to it; None where it is another sentence."""
    match last:
        case Undelivered(quoted="") if quoted := _QUOTED.fullmatch(line):
            return replace(last, quoted=quoted[1])
        case Began(note="") if line.startswith(_LEFT_NOTE):
            return replace(last, note=line.removeprefix(_LEFT_NOTE))
        case GivenBack(text=""):
            return replace(last, text=line)
    return None


def _sentence(line: str) -> Found | None:
    return next((make(said) for pattern, make in _SENTENCES if (said := pattern.fullmatch(line))), None)


def _lines(text: str) -> list[str]:
    """The text's lines, those that continue a visitor's message joined to the line they continue."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and line.startswith(_CONTINUED):
            lines[-1] += "\n" + line.removeprefix(_CONTINUED)
        else:
            lines.append(line)
    return lines
