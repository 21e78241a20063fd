"""Damage on purpose, between a phone and the robot that reads it, never to the product: the ledgers must notice.

Each kind does its harm once. Done by the product it would be a lost, doubled, late or misdirected text.
"""

from typing import Literal

from hub.demo.ledgers import serial_of
from hub.demo.reading import Block, Reader
from hub.errors import HubError

Kind = Literal["drop", "double", "swap", "misroute", "cross"]
COUNTERS: dict[Kind, str] = {
    "drop": "lost",
    "double": "duplicated",
    "swap": "reordered",
    "misroute": "misrouted",
    "cross": "wrong_visitor",
}
"""The counter that must move."""


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises HubError."""
    for kind in COUNTERS:
        if kind == name:
            return kind
    raise HubError(f'--sabotage "{name}": there are {", ".join(COUNTERS)}')


class Sabotage:
    """Stands between the phones of so many agents and their robots; without a kind it changes nothing."""

    def __init__(self, kind: Kind | None, agents: int) -> None:
        self.done = False
        self._kind = kind
        self._agents = agents
        self._swapped: tuple[int, str] | None = None
        """A text that is held back until another one of the same visitor has passed, and whose it is."""

    def pass_on(self, agent: int, text: str) -> list[tuple[int, str]]:
        """What robots get to read, and which, when the phone of `agent` shows `text`."""
        if self.done or not _numbers(text):
            return [(agent, text)]
        match self._kind:
            case "drop":
                self.done = True
                return []
            case "double":
                self.done = True
                return [(agent, text)] * 2
            case "misroute":
                self.done = True
                return [((agent + 1) % self._agents, text)]
            case "swap":
                return self._swap(agent, text)
        return [(agent, text)]

    def _swap(self, agent: int, text: str) -> list[tuple[int, str]]:
        if self._swapped is None:
            self._swapped = agent, text
            return []
        held_for, held = self._swapped
        if held_for == agent and _numbers(held) & _numbers(text):
            self.done = True
            return [(agent, text), (agent, held)]
        return [(agent, text)]

    def aim(self, no: int, others: list[int]) -> int:
        """The number that the robot types when it means `no` and also has the `others`."""
        if self._kind != "cross" or self.done or not others:
            return no
        self.done = True
        return others[0]


def _numbers(text: str) -> set[int]:
    """The conversations of which a text shows whole messages with a serial."""
    return {found.no for found in Reader().read(text) if isinstance(found, Block) and serial_of(found)}
