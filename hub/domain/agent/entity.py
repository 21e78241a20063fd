"""The agent: their duty, whom their texts are for, and what waits for their phone.

Never the wrong visitor: a text goes to the number it begins with; without one to the conversation the agent last
chose, or to the only one the phone shows, as long as nothing could have made the agent think of another. Whatever is
not clear beyond doubt is held, and the agent is asked.
"""

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import duty, notes, reading, threads, ways
from hub.domain.agent.delivery import attempt, check_letter, next_send, receipt, verdict
from hub.domain.agent.state import MISSING, Agent, Served
from hub.domain.agent.tell import drop_held, give_back, note
from hub.domain.agent.typed import receive
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block
from hub.domain.origins import seen
from hub.domain.refusals import NotFound, Repeated
from hub.domain.teams import DESK, AgentSettings, Way


def new(entity_id: str) -> Agent:
    """An agent of whom nothing is known yet: off duty, without settings."""
    return Agent(entity_id)


def next_due(state: Agent) -> int | None:
    """When the next Tick has something to do (Unix ms); a moment in the past means at once."""
    moments = [next_send(state), duty.next_due(state), ways.next_due(state), *(held.until_ms for held in state.held)]
    return min((moment for moment in moments if moment is not None), default=None)


def decide(state: Agent, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The events that carry `command` out; none where it changes nothing.

    Raises Repeated for a relayed command, an outside id or a verdict that was had before, NotReady for a text that
    comes before the first settings.
    """
    if origin is not None and seen(state.origins, origin):
        raise Repeated(0)
    events = threads.about(state, command, _decide(state, command, now_ms))
    events += reading.receipts(state, events)
    if not _on_page(state, command):
        return events
    return [event for event in events if not isinstance(event, e.NoteWaiting) or event.returns]


def _on_page(state: Agent, command: AnyCommand) -> bool:
    """Whether a desk in front of the agent says all that a note on the phone would, but for their own words."""
    if isinstance(command, c.Remind):
        return state.at_desk and command.conversation in state.serving
    return state.at_desk and isinstance(command, c.StopServing | c.NoteMissed)


def _decide(state: Agent, command: AnyCommand, now_ms: int) -> list[AnyEvent]:
    match command:
        case c.Tick():
            due = _expire(state, now_ms) or duty.tick(state, now_ms)
            return due or ways.tick(state, now_ms) or attempt(state, now_ms)
        case c.ReceiveText():
            return receive(state, command, now_ms)
        case c.RecordVerdict():
            return verdict(state, command, now_ms)
        case c.RecordReceipt():
            return receipt(state, command, now_ms)
        case c.ShowMessage(block=block):
            return [e.BlocksWaiting((block,))] if _is_pushed(state, block) else []
        case c.Serve():
            return _serve(state, command, now_ms)
        case c.StopServing():
            return _stop(state, command)
        case c.TellRefused():
            return _tell_refused(state, command)
        case c.TellUndelivered(conversation, no=no, text=text, because=because, changes=changes, seq=seq):
            tell = notes.unchanged if changes else notes.undelivered
            return note(state, tell(no, text, because), failed=(conversation, seq))
        case c.TellChanged(no=no, original=original, text=text):
            return note(state, notes.changed(no, original, text))
        case c.RetryDelivery(attempt=number, by=by):
            check_letter(state, number)
            return [e.DeliveryRetried(number, by)]
        case c.DropDelivery(attempt=number, by=by):
            check_letter(state, number)
            return [e.DeliveryDropped(number, by)]
        case c.SetDuty(on=on):
            return duty.say(state, now_ms, on=on)
        case c.SetDesk(until_ms=until_ms):
            back = duty.in_front(state, now_ms) if until_ms > now_ms else []
            return [*ways.set_desk(state, command, now_ms), *back]
        case c.MarkRead():
            return _mark_read(state, command)
        case c.TellAway(display=display, because=because, conversations=count):
            return note(state, notes.away(display, because, count))
        case c.TellTwice(no=no):
            return note(state, notes.twice(no))
        case c.NoteActive():
            return duty.active(state, command, now_ms)
        case c.NoteMissed():
            return _miss(state, command, now_ms)
        case c.Remind():
            return _remind(state, command)
        case c.TellWaitingList(waiting=waiting, more=more):
            return note(state, notes.waiting(waiting, more))
        case c.TellNotTaken(no=no, because=because):
            return note(state, notes.not_taken(no, because))
        case c.ConfigureAgent():
            return _configure(state, command, now_ms)
    raise NotFound(f"an agent does not know {type(command).__name__}")


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in conversations and the queue."""
    me = record.entity
    match record.event:
        case e.AnswerChosen() as to:
            answer = c.AnswerMessage(me, to.text, files=to.files, way=to.way, seen=to.seen, heard=to.heard)
            return [(to.conversation, answer)]
        case e.WayChosen():
            return _another_phone(me, record.event)
        case e.ChangeAsked(conversation=conversation, text=text):
            return [(conversation, c.ChangeMessage(me, text))]
        case e.CloseAsked() as ask:
            return [(ask.conversation, c.CloseConversation(me, ask.because, ask.assigned, ask.seen, ask.heard))]
        case e.TransferAsked() as ask:
            transfer = c.TransferConversation(me, ask.agent, ask.team, ask.note, ask.because, ask.assigned)
            return [(ask.conversation, transfer)]
        case e.AcceptAsked(conversation=conversation, assigned=assigned):
            return [(conversation, c.AcceptConversation(me, assigned))]
        case e.HoldAsked() as ask:
            return [(ask.conversation, c.HoldConversation(me, ask.on, ask.assigned))]
        case e.NoteAsked(conversation=conversation, text=text, display=display):
            return [(conversation, c.WriteNote(me, text, display))]
        case e.TakeAsked(no=no):
            return [(QUEUE_ID, c.Take(me, no))]
        case e.ListAsked():
            return [(QUEUE_ID, c.ListWaiting(me))]
        case e.DutyChanged(on=on, because=because):
            return [(QUEUE_ID, c.SetDuty(me, on, because))]
        case e.AgentConfigured(settings=settings, serving=serving):
            return [(one, c.SetPhone(me, _has_phone(settings), assigned)) for one, assigned in serving]
        case e.Unreachable(because=because, serving=serving):
            back: list[tuple[str, AnyCommand]] = [(one, c.ReturnConversation(me, because, at)) for one, at in serving]
            told = [(lead, c.TellAway(record.event.display, because, len(serving))) for lead in record.event.leads]
            return [(QUEUE_ID, c.SetDuty(me, on=False, because=because)), *back, *told]
    return []


def _another_phone(me: str, event: e.WayChosen) -> list[tuple[str, AnyCommand]]:
    """Off, and where it is no desk on again: then the conversation says all that is not answered."""
    changes = (False,) if event.way.channel == DESK else (False, True)
    return [(one, c.SetPhone(me, on, assigned)) for one, assigned in event.serving for on in changes]


def _has_phone(settings: AgentSettings | None) -> bool:
    return settings is not None and bool(settings.channel)


def _configure(state: Agent, command: c.ConfigureAgent, now_ms: int) -> list[AnyEvent]:
    settings = ways.settle(state, command.settings, now_ms) if command.settings else None
    configured = e.AgentConfigured(settings, _must_know(state, settings), command.shift, command.handover_s)
    command = msgspec.structs.replace(command, settings=settings)
    return [
        configured,
        *ways.moved(state, settings),
        *_welcome(state, settings),
        *duty.configure(state, command, now_ms),
    ]


def _welcome(state: Agent, settings: AgentSettings | None) -> list[AnyEvent]:
    if (
        settings is None
        or not settings.limits.threads
        or any(way.channel != DESK and not way.limits.threads for way in settings.ways)
    ):
        return []
    before = state.settings
    known = before is not None and (before.channel, before.address) == (settings.channel, settings.address)
    return [] if known else [e.NoteWaiting(notes.WELCOME)]


def _must_know(state: Agent, settings: AgentSettings | None) -> tuple[tuple[str, int], ...]:
    """The conversations that have to learn of a phone that was got or lost; they relay messages only to a phone."""
    had, has = _has_phone(state.settings) and not state.at_desk, _has_phone(settings)
    if state.at_desk and settings is not None and any(way.channel == DESK for way in settings.ways):
        return ()
    return ways.serving(state) if had != has else ()


def _is_pushed(state: Agent, block: Block) -> bool:
    """Whether a visitor's message waits for the phone: not what the page shows, nor what comes again anyhow."""
    served = state.serving.get(block.conversation)
    return served is not None and not state.at_desk and served.last != MISSING


def _mark_read(state: Agent, command: c.MarkRead) -> list[AnyEvent]:
    served = state.serving.get(command.conversation)
    if served is None or (command.seq <= served.read and not command.answered):
        return []
    events: list[AnyEvent] = []
    if command.seq > served.read:
        events.append(e.ReadMarked(command.conversation, command.seq))
    if command.answered and served.no in state.seen:
        events += note(state, notes.answered_elsewhere(served, command.answered))
    return events


# --- conversations come and go -------------------------------------------------------------------------------------


def _serve(state: Agent, command: c.Serve, now_ms: int) -> list[AnyEvent]:
    known = state.serving.get(command.conversation)
    events: list[AnyEvent] = [e.Serving(command.conversation, command.no, command.name, command.team, command.assigned)]
    if state.unreachable:  # chosen before the queue knew: straight back
        because = "the agent's phone cannot be reached"
        gone = e.ServingStopped(command.conversation, command.no, "returned")
        return [*events, gone, duty.unreachable(state, because, ((command.conversation, command.assigned),), now_ms)]
    if state.at_desk:
        assigned = command.assigned or (known.assigned if known else 0)
        return [*events, e.WayChosen(Way(DESK), "工作台在前台", ((command.conversation, assigned),))]
    if known is None or command.no not in state.seen:
        text = notes.begun(Served(command.no, command.name, command.team), command.skipped, command.note)
        events += note(state, text, begins=command.no)
    is_new = known is None or command.assigned not in (0, known.assigned)
    if is_new and not command.taken:
        events += duty.unexpected(state, now_ms)
    if command.phone not in (None, _has_phone(state.settings)):  # chosen before the queue knew
        events.append(
            e.AgentConfigured(
                state.settings, ((command.conversation, command.assigned),), state.shift, state.handover_s
            )
        )
    backlog = tuple(block for block in command.backlog if known is None or block.seq > max(known.last, known.read))
    return [*events, e.BlocksWaiting(backlog)] if backlog else events


def _stop(state: Agent, command: c.StopServing) -> list[AnyEvent]:
    """The agent is told unless the phone does not show it as theirs: it never did, or they ended it themselves."""
    served = state.serving.get(command.conversation)
    if served is None:
        return []
    events: list[AnyEvent] = [e.ServingStopped(command.conversation, command.no, command.because, command.to)]
    under_way = state.attempt is not None and (
        any(one.no == command.no for one in state.attempt.blocks)
        or any(one.begins == command.no for one in state.attempt.notes)
    )
    if under_way or command.no in state.seen or command.conversation == state.sticky:
        events += note(state, notes.stopped(served, command.because, command.to), ends=command.no)
    if len(state.serving) == 1:
        events += drop_held(state, "你已没有会话")
    return events


def _miss(state: Agent, command: c.NoteMissed, now_ms: int) -> list[AnyEvent]:
    gone = _stop(state, c.StopServing(command.conversation, command.no, "missed"))
    missed = e.ServingMissed(command.conversation, command.no)
    return [missed, *gone, *duty.missed(state, command.conversation, now_ms)]


def _tell_refused(state: Agent, command: c.TellRefused) -> list[AnyEvent]:
    because = f"#{command.no} {command.because}" + (f"，现由 {command.now_with} 负责" if command.now_with else "")
    events = give_back(state, because, command.text, failed=(command.conversation, command.failed))
    served = state.serving.get(command.conversation)
    if served is not None and served.no not in state.seen:
        events += note(state, notes.kept(served), begins=served.no)
    return events


def _remind(state: Agent, command: c.Remind) -> list[AnyEvent]:
    """To the assignee, as long as they are; to a lead with how they can help."""
    if served := state.serving.get(command.conversation):
        return note(state, notes.reminded(served, command.waited_s))
    if not command.display or state.settings is None:
        return []
    text = notes.lead_reminded(
        command.no, command.name, command.team, command.waited_s, command.display, state.settings.name
    )
    return [e.LeadReminded(command.conversation, command.no, command.assigned), *note(state, text)]


def _expire(state: Agent, now_ms: int) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    for held in state.held:
        if held.until_ms <= now_ms:
            events += [e.HeldDropped(held.text), *give_back(state, "没有等到 #号", held.text)]
    return events
