"""Whom an agent's text is for: the number it names, or what they must have been thinking of when they wrote it."""

from hub.domain import commands as c
from hub.domain.agent.state import LEFT_MS, Agent, sticky_no

STALE_MS = 300_000
"""A sticky conversation not used for so long is asked about, where another visitor has written since."""
SETTLED_MS = 120_000
"""After a conversation has gone, the only other one is not taken for granted for so long."""
CLOCK_MS = 1000
"""Platforms stamp texts with whole seconds: a text may have been written up to so much later than it says."""


def meant(state: Agent, command: c.ReceiveText, now_ms: int) -> str | None:
    """The conversation, or None where it is not clear beyond doubt."""
    if command.conversation is not None:
        return command.conversation if command.conversation in state.serving else None
    if late(state, command):
        return None
    return _sticky(state, now_ms) if state.sticky else _only(state, command, now_ms)


def _sticky(state: Agent, now_ms: int) -> str | None:
    if state.attempt is not None and any(one.ends == sticky_no(state) for one in state.attempt.notes):
        return None  # the phone may just now say that it is not theirs
    stale = now_ms - state.used_ms > STALE_MS and any(
        one.wrote_ms >= state.used_ms for conversation, one in state.serving.items() if conversation != state.sticky
    )
    return None if stale else state.sticky


def _only(state: Agent, command: c.ReceiveText, now_ms: int) -> str | None:
    """The one conversation there is, if the phone showed that one and no other when the text was written."""
    if len(state.serving) != 1 or state.held or returning(state):
        return None
    ((conversation, served),) = state.serving.items()
    settled = min(command.sent_at_ms, now_ms) - state.unsettled_ms >= SETTLED_MS
    known = state.seen == {served.no: True} and state.seen_ms <= latest(command, now_ms)
    return conversation if settled and known else None


def latest(command: c.ReceiveText, now_ms: int) -> int:
    """The last moment at which the text can have been written."""
    return min(now_ms, command.sent_at_ms + CLOCK_MS - 1)


def late(state: Agent, command: c.ReceiveText) -> bool:
    """It was written before another text that is already here: what the agent chose in between is not known to it."""
    return command.sent_at_ms < state.written_ms


def outdated(state: Agent, conversation: str, command: c.ReceiveText, now_ms: int) -> bool:
    """The conversation left and came again after it was written: the agent may have turned to another meanwhile."""
    left = state.left.get(state.serving[conversation].no)
    return left is not None and latest(command, now_ms) < left.at_ms


def premature(state: Agent, conversation: str, command: c.ReceiveText, now_ms: int) -> bool:
    """It was written before the agent could know that the conversation is theirs, or theirs again: who decided that
    has decided later than they.
    """
    since_ms = state.serving[conversation].since_ms
    return outdated(state, conversation, command, now_ms) or latest(command, now_ms) < since_ms


def returning(state: Agent) -> bool:
    """A text of theirs, or that a conversation is not theirs, is on its way to them, or was lost there: they may think
    that somebody has it.
    """
    notes = [*state.notes, *(state.attempt.notes if state.attempt else ())]
    return state.misled or any(one.returns or one.ends for one in notes)


def surprised(state: Agent, command: c.ReceiveText, now_ms: int) -> bool:
    """When it was written the phone did not show yet what became of the texts before it, or one of them came later."""
    return late(state, command) or latest(command, now_ms) < state.unsettled_ms


def numbered(state: Agent, no: int, command: c.ReceiveText, now_ms: int) -> str | None:
    """The conversation with this number, if it is theirs, and they cannot have meant another one that had it here: it
    is given anew after a week, in which the hub may have stood still, and they may have looked at their phone no more.
    """
    conversation = next((one for one, served in state.serving.items() if served.no == no), None)
    left = state.left.get(no)
    if conversation is None or left is None or left.conversation in ("", conversation):
        return conversation
    known_ms = max(left.at_ms, state.serving[conversation].since_ms)
    return None if latest(command, now_ms) < known_ms else conversation


def led(state: Agent, no: int, command: c.ReceiveText, now_ms: int) -> str | None:
    """A colleague's conversation that they were told of as a lead before they wrote, not so long ago that the number
    may be another's.
    """
    told = state.led.get(no)
    is_known = told is not None and now_ms - LEFT_MS < told.at_ms <= latest(command, now_ms)
    return told.conversation if told is not None and is_known else None
