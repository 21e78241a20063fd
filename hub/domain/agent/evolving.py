"""How each event of an agent entity changes its state."""

from collections.abc import Iterable
from itertools import chain

import msgspec

from hub.domain import events as e
from hub.domain import outside
from hub.domain.agent import delivery, reading, ways
from hub.domain.agent.state import (
    LEFT_MS,
    MISSING,
    MOST_LEFT,
    Agent,
    Carried,
    Held,
    Led,
    Left,
    Note,
    Served,
    next_place,
    unsee,
)
from hub.domain.agent.threads import grouped
from hub.domain.commands import Origin
from hub.domain.conversation.state import CHANGEABLE
from hub.domain.events import Record
from hub.domain.messages import Block
from hub.domain.origins import note
from hub.domain.pace import HOUR_MS
from hub.domain.presence import Presence, has_answered, has_missed, has_said, is_in_front
from hub.domain.teams import DESK

DESK_EVERY_MS = 300_000
"""A conversation tells of answers at a desk at most so often."""


def evolve(state: Agent, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    state.seq, state.at_ms = record.seq, record.at_ms
    if origin is not None:
        note(state.origins, origin)
    event, at_ms = record.event, record.at_ms
    reading.evolve(state, event)
    match event:
        case e.AgentConfigured():
            _configure(state, event)
        case e.DutySaid() | e.DutyChanged() | e.DutyProlonged() | e.Unreachable() | e.HandoverAsked():
            _evolve_duty(state, event)
        case e.WayChosen() | e.WayFailed() | e.DeskSet():
            ways.evolve(state, event, at_ms)
        case e.ActiveNoted() | e.ServingMissed() | e.LeadReminded():
            _evolve_presence(state, event, at_ms)
        case e.DeliveryRetried(attempt=number):
            again = state.letters.pop(number)
            state.notes.append(msgspec.structs.replace(again, at_ms=at_ms, place=next_place(state)))
        case e.DeliveryDropped(attempt=number):
            state.letters.pop(number)
        case e.Serving() | e.ServingStopped() | e.BlocksWaiting() | e.NoteWaiting() | e.ReadMarked():
            _evolve_served(state, event, at_ms)
        case e.Attempted() | e.AttemptSent() | e.AttemptDelayed() | e.AttemptRefused():
            delivery.evolve(state, event, at_ms)
        case _:
            _evolve_typed(state, record)


def _configure(state: Agent, event: e.AgentConfigured) -> None:
    before, now = state.settings, event.settings
    state.settings, state.shift, state.handover_s, state.unreachable = now, event.shift, event.handover_s, False
    state.failing = {}
    if now is None or not any(way.channel == DESK for way in now.ways):
        state.at_desk = False
    if now is None and before is not None:
        state.presence, state.handover_ms = Presence(), 0
    if now is None or not now.channel:
        state.misled = state.misled or any(lost.returns or lost.ends for lost in state.notes)
        state.blocks, state.notes, state.part, state.ask = [], [], 0, False
        for served in state.serving.values():
            served.last = MISSING
    elif before is None or (before.channel, before.address) != (now.channel, now.address):
        state.seen, state.part = {}, 0  # another phone: it shows nothing yet, and gets a block that was cut whole
        state.since = state.attempts
        state.blocks = grouped(state.blocks) if now.limits.threads else state.blocks
    if now is not None and now.channel and before is not None and before.limits.max_text != now.limits.max_text:
        state.part = 0
        ways.cut_notes(state, now.limits)


# --- duty ----------------------------------------------------------------------------------------------------------


def _evolve_duty(
    state: Agent, event: e.DutySaid | e.DutyChanged | e.DutyProlonged | e.Unreachable | e.HandoverAsked
) -> None:
    match event:
        case e.DutySaid(on=on, because=because, until_ms=until_ms):
            state.presence = has_said(state.presence, because, until_ms, on=on)
        case e.DutyChanged(on=on, until_ms=until_ms):
            state.on_duty, state.duty_until_ms, state.handover_ms = on, until_ms, 0
            state.unreachable = state.unreachable and not on
            state.failing = {} if on else state.failing
        case e.DutyProlonged(until_ms=until_ms):
            state.duty_until_ms = until_ms
        case e.Unreachable(until_ms=until_ms):
            state.presence = has_said(state.presence, "unreachable", until_ms, on=False)
            state.on_duty, state.duty_until_ms, state.handover_ms = False, until_ms, 0
            state.unreachable = True
        case e.HandoverAsked(at_ms=at_ms):
            state.handover_ms = at_ms


def _evolve_presence(state: Agent, event: e.ActiveNoted | e.ServingMissed | e.LeadReminded, at_ms: int) -> None:
    match event:
        case e.ActiveNoted(answered=answered):
            state.presence = is_in_front(state.presence, at_ms)
            if answered:
                _answered(state, at_ms, DESK_EVERY_MS)
        case e.ServingMissed():
            state.presence = has_missed(state.presence)
        case e.LeadReminded(conversation=conversation, no=no, assigned=assigned):
            state.led = {other: led for other, led in state.led.items() if led.at_ms > at_ms - LEFT_MS}
            state.led[no] = Led(conversation, at_ms, assigned)


def _answered(state: Agent, at_ms: int, more_ms: int = 0) -> None:
    """Who answers is there, and does not give their conversations back yet."""
    state.presence = has_answered(state.presence, at_ms)
    if state.handover_ms:
        state.handover_ms = max(state.handover_ms, at_ms + state.handover_s * 1000 + more_ms)


# --- conversations -------------------------------------------------------------------------------------------------


def _evolve_served(
    state: Agent, event: e.Serving | e.ServingStopped | e.BlocksWaiting | e.NoteWaiting | e.ReadMarked, at_ms: int
) -> None:
    match event:
        case e.NoteWaiting():
            if _has_phone(state):
                state.notes.append(
                    Note(
                        event.text, event.begins, event.ends, event.returns, event.thread, event.failed, at_ms,
                        next_place(state),
                    )
                )  # fmt: skip
        case e.BlocksWaiting(blocks=blocks):
            _wait(state, blocks, at_ms)
        case e.ReadMarked(conversation=conversation, seq=seq):
            _read(state, conversation, seq)
        case e.Serving(conversation=conversation, no=no, name=name, team=team, assigned=assigned):
            known = state.serving.get(conversation)
            if known is None:
                state.serving[conversation] = Served(
                    no, name, team, no in state.left, MISSING, assigned=assigned, since_ms=at_ms
                )  # fmt: skip
            elif assigned not in (0, known.assigned):
                known.no, known.name, known.team = no, name, team
                known.assigned, known.since_ms, known.accepted = assigned, at_ms, False
            if _is_pushed_to(state):
                state.serving[conversation].last = max(state.serving[conversation].last, 0)
            state.ask = bool(state.held)
        case e.ServingStopped(conversation=conversation, no=no):
            _stop(state, conversation, no, at_ms)


def _wait(state: Agent, blocks: tuple[Block, ...], at_ms: int) -> None:
    if not _is_pushed_to(state):
        return
    assert state.settings is not None
    state.blocks.extend(msgspec.structs.replace(one, at_ms=at_ms, place=next_place(state)) for one in blocks)
    state.blocks = grouped(state.blocks) if state.settings.limits.threads else state.blocks
    for block in blocks:
        served = state.serving[block.conversation]
        served.waits_ms, served.unread_ms = served.waits_ms or at_ms, served.unread_ms or at_ms
        served.last, served.wrote_ms = max(served.last, block.seq), at_ms
        served.unanswered += 1


def _read(state: Agent, conversation: str, seq: int) -> None:
    served = state.serving[conversation]
    served.read = seq
    if served.last <= seq:
        served.unread_ms = 0
    if state.blocks and state.blocks[0].conversation == conversation and state.blocks[0].seq <= seq:
        state.part = 0
    state.blocks = [one for one in state.blocks if one.conversation != conversation or one.seq > seq]


def _has_phone(state: Agent) -> bool:
    return state.settings is not None and bool(state.settings.channel)


def _is_pushed_to(state: Agent) -> bool:
    return _has_phone(state) and not state.at_desk


def _stop(state: Agent, conversation: str, no: int, at_ms: int) -> None:
    state.serving.pop(conversation, None)
    if not state.serving:
        state.handover_ms = 0
    if state.blocks and state.blocks[0].conversation == conversation:
        state.part = 0
    state.blocks = [block for block in state.blocks if block.conversation != conversation]
    state.notes = [n for n in state.notes if n.begins != no]
    _remember(state, conversation, no, at_ms)
    state.ask = bool(state.held)
    if state.sticky == conversation:
        state.sticky = ""
    state.unsettled_ms = at_ms


def _remember(state: Agent, conversation: str, no: int, at_ms: int) -> None:
    """That it was here."""
    state.left.pop(no, None)  # it comes last again
    last = set(list(state.left)[1 - MOST_LEFT :])
    state.left = {other: left for other, left in state.left.items() if other in last or left.at_ms > at_ms - LEFT_MS}
    state.left[no] = Left(conversation, at_ms)


# --- what the agent typed ------------------------------------------------------------------------------------------


def _evolve_typed(state: Agent, record: Record) -> None:
    at_ms = record.at_ms
    match record.event:
        case e.TextReceived(outside_id=outside_id, sent_at_ms=sent_at_ms, conversation=conversation):
            state.unreachable = False
            state.misled = state.misled or not _has_phone(state)  # nothing can be said to what they write
            if conversation is None:
                state.written_ms = max(state.written_ms, min(sent_at_ms, at_ms))
            outside.note(state.outside, outside_id, at_ms, record.seq)
        case e.TextHeld(text=text, until_ms=until_ms):
            state.holds += 1
            state.held.append(Held(state.holds, text, until_ms, at_ms=at_ms))
            state.ask = True
        case e.HeldDropped(text=text):
            _unhold(state, text)
        case e.AnswerChosen(conversation=conversation, text=text, held=held, seen=seen):
            _answer(state, conversation, seen)
            _answered(state, at_ms)
            if held:
                _unhold(state, text)
            else:
                state.serving[conversation].doubtful = max(0, state.serving[conversation].doubtful - 1)
            if conversation == state.sticky:
                state.used_ms = at_ms
        case e.ChangeAsked(conversation=conversation) if conversation == state.sticky:
            state.used_ms = at_ms
        case e.StickyChosen(conversation=conversation):
            state.sticky, state.used_ms = conversation, at_ms
            if conversation and _may_answer_overtaken(state, at_ms):
                state.serving[conversation].doubtful = CHANGEABLE
            _ask_anew(state)
            if conversation:
                state.misled = False
            else:
                state.unsettled_ms = at_ms
        case e.AcceptAsked(conversation=conversation):
            state.serving[conversation].accepted, state.serving[conversation].unread_ms = True, 0
        case e.CloseAsked(no=no) | e.TransferAsked(no=no, because=""):  # not what is given back after their shift
            unsee(state, no, at_ms)


def _answer(state: Agent, conversation: str, seen: int | None) -> None:
    """What the agent had not been shown by then, where they wrote, is still to be read, and to be answered."""
    served = state.serving[conversation]
    under_way = state.attempt.blocks if state.attempt else []
    waiting: Iterable[Block | Carried] = chain(state.blocks, under_way, *state.unread.values())
    unread = {one.seq for one in waiting if one.conversation == conversation}
    served.accepted, served.unanswered = True, sum(seen is not None and seq > seen for seq in unread)
    served.unread_ms = (served.waits_ms or served.wrote_ms) if served.unanswered else 0


def _ask_anew(state: Agent) -> None:
    """What is still held waits for a new question: the agent may think that they have answered the old one."""
    state.ask = bool(state.held)
    for held in state.held:
        held.asked_ms = 0
    if state.attempt is not None:
        state.attempt.overtaken = state.attempt.overtaken or bool(state.attempt.asks)
        state.attempt.asks = 0


def _may_answer_overtaken(state: Agent, at_ms: int) -> bool:
    """Whether `#n` may be meant as the answer to an old question about texts that have been sent by now."""
    under_way = state.attempt is not None and state.attempt.overtaken
    return under_way or 0 < state.overtaken_ms > at_ms - HOUR_MS


def _unhold(state: Agent, text: str) -> None:
    """Let go of the first held text of these words."""
    place = next(i for i, held in enumerate(state.held) if held.text == text)
    del state.held[place]
    state.ask = state.ask and bool(state.held)
