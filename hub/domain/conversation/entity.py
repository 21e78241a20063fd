"""The conversation: one thread of one visitor on one channel, closed and reopened, never replaced."""

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import outside
from hub.domain.commands import AnyCommand, Origin
from hub.domain.conversation import changes, clocks, outbox, serving
from hub.domain.conversation.reacting import reactions
from hub.domain.conversation.state import Conversation, evolve
from hub.domain.events import AnyEvent
from hub.domain.messages import Judgement, Profile
from hub.domain.origins import seen
from hub.domain.outside import Seen
from hub.domain.refusals import Jumped, NotFound, NotHeld, Repeated, Unchangeable, UnknownTab
from hub.domain.teams import Patience

__all__ = ["Conversation", "decide", "evolve", "new", "next_due", "reactions", "resume", "sets_clock"]

ACTIVE_MS = 5 * 60_000
"""Who answers at a desk is said to be there this often."""


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
            return _answer(state, command, now_ms, relayed=origin is not None)
        case c.ChangeMessage():
            return _change(state, command, now_ms, relayed=origin is not None)
        case c.ReleaseMessage(seq=seq, by=by):
            return _release(state, seq, by)
        case c.RejectMessage(seq=seq, by=by):
            _held_text(state, seq)
            return [e.MessageRejected(seq, by)]
        case c.Tick():
            return _tick(state, now_ms)
        case c.RecordVerdict() | c.RecordReceipt() | c.RetryDelivery() | c.DropDelivery():
            return deliver(state, command, now_ms)
    return _decide_serving(state, command, relayed=origin is not None)


def _decide_serving(state: Conversation, command: AnyCommand, relayed: bool) -> list[AnyEvent]:
    """Of the commands about who has the conversation."""
    match command:
        case c.Assign():
            return serving.assign(state, command)
        case c.TellWaiting():
            return serving.tell_waiting(state, command)
        case c.AcceptConversation():
            return serving.accept(state, command, relayed)
        case c.HoldConversation():
            return serving.hold(state, command, relayed)
        case c.WriteNote(by=by, tab=tab, n=n):
            if tab:
                check_number(state, f"{by}/{tab}", n)
            return serving.write_note(state, command)
        case c.CloseConversation():
            return serving.close(state, command, relayed)
        case c.TransferConversation():
            return serving.transfer(state, command, relayed)
        case c.ReturnConversation():
            return serving.give_back(state, command)
        case c.SetPhone():
            return serving.set_phone(state, command)
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
        timed=_begins_wait(state, judged),
    )
    return _with_consequences(state, command.profile, posted, judged)


def _begins_wait(state: Conversation, judged: Judgement) -> bool:
    """Whether it is the first message after an answer, and somebody is to be reminded of it."""
    clock = state.clocks
    return clock is not None and clock.silent_ms > 0 and clock.patience.reply_s > 0 and judged.status != "blocked"


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
        not command.automatic and _begins_wait(state, judged),
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
    if state.on_hold_ms and not posted.automatic:
        events.append(e.HoldSet("", on=False))
    if judged.reply:
        events.append(e.AutoReplied(judged.reply, judged.because, judged.choices))
    if state.stage in ("new", "closed") or (state.stage == "waiting" and judged.team and not state.routed):
        events.append(_joined(state, profile, judged))
    return events


def _joined(state: Conversation, profile: Profile | None, judged: Judgement) -> e.QueueJoined:
    """They wait for an agent: of the team that a rule has chosen, else of the one they had, else of the default one."""
    channel, language, name = serving.visitor(state.profile or profile)
    because = ", ".join(judged.because) if judged.team is not None or judged.priority else ""
    return e.QueueJoined(
        judged.team or state.team, judged.priority, judged.team is not None, because=because, channel=channel,
        language=language, name=name, last=state.last, last_ms=state.last_ms,
    )  # fmt: skip


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


def _answer(state: Conversation, command: c.AnswerMessage, now_ms: int, relayed: bool) -> list[AnyEvent]:
    if command.tab:
        check_number(state, f"{command.agent}/{command.tab}", command.n)
    refused = serving.refusal(state, command.agent, command.text)
    if refused is None:
        id_ = f"{command.tab}.{command.n}" if command.tab else ""
        active = not relayed and now_ms >= state.active_ms + ACTIVE_MS  # what is relayed the agent entity has seen
        timed = state.clocks is not None and (state.clocks.times_silence or bool(state.backlog.after(command.seen)))
        elsewhere = state.no if state.phone and not relayed else 0
        twice = state.no if serving.answers_twice(state, command, now_ms) else 0
        return [e.AnswerPosted(
            id_, command.agent, state.display, command.text, command.files, active, timed, command.way, elsewhere,
            twice, command.seen, command.heard,
        )]  # fmt: skip
    if not relayed:
        raise serving.not_yours(state, refused)
    return [refused]


def _change(state: Conversation, command: c.ChangeMessage, now_ms: int, relayed: bool) -> list[AnyEvent]:
    refused = serving.refusal(state, command.agent, command.text)
    if refused is not None and not relayed:
        raise serving.not_yours(state, refused)
    if refused is None:
        try:
            return changes.decide(state, command, now_ms)
        except Unchangeable as refusal:
            if not relayed:
                raise
            refused = e.AnswerRefused(command.agent, state.no, command.text, str(refusal))
    return [refused]


def _release(state: Conversation, seq: int, by: str) -> list[AnyEvent]:
    text = _held_text(state, seq)
    shown = state.phone and state.stage == "served"
    to, no, name = (state.agent, state.no, state.profile.name if state.profile else "") if shown else ("", 0, "")
    return [e.MessageReleased(seq, text, by, to, no, name, state.held_files.get(seq, ()))]


def _held_text(state: Conversation, seq: int) -> str:
    if seq > state.seq or seq < 1:
        raise NotFound(f"the conversation has no message {seq}; its last is {state.seq}")
    if seq not in state.held:
        raise NotHeld(f"message {seq} is not held: it was posted, blocked, or already decided on")
    return state.held[seq]


# --- time ---------------------------------------------------------------------------------------------------------


def next_due(state: Conversation) -> int | None:
    """When the next Tick has something to do (Unix ms); None: nothing waits."""
    if state.clocks is None and state.outbox is None:  # most have neither
        return None
    step = None if state.clocks is None or state.on_hold_ms else clocks.next_due(state.clocks)
    send = None if state.outbox is None else outbox.next_send(state.outbox)
    return min((at_ms for at_ms in (step, send) if at_ms is not None), default=None)


def sets_clock(event: AnyEvent) -> bool:
    """Whether after this event something may be due sooner than `next_due` said before it."""
    match event:
        case e.MessagePosted(timed=timed):  # nearly every event is one of these
            return timed
        case e.Assigned(patience=patience):
            return patience != Patience()
        case e.AnswerPosted(timed=timed):
            return timed
    return isinstance(event, e.HoldSet | e.MessageEdited | e.MessageReleased)


def _tick(state: Conversation, now_ms: int) -> list[AnyEvent]:
    outcome = None if state.outbox is None else outbox.attempt(state.outbox, now_ms)
    sent = _sending(state, outcome)
    return sent if outcome is not None and _has_failed(state, outcome) else [*sent, *serving.ring(state, now_ms)]


# --- what leaves for a visitor on a platform -------------------------------------------------------------------------


def resume(state: Conversation, now_ms: int) -> list[AnyEvent]:
    """For a new owner: a call that was under way has an unknown outcome."""
    return _sending(state, None if state.outbox is None else outbox.resume(state.outbox, now_ms))


def deliver(state: Conversation, command: AnyCommand, now_ms: int) -> list[AnyEvent]:
    """The events of a command about what leaves. Raises Repeated for a verdict that was had before, and NotFound."""
    box = state.outbox
    if box is None:
        raise NotFound(f"the visitor of {state.id} has a socket: nothing is delivered to them")
    outcome: AnyEvent | None = None
    match command:
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
    return [*_sending(state, outcome), *([] if outcome is None else changes.done(state, outcome))]


def _has_failed(state: Conversation, outcome: AnyEvent) -> bool:
    return state.outbox is not None and outbox.has_failed(state.outbox, outcome)


def _sending(state: Conversation, outcome: AnyEvent | None) -> list[AnyEvent]:
    """What became of something that leaves, if anything did, and what a failure leads to.

    The agent who has the conversation, or had it last, is told of it. One that was closed with an answer that has not
    arrived opens again: whoever wrote that answer believes the visitor to be answered, and nobody else would see it.
    """
    if outcome is None:
        return []
    if not _has_failed(state, outcome):
        return [outcome]
    agent = state.last if state.stage == "closed" else state.agent if state.phone else ""
    told = msgspec.structs.replace(outcome, agent=agent, no=state.no) if agent else outcome
    if state.stage != "closed" or (isinstance(outcome, e.AttemptRefused) and outcome.changes):
        return [told]
    return [told, e.Reopened(), _joined(state, state.profile, Judgement(""))]
