"""Where the conversations of the scripted demo went, by the hub's log: who got them, and why they moved.

The log is the hub's word, so it is held against the ledgers: an agent may see a conversation only if the log gave it to
them; the log may give it only where the labelled opener, the company's overflow, or a transfer that an agent's robot
has noted allows; and an answer may stand in the log only while its author has the conversation.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.demo.serials import SERIAL

Frame = dict[str, Any]
"""An event as docs/protocol.md has it."""

MISSED = ("not accepted within", "not answered within")
"""So the log says that an agent let a conversation wait for too long."""


@dataclass
class Route:
    """One conversation's way. `agents` had it, as people call them; `team` is the one that it was last meant for."""

    agents: set[str] = field(default_factory=set)
    assignee: str = ""
    team: str = ""
    waits: bool = False
    """Nobody has it, and it is not closed."""
    answers: dict[int, list[str]] = field(default_factory=dict)
    """The serials in each answer, by its seq."""
    answered_by: list[tuple[str, str]] = field(default_factory=list)
    """The serial of each answer, and who had the conversation when it was written down."""


class Routes:
    """All conversations' routes, by the conversation's id; `members` are each team's, as people call them."""

    def __init__(self, frames: Sequence[Frame], members: Mapping[str, frozenset[str]]) -> None:
        self.by_serial: dict[str, str] = {}
        """Of each visitor's text that agents may read: its conversation."""
        self.routes: dict[str, Route] = {}
        self.counts = dict.fromkeys(("transferred", "handed_over", "missed", "overflowed", "reopened", "closed"), 0)
        self.order: dict[str, int] = {}
        """Of each text of either side: its place in the log."""
        self.undelivered: set[str] = set()
        """Answers that went to a dead letter: where nobody has the conversation any more, no phone tells of it."""
        self._members = members
        for frame in frames:
            for serial in SERIAL.findall(frame.get("text", "")) if frame["kind"] in ("message", "answer") else ():
                self.order.setdefault(serial, len(self.order))
            self._go(self.routes.setdefault(frame["c"], Route()), frame)

    def _go(self, route: Route, frame: Frame) -> None:
        text = frame.get("text", "")
        match frame["kind"]:
            case "message":
                self.by_serial |= dict.fromkeys(SERIAL.findall(text), frame["c"])
            case "answer":
                route.answered_by += [(serial, route.assignee) for serial in SERIAL.findall(text)]
                route.answers[frame["seq"]] = SERIAL.findall(text)
            case "undelivered":
                self.undelivered.update(one for seq in frame.get("refs", ()) for one in route.answers.get(seq, ()))
            case "queued":
                route.team, route.waits = frame.get("team", ""), True
            case "assigned":
                self._assign(route, frame)
            case "transferred":  # the one who gave it may go on until somebody has it
                self.counts["handed_over" if frame.get("because") else "transferred"] += 1
                route.waits = True
            case "returned":
                self.counts["missed"] += text.startswith(MISSED)
                route.assignee, route.waits = "", True
            case "closed" | "reopened" as kind:
                self.counts[kind] += 1
                route.assignee, route.waits = "", False

    def _assign(self, route: Route, frame: Frame) -> None:
        agent, team = frame["by"], frame["team"]
        route.agents.add(agent)
        route.assignee, route.team, route.waits = agent, team, False
        self.counts["overflowed"] += agent not in self._members.get(team, frozenset({agent}))

    def waiting(self) -> int:
        """How many conversations nobody has, and nobody has closed."""
        return sum(route.waits for route in self.routes.values())

    def strangers(self, authors: Mapping[str, str]) -> Iterator[str]:
        """The serial of each answer that was written down while its author did not have the conversation."""
        for route in self.routes.values():
            yield from (serial for serial, had in route.answered_by if authors.get(serial, had) != had)
