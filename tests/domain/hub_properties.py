"""What a hub promises as a whole: a function each, held against hub_world by whatever happens in hub_walk.

DECIDED are looked at after each decision, AT_REST when nothing is on its way, AT_LAST when everybody who can has come
on duty and nobody writes any more. None of them knows how a decision is made; `Ledger` has what they go by: what
arrived at people, and what the events say. That each single choice of the queue is the right one, its Judge says
(tests/domain/queue/world.py): who comes first, who is fit, who is told.
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import presence
from hub.domain.commands import AnyCommand
from hub.domain.conversation.state import HELD_PLACEHOLDER
from hub.domain.events import AnyEvent
from hub.domain.ids import QUEUE_ID, is_conversation
from hub.domain.messages import Attachment, Outgoing, takes
from tests.domain.hub_world import Hub, Known

SERIAL = re.compile(r"t\d+t|f\d+f")
FOR_EVER = 1 << 62
CLOCK_MS = 240_000
"""So fast the owners' clock is at most."""
WEEK_MS = 7 * 24 * 3_600_000


def serials(text: str, files: tuple[Attachment, ...] = ()) -> set[str]:
    """Which of the agents' texts and files these are."""
    return set(SERIAL.findall(" ".join([text, *(file.name for file in files)])))


def carried(text: str, message: Outgoing | None) -> set[str]:
    """The same of all that an attempt takes to a visitor, with what was to follow it."""
    if message is None:
        return serials(text)
    rest = [serials(part.text, part.files) for part in message.rest]
    return serials(text, message.files).union(*rest)


class Decision(NamedTuple):
    """What a command has led to. `assigned`: the conversation's assignment before it."""

    entity: str
    command: AnyCommand
    events: list[AnyEvent]
    known: Known | None
    assigned: int
    seq: int
    """Of the first of the events."""


@dataclass
class Ledger:
    """What people wrote, got and know."""

    meant: dict[str, str] = field(default_factory=dict)
    """Agents' texts and files, by their serial: for which conversation they are,"""
    writers: dict[str, str] = field(default_factory=dict)
    """who wrote them,"""
    posted: dict[str, str] = field(default_factory=dict)
    """where they were posted,"""
    returned: set[str] = field(default_factory=set)
    """which came back,"""
    replaced: set[str] = field(default_factory=set)
    """and which were taken back, or have other words now."""
    reads: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """What each answer says now, by conversation and seq;"""
    changing: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    """and what it is to say when the platform has done it."""
    screens: dict[str, dict[str, set[str]]] = field(default_factory=dict)
    """What each visitor on a platform has before them, by its first receipt."""
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """A change has a receipt of its own: of which first one, by conversation and receipt."""
    had: dict[str, set[str]] = field(default_factory=dict)
    """All that they ever had."""
    carries: dict[tuple[str, int], tuple[tuple[str, int], ...]] = field(default_factory=dict)
    """Which messages each attempt takes to an agent's phone."""
    gone: set[object] = field(default_factory=set)
    """What a far side has refused, or not confirmed."""
    files: dict[tuple[str, int], tuple[Attachment, ...]] = field(default_factory=dict)
    """Visitors', by conversation and seq."""
    released: dict[tuple[str, int], tuple[str, int]] = field(default_factory=dict)
    """Held ones that may be read now: by their place, under which else they are shown."""
    holders: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Who has each conversation, as it says itself, and who leads their team."""
    assigned: dict[tuple[str, str], int] = field(default_factory=dict)
    """The last assignment that an agent was told of, by agent and conversation."""
    keeps: set[tuple[str, str]] = field(default_factory=set)
    """Conversations that an agent off duty goes on with, by their own will."""
    shown: dict[str, set[object]] = field(default_factory=dict)
    """What has come before each agent's eyes: visitors' messages, by conversation and seq, and files, by name."""
    untold: dict[str, tuple[str, int, int]] = field(default_factory=dict)
    """Of a conversation: whose phone has not shown yet that an answer failed, their number for it, and the seq."""
    without_phone: set[str] = field(default_factory=set)
    """Agents who were none any more, or had no phone, for a while."""
    numbers: dict[int, tuple[str, int]] = field(default_factory=dict)
    """Whose each number was, and until when at least."""
    came: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Of each open conversation its number, and its place in the order in which they came."""
    arrivals: int = 0

    def arrived(self, entity: str, call: e.Attempted) -> None:
        """The far side has it, and shows it."""
        message = call.message or Outgoing(())
        if not is_conversation(entity):
            self.shown.setdefault(entity, set()).update(call.carries, (file.name for file in message.files))
            for conversation, (agent, no, _) in list(self.untold.items()):
                if agent == entity and re.search(rf"未送达 #{no}：|#{no} 有回复未送达", call.text):
                    del self.untold[conversation]
            return
        got = serials(call.text, message.files)
        assert not got & self.replaced, f"{got} reaches the visitor although it was taken back"
        self.had.setdefault(entity, set()).update(got)
        receipt = f"r{call.attempt}"
        first = self.names.setdefault((entity, receipt), self.names.get((entity, message.replaces), receipt))
        self.screens.setdefault(entity, {})[first] = got

    def lost(self, entity: str, call: e.Attempted) -> None:
        """The far side will never have it."""
        self.gone |= {(entity, one) for one in call.carries} | carried(call.text, call.message)

    def hear(self, hub: Hub, decided: Decision) -> None:
        """Note what was decided, once it has been looked at."""
        for seq, event in enumerate(decided.events, decided.seq):
            self._follow_answers(hub, decided, seq, event)
            self._follow_agents(hub, decided, event)
            match event:
                case e.Enqueued(conversation=conversation, no=no):
                    self.numbers[no] = (conversation, FOR_EVER)
                    if conversation not in self.came:
                        self.arrivals += 1
                        self.came[conversation] = (no, self.arrivals)
                case e.Left(conversation=conversation, no=no):
                    self.numbers[no] = (conversation, hub.now_ms)
                    del self.came[conversation]
                case e.Assigned(agent=agent, lead=lead):
                    self.holders[decided.entity] = (agent, lead)
                    self.untold.pop(decided.entity, None)
                case e.Returned() | e.Closed():
                    self.holders.pop(decided.entity, None)
                case e.MessagePosted(files=files) if files:
                    self.files[decided.entity, seq] = files
                case e.Attempted(attempt=attempt, carries=carries):
                    self.carries[decided.entity, attempt] = carries
                case e.AnswerPosted(seen=seen, heard=heard) if failed := self.untold.get(decided.entity):
                    if seen is None or max(seen, heard) >= failed[2]:  # their page has shown it
                        del self.untold[decided.entity]
                case e.AttemptRefused(agent=agent, no=no, changes=False) if agent:
                    self.untold[decided.entity] = (agent, no, seq)
                case e.AttemptRefused(attempt=attempt):
                    self.gone |= {(decided.entity, at) for at in self.carries.get((decided.entity, attempt), ())}
                case e.MessageReleased(ref=ref):
                    self.released[decided.entity, ref] = (decided.entity, seq)
                    for shown in self.shown.values():  # that was in place of it only
                        shown.discard((decided.entity, ref))

    def _follow_answers(self, hub: Hub, decided: Decision, seq: int, event: AnyEvent) -> None:
        entity = decided.entity
        match event:
            case e.AnswerPosted(text=text, files=files):
                self.reads[entity, seq] = serials(text, files)
                self.posted |= dict.fromkeys(serials(text, files), entity)
            case e.ChangeBegun(ref=ref, piece=piece):
                unsent = self.reads[entity, ref] - self.had.get(entity, set())  # nor will be, refused or not
                self.replaced |= self.changing.pop((entity, ref), set()) | unsent
                self.changing[entity, ref] = serials(piece.message.instead)
                self.posted |= dict.fromkeys(self.changing[entity, ref], entity)
            case e.MessageCorrected(ref=ref, text=text, files=files):
                self._replace(entity, ref, serials(text, files))
            case e.MessageRecalled(ref=ref):
                self._replace(entity, ref, set())
            case e.AnswerRefused():
                files = decided.command.files if isinstance(decided.command, c.AnswerMessage) else ()
                self.returned |= serials("", files)
            case e.AttemptRefused(attempt=attempt, text=text) if is_conversation(entity):
                letter = hub.of(entity).outbox.letters.get(attempt)
                self.gone |= carried(text, letter.piece.message if letter else None)
            case e.NoteWaiting(text=text):
                if "未发送" in text:
                    self.returned |= serials(text)
                    self.returned |= serials("", getattr(decided.command, "files", ()))

    def _replace(self, entity: str, ref: int, now: set[str]) -> None:
        self.replaced |= (self.reads[entity, ref] | self.changing.pop((entity, ref), set())) - now
        self.posted |= dict.fromkeys(now, entity)
        self.reads[entity, ref] = now

    def _follow_agents(self, hub: Hub, decided: Decision, event: AnyEvent) -> None:
        entity, command = decided.entity, decided.command
        match event:
            case e.HandoverAsked(at_ms=0) if isinstance(command, c.ReceiveText):
                self.keeps |= {(entity, one) for one in hub.of(entity).serving}
            case e.HandoverAsked() | e.DutyChanged():
                self.keeps = {(agent, one) for agent, one in self.keeps if agent != entity}
            case e.Serving(conversation=one, assigned=assigned) if assigned != self.assigned.get((entity, one)):
                self.assigned[entity, one] = assigned
                self.keeps.discard((entity, one))
                if isinstance(command, c.Serve) and command.taken:
                    self.keeps.add((entity, one))
            case e.AgentConfigured(settings=settings) if settings is None or not settings.channel:
                self.without_phone.add(entity)


# --- of each decision ------------------------------------------------------------------------------------------------


def capacity_is_never_exceeded_except_by_an_explicit_take(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Whoever is given a conversation has room for it, before they take another one perhaps."""
    chosen = [event for event in decided.events if isinstance(event, e.Chosen)]
    taken = {(event.agent, event.conversation) for event in chosen if event.taken}
    for event in chosen:
        if not event.taken:
            extra = (hub.judge.open[one] for agent, one in taken if agent == event.agent)
            load = hub.judge.load(event.agent) - sum(hub.judge.charge(event.agent, one) for one in extra)
            capacity = hub.judge.agents[event.agent].capacity
            assert load <= capacity, f"{event.agent} has {load} of {capacity}"


def a_slow_agents_command_never_overrules_a_newer_decision(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """What somebody did they did to the assignment that they knew of."""
    known = decided.known
    for event in decided.events:
        match event:
            case e.Closed(by=by) | e.Transferred(by=by) | e.HoldSet(by=by) | e.Accepted(agent=by):
                if known is not None and by == known.agent:
                    assert decided.assigned == known.assigned, f"{event} overrules a newer decision"


def only_who_has_it_gives_it_away(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Or the lead of their team, who may not answer in their place."""
    agent, lead = ledger.holders.get(decided.entity, ("", ""))
    for event in decided.events:
        match event:
            case e.Transferred(by=by):
                assert by in {agent, lead} - {""}, f"{by} transfers what {agent or 'nobody'} has"
            case e.HoldSet(by=by) | e.Accepted(agent=by) | e.Closed(by=by) if by:
                assert by == agent, f"{by} decides on what {agent or 'nobody'} has: {event}"


def a_number_never_stands_for_two_conversations_within_7_days(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Nor does an open conversation change its number."""
    for event in decided.events:
        if isinstance(event, e.Enqueued):
            whose, until_ms = ledger.numbers.get(event.no, (event.conversation, 0))
            rested = until_ms + WEEK_MS <= hub.now_ms
            assert whose == event.conversation or rested, f"#{event.no} was another's just now"
            assert ledger.came.get(event.conversation, (event.no, 0))[0] == event.no


def reload_of_teams_never_loses_a_queue_place(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Whoever is open before it is open after it, and stands among those who wait where they came."""
    if decided.entity == QUEUE_ID and isinstance(decided.command, c.ChangeTeams | c.Tick):
        places = hub.of(QUEUE_ID).places
        assert {name: place.no for name, place in places.items()} == {name: no for name, (no, _) in ledger.came.items()}
        fifo_within_priority(hub, ledger)


def an_answer_goes_where_it_was_meant_and_once(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Never the wrong visitor; of a correction no less than of an answer, and only whoever has it answers."""
    for event in decided.events:
        match event:
            case e.AnswerPosted(agent=agent, text=text, files=files):
                assert agent == hub.of(decided.entity).agent, "somebody answers who does not have it"
                _is_new_and_meant(ledger, decided.entity, serials(text, files))
            case e.ChangeBegun(piece=piece):
                _is_new_and_meant(ledger, decided.entity, serials(piece.message.instead))
            case e.MessageRecalled(ref=ref):
                _is_theirs(ledger, decided, ref)
            case e.MessageCorrected(ref=ref, text=text, files=files):
                _is_theirs(ledger, decided, ref)
                before = ledger.reads[decided.entity, ref] | ledger.changing.get((decided.entity, ref), set())
                _is_new_and_meant(ledger, decided.entity, serials(text, files) - before)


def _is_new_and_meant(ledger: Ledger, entity: str, what: set[str]) -> None:
    for serial in what:
        assert ledger.meant[serial] == entity, f"{serial} reached another visitor"
        assert serial not in ledger.posted, f"{serial} was posted twice"


def _is_theirs(ledger: Ledger, decided: Decision, ref: int) -> None:
    if isinstance(decided.command, c.ChangeMessage):
        wrote = {ledger.writers[serial] for serial in ledger.reads[decided.entity, ref]}
        assert wrote <= {decided.command.agent}, "somebody changes what a colleague wrote"


def what_was_taken_back_is_seen_no_more(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Nor what reads otherwise now; until the platform has done it, nobody says that it is done."""
    for event in decided.events:
        if isinstance(event, e.MessageRecalled | e.MessageCorrected):
            now = serials(event.text, event.files) if isinstance(event, e.MessageCorrected) else set[str]()
            away = ledger.reads[decided.entity, event.ref] - now
            seen = set[str]().union(*ledger.screens.get(decided.entity, {}).values())
            assert not away & seen, f"the visitor still sees {away & seen}"


def none_ends_with_an_answer_that_has_not_arrived(hub: Hub, ledger: Ledger, decided: Decision) -> None:
    """Whoever wrote it believes the visitor to be answered; notices of the hub's own and changes may fail."""
    if not is_conversation(decided.entity):
        return
    _, _, failed = ledger.untold.get(decided.entity, ("", 0, 0))
    for event in decided.events:
        match event:
            case e.AttemptRefused(text=text, changes=False) if carried(text, event.message):
                assert hub.of(decided.entity).stage != "closed", f"{text!r} has not arrived, and it stays closed"
            case e.Closed(by=by) if by and isinstance(decided.command, c.CloseConversation):
                seen = decided.command.seen
                assert seen is None or seen >= failed, f"{by} ends it without knowing that {failed} has failed"


DECIDED = (
    capacity_is_never_exceeded_except_by_an_explicit_take,
    a_slow_agents_command_never_overrules_a_newer_decision,
    only_who_has_it_gives_it_away,
    a_number_never_stands_for_two_conversations_within_7_days,
    reload_of_teams_never_loses_a_queue_place,
    an_answer_goes_where_it_was_meant_and_once,
    what_was_taken_back_is_seen_no_more,
    none_ends_with_an_answer_that_has_not_arrived,
)


# --- when nothing is on its way --------------------------------------------------------------------------------------


def nobody_waits_while_a_fit_agent_is_free(hub: Hub, ledger: Ledger) -> None:
    """But for whoever has just missed them, and teams that choose themselves."""
    for name, one in hub.judge.open.items():
        if not one.agent:
            fit = [agent for agent in hub.judge.agents if hub.judge.is_fit(agent, one, hub.now_ms)]
            assert fit in ([], [one.enqueued.avoid]), f"{name} waits although {fit} are free"
    hub.judge.check(hub.now_ms)


def fifo_within_priority(hub: Hub, ledger: Ledger) -> None:
    """Each line is in the order in which its conversations came, but for priority."""
    queue = hub.of(QUEUE_ID)
    for team, line in queue.lines.items():
        waiting = [
            name for name, one in hub.judge.open.items() if not one.agent and team in one.lines and name in ledger.came
        ]
        order = sorted(waiting, key=lambda name: (-hub.judge.open[name].enqueued.priority, ledger.came[name][1]))
        assert [spot.conversation for spot in line] == order, f"{team} is served in another order"


def no_conversation_has_two_assignees(hub: Hub, ledger: Ledger) -> None:
    """Queue, conversation and agents agree on who has it."""
    places = hub.of(QUEUE_ID).places
    assert {name: place.agent for name, place in places.items()} == {
        name: one.agent for name, one in hub.judge.open.items()
    }
    for name in filter(is_conversation, list(hub.states)):
        state, place = hub.of(name), places.get(name)
        waits = state.stage == "waiting" or state.leaving
        if place is not None:
            assert place.agent == ("" if waits else state.agent), f"{name}: two have it"
            assert waits or place.no == state.no
        serving = [agent for agent in hub.agents() if name in hub.of(agent).serving]
        assert serving == ([state.agent] if state.agent else []), f"{name} is served by {serving}"
        if state.agent:
            assert hub.of(state.agent).serving[name].no == state.no


def none_is_forgotten(hub: Hub, ledger: Ledger) -> None:
    """Each open conversation is assigned, queued or waiting for opening hours; a closed one is nowhere."""
    places = hub.of(QUEUE_ID).places
    for name in filter(is_conversation, list(hub.states)):
        state = hub.of(name)
        if state.stage in ("new", "closed"):
            assert name not in places, f"{name} is {state.stage}, and the queue has it"
            assert not state.agent
        else:
            assert name in places, f"{name} is forgotten"


def who_goes_home_leaves_nobody_behind(hub: Hub, ledger: Ledger) -> None:
    """Who is off duty keeps what they want to; the rest is given back, or they have been asked about it."""
    for agent in hub.agents():
        state = hub.of(agent)
        assert state.on_duty == (agent in hub.of(QUEUE_ID).on_duty), f"{agent}: duty is not known"
        if state.settings is not None:
            moments = (hub.now_ms, hub.now_ms + CLOCK_MS)  # by a clock that has been set back it may lie ahead
            expected = {presence.duty(state.presence, state.shift, at_ms).on for at_ms in moments}
            assert state.on_duty in expected, f"{agent}: duty has come to its end, or has begun"
        if not state.on_duty and not state.handover_ms and state.handover_s and state.settings is not None:
            left = [one for one in state.serving if (agent, one) not in ledger.keeps and not hub.of(one).leaving]
            assert not left, f"{agent} is off duty, and nobody looks after {left}"


AT_REST = (
    nobody_waits_while_a_fit_agent_is_free,
    fifo_within_priority,
    no_conversation_has_two_assignees,
    none_is_forgotten,
    who_goes_home_leaves_nobody_behind,
)


# --- at last ---------------------------------------------------------------------------------------------------------


def everybody_is_served(hub: Hub, ledger: Ledger) -> None:
    """For all of whom there is room."""
    for name, place in hub.of(QUEUE_ID).places.items():
        assert place.agent, f"{name} is not served although everybody is here"


def each_answer_reached_its_visitor_or_came_back(hub: Hub, ledger: Ledger) -> None:
    """Not both. What nobody could be told of, who had no phone for a while, is theirs to ask for."""
    for serial, conversation in ledger.meant.items():
        assert not (serial in ledger.posted and serial in ledger.returned), f"{serial} was posted, and came back"
        if serial in ledger.posted:
            ends = ledger.had.get(conversation, set()) | ledger.gone | ledger.replaced
            on_page = hub.of(conversation).outbox is None
            assert on_page or serial in ends, f"{serial} has not reached {conversation}"
        else:
            lost = ledger.writers[serial] in ledger.without_phone
            assert lost or serial in ledger.returned | ledger.gone, f"{serial} is lost"


def each_message_was_shown_to_whoever_has_it(hub: Hub, ledger: Ledger) -> None:
    """What no one has answered, its pictures too, or the phone has refused it."""
    for name, place in hub.of(QUEUE_ID).places.items():
        limits, shown = hub.of(place.agent).settings.limits, ledger.shown.get(place.agent, set())
        for line in hub.of(name).backlog.messages():
            at = (name, line.seq)
            ways = {at, ledger.released.get(at, at)}
            if not {(place.agent, way) for way in ways} & ledger.gone:
                assert ways & shown, f"{place.agent} has not seen {line} of {name}"
                sent = () if line.text == HELD_PLACEHOLDER else ledger.files.get(at, ())
                wanted = {file.name for file in sent if takes(limits, file)}
                assert wanted <= shown, f"{place.agent} has not got {wanted - shown} of {name}"


AT_LAST = (everybody_is_served, each_answer_reached_its_visitor_or_came_back, each_message_was_shown_to_whoever_has_it)
