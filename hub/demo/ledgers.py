"""The ledgers of the scripted demo: what robots sent, what robots saw, and whether the two agree.

A visitor notes what they sent and which answers their page showed; an agent notes what their phone or page showed, what
they typed, and to whom they passed a conversation on. Every text is known by its serial (serials.py). The hub's word
is taken for one thing only, who had a conversation at which moment, and held against all that (routes.py).
"""

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal

from hub.demo.reading import Began, Block, Found, GivenBack, Reader, Undelivered
from hub.demo.routes import Frame, Routes
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
    """One agent's: their teams, the texts their phone showed in order or what their page did, and what they typed.

    `name` is what people call them.
    """

    teams: frozenset[str]
    texts: list[str] = field(default_factory=list)
    typed: list[Typed] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    name: str = ""

    def read(self) -> tuple[list[Found], int]:
        """All that was shown, taken apart, and how many parts of long messages too many."""
        reader = Reader()
        return [*self.found, *(one for text in self.texts for one in reader.read(text))], reader.repeated_parts


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
    books = _Books(visitors, agents, routes, overflow)
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
        answered=sum(books.is_answered(n) for n in range(len(visitors))),
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
    faults = [*_sums(result, acked, books.only_doubted()), *_masks(sent, changed, masked & books.received.keys())]
    return result, [*faults, *_halves(agents), *books.untrue()]


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile of values in ascending order; 0.0 for none."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def reasons(agents: Sequence[AgentLedger]) -> Counter[str]:
    """Why phones said that answers may not have arrived, and how often each."""
    found = (one for agent in agents for one in agent.read()[0])
    return Counter(one.because for one in found if isinstance(one, Undelivered))


def _sums(result: Result, acked: int, only_doubted: int) -> list[str]:
    faults = [f"{name} is {count} and must be 0" for name, count in result.zeros.items() if count]
    if result.delivered + result.held + result.blocked != result.sent:
        faults.append(
            f"delivered {result.delivered} + held {result.held} + blocked {result.blocked} is not sent {result.sent}"
        )
    if result.answered + only_doubted != result.visitors:
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


class _Books:
    """Both sides' ledgers and the log, laid next to each other by serial."""

    def __init__(
        self,
        visitors: Sequence[VisitorLedger],
        agents: Sequence[AgentLedger],
        routes: Routes | None,
        overflow: Mapping[str, str],
    ) -> None:
        self._visitors = visitors
        self._agents = agents
        self._routes = routes
        self._overflow = overflow
        self._place = {one.serial: (n, i) for n, visitor in enumerate(visitors) for i, one in enumerate(visitor.sent)}
        """Of each visitor's text: whose it is, and their how-manieth."""
        self.received: dict[str, str] = {}
        """The text under each serial, as the first phone showed it."""
        self._repeated = 0
        """What agents were shown once too often."""
        self._typed = {one.serial: one for agent in agents for one in agent.typed if one.to in self._place}
        self._meant_for = {serial: self._place[one.to][0] for serial, one in self._typed.items()}
        """Of each answer: for which visitor."""
        self._passed_on: dict[int, list[Given]] = {}
        """Of each visitor: to whom agents gave their conversation."""
        for given in (one for agent in agents for one in agent.given if one.of in self._place):
            self._passed_on.setdefault(self._place[given.of][0], []).append(given)
        self._pages = [[serial for text in visitor.shown for serial in SERIAL.findall(text)] for visitor in visitors]
        self.shown = {serial for page in self._pages for serial in page}
        """What any visitor saw."""
        self.in_doubt: set[str] = set()
        """Answers of which a phone said that they may not have arrived."""
        self._returned: set[str] = set()
        """Answers that their agents got back."""
        self._phones = [self._read(agent) for agent in agents]
        """Of each agent: the visitors' serials in the order in which they were shown."""

    def _read(self, agent: AgentLedger) -> list[str]:
        """Who is given a conversation again is shown again what nobody has answered: that is no repeat."""
        serials, known = list[str](), dict[int, set[str]]()
        found, repeated_parts = agent.read()
        for one in found:
            match one:
                case Began(no=no):
                    known[no] = set()
                case Block(no=no, text=text) if (serial := serial_of(one)) in self._place:
                    self._repeated += serial in known.setdefault(no, set())
                    known[no].add(serial)
                    serials.append(serial)
                    self.received.setdefault(serial, text)
                case Undelivered(quoted=quoted):
                    self.in_doubt.update(self._undelivered(agent, quoted))
                case GivenBack(text=text):
                    self._returned.update(SERIAL.findall(text))
        self._repeated += repeated_parts
        return serials

    def _undelivered(self, agent: AgentLedger, quoted: str) -> list[str]:
        """The answers in a text that begins so: those that the visitor saw in it, if they saw it; else the one that it
        quotes and, where there is more of it, what was typed next for the same visitor and not seen either.
        """
        named = SERIAL.search(quoted)
        if named is None:
            return []
        first, visitor = named[0], self._meant_for.get(named[0])
        for text in (text for page in self._visitors for text in page.shown if first in text):
            return SERIAL.findall(text)
        typed = [one.serial for one in agent.typed if one.taken and self._meant_for.get(one.serial) == visitor]
        if first not in typed or not quoted.endswith("…"):
            return [first]
        return list(itertools.takewhile(lambda serial: serial not in self.shown, typed[typed.index(first) :]))

    def is_answered(self, visitor: int) -> bool:
        """Their page showed an answer to the last message of theirs that agents were to read."""
        last = max((n for n, one in enumerate(self._visitors[visitor].sent) if one.label in READ), default=0)
        answers = (self._typed[serial] for serial in self._pages[visitor] if serial in self._typed)
        return any(self._place[one.to] >= (visitor, last) and self._place[one.to][0] == visitor for one in answers)

    def only_doubted(self) -> int:
        """Visitors who have no answer, and of whose answers some are in doubt."""
        doubted = {self._meant_for.get(serial) for serial in self.in_doubt}
        return sum(n in doubted and not self.is_answered(n) for n in range(len(self._visitors)))

    def lost(self) -> int:
        """Texts that no phone showed though the column lets them through, or their own page; and taken answers.

        An answer in doubt is not lost: the agent knows, and may write it again.
        """
        unseen = sum(
            (one.label in READ and one.serial not in self.received) or one.serial not in self.shown
            for visitor in self._visitors
            for one in visitor.sent
        )
        typed = (one for one in self._typed.values() if one.taken)
        return unseen + sum(one.serial not in self.shown | self.in_doubt | self._returned for one in typed)

    def duplicated(self) -> int:
        """How many times too often a phone or page showed a text."""
        return self._repeated + sum(len(serials) - len(set(serials)) for serials in self._pages)

    def reordered(self) -> int:
        """Texts that were shown after one of the same sender which was sent later."""
        order = dict(self._place)
        for author, agent in enumerate(self._agents, start=len(self._visitors)):
            order |= {one.serial: (author, n) for n, one in enumerate(agent.typed)}
        return sum(
            _late(order[serial] for serial in dict.fromkeys(shown) if serial in order)
            for shown in (*self._phones, *self._pages)
        )

    def misrouted(self) -> int:
        """Conversations that were shown to an agent whom neither the opener's team, nor overflow, nor a colleague's
        transfer allows, or to whom the log did not give it; or with an answer from somebody who did not have it then.
        """
        wrong = {
            self._place[serial][0]
            for agent, phone in zip(self._agents, self._phones, strict=True)
            for serial in phone
            if not self._may_see(agent, serial)
        }
        if self._routes is not None:
            authors = {one.serial: agent.name for agent in self._agents for one in agent.typed}
            wrong |= {self._meant_for[serial] for serial in self._routes.strangers(authors) if serial in self._typed}
        return len(wrong)

    def _may_see(self, agent: AgentLedger, serial: str) -> bool:
        visitor = self._place[serial][0]
        passed_on = self._passed_on.get(visitor, [])
        teams = {self._visitors[visitor].team, *(one.team for one in passed_on)}
        teams |= {self._overflow[team] for team in teams if team in self._overflow}
        allowed = not teams.isdisjoint(agent.teams) or agent.name in (one.display for one in passed_on if one.agent)
        if self._routes is None:
            return allowed
        conversation = self._routes.by_serial.get(serial)
        # What the feed has not brought yet is found missing by `untrue`.
        return allowed and (conversation is None or agent.name in self._routes.routes[conversation].agents)

    def untrue(self) -> list[str]:
        """A sentence for each thing in which the log does not fit what people saw."""
        if self._routes is None:
            return []
        logged = {serial for route in self._routes.routes.values() for serial, _ in route.answered_by}
        seen = self.shown & self._typed.keys()
        missing = len(seen - logged) + len(self.received.keys() - self._routes.by_serial.keys())
        faults = [f"{missing} texts that people saw are not in the log"] if missing else []
        if waiting := self._routes.waiting():
            faults.append(f"{waiting} conversations are neither with somebody nor closed")
        return faults

    def wrong_visitor(self) -> int:
        """Answers on a page of somebody for whom they were not meant."""
        return sum(self._meant_for.get(serial, n) != n for n, page in enumerate(self._pages) for serial in set(page))


def _late(shown: Iterable[tuple[int, int]]) -> int:
    """How many of (sender, order) come after a greater order of the same sender."""
    highest: dict[int, int] = {}
    late = 0
    for sender, order in shown:
        late += order < highest.get(sender, -1)
        highest[sender] = max(order, highest.get(sender, -1))
    return late


def serial_of(block: Block) -> str:
    """The serial at the end of a visitor's message; empty where there is none (a placeholder for a held one)."""
    found = SERIAL.findall(block.text)
    return found[-1] if found else ""
