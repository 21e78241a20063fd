"""What leaves for an agent's phone: one attempt at a time, made from what waits, repeated with the same bytes."""

from collections.abc import Iterator
from itertools import islice, takewhile

from hub.domain import agent_notes as notes
from hub.domain import events as e
from hub.domain.agent_state import Agent, Attempt
from hub.domain.commands import RecordVerdict
from hub.domain.events import AnyEvent
from hub.domain.messages import AgentSettings
from hub.domain.pace import earliest, earliest_repeat
from hub.domain.phone import BLOCK_MARGIN, cut, parts, size
from hub.domain.refusals import Repeated

CALL_MS = 10_000
"""A call to the platform is over by then: a repeat that sets out later might miss the end of the duplicate check."""
LONGEST_PAUSE_MS = 60_000


def next_send(state: Agent) -> int | None:
    """The first moment at which `attempt` has something to do; None: nothing waits, or a call is under way."""
    settings, open_ = state.settings, state.attempt
    if open_ is not None:
        if open_.retry_at_ms is None:
            return None
        pace = earliest_repeat(state.tries_ms, settings, blocks=bool(open_.blocks)) if settings else 0
        return max(open_.retry_at_ms, pace)
    if settings is None or not settings.channel or state.unreachable:
        return None
    moments = [earliest(state.tries_ms, settings, blocks=True)] if state.blocks else []
    if state.notes or state.ask:
        moments.append(earliest(state.tries_ms, settings, blocks=False))
    return min(moments, default=None)


def attempt(state: Agent, now_ms: int) -> list[AnyEvent]:
    """The attempt that is due now, if one is."""
    due = next_send(state)
    if due is None or due > now_ms:
        return []
    if state.attempt is None:
        assert state.settings is not None
        return [_compose(state, state.settings, now_ms)]
    if _recognised(state, state.attempt, now_ms):
        return [_again(state.attempt)]
    return _refuse(state.attempt, "平台没有确认，可能已送达")


def verdict(state: Agent, command: RecordVerdict, now_ms: int) -> list[AnyEvent]:
    """What the platform's verdict changes. Raises Repeated for any but that of the call under way."""
    open_ = state.attempt
    if open_ is None or open_.number != command.attempt or open_.retry_at_ms is not None:
        raise Repeated(0)
    match command.kind:
        case "sent":
            return [e.AttemptSent(open_.number, command.receipt)]
        case "retry":
            at_ms = max(command.retry_at_ms, now_ms + 1)
            return [e.AttemptDelayed(open_.number, command.because, at_ms)]
        case "unknown":
            return _doubt(state, open_, command.because, now_ms + _pause(open_.tries))
    if command.unreachable:
        return [e.AttemptRefused(open_.number, command.because, open_.text), *_give_up(state, command.because)]
    return _refuse(open_, command.because)


def resume(state: Agent, now_ms: int) -> list[AnyEvent]:
    """For a new owner: a call that was under way has an unknown outcome, and is repeated where that does no harm."""
    open_ = state.attempt
    if open_ is None or open_.retry_at_ms is not None:
        return []
    return _doubt(state, open_, "the worker stopped before the platform's answer was stored", now_ms)


def _compose(state: Agent, settings: AgentSettings, now_ms: int) -> e.Attempted:
    """Notes first, in order, then a question, then blocks as far as they fit and may go."""
    room = settings.max_text_bytes - BLOCK_MARGIN
    lines: list[str] = []

    def fits(line: str) -> bool:
        nonlocal room
        if size(line) > room:
            return False
        room -= size(line) + 1
        lines.append(line)
        return True

    taken = next((i for i, one in enumerate(state.notes) if not fits(one.text)), len(state.notes))
    asks = 0
    if state.ask and taken == len(state.notes):
        text = notes.question(state.held, state.serving.values())
        asks = state.held[-1].number if fits(cut(text, settings.max_text_bytes - BLOCK_MARGIN)[0]) else 0
    complete = taken == len(state.notes) and bool(asks) == state.ask
    may_carry = complete and now_ms >= earliest(state.tries_ms, settings, blocks=True)
    carried = list(takewhile(lambda piece: fits(piece[1]), _pieces(state, settings))) if may_carry else []
    number = state.attempts + 1
    if all(state.serving[conversation].again for conversation, _ in carried):
        lines.append(f"({number})")  # else it might be equal to an earlier text, and the platform would drop it
    return e.Attempted(number, settings.channel, settings.address, "\n".join(lines), len(carried), taken, asks=asks)


def _pieces(state: Agent, settings: AgentSettings) -> Iterator[tuple[str, str]]:
    """The waiting blocks and parts of blocks, each with its conversation."""
    limit = settings.max_text_bytes - BLOCK_MARGIN
    pieces = ((block.conversation, piece) for block in state.blocks for piece in parts(block, limit))
    return islice(pieces, state.part, None)


def _again(open_: Attempt) -> e.Attempted:
    return e.Attempted(
        open_.number, open_.channel, open_.address, open_.text, len(open_.blocks), len(open_.notes), open_.tries + 1,
        open_.asks,
    )  # fmt: skip


def _recognised(state: Agent, open_: Attempt, at_ms: int) -> bool:
    """Whether a repeat at `at_ms` cannot show the text twice."""
    if open_.doubt_ms is None:
        return True
    resend_ms = state.settings.resend_ms if state.settings else 0
    return at_ms < open_.doubt_ms + resend_ms - CALL_MS


def _doubt(state: Agent, open_: Attempt, because: str, retry_at_ms: int) -> list[AnyEvent]:
    since_ms = open_.tried_ms if open_.doubt_ms is None else open_.doubt_ms
    resend_ms = state.settings.resend_ms if state.settings else 0
    if retry_at_ms >= since_ms + resend_ms - CALL_MS:
        return _refuse(open_, because)
    return [e.AttemptDelayed(open_.number, because, retry_at_ms, unknown=True)]


def _refuse(open_: Attempt, because: str) -> list[AnyEvent]:
    """The end of an attempt that was not taken. A lost note is not reported by a note: that might go on for ever."""
    refused = e.AttemptRefused(open_.number, because, open_.text)
    return [refused, e.NoteWaiting(notes.unconfirmed(open_.blocks, because))] if open_.blocks else [refused]


def _give_up(state: Agent, because: str) -> list[AnyEvent]:
    """The phone cannot be reached: the conversations go back, and the phone is told so when it can be again."""
    events: list[AnyEvent] = [e.Unreachable(because, tuple(state.serving))]
    for conversation, served in state.serving.items():
        events.append(e.ServingStopped(conversation, served.no, "returned"))
        if served.no in state.seen:
            events.append(e.NoteWaiting(notes.stopped(served, "returned", ""), ends=served.no))
    return events


def _pause(tries: int) -> int:
    """Milliseconds before the next try: 1 s, 2 s, 4 s … up to a minute."""
    return int(min(LONGEST_PAUSE_MS, 1000 * 2 ** min(tries - 1, 10)))
