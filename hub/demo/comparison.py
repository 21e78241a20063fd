"""Whether the ledgers of the scripted demo agree: the counters of its last line, and what does not fit.

The hub's word is taken for one thing only, who had a conversation at which moment, and held against all that the robots
have noted (routes.py).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from hub.demo.books import Books
from hub.demo.ledgers import AgentLedger, Sent, VisitorLedger
from hub.demo.reading import Undelivered
from hub.demo.routes import Frame, Routes


@dataclass(frozen=True)
class Result:
    """The last line of the scripted demo. `seconds` is the whole run's; `p50_ms`, `p99_ms` are from send to ack.

    `channels`: visitors by channel. `in_doubt`: answers of which an agent's phone said that nobody knows whether they
    arrived: their platform does not recognise a repeat, so they were not sent again. `arrived`: those of them that did.
    From `transferred` to `closed` it counts what the log says; all are 0 where that was not read.
    """

    visitors: int
    channels: dict[str, int]
    agents: int
    sent: int
    delivered: int
    held: int
    blocked: int
    answered: int
    overlooked: int
    lost: int
    duplicated: int
    reordered: int
    misrouted: int
    wrong_visitor: int
    in_doubt: int
    arrived: int
    masked: int
    transferred: int
    handed_over: int
    missed: int
    overflowed: int
    reopened: int
    closed: int
    p50_ms: float
    p99_ms: float
    seconds: float

    @property
    def zeros(self) -> dict[str, int]:
        """The counters that must be zero."""
        return {
            "overlooked": self.overlooked,
            "lost": self.lost,
            "duplicated": self.duplicated,
            "reordered": self.reordered,
            "misrouted": self.misrouted,
            "wrong_visitor": self.wrong_visitor,
        }

    def fields(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def compare(
    visitors: Sequence[VisitorLedger],
    agents: Sequence[AgentLedger],
    seconds: float,
    log: Sequence[Frame] | None = None,
    overflow: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Result, list[str]]:
    """What the ledgers say together, and a sentence for each thing that does not fit; none: the run is good.

    `log` is what the hub says of conversations, None where that was not read. `overflow`: from team to team.
    """
    members = {team: frozenset(one.name for one in agents if team in one.teams) for one in agents for team in one.teams}
    routes = Routes(log, members) if log is not None else None
    books = Books(visitors, agents, routes, overflow)
    sent = {one.serial: one for visitor in visitors for one in visitor.sent}
    labels = Counter(one.label for one in sent.values())
    changed = {serial for serial, text in books.received.items() if text != sent[serial].text}
    acked = sum(len(visitor.acked) for visitor in visitors)
    latencies = sorted(ms for visitor in visitors for ms in visitor.latencies_ms)
    result = Result(
        visitors=len(visitors),
        channels=dict(Counter(visitor.channel for visitor in visitors)),
        agents=len(agents),
        sent=len(sent),
        delivered=len(books.received),
        held=labels["held"],
        blocked=labels["blocked"],
        answered=books.answered(),
        overlooked=books.overlooked(),
        lost=books.lost(),
        duplicated=books.duplicated(),
        reordered=books.reordered(),
        misrouted=books.misrouted(),
        wrong_visitor=books.wrong_visitor(),
        in_doubt=len(books.in_doubt),
        arrived=len(books.in_doubt & books.shown),
        masked=len(changed),
        p50_ms=round(percentile(latencies, 50), 1),
        p99_ms=round(percentile(latencies, 99), 1),
        seconds=round(seconds, 1),
        **Routes(log or (), members).counts,
    )
    masked = {one.serial for one in sent.values() if one.label == "masked"}
    faults = [*_sums(result, acked), *_masks(sent, changed, masked & books.received.keys())]
    return result, [*faults, *_halves(agents), *books.untrue()]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order; 0.0 for none."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def reasons(agents: Sequence[AgentLedger]) -> Counter[str]:
    """Why phones said that answers may not have arrived, and how often each."""
    found = (one for agent in agents for one in agent.read()[0])
    return Counter(one.because for one in found if isinstance(one, Undelivered))


def _sums(result: Result, acked: int) -> list[str]:
    faults = [f"{name} is {count} and must be 0" for name, count in result.zeros.items() if count]
    if result.delivered + result.held + result.blocked != result.sent:
        faults.append(
            f"delivered {result.delivered} + held {result.held} + blocked {result.blocked} is not sent {result.sent}"
        )
    if result.answered != result.visitors:
        faults.append(f"answered {result.answered} of {result.visitors} visitors")
    if acked != result.sent:
        faults.append(f"{acked} of {result.sent} sent texts were acknowledged")
    return faults


def _masks(sent: dict[str, Sent], changed: set[str], expected: set[str]) -> list[str]:
    """A sentence for each text that was changed without the label, or has the label and came unchanged."""
    unexpected = [f"was changed and should not be: {sent[serial].text}" for serial in sorted(changed - expected)]
    return unexpected + [f"should be masked and was not: {sent[serial].text}" for serial in sorted(expected - changed)]


def _halves(agents: Sequence[AgentLedger]) -> list[str]:
    """Half of the answers go by number, half by the sticky choice; an odd one for each agent does no harm."""
    typed = [one for agent in agents for one in agent.typed if one.taken and one.by_number is not None]
    by_number = sum(one.by_number is True for one in typed)
    if abs(2 * by_number - len(typed)) <= len(agents):
        return []
    return [f"{by_number} of {len(typed)} answers were typed by number, which is not half"]
