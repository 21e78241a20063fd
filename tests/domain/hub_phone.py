"""An agent before their phone: what it shows them, and what they think by it."""

import re
from dataclasses import dataclass, field

from hub.domain import events as e
from hub.domain.messages import Attachment
from tests.domain.hub_properties import serials
from tests.domain.hub_world import Known

_BEGINS = re.compile(r"(?:【|新会话 )#(\d+)")
_ENDS = re.compile(r"#(\d+) .*(?:已结束|已转给|已退回|不是你)")
_ASKS = re.compile(r"^发给谁？(.*)$", re.MULTILINE)
_DOUBT = re.compile(r"已结束|已转给|已退回|不是你|未发送|未办到|发给谁|没有|已交回|→|仍是你")
_SWITCHED = re.compile(r"→ #\d+ .*(\n\(\d+\))?")


@dataclass
class Typed:
    """A text on its way from a phone: for `meant`, of whom the agent knew `known`."""

    index: int
    text: str
    sent_at_ms: int
    meant: str
    known: Known | None
    files: tuple[Attachment, ...] = ()


@dataclass
class Phone:
    """What an agent sees, and thinks by it."""

    mine: dict[int, str] = field(default_factory=dict)
    """The conversations that it shows as theirs, by number."""
    read: set[int] = field(default_factory=set)
    """Attempts."""
    choice: str = ""
    """Whom text without a number is for."""
    asked: set[str] = field(default_factory=set)
    """Their texts that it asks about."""
    flight: list[Typed] = field(default_factory=list)

    def show(self, call: e.Attempted, numbers: dict[int, tuple[str, int]]) -> None:
        """They read it; `numbers` says whose each number is."""
        if call.attempt in self.read:
            return
        self.read.add(call.attempt)
        for no in _BEGINS.findall(call.text):
            self.mine[int(no)] = numbers[int(no)][0]
        for no in _ENDS.findall(call.text):
            self.mine.pop(int(no), None)
        if question := _ASKS.search(call.text):
            self.asked = serials(question[1])
        if _DOUBT.search(call.text) and not _SWITCHED.fullmatch(call.text):
            self.choice = ""
