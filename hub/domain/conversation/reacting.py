"""What a conversation's events call for elsewhere: at the queue, and at the agents who have it, had it or lead them."""

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand
from hub.domain.conversation import notes
from hub.domain.conversation.state import HELD_PLACEHOLDER
from hub.domain.events import Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block

Reactions = list[tuple[str, AnyCommand]]


def reactions(record: Record) -> Reactions:
    """The commands that an event calls for in other entities."""
    me, event = record.entity, record.event
    match event:
        case e.MessagePosted(to=""):  # nearly every event is one of these: the first lines decide
            return []
        case e.AnswerPosted():
            return _answered(record.seq, me, event)
        case e.MessagePosted(to=to, no=no, name=name, status="held"):
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, HELD_PLACEHOLDER)))]
        case e.MessagePosted(to=to, no=no, name=name, text=text, files=files):
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, text, files)))]
        case e.MessageEdited(to=to, no=no, name=name, text=text, status=status) if to and not status:
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, notes.edited(text))))]
        case e.AttemptRefused(agent=agent, no=no, text=text, because=because, changes=changed) if agent:
            return [(agent, c.TellUndelivered(me, no, text, because, changed, 0 if changed else record.seq))]
        case e.MessageCorrected(to=to, no=no, original=original, text=text) if to:
            return [(to, c.TellChanged(me, no, original, text))]
        case e.MessageRecalled(to=to, no=no, original=original) if to:
            return [(to, c.TellChanged(me, no, original))]
        case e.ReceiptHad(agent=agent, no=no, because=because) if agent:
            return [(agent, c.TellUndelivered(me, no, "", because, seq=record.seq))]
        case e.MessageReleased(to=to, no=no, name=name, text=text, files=files) if to:
            return [(to, c.ShowMessage(Block(me, no, record.seq, name, text, files)))]
        case e.AnswerRefused(agent=agent, no=no, text=text, because=because, now_with=now_with, failed=failed):
            return [(agent, c.TellRefused(me, no, text, because, now_with, failed))]
    return _of_serving(record)


def _answered(seq: int, me: str, event: e.AnswerPosted) -> Reactions:
    """What the agent entity has to know of an answer."""
    agent = event.agent
    told: Reactions = [(agent, c.NoteActive())] if event.active else []
    if event.no:
        told.append((agent, c.MarkRead(me, seq if event.seen is None else event.seen, event.text or "[文件]")))
    return [*told, (agent, c.TellTwice(me, event.twice))] if event.twice else told


def _of_serving(record: Record) -> Reactions:
    """Of the events that say who has it."""
    me, event = record.entity, record.event
    match event:
        case e.QueueJoined() as to:
            enqueue = c.Enqueue(
                me, to.team, to.priority, to.agent, to.avoid, to.channel, to.language, to.name, to.last, to.last_ms,
                asked=record.seq,
            )  # fmt: skip
            return [(QUEUE_ID, enqueue)]
        case e.Assigned():
            return _assigned(record.seq, me, event)
        case e.AssignRefused():
            return [(QUEUE_ID, c.Leave(me))]
        case e.Reminded() as it:
            remind = c.Remind(me, it.no, it.name, it.waited_s, it.display if it.lead else "", it.team, it.assigned)
            return [(it.to, remind)]
        case e.Transferred() as to:
            avoid = to.before or to.by
            enqueue = c.Enqueue(
                me, to.team, to.priority, to.agent, avoid, to.channel, to.language, to.name, asked=record.seq
            )
            return [(QUEUE_ID, enqueue)]
        case e.PhoneSet(on=True):
            return [(event.agent, c.Serve(
                me, event.no, event.name, event.team, event.backlog, event.skipped, assigned=event.assigned
            ))]  # fmt: skip
        case e.Returned():
            return _returned(record.seq, me, event)
        case e.Closed(by=by, agent=agent, no=no):
            left: Reactions = [(QUEUE_ID, c.Leave(me))]
            return [*left, (agent, c.StopServing(me, no, "closed", by))] if agent else left
    return []


def _assigned(seq: int, me: str, event: e.Assigned) -> Reactions:
    serve = c.Serve(
        me, event.no, event.name, event.team_display or event.team, event.backlog, event.skipped, event.note, seq,
        event.taken, event.phone,
    )  # fmt: skip
    served: Reactions = [(event.agent, serve)]
    if event.before:
        stop = c.StopServing(me, event.no, "transferred", event.before, event.display)
        served.insert(0, (event.before, stop))
    return served


def _returned(seq: int, me: str, event: e.Returned) -> Reactions:
    agent, no = event.agent, event.no
    stop = (agent, c.StopServing(me, no, "returned"))
    if event.lost:  # the queue has it already
        return [stop]
    enqueue = c.Enqueue(
        me, event.team, event.priority, "", agent, event.channel, event.language, event.name, missed=event.missed,
        asked=seq,
    )  # fmt: skip
    waits: Reactions = [(QUEUE_ID, enqueue)]
    if event.missed:
        return [*waits, (agent, c.NoteMissed(me, no))]
    return [*waits, stop]  # also who could not be reached: it may have been given to them again since
