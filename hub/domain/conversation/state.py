"""The conversation's state, and how each of its events changes it."""

from typing import Literal

import msgspec

from hub.domain import events as e
from hub.domain import outside
from hub.domain.commands import Origin
from hub.domain.conversation import clocks, notes, outbox
from hub.domain.conversation.backlog import Backlog
from hub.domain.conversation.clocks import Clocks
from hub.domain.conversation.outbox import Outbox, Waiting
from hub.domain.events import Record
from hub.domain.ids import agent_name
from hub.domain.messages import Attachment, Profile, Status
from hub.domain.origins import Origins, note
from hub.domain.text import BEGINNING, beginning
from hub.domain.views import visitor_may_see

WINDOW = 64
"""So many messages of a tab may be unacknowledged: as many seqs are kept to answer repeats."""
TABS = 64
FORGOTTEN_TABS = 1024
CHANGEABLE = 5
NOTES = 5
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


class Said(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An answer of the assignee's that they may still change.

    `seq` is its event, `now` the one that says how it reads today, `text` enough of that to quote its beginning.
    """

    seq: int
    now: int
    text: str = ""
    files: tuple[Attachment, ...] = ()


class Failed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An answer that has not arrived, or nobody knows: the event that says so, and that in words for agents."""

    seq: int
    words: str


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
    team_display: str = ""
    """What people call the team of the last assignment,"""
    lead: str = ""
    """and its lead, by entity id."""
    assigned: int = 0
    """The seq of the last assignment,"""
    assigned_ms: int = 0
    """and when it was."""
    asked: int = 0
    """The seq with which the queue was asked for an agent last: what it chose before that does not count any more."""
    leaving: bool = False
    """The agent has given it away: the queue looks for the next one, and they may answer until then."""
    clocks: Clocks | None = None
    """None: nothing is ever due."""
    on_hold_ms: int = 0
    """Since when the clocks stand still; 0: they do not."""
    notes: tuple[str, ...] = ()
    """The last NOTES that agents have left since it was opened."""
    last: str = ""
    """Who had it when it was closed last, by entity id,"""
    last_ms: int = 0
    """and when that was."""
    active_ms: int = 0
    """When the agent was last said to be at a desk."""
    tabs: dict[str, Tab] = {}
    forgotten: list[str] = []
    backlog: Backlog = msgspec.field(default_factory=Backlog)
    held: dict[int, str] = {}
    """The words of messages that wait for a person to decide, by seq,"""
    held_files: dict[int, tuple[Attachment, ...]] = {}
    """and their files, where they have any."""
    answers: tuple[Said, ...] = ()
    """The last CHANGEABLE of the assignee."""
    answered_ms: int = 0
    """When the last of them was,"""
    answered_on: str = ""
    """and the channel that it was written on."""
    failed: Failed | None = None
    """The last failure to deliver that whoever has the conversation has to know of, until they have shown that they do
    or have got it with the conversation."""
    hidden: tuple[int, ...] = ()
    """Events whose words the visitor gets no more: answers that were taken back or corrected, and old corrections."""
    origins: Origins = {}
    outbox: Outbox | None = None
    """What leaves for a visitor on a platform; None: they have a socket."""


def evolve(state: Conversation, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    event = record.event
    state.seq = record.seq
    if type(event) is e.MessagePosted and origin is None and not event.outside_id:  # nearly every event is one of these
        state.visitor_seq = record.seq
        _note_message(state, record.seq, event, record.at_ms)
        return
    if visitor_may_see(event):
        state.visitor_seq = record.seq
    if origin is not None:
        note(state.origins, origin)
    if state.outbox is not None:
        _evolve_outbox(state, state.outbox, record)
    match event:
        case e.MessagePosted():
            _note_message(state, record.seq, event, record.at_ms)
        case e.Reached(reach=reach):
            if state.outbox is None:
                state.outbox = Outbox(reach)
            state.outbox.reach = reach
        case e.Opened(profile=profile):
            state.profile = profile
            state.opened_at_ms = record.at_ms
        case e.Reopened():
            state.stage = "new"
        case e.AnswerPosted():
            _note_answer(state, record, event)
        case e.MessageEdited() | e.MessageReleased() | e.MessageRejected():
            _change_message(state, record)
        case e.MessageCorrected() | e.MessageRecalled():
            _change_answer(state, record.seq, event)
        case _:
            _change_serving(state, record)


def unheard(state: Conversation, seen: int | None, heard: int) -> Failed | None:
    """The failure of which somebody does not know, for whom `seen` and `heard` are as in AnswerMessage."""
    failed = state.failed
    return failed if failed is not None and seen is not None and failed.seq > max(seen, heard) else None


def _change_serving(state: Conversation, record: Record) -> None:
    """Who has the conversation, and what they do with it but answer."""
    match record.event:
        case e.QueueJoined(team=team, priority=priority, chosen=chosen):
            state.stage, state.team, state.priority, state.routed = "waiting", team, priority, chosen
            state.asked = record.seq
        case e.Assigned() as assigned:
            _assign(state, record, assigned)
        case e.PhoneSet(on=on):
            state.phone = on
        case e.Transferred(by=by, team=team, note=note):
            _leave_note(state, state.display if by == state.agent else agent_name(by), note)
            state.leaving, state.clocks, state.on_hold_ms, state.asked = True, None, 0, record.seq
            state.team = team
        case e.Returned(lost=lost):
            _unassign(state, "waiting")
            state.asked = state.asked if lost else record.seq
        case e.Closed(agent=agent):
            if agent:
                state.last, state.last_ms = agent, record.at_ms
            _unassign(state, "closed")
            state.routed, state.backlog, state.notes, state.failed = False, Backlog(), (), None
        case e.NoteWritten(by=by, display=display, text=text, id=id_):
            _leave_note(state, display, text)
            _note_id(state, by, id_, record.seq)
        case e.HoldSet() | e.Accepted() | e.Reminded() | e.Nudged():
            _change_clocks(state, record)


def _assign(state: Conversation, record: Record, event: e.Assigned) -> None:
    if event.agent != state.agent:
        state.answers, state.active_ms = (), 0
    state.stage, state.team, state.team_display = "served", event.team, event.team_display
    state.agent, state.display, state.no, state.phone = event.agent, event.display, event.no, event.phone
    state.lead, state.assigned, state.assigned_ms = event.lead, record.seq, record.at_ms
    state.leaving, state.on_hold_ms, state.failed = False, 0, None
    state.clocks = clocks.begin(
        event.patience,
        record.at_ms,
        accepted=event.taken,
        lead=event.lead not in ("", event.agent),
        nudges=state.outbox is None or state.outbox.reach.limits.notices,
    )


def _unassign(state: Conversation, stage: Literal["waiting", "closed"]) -> None:
    state.stage, state.agent, state.display, state.phone = stage, "", "", False
    state.answers, state.leaving, state.clocks, state.on_hold_ms = (), False, None, 0


def _leave_note(state: Conversation, by: str, text: str) -> None:
    if text:
        state.notes = (*state.notes[-NOTES + 1 :], f"{by}: {text}" if by else text)


def _change_clocks(state: Conversation, record: Record) -> None:
    match record.event:
        case e.HoldSet(on=True):
            state.on_hold_ms = record.at_ms
        case e.HoldSet(on=False):
            if state.clocks is not None:
                clocks.go_on(state.clocks, state.on_hold_ms, record.at_ms)
            state.on_hold_ms = 0
        case e.Accepted() if state.clocks is not None:
            state.clocks.accepted = True
        case e.Reminded(lead=False) if state.clocks is not None:
            state.clocks.reminded = True
        case e.Reminded(lead=True) if state.clocks is not None:
            state.clocks.lead_told = True
        case e.Nudged() if state.clocks is not None:
            state.clocks.nudged_ms = record.at_ms


def _note_answer(state: Conversation, record: Record, event: e.AnswerPosted) -> None:
    state.backlog.answer(event.seen)
    if not unheard(state, event.seen, event.heard):
        state.failed = None
    said = Said(record.seq, record.seq, event.text[: BEGINNING + 1], event.files)
    state.answers = (*state.answers[-CHANGEABLE + 1 :], said)
    state.answered_ms, state.answered_on = record.at_ms, event.way
    _note_id(state, event.agent, event.id, record.seq)
    if event.active:
        state.active_ms = record.at_ms
    if state.clocks is not None:
        clocks.answered(state.clocks, record.at_ms)
        if state.backlog.count:  # they have written since: it is not their turn
            clocks.wrote(state.clocks, record.at_ms)


def _change_message(state: Conversation, record: Record) -> None:
    """A message that was there is to be read in another way."""
    match record.event:
        case e.MessageEdited(text=text, status=status):
            if not status:
                state.backlog.add(record.seq, notes.edited(text))
            _note_life(state, status, record.at_ms)
        case e.MessageReleased(ref=ref, text=text, files=files):
            _let_go(state, ref)
            state.backlog.drop(ref)  # its placeholder
            state.backlog.add(record.seq, text, files)  # who has seen the placeholder has not seen it
            _note_life(state, "", record.at_ms)
        case e.MessageRejected(ref=ref):
            _let_go(state, ref)


def _let_go(state: Conversation, ref: int) -> None:
    state.held.pop(ref, None)
    state.held_files.pop(ref, None)


def _change_answer(state: Conversation, seq: int, event: e.MessageCorrected | e.MessageRecalled) -> None:
    state.hidden = (*state.hidden, event.before)
    if isinstance(event, e.MessageRecalled):
        state.answers = tuple(one for one in state.answers if one.seq != event.ref)
    else:
        now = Said(event.ref, seq, event.text[: BEGINNING + 1], event.files)
        state.answers = tuple(now if one.seq == event.ref else one for one in state.answers)


def _evolve_outbox(state: Conversation, box: Outbox, record: Record) -> None:
    """What the visitor sees waits to leave for them, and what has left does not."""
    event, seq, at_ms = record.event, record.seq, record.at_ms
    language = state.profile.language if state.profile else ""
    match event:
        case e.MessagePosted(outside_id=outside_id, automatic=automatic):
            outbox.wrote(box, outside_id, seq, at_ms, automatic)
        case e.MessageEdited(outside_id=outside_id):
            outside.note(box.outside, outside_id, at_ms, seq)
        case e.AnswerPosted(text=text, files=files, display=display):
            box.waiting.append(Waiting(seq, at_ms, text, files, by=display))
        case e.AutoReplied(text=text, choices=choices):
            box.waiting.append(Waiting(seq, at_ms, text, (), choices, automatic=True))
        case e.WaitTold() | e.Nudged() | e.Closed():
            if box.reach.limits.notices and not box.automatic:
                box.waiting.append(Waiting(seq, at_ms, notes.said(event, at_ms, language), automatic=True))
        case e.AttemptRefused(because=because, text=text, changes=changes):
            if not changes and outbox.has_failed(box, event):
                _note_failure(state, seq, because, text, at_ms)
            outbox.evolve(box, event, at_ms)
        case e.ReceiptHad(because=because) if outbox.has_failed(box, event):
            _note_failure(state, seq, because, "", at_ms)
        case _:
            outbox.evolve(box, event, at_ms)


def _note_failure(state: Conversation, seq: int, because: str, text: str, at_ms: int) -> None:
    """Whoever has it has to know; and nobody waits for the visitor to answer what they have not got."""
    state.failed = Failed(seq, f"未送达：{because}" + (f"「{beginning(text)}」" if text else ""))
    if state.clocks is not None:
        clocks.wrote(state.clocks, at_ms)


def _note_message(state: Conversation, seq: int, event: e.MessagePosted, at_ms: int) -> None:
    if event.id:
        tab, _, n = event.id.rpartition(".")
        _note_number(state, tab, int(n), seq)
    if event.status == "held":
        state.held[seq] = event.text
        if event.files:
            state.held_files[seq] = event.files
        state.backlog.add(seq, HELD_PLACEHOLDER)
    elif not event.status:
        state.backlog.add(seq, event.text, event.files)
    if state.clocks is not None and state.clocks.silent_ms and not event.automatic:
        _note_life(state, event.status, at_ms)


def _note_life(state: Conversation, status: Status, at_ms: int) -> None:
    """The visitor is there, unless nobody will ever read what they wrote."""
    if state.clocks is not None and status != "blocked":
        clocks.wrote(state.clocks, at_ms)


def _note_id(state: Conversation, agent: str, id_: str, seq: int) -> None:
    """What an agent's client calls `id_` is stored as `seq`; many bear no number."""
    if id_:
        tab, _, n = id_.rpartition(".")
        _note_number(state, f"{agent}/{tab}", int(n), seq)


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
