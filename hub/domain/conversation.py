"""The conversation: one thread of one visitor on one channel, closed and reopened, never replaced."""

from typing import Literal

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.backlog import Backlog
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block, Judgement, Profile
from hub.domain.origins import Origins, note, seen
from hub.domain.refusals import Jumped, NotFound, NotHeld, NotYours, Repeated, UnknownTab
from hub.domain.views import visitor_may_see

WINDOW = 64
"""So many messages of a tab may be unacknowledged: as many seqs are kept to answer repeats."""
TABS = 64
FORGOTTEN_TABS = 1024
SEQ_BYTES = 8

HELD_PLACEHOLDER = "[待审核 held for review]"


class Tab(msgspec.Struct, gc=False):
    """One outbox of a client: the highest n stored, and the seqs of the last ones.

    The seqs stand packed, SEQ_BYTES each: every socket has a Tab, and a list of numbers takes five times the memory.
    """

    n: int = 0
    seqs: bytes = b""

    def note(self, n: int, seq: int) -> None:
        """Message `n` is stored as `seq`."""
        self.n, self.seqs = n, (self.seqs + seq.to_bytes(SEQ_BYTES))[-WINDOW * SEQ_BYTES :]

    def seq_of(self, n: int) -> int:
        """Where message `n`, which is stored, stands; 0 when it is not one of the last."""
        start = len(self.seqs) - (self.n - n + 1) * SEQ_BYTES
        return int.from_bytes(self.seqs[start : start + SEQ_BYTES]) if start >= 0 else 0


class Conversation(msgspec.Struct, gc=False):
    """State of one conversation; only `evolve` changes it."""

    id: str
    seq: int = 0
    visitor_seq: int = 0
    """The last seq that the visitor may see."""
    stage: Literal["new", "waiting", "served", "closed"] = "new"
    profile: Profile | None = None
    opened_at_ms: int = 0
    team: str = ""
    priority: int = 0
    routed: bool = False
    """A keyword has chosen the team; later ones only reply."""
    agent: str = ""
    display: str = ""
    no: int = 0
    phone: bool = False
    tabs: dict[str, Tab] = {}
    forgotten: list[str] = []
    backlog: Backlog = msgspec.field(default_factory=Backlog)
    held: dict[int, str] = {}
    origins: Origins = {}


def new(entity: str) -> Conversation:
    """A conversation in which nothing has happened."""
    return Conversation(entity)


def decide(state: Conversation, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The events that carry `command` out; raises a Refusal when it cannot be."""
    check_origin(state, origin)
    match command:
        case c.PostMessage():
            check_number(state, command.tab, command.n)
            return post(state, command, command.judgement or Judgement(command.text))
        case c.AnswerMessage():
            return _answer(state, command, relayed=origin is not None)
        case c.Assign():
            return _assign(state, command)
        case c.TellWaiting():
            return _tell_waiting(state, command)
        case c.CloseConversation(by=by):
            return _close(state, by, relayed=origin is not None)
        case c.TransferConversation():
            return _transfer(state, command, relayed=origin is not None)
        case c.ReturnConversation(agent=agent, because=because):
            return _return(state, agent, because)
        case c.SetPhone(agent=agent, on=on):
            return _set_phone(state, agent, on)
        case c.ReleaseMessage(seq=seq, by=by):
            return _release(state, seq, by)
        case c.RejectMessage(seq=seq, by=by):
            _held_text(state, seq)
            return [e.MessageRejected(seq, by)]
    raise NotFound(f"a conversation does not know {type(command).__name__}")


def post(state: Conversation, command: c.PostMessage, judged: Judgement) -> list[AnyEvent]:
    """The events of a message whose number is the next one (`check_number`) and whose text has been judged."""
    events: list[AnyEvent] = []
    if state.stage == "new" and state.profile is None:
        events.append(e.Opened(command.profile))
    elif state.stage == "closed":
        events.append(e.Reopened())
    to, no, name = "", 0, ""
    if judged.status != "blocked" and state.phone and state.stage == "served":
        to, no, name = state.agent, state.no, (state.profile or command.profile).name
    events.append(
        e.MessagePosted(
            f"{command.tab}.{command.n}",
            judged.text,
            judged.status,
            judged.original,
            judged.flags,
            judged.because,
            judged.rules,
            to,
            no,
            name,
        )
    )
    if judged.status == "blocked":
        return events
    if judged.reply:
        events.append(e.AutoReplied(judged.reply, judged.because))
    if state.stage in ("new", "closed"):
        events.append(e.QueueJoined(judged.team or "", judged.priority, judged.team is not None))
    elif state.stage == "waiting" and judged.team and not state.routed:
        events.append(e.QueueJoined(judged.team, judged.priority, True))
    return events


def check_origin(state: Conversation, origin: Origin | None) -> None:
    """Raise Repeated when a relayed command has been carried out before."""
    if origin is not None and seen(state.origins, origin):
        raise Repeated(0)


def check_number(state: Conversation, tab: str, n: int) -> None:
    """Raise Repeated, Jumped or UnknownTab unless `n` is the next of `tab`."""
    known = state.tabs.get(tab)
    if known is None:
        if tab in state.forgotten or (n != 1 and state.forgotten):
            raise UnknownTab(tab)
        if n != 1:
            raise Jumped(1)
    elif n <= known.n:
        raise Repeated(known.seq_of(n))
    elif n != known.n + 1:
        raise Jumped(known.n + 1)


def _answer(state: Conversation, command: c.AnswerMessage, relayed: bool) -> list[AnyEvent]:
    if command.tab:
        check_number(state, f"{command.agent}/{command.tab}", command.n)
    refused = _refusal(state, command.agent, command.text)
    if refused is None:
        id_ = f"{command.tab}.{command.n}" if command.tab else ""
        return [e.AnswerPosted(id_, command.agent, state.display, command.text)]
    if not relayed:
        raise NotYours(refused.because)
    return [refused]


def _refusal(state: Conversation, agent: str, text: str) -> e.AnswerRefused | None:
    """Why `agent` may not act on the conversation; the assignee may, until the next one has been assigned."""
    if agent == state.agent:
        return None
    if state.stage == "closed":
        return e.AnswerRefused(agent, state.no, text, "the conversation is closed")
    because = f"the conversation is with {state.display}" if state.agent else "the conversation is with nobody"
    return e.AnswerRefused(agent, state.no, text, because, state.display)


def _assign(state: Conversation, command: c.Assign) -> list[AnyEvent]:
    if state.stage == "closed":
        return [e.AssignRefused(command.agent, command.no)]
    name = state.profile.name if state.profile else ""
    backlog, skipped = _backlog(state, command.no) if command.phone else ((), 0)
    before = state.agent if state.agent != command.agent else ""
    return [
        e.Assigned(
            command.agent,
            command.display,
            command.no,
            command.team,
            command.phone,
            name,
            backlog,
            skipped,
            before,
        )
    ]


def _backlog(state: Conversation, no: int) -> tuple[tuple[Block, ...], int]:
    """What nobody has answered, for a phone, and how many more."""
    name = state.profile.name if state.profile else ""
    blocks = tuple(Block(state.id, no, seq, name, text) for seq, text in state.backlog.messages())
    return blocks, state.backlog.skipped


def _tell_waiting(state: Conversation, command: c.TellWaiting) -> list[AnyEvent]:
    told = e.WaitTold(command.no, command.team, command.position, command.on_duty)
    if state.stage == "served" and state.agent == command.lost:
        because = "they are in rules/teams.yaml no more"
        return [e.Returned(state.agent, because, state.no, state.team, state.priority, lost=True), told]
    return [told] if state.stage == "waiting" else []


def _set_phone(state: Conversation, agent: str, on: bool) -> list[AnyEvent]:
    if state.stage != "served" or state.agent != agent or state.phone == on:
        return []
    name = state.profile.name if state.profile else ""
    backlog, skipped = _backlog(state, state.no) if on else ((), 0)
    return [e.PhoneSet(agent, on, state.no, state.team, name, backlog, skipped)]


def _close(state: Conversation, by: str, relayed: bool) -> list[AnyEvent]:
    if state.stage in ("new", "closed"):
        return []
    refused = _refusal(state, by, "") if relayed else None
    if refused is not None:
        return [refused]
    return [e.Closed(by, state.agent, state.no, state.phone)]


def _transfer(state: Conversation, command: c.TransferConversation, relayed: bool) -> list[AnyEvent]:
    refused = _refusal(state, command.by, "")
    if refused is None:
        team = command.team or state.team
        return [e.Transferred(command.by, command.agent, team, state.priority, state.no, state.phone)]
    if not relayed:
        raise NotYours(refused.because)
    return [refused]


def _return(state: Conversation, agent: str, because: str) -> list[AnyEvent]:
    if state.stage != "served" or state.agent != agent:
        return []
    return [e.Returned(agent, because, state.no, state.team, state.priority)]


def _release(state: Conversation, seq: int, by: str) -> list[AnyEvent]:
    text = _held_text(state, seq)
    shown = state.phone and state.stage == "served"
    name = state.profile.name if state.profile else ""
    return [
        e.MessageReleased(seq, text, by, state.agent if shown else "", state.no if shown else 0, name if shown else "")
    ]


def _held_text(state: Conversation, seq: int) -> str:
    if seq > state.seq or seq < 1:
        raise NotFound(f"the conversation has no message {seq}; its last is {state.seq}")
    if seq not in state.held:
        raise NotHeld(f"message {seq} is not held: it was posted, blocked, or already decided on")
    return state.held[seq]


def evolve(state: Conversation, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    event = record.event
    state.seq = record.seq
    if type(event) is e.MessagePosted and origin is None:  # nearly every event is one of these
        state.visitor_seq = record.seq
        _note_message(state, record.seq, event)
        return
    if visitor_may_see(event):
        state.visitor_seq = record.seq
    if origin is not None:
        note(state.origins, origin)
    match event:
        case e.MessagePosted():
            _note_message(state, record.seq, event)
        case e.Opened(profile=profile):
            state.profile = profile
            state.opened_at_ms = record.at_ms
        case e.Reopened():
            state.stage = "new"
        case e.QueueJoined(team=team, priority=priority, chosen=chosen):
            state.stage, state.team, state.priority, state.routed = "waiting", team, priority, chosen
        case e.Assigned():
            state.stage, state.team = "served", event.team
            state.agent, state.display, state.no, state.phone = event.agent, event.display, event.no, event.phone
        case e.PhoneSet(on=on):
            state.phone = on
        case e.AnswerPosted(id=id_, agent=agent):
            state.backlog = Backlog()
            if id_:
                tab, _, n = id_.rpartition(".")
                _note_number(state, f"{agent}/{tab}", int(n), record.seq)
        case e.Returned():
            state.stage, state.agent, state.display, state.phone = "waiting", "", "", False
        case e.Closed():
            state.stage, state.agent, state.display, state.phone = "closed", "", "", False
            state.routed, state.backlog = False, Backlog()
        case e.MessageReleased(ref=ref, text=text):
            state.held.pop(ref, None)
            state.backlog.drop(ref)  # its placeholder
            state.backlog.add(ref, text)
        case e.MessageRejected(ref=ref):
            state.held.pop(ref, None)


def _note_message(state: Conversation, seq: int, event: e.MessagePosted) -> None:
    tab, _, n = event.id.rpartition(".")
    _note_number(state, tab, int(n), seq)
    if event.status == "held":
        state.held[seq] = event.text
        state.backlog.add(seq, HELD_PLACEHOLDER)
    elif not event.status:
        state.backlog.add(seq, event.text)


def _note_number(state: Conversation, tab: str, n: int, seq: int) -> None:
    known = state.tabs.get(tab)
    if known is None or len(state.tabs) > 1:  # last used last, so that the longest unused one is forgotten first
        known = state.tabs.pop(tab, None) or Tab()
        state.tabs[tab] = known
    known.note(n, seq)
    if len(state.tabs) > TABS:
        oldest = next(iter(state.tabs))
        del state.tabs[oldest]
        state.forgotten.append(oldest)
        del state.forgotten[:-FORGOTTEN_TABS]


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in other entities."""
    me, event = record.entity, record.event
    match event:
        case e.MessagePosted(to=""):  # nearly every event is one of these: the first line decides
            return []
        case e.MessagePosted(to=to, no=no, name=name, text=text, status=status):
            shown = HELD_PLACEHOLDER if status == "held" else text
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, shown)))]
        case e.MessageReleased(to=to, no=no, name=name, text=text) if to:
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, text)))]
        case e.QueueJoined(team=team, priority=priority, agent=agent, avoid=avoid):
            return [(QUEUE_ID, c.Enqueue(me, team, priority, agent, avoid))]
        case e.Assigned():
            serve = c.Serve(me, event.no, event.name, event.team, event.backlog, event.skipped)
            served: list[tuple[str, AnyCommand]] = [(event.agent, serve)]
            if event.before:
                stop = c.StopServing(me, event.no, "transferred", event.before, event.display)
                served.insert(0, (event.before, stop))
            return served
        case e.AssignRefused():
            return [(QUEUE_ID, c.Leave(me))]
        case e.AnswerRefused(agent=agent, no=no, text=text, because=because, now_with=now_with):
            return [(agent, c.TellRefused(me, no, text, because, now_with))]
        case e.Transferred(by=by, agent=agent, team=team, priority=priority):
            return [(QUEUE_ID, c.Enqueue(me, team, priority, agent, by))]
        case e.PhoneSet(on=True):
            return [(event.agent, c.Serve(me, event.no, event.name, event.team, event.backlog, event.skipped))]
        case e.Returned(lost=True):
            return [(event.agent, c.StopServing(me, event.no, "returned"))]
        case e.Returned(agent=agent, team=team, priority=priority):
            return [(QUEUE_ID, c.Enqueue(me, team, priority, "", agent))]
        case e.Closed(by=by, agent=agent, no=no):
            left: list[tuple[str, AnyCommand]] = [(QUEUE_ID, c.Leave(me))]
            if agent:
                left.append((agent, c.StopServing(me, no, "closed", by)))
            return left
    return []
