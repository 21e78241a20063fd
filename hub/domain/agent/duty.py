"""An agent comes on duty and goes off, and what becomes of their open conversations then."""

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import presence
from hub.domain.agent import notes
from hub.domain.agent.state import Agent
from hub.domain.agent.tell import note
from hub.domain.events import AnyEvent
from hub.domain.presence import Because, Duty, Presence


def held(state: Agent, known: Presence, now_ms: int) -> Duty:
    """What holds when `known` is what is known of them now."""
    return Duty(False, "removed") if state.settings is None else presence.duty(known, state.shift, now_ms)


def next_due(state: Agent) -> int | None:
    """When `tick` has something to do; None: never."""
    return min(filter(None, (state.duty_until_ms, state.handover_ms)), default=None)


def tick(state: Agent, now_ms: int) -> list[AnyEvent]:
    """What is due: the duty ends, or goes on; then, conversations are given back by those who are still off duty."""
    if 0 < state.duty_until_ms <= now_ms:
        return _settle(state, state.presence, now_ms)
    return _hand_over(state) if 0 < state.handover_ms <= now_ms else []


def say(state: Agent, now_ms: int, *, on: bool, because: Because = "said") -> list[AnyEvent]:
    """The agent has said 上班 or 下班, or is taken to have."""
    until_ms = presence.said_until(state.shift, now_ms, on=on)
    after = presence.has_said(state.presence, because, until_ms, on=on)
    said = [e.DutySaid(on, because, until_ms)] if after != state.presence else []
    return [*said, *_settle(state, after, now_ms)]


def configure(state: Agent, command: c.ConfigureAgent, now_ms: int) -> list[AnyEvent]:
    """New settings and hours are in force: what follows for their duty."""
    known, settings = state.presence, command.settings
    if settings is None:
        known = Presence()
    after = msgspec.structs.replace(
        state, settings=settings, shift=command.shift, handover_s=command.handover_s, presence=known
    )
    duty = presence.duty(known, command.shift, now_ms)
    unasked = state.settings is None or not state.handover_s  # nobody asked them before
    asked = unexpected(after, now_ms) if unasked and state.serving and settings and not duty.on else []
    if duty.because in ("said", "missed", "unreachable") and command.shift != state.shift:
        said = say(after, now_ms, on=duty.on, because=duty.because)  # "until the next shift begins" is another moment
        return [*said, *asked]
    return [*_settle(after, known, now_ms), *asked]


def answered(state: Agent, now_ms: int) -> list[AnyEvent]:
    """The agent is answering a visitor just now: who has no shift, and has not said otherwise, is on duty by that."""
    return _begin(state, presence.has_answered(state.presence, now_ms), now_ms)


def active(state: Agent, command: c.NoteActive, now_ms: int) -> list[AnyEvent]:
    """The agent answers at a desk, or has it in front of them."""
    follows = answered(state, now_ms) if command.answered else in_front(state, now_ms)
    return [e.ActiveNoted(command.answered), *follows]


def in_front(state: Agent, now_ms: int) -> list[AnyEvent]:
    """The agent has a desk in front of them: again, perhaps, and not long after their last answer."""
    return _begin(state, presence.is_in_front(state.presence, now_ms), now_ms)


def missed(state: Agent, conversation: str, now_ms: int) -> list[AnyEvent]:
    """The agent has let one wait for too long, which is theirs no more; the second in a row says that they are away."""
    if not state.on_duty or presence.has_missed(state.presence).misses < presence.MISSES:
        return []
    serving = {other: served for other, served in state.serving.items() if other != conversation}
    return say(msgspec.structs.replace(state, serving=serving), now_ms, on=False, because="missed")


def unexpected(state: Agent, now_ms: int) -> list[AnyEvent]:
    """They get a conversation that they did not take: who is off duty already is asked about it."""
    if state.on_duty or state.handover_ms or not state.handover_s:
        return []
    asked = e.HandoverAsked(now_ms + state.handover_s * 1000)
    return [asked, *note(state, notes.off_duty_already(state.handover_s))]


def unreachable(state: Agent, because: str, serving: tuple[tuple[str, int], ...], now_ms: int) -> e.Unreachable:
    """Their phone cannot be reached: what they have goes back, as far as these are the assignments in force."""
    until_ms = presence.said_until(state.shift, now_ms, on=False)
    gone = e.Unreachable(because, serving, until_ms)
    if state.settings is None or not state.settings.leads:
        return gone
    return msgspec.structs.replace(gone, display=state.settings.display, leads=state.settings.leads)


def keep(state: Agent) -> list[AnyEvent]:
    """保留: they go on with what they have."""
    if not state.handover_ms:
        return note(state, "没有要交回小组的会话")
    return [e.HandoverAsked(0), *note(state, "会话仍由您继续")]


def _begin(state: Agent, known: Presence, now_ms: int) -> list[AnyEvent]:
    """They are on duty by what is known now, if they are not yet."""
    if state.on_duty or not presence.duty(known, state.shift, now_ms).on:
        return []
    return _settle(state, known, now_ms)


def _settle(state: Agent, known: Presence, now_ms: int) -> list[AnyEvent]:
    """What changes when `known` is what is known of them now."""
    duty = held(state, known, now_ms)
    if duty.on == state.on_duty:
        return [] if duty.until_ms == state.duty_until_ms else [e.DutyProlonged(duty.until_ms)]
    events: list[AnyEvent] = [e.DutyChanged(*duty)]
    handover_s = 0
    if state.serving and not duty.on and duty.because != "removed" and state.handover_s:
        handover_s = state.handover_s
        events.append(e.HandoverAsked(now_ms + handover_s * 1000))
    return [*events, *note(state, notes.duty(duty.on, duty.because, state.serving.values(), handover_s))]


def _hand_over(state: Agent) -> list[AnyEvent]:
    """Each back to its own team's line, with its place there."""
    given = [
        e.TransferAsked(one, served.no, because="off duty", assigned=served.assigned)
        for one, served in state.serving.items()
    ]
    return [e.HandoverAsked(0), *given, *note(state, notes.handed_over(len(given)))]
