"""The conversation: one thread of one visitor on one channel, closed and reopened, never replaced."""

import msgspec

from hub.domain import changes, outbox, outside
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import visitor_notes as notes
from hub.domain.commands import AnyCommand, Origin
from hub.domain.conversation_state import HELD_PLACEHOLDER, Conversation, evolve
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block, Judgement, Profile
from hub.domain.origins import seen
from hub.domain.outside import Seen
from hub.domain.refusals import Jumped, NotFound, NotHeld, NotYours, Repeated, Unchangeable, UnknownTab

__all__ = ["Conversation", "decide", "evolve", "new", "next_due", "reactions", "resume"]


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
        case c.ReceiveMessage():
            check_outside(state, command.outside_id)
            return receive(state, command, command.judgement or Judgement(shown_text(command)))
        case c.AnswerMessage():
            return _answer(state, command, relayed=origin is not None)
        case c.ChangeMessage():
            return _change(state, command, now_ms, relayed=origin is not None)
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
        case c.Tick() | c.RecordVerdict() | c.RecordReceipt() | c.RetryDelivery() | c.DropDelivery():
            return deliver(state, command, now_ms)
    raise NotFound(f"a conversation does not know {type(command).__name__}")


def post(state: Conversation, command: c.PostMessage, judged: Judgement) -> list[AnyEvent]:
    """The events of a message whose number is the next one (`check_number`) and whose text has been judged."""
    to, no, name = _shown_to(state, command.profile, judged)
    posted = e.MessagePosted(
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
        command.files,
    )
    return _with_consequences(state, command.profile, posted, judged)


def receive(state: Conversation, command: c.ReceiveMessage, judged: Judgement) -> list[AnyEvent]:
    """The events of a message from a platform that is no repeat (`check_outside`) and whose text has been judged."""
    before: list[AnyEvent] = []
    if state.outbox is None or state.outbox.reach != command.reach:
        before.append(e.Reached(command.reach))
    to, no, name = _shown_to(state, command.profile, judged)
    edited = _came_before(state, command.edits) if command.edits else None
    if edited is not None:
        return [*before, e.MessageEdited(
            edited.seq, judged.text, command.outside_id, judged.status, judged.original, judged.because, judged.rules,
            to, no, name, command.raw,
        )]  # fmt: skip
    posted = e.MessagePosted(
        "", judged.text, judged.status, judged.original, judged.flags, judged.because, judged.rules, to, no, name,
        command.files, command.outside_id, command.raw, command.automatic,
    )  # fmt: skip
    if command.automatic:
        if state.stage == "closed":  # an absence notice opens nothing again
            return [*before, posted]
        judged = msgspec.structs.replace(judged, reply=None)
    return before + _with_consequences(state, command.profile, posted, judged)


def shown_text(command: c.ReceiveMessage) -> str:
    """What both sides see of it: its text, and of a kind that the hub cannot show that there was one."""
    unsupported = f"[not supported: {command.unsupported}]" if command.unsupported else ""
    return "\n".join(part for part in (command.text, unsupported) if part)


def _shown_to(state: Conversation, profile: Profile, judged: Judgement) -> tuple[str, int, str]:
    """The agent whose phone must show a message, the conversation's number, the visitor's name; or nobody."""
    if judged.status != "blocked" and state.phone and state.stage == "served":
        return state.agent, state.no, (state.profile or profile).name
    return "", 0, ""


def _with_consequences(
    state: Conversation, profile: Profile, posted: e.MessagePosted, judged: Judgement
) -> list[AnyEvent]:
    """The message, with what opens the conversation before it, and what it leads to after it."""
    events: list[AnyEvent] = []
    if state.stage == "new" and state.profile is None:
        events.append(e.Opened(profile))
    elif state.stage == "closed":
        events.append(e.Reopened())
    events.append(posted)
    if judged.status == "blocked":
        return events
    if judged.reply:
        events.append(e.AutoReplied(judged.reply, judged.because, judged.choices))
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
            raise UnknownTab(tab, state.seq if "/" in tab else state.visitor_seq)  # an agent's has their name before it
        if n != 1:
            raise Jumped(1)
    elif n <= known.n:
        raise Repeated(known.seq_of(n))
    elif n != known.n + 1:
        raise Jumped(known.n + 1)


def check_outside(state: Conversation, outside_id: str) -> None:
    """Raise Repeated when what the platform calls so has come before."""
    if before := _came_before(state, outside_id):
        raise Repeated(before.seq)


def _came_before(state: Conversation, outside_id: str) -> Seen | None:
    return None if state.outbox is None else outside.find(state.outbox.outside, outside_id)


def _answer(state: Conversation, command: c.AnswerMessage, relayed: bool) -> list[AnyEvent]:
    if command.tab:
        check_number(state, f"{command.agent}/{command.tab}", command.n)
    refused = _refusal(state, command.agent, command.text)
    if refused is None:
        id_ = f"{command.tab}.{command.n}" if command.tab else ""
        return [e.AnswerPosted(id_, command.agent, state.display, command.text, command.files)]
    if not relayed:
        raise NotYours(refused.because)
    return [refused]


def _change(state: Conversation, command: c.ChangeMessage, now_ms: int, relayed: bool) -> list[AnyEvent]:
    refused = _refusal(state, command.agent, command.text)
    if refused is not None and not relayed:
        raise NotYours(refused.because)
    if refused is None:
        try:
            return changes.decide(state, command, now_ms)
        except Unchangeable as refusal:
            if not relayed:
                raise
            refused = e.AnswerRefused(command.agent, state.no, command.text, str(refusal))
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
    blocks = tuple(Block(state.id, no, line.seq, name, line.text, line.files) for line in state.backlog.messages())
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


# --- what leaves for a visitor on a platform -------------------------------------------------------------------------


def next_due(state: Conversation) -> int | None:
    """When the next Tick has something to do (Unix ms); None: nothing waits."""
    return None if state.outbox is None else outbox.next_send(state.outbox)


def resume(state: Conversation, now_ms: int) -> list[AnyEvent]:
    """For a new owner: a call that was under way has an unknown outcome."""
    outcome = None if state.outbox is None else outbox.resume(state.outbox, now_ms)
    return [] if outcome is None else [_with_told(state, outcome)]


def deliver(state: Conversation, command: AnyCommand, now_ms: int) -> list[AnyEvent]:
    """The events of a command about what leaves. Raises Repeated for a verdict that was had before, and NotFound."""
    box = state.outbox
    if box is None:
        raise NotFound(f"the visitor of {state.id} has a socket: nothing is delivered to them")
    outcome: AnyEvent | None = None
    match command:
        case c.Tick():
            outcome = outbox.attempt(box, now_ms)
        case c.RecordVerdict():
            outcome = outbox.verdict(box, command, now_ms)
        case c.RecordReceipt():
            outcome = outbox.receipt(box, command)
        case c.RetryDelivery(attempt=number, by=by):
            outbox.check_letter(box, number)
            outcome = e.DeliveryRetried(number, by)
        case c.DropDelivery(attempt=number, by=by):
            outbox.check_letter(box, number)
            outcome = e.DeliveryDropped(number, by)
    return [] if outcome is None else [_with_told(state, outcome), *changes.done(state, outcome)]


def _with_told(state: Conversation, event: AnyEvent) -> AnyEvent:
    """A failure with the agent whose phone tells of it, unless nobody wrote what was lost."""
    failed = isinstance(event, e.AttemptRefused) or (isinstance(event, e.ReceiptHad) and event.kind == "failed")
    if not failed or not state.phone or state.stage != "served" or outbox.is_automatic(state.outbox, event):
        return event
    return msgspec.structs.replace(event, agent=state.agent, no=state.no)


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in other entities."""
    me, event = record.entity, record.event
    match event:
        case e.MessagePosted(to=""):  # nearly every event is one of these: the first line decides
            return []
        case e.MessagePosted(to=to, no=no, name=name, status="held"):
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, HELD_PLACEHOLDER)))]
        case e.MessagePosted(to=to, no=no, name=name, text=text, files=files):
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, text, files)))]
        case e.MessageEdited(to=to, no=no, name=name, text=text, status=status) if to and not status:
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, notes.edited(text))))]
        case e.AttemptRefused(agent=agent, no=no, text=text, because=because, changes=changed) if agent:
            return [(agent, c.TellUndelivered(me, no, text, because, changed))]
        case e.MessageCorrected(to=to, no=no, original=original, text=text) if to:
            return [(to, c.TellChanged(me, no, original, text))]
        case e.MessageRecalled(to=to, no=no, original=original) if to:
            return [(to, c.TellChanged(me, no, original))]
        case e.ReceiptHad(agent=agent, no=no, because=because) if agent:
            return [(agent, c.TellUndelivered(me, no, "", because))]
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
