"""All ledgers of the scripted demo, laid next to each other by serial, and next to the log."""

import itertools
from collections.abc import Iterable, Mapping, Sequence

from hub.demo.ledgers import READ, AgentLedger, Given, VisitorLedger, serial_of
from hub.demo.reading import Began, Block, GivenBack, Moved, Undelivered
from hub.demo.routes import Routes
from hub.demo.serials import SERIAL

NOBODY = -1
"""No visitor's number."""


class Books:
    """What both sides' ledgers say together; `routes` is what the log says of conversations, None: it was not read."""

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
        self._meant_for |= {serial: NOBODY for agent in agents for serial in agent.notes}
        self._passed_on: dict[int, list[Given]] = {}
        """Of each visitor: to whom agents gave their conversation."""
        for given in (one for agent in agents for one in agent.given if one.of in self._place):
            self._passed_on.setdefault(self._place[given.of][0], []).append(given)
        self._pages = [[serial for text in visitor.shown for serial in SERIAL.findall(text)] for visitor in visitors]
        self.shown = {serial for page in self._pages for serial in page}
        """What any visitor saw."""
        self.in_doubt: set[str] = set()
        """Answers of which a phone, or else the log, said that they may not have arrived."""
        self._returned: set[str] = set()
        """Answers that their agents got back."""
        self._phones = [self._read(agent) for agent in agents]
        """Of each agent: the visitors' serials in the order in which they were shown."""
        if routes is not None:
            self.in_doubt |= routes.undelivered & self._typed.keys()

    def _read(self, agent: AgentLedger) -> list[str]:
        """Who is given a conversation again, or reads on another way, is shown again what nobody has answered: that is
        no repeat.
        """
        serials, known = list[str](), dict[int, set[str]]()
        found, repeated_parts = agent.read()
        for one in found:
            match one:
                case Began(no=no):
                    known[no] = set()
                case Moved():
                    known.clear()
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

    def answered(self) -> int:
        """Visitors whose page showed an answer after the last message of theirs that agents were to read."""
        return sum(self._is_answered(n, page) for n, page in enumerate(self._pages))

    def overlooked(self) -> int:
        """Those of them whose answer was written before its agent had read that message.

        It was on its way, or on a phone at which they did not look. The hub keeps it as unanswered, and shows it to
        whoever gets the conversation next; that nobody has answered it all the same is what this counts.
        """
        answered = (n for n, page in enumerate(self._pages) if self._is_answered(n, page))
        return sum(not self._has_been_read(n) for n in answered)

    def _is_answered(self, visitor: int, answers: Iterable[str]) -> bool:
        last = self._last(visitor)
        return any(self._follows(serial, visitor, last) for serial in answers if serial in self._typed)

    def _follows(self, answer: str, visitor: int, last: int) -> bool:
        """It was written to that message or a later one; or the log has it behind the message."""
        meant_for, place = self._place[self._typed[answer].to]
        return meant_for == visitor and (place >= last or self._is_behind(answer, visitor, last))

    def _is_behind(self, text: str, visitor: int, last: int) -> bool:
        """The log has it behind that message of the visitor's."""
        if self._routes is None:
            return False
        order, message = self._routes.order, self._visitors[visitor].sent[last].serial
        return order.get(text, -1) > order.get(message, len(order))

    def _has_been_read(self, visitor: int) -> bool:
        """Somebody has answered that message or a later one, in the visitor's order or the log's: so agents read."""
        last = self._last(visitor)
        read = ((one.to, *self._place[one.to]) for one in self._typed.values())
        return any(
            whose == visitor and (place >= last or self._is_behind(to, visitor, last)) for to, whose, place in read
        )

    def _last(self, visitor: int) -> int:
        """The place of their last message that agents were to read."""
        return max((n for n, one in enumerate(self._visitors[visitor].sent) if one.label in READ), default=0)

    def lost(self) -> int:
        """Texts that no phone showed though the column lets them through, or their own page; and taken answers.

        An answer in doubt is not lost: the agent knows, and writes it again.
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
        """Answers on a page of somebody for whom they were not meant, and notes on any."""
        return sum(self._meant_for.get(serial, n) != n for n, page in enumerate(self._pages) for serial in set(page))


def _late(shown: Iterable[tuple[int, int]]) -> int:
    """How many of (sender, order) come after a greater order of the same sender."""
    highest: dict[int, int] = {}
    late = 0
    for sender, order in shown:
        late += order < highest.get(sender, -1)
        highest[sender] = max(order, highest.get(sender, -1))
    return late
