"""Damage on purpose, between what was shown and the robot that sees it, never to the product: the ledgers must notice.

Done by the product it would be a lost, doubled, late or misdirected text. What agents read or type is harmed once; what
visitors see is harmed once on each channel, because each has its own way back.
"""

from collections.abc import Sequence
from typing import Literal

from hub.demo.ledgers import VisitorLedger, serial_of
from hub.demo.reading import Began, Block, Reader
from hub.demo.serials import SERIAL
from hub.errors import HubError

Kind = Literal[
    "drop", "double", "swap", "misroute", "cross", "drop-answer", "double-answer", "swap-answers", "stray-answer"
]
COUNTERS: dict[Kind, str] = {
    "drop": "lost",
    "double": "duplicated",
    "swap": "reordered",
    "misroute": "misrouted",
    "cross": "wrong_visitor",
    "drop-answer": "lost",
    "double-answer": "duplicated",
    "swap-answers": "reordered",
    "stray-answer": "wrong_visitor",
}
"""The counter that must move."""


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises HubError."""
    for kind in COUNTERS:
        if kind == name:
            return kind
    raise HubError(f'--sabotage "{name}": there are {", ".join(COUNTERS)}')


class Sabotage:
    """Stands between robots and what they see on phones and channels; without a kind it changes nothing.

    `phones`: numbers of those where it does its harm, and where a text may come to by mistake. `done`: it has.
    """

    def __init__(self, kind: Kind | None, phones: Sequence[int]) -> None:
        self.done = False
        self._kind = kind
        self._phones = phones
        self._swapped: tuple[int, str] | None = None
        """A text that is held back until another one of the same visitor has passed, and whose it is."""

    def pass_on(self, agent: int, text: str) -> list[tuple[int, str]]:
        """What robots get to read, and which, when the phone of `agent` shows `text`."""
        if self.done or agent not in self._phones or not _numbers(text):
            return [(agent, text)]
        match self._kind:
            case "drop":
                self.done = True
                return []
            case "double" if not _begins(text):
                self.done = True
                return [(agent, text)] * 2
            case "misroute":
                self.done = True
                return [(self._phones[self._phones.index(agent) - 1], text)]
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

    def show(self, visitors: Sequence[VisitorLedger]) -> None:
        """Change what visitors saw: on each channel of the first who has enough answers. A stray one is seen on another
        channel, by its last visitor.
        """
        channels = list(dict.fromkeys(visitor.channel for visitor in visitors))
        for n, channel in enumerate(channels):
            here, next_ = ([one for one in visitors if one.channel == name] for name in (channel, channels[n - 1]))
            for victim in here:
                if self._harm(victim.shown, _answers(victim), next_[-1].shown):
                    self.done = True
                    break

    def _harm(self, shown: list[str], answers: list[int], elsewhere: list[str]) -> bool:
        """Whether it could be done; `answers` are places in `shown`."""
        match self._kind, answers:
            case "drop-answer", [first, *_]:
                del shown[first]
            case "double-answer", [first, *_]:
                shown.insert(first, shown[first])
            case "stray-answer", [first, *_]:
                elsewhere.append(shown.pop(first))
            case "swap-answers", [first, second, *_]:
                shown[first], shown[second] = shown[second], shown[first]
            case _:
                return False
        return True

    def aim(self, no: int, others: list[int]) -> int:
        """The number that the robot types when it means `no` and also has the `others`."""
        if self._kind != "cross" or self.done or not others:
            return no
        self.done = True
        return others[0]


def _numbers(text: str) -> set[int]:
    """The conversations of which a text shows whole messages with a serial."""
    return {found.no for found in Reader().read(text) if isinstance(found, Block) and serial_of(found)}


def _begins(text: str) -> bool:
    """Whether a conversation begins in it: then what it shows may have been shown before."""
    return any(isinstance(found, Began) for found in Reader().read(text))


def _answers(visitor: VisitorLedger) -> list[int]:
    """The places of answers among what a visitor saw."""
    own = {one.serial for one in visitor.sent}
    return [n for n, text in enumerate(visitor.shown) if set(SERIAL.findall(text)) - own]
