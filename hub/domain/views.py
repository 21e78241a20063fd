"""What each audience may see of an event, in the words of protocol v1 (docs/protocol.md).

The one place that decides who reads what: the visitor's frames, the agent's frames, the API's history and the
numbering of holes (`prev`) all come from here.
"""

from typing import Literal

import msgspec

from hub.domain import events as e
from hub.domain.events import AnyEvent, Record
from hub.domain.messages import Attachment

Audience = Literal["visitor", "agent"]


class EventFrame(msgspec.Struct, frozen=True, omit_defaults=True, tag="event", tag_field="t", gc=False):
    """One event as a client gets it; fields that a kind does not have are left out."""

    c: str
    seq: int
    prev: int
    at: int
    kind: str
    id: str = ""
    by: str = ""
    text: str = ""
    status: str = ""
    ref: int = 0
    no: int = 0
    team: str = ""
    position: int = 0
    on_duty: bool = False
    low_s: int = 0
    high_s: int = 0
    full: bool = False
    opens_at: int = 0
    away: str = ""
    away_en: str = ""
    seconds: int = 0
    because: str = ""
    to: str = ""
    flags: tuple[str, ...] = ()
    name: str = ""
    page: str = ""
    language: str = ""
    device: str = ""
    on: bool = False
    files: tuple[Attachment, ...] = ()
    refs: tuple[int, ...] = ()
    choices: tuple[str, ...] = ()
    seen: int | None = None


VISITOR_SEES = (
    e.MessagePosted, e.AnswerPosted, e.AutoReplied, e.WaitTold, e.Closed, e.MessageReleased, e.MessageRejected,
    e.MessageEdited, e.MessageCorrected, e.MessageRecalled, e.Nudged,
)  # fmt: skip
"""Everything else of a conversation is between agents."""


ACKED = (e.MessagePosted, e.AnswerPosted)
"""Events that their sender's socket hears of by an ack, and not by a push."""


def visitor_may_see(event: AnyEvent) -> bool:
    """Whether the event counts in the visitor's `prev`."""
    return isinstance(event, VISITOR_SEES)


def view(record: Record, audience: Audience) -> EventFrame | None:
    """The frame for one audience, or None where it may not see the event."""
    return visitor_view(record) if audience == "visitor" else agent_view(record)


def withheld(record: Record) -> Record:
    """The record of an answer, or a correction of one, as a visitor may still read it: without what it said."""
    event = record.event
    if not isinstance(event, e.AnswerPosted | e.MessageCorrected):
        return record
    return msgspec.structs.replace(record, event=msgspec.structs.replace(event, text="", files=()))


def visitor_view(record: Record) -> EventFrame | None:
    """What the visitor sees: their own texts as they wrote them where they were held or blocked, no names of rules."""
    event = record.event
    match event:
        case e.MessagePosted(id=id_, text=text, status=status, original=original, files=files):
            shown = original if status and original is not None else text
            return _frame(record, record.prev, "message", id=id_, text=shown, status=status, files=files)
        case e.MessageEdited(ref=ref, text=text, status=status, original=original):
            shown = original if status and original is not None else text
            return _frame(record, record.prev, "edited", ref=ref, text=shown, status=status)
        case e.AnswerPosted(id=id_, display=display, text=text, files=files):
            return _frame(record, record.prev, "answer", id=id_, by=display, text=text, files=files)
        case e.MessageCorrected(ref=ref, text=text, by=by, files=files):
            return _frame(record, record.prev, "edited", ref=ref, by=by, text=text, files=files)
        case e.MessageRecalled(ref=ref, by=by):
            return _frame(record, record.prev, "recalled", ref=ref, by=by)
        case e.AutoReplied(text=text, choices=choices):
            return _frame(record, record.prev, "reply", text=text, choices=choices)
        case e.WaitTold() as told:
            return _frame(record, record.prev, "waiting", **_wait(told))
        case e.Nudged(closes_s=closes_s):
            return _frame(record, record.prev, "nudged", seconds=closes_s)
        case e.Closed(by=by, because=because):  # what agents say of it is not for visitors
            return _frame(record, record.prev, "closed", because="" if by else because)
        case e.MessageReleased(ref=ref, text=text):
            return _frame(record, record.prev, "released", ref=ref, text=text)
        case e.MessageRejected(ref=ref):
            return _frame(record, record.prev, "rejected", ref=ref)
    return None


def agent_view(record: Record) -> EventFrame | None:
    """What agents see: every event; held and blocked texts without their words."""
    event = record.event
    prev = record.seq - 1
    if type(event) is e.MessagePosted:  # nearly every event is one of these: without keywords, which cost
        at, shown = record.at_ms, "" if event.status else event.text
        return EventFrame(
            record.entity, record.seq, prev, at, "message", event.id, "", shown, event.status, flags=event.flags,
            files=event.files,
        )  # fmt: skip
    match event:
        case e.AnswerPosted(id=id_, display=display, text=text, files=files, seen=seen):
            return _frame(record, prev, "answer", id=id_, by=display, text=text, files=files, seen=seen)
        case e.AutoReplied(text=text, choices=choices):
            return _frame(record, prev, "reply", text=text, choices=choices)
        case e.MessageEdited(ref=ref, text=text, status=status):
            return _frame(record, prev, "edited", ref=ref, text="" if status else text, status=status)
        case e.MessageCorrected(ref=ref, text=text, by=by, files=files):
            return _frame(record, prev, "edited", ref=ref, by=by, text=text, files=files)
        case e.MessageRecalled(ref=ref, by=by):
            return _frame(record, prev, "recalled", ref=ref, by=by)
        case e.WaitTold() as told:
            return _frame(record, prev, "waiting", no=told.no, **_wait(told))
        case e.Nudged(closes_s=closes_s):
            return _frame(record, prev, "nudged", seconds=closes_s)
        case e.Closed(by=by, because=because):
            return _frame(record, prev, "closed", by=by, because=because)
        case e.MessageReleased(ref=ref, text=text, by=by):
            return _frame(record, prev, "released", ref=ref, text=text, by=by)
        case e.MessageRejected(ref=ref, by=by):
            return _frame(record, prev, "rejected", ref=ref, by=by)
    return _serving_view(record) or _delivery_view(record)


def _serving_view(record: Record) -> EventFrame | None:
    """Who has the conversation, and what they do with it; `by` is what people call them, where the event says it."""
    event, prev = record.event, record.seq - 1
    match event:
        case e.Opened(profile=p):
            return _frame(record, prev, "opened", name=p.name, page=p.page, language=p.language, device=p.device)
        case e.Reopened():
            return _frame(record, prev, "reopened")
        case e.QueueJoined(team=team, because=because):
            return _frame(record, prev, "queued", team=team, because=because)
        case e.Assigned(display=display, no=no, team=team, because=because):
            return _frame(record, prev, "assigned", by=display, no=no, team=team, because=because)
        case e.Accepted(agent=agent):
            return _frame(record, prev, "accepted", by=agent)
        case e.Reminded(to=to, waited_s=waited_s):
            return _frame(record, prev, "reminded", to=to, seconds=waited_s)
        case e.HoldSet(by=by, on=on):
            return _frame(record, prev, "hold", by=by, on=on)
        case e.NoteWritten(by=by, display=display, text=text):
            return _frame(record, prev, "note", by=display or by, text=text)
        case e.AssignRefused(agent=agent):
            return _frame(record, prev, "refused", by=agent)
        case e.AnswerRefused(agent=agent, because=because):
            return _frame(record, prev, "refused", by=agent, text=because)
        case e.Transferred(by=by, agent=agent, team=team, note=note, because=because):
            return _frame(record, prev, "transferred", by=by, to=agent or team, text=note, because=because)
        case e.PhoneSet(agent=agent, on=on):
            return _frame(record, prev, "phone", by=agent, on=on)
        case e.Returned(agent=agent, because=because):
            return _frame(record, prev, "returned", by=agent, text=because)
    return None


def _delivery_view(record: Record) -> EventFrame | None:
    """How far what leaves for a visitor on a platform has come; `no` is the number of the attempt."""
    event, prev = record.event, record.seq - 1
    match event:
        case e.Reached(reach=reach):
            return _frame(record, prev, "reached", name=reach.channel, text=reach.address)
        case e.ChangeBegun(ref=ref, piece=piece):
            return _frame(record, prev, "changing", ref=ref, by=piece.message.by, text=piece.message.instead)
        case e.Attempted(attempt=number, message=message) if message:
            refs = () if message.replaces else message.refs
            return _frame(record, prev, "sending", no=number, refs=refs)
        case e.AttemptSent(attempt=number, refs=refs):
            return _frame(record, prev, "sent", no=number, refs=refs)
        case e.AttemptDelayed(attempt=number, because=because):
            return _frame(record, prev, "delayed", no=number, text=because)
        case e.AttemptRefused(attempt=number, because=because, refs=refs, changes=True):
            return _frame(record, prev, "unchanged", no=number, text=because, refs=refs)
        case e.AttemptRefused(attempt=number, because=because, refs=refs):
            return _frame(record, prev, "undelivered", no=number, text=because, refs=refs)
        case e.DeliveryRetried(attempt=number, by=by):
            return _frame(record, prev, "retried", no=number, by=by)
        case e.DeliveryDropped(attempt=number, by=by):
            return _frame(record, prev, "dropped", no=number, by=by)
        case e.ReceiptHad(attempt=number, kind=kind, because=because, refs=refs):
            return _frame(record, prev, "receipt", no=number, status=kind, text=because, refs=refs)
    return None


def _wait(told: e.WaitTold) -> dict[str, object]:
    wait = told.wait
    return {
        "position": told.position, "on_duty": told.on_duty, "low_s": wait.low_s, "high_s": wait.high_s,
        "full": wait.full, "opens_at": wait.opens_at_ms, "away": wait.away, "away_en": wait.away_en,
    }  # fmt: skip


def _frame(record: Record, prev: int, kind: str, **fields: object) -> EventFrame:
    return EventFrame(record.entity, record.seq, prev, record.at_ms, kind, **fields)  # type: ignore[arg-type]


def serving_change(event: AnyEvent) -> tuple[str, bool] | None:
    """Of an agent's event: the conversation that became theirs (True) or stopped being theirs."""
    match event:
        case e.Serving(conversation=conversation):
            return conversation, True
        case e.ServingStopped(conversation=conversation):
            return conversation, False
    return None
