"""What an agent reads on their phone: the texts of the app, taken apart into visitors' blocks and switches.

It knows only what a person sees, not how the hub made it.
"""

import re
from dataclasses import dataclass, replace

_HEAD = re.compile(r"【#(\d+)·(\d+) (?:(\d+)/(\d+) )?[^】\n]*】")
_SWITCH = re.compile(r"→ #(\d+) ")
_UNDELIVERED = re.compile(r"未送达 #(\d+)：(.*)")
_QUOTED = re.compile(r"「(.*)」")
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


Found = Block | Switched | Undelivered


class Reader:
    """Reads one phone's texts in their order. `repeated_parts` counts parts that the phone showed once more."""

    def __init__(self) -> None:
        self.repeated_parts = 0
        self._parts: dict[tuple[int, int], dict[int, str]] = {}

    def read(self, text: str) -> list[Found]:
        """What the next text says, in order; a block in parts stands where its last part stands."""
        found: list[Found] = []
        for line in _lines(text):
            last = found[-1] if found else None
            if head := _HEAD.match(line):
                found += self._join(head, line[head.end() :])
            elif switch := _SWITCH.match(line):
                found.append(Switched(int(switch[1])))
            elif note := _UNDELIVERED.fullmatch(line):
                found.append(Undelivered(int(note[1]), note[2]))
            elif isinstance(last, Undelivered) and (quoted := _QUOTED.fullmatch(line)):
                found[-1] = replace(last, quoted=quoted[1])
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


def _lines(text: str) -> list[str]:
    """The text's lines, those that continue a visitor's message joined to the line they continue."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and line.startswith(_CONTINUED):
            lines[-1] += "\n" + line.removeprefix(_CONTINUED)
        else:
            lines.append(line)
    return lines
