"""The ledgers of the scripted demo: what robots sent, and what robots saw.

A visitor notes what they sent and which answers their page showed; an agent notes what their phone or page showed, what
they typed, and to whom they passed a conversation on. Every text is known by its serial (serials.py).
"""

from dataclasses import dataclass, field
from typing import Literal

from hub.demo.reading import Block, Found, Moved, Reader
from hub.demo.serials import SERIAL

Label = Literal["", "masked", "held", "blocked"]
"""What a person says should happen to a sentence; nothing, for most."""
READ: tuple[Label, ...] = ("", "masked")
"""The labels of what agents get to read."""


@dataclass(frozen=True)
class Sent:
    """A visitor's text, as typed, with its serial at the end. `label`: that of the opener; later texts have none."""

    serial: str
    text: str
    label: Label = ""


@dataclass
class VisitorLedger:
    """One visitor's: what they sent in order, to which team a person would send them, and what they saw.

    `channel`: on which they wrote.
    """

    team: str
    channel: str = ""
    sent: list[Sent] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)
    """Serials of what was acknowledged."""
    latencies_ms: list[float] = field(default_factory=list)
    """From sending to the acknowledgement, of texts of which the visitor hears that, not delayed by their own line."""
    shown: list[str] = field(default_factory=list)
    """The texts of both sides that they saw at the end, on their page or in their mailbox, in order."""


@dataclass(frozen=True)
class Typed:
    """An answer that an agent typed, known by its own serial. `to` is a visitor's serial in the block it answers.

    `by_number` is None on a page. `taken`: the platform could hand it to the hub. Of one that it could not, nobody
    knows whether it will arrive; the agent has typed it again, with another serial.
    """

    serial: str
    to: str
    by_number: bool | None
    taken: bool = True


@dataclass(frozen=True)
class Given:
    """A conversation that an agent passed on: to a colleague or to a team, by their names in teams.yaml.

    `display` is what people call them, `of` a visitor's serial in the conversation.
    """

    display: str
    agent: str = ""
    team: str = ""
    of: str = ""


@dataclass
class AgentLedger:
    """One agent's: their teams, the texts their phone or mailbox showed in order or what their page did, and what they
    typed. `notes` are the serials of what is for colleagues only.

    `name` is what people call them.
    """

    teams: frozenset[str]
    texts: list[str] = field(default_factory=list)
    typed: list[Typed] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    name: str = ""
    notes: list[str] = field(default_factory=list)
    _way: str = ""
    _moved: set[int] = field(default_factory=set)
    """The places in `texts` of those that came on another way than the one before."""

    def add(self, text: str, way: str) -> None:
        """The next text, which came on this way."""
        if self.texts and way != self._way:
            self._moved.add(len(self.texts))
        self._way = way
        self.texts.append(text)

    def read(self) -> tuple[list[Found], int]:
        """All that was shown, taken apart, and how many parts of long messages too many."""
        readers, found = [Reader()], list(self.found)
        for n, text in enumerate(self.texts):
            if n in self._moved:
                readers.append(Reader())
                found.append(Moved())
            found += readers[-1].read(text)
        return found, sum(reader.repeated_parts for reader in readers)


def serial_of(block: Block) -> str:
    """The serial at the end of a visitor's message; empty where there is none (a placeholder for a held one)."""
    found = SERIAL.findall(block.text)
    return found[-1] if found else ""
