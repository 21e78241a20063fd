"""What leaves for an agent's phone: one attempt at a time, made from what waits, repeated with the same bytes."""

from collections.abc import Iterator
from itertools import islice, takewhile

import msgspec

from hub.domain import attempts
from hub.domain import events as e
from hub.domain.agent import notes, threads, ways
from hub.domain.agent.duty import unreachable
from hub.domain.agent.phone import BLOCK_MARGIN, pieces
from hub.domain.agent.state import Agent, PhoneAttempt
from hub.domain.attempts import UNCONFIRMED, Failure
from hub.domain.commands import RecordReceipt, RecordVerdict
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Limits, Outgoing
from hub.domain.pace import earliest, earliest_repeat
from hub.domain.refusals import NotFound
from hub.domain.teams import AgentSettings
from hub.domain.text import cut, size

MAIL_AGAIN_MS = 600_000
"""So long a mail of which nobody knows whether it arrived is sent again."""


def next_send(state: Agent) -> int | None:
    """The first moment at which `attempt` has something to do; None: nothing waits, or a call is under way."""
    settings, open_ = state.settings, state.attempt
    if open_ is not None:
        if open_.retry_at_ms is None:
            return None
        pace = earliest_repeat(state.tries_ms, settings.limits, blocks=bool(open_.blocks)) if settings else 0
        return max(open_.retry_at_ms, pace)
    if settings is None or not settings.channel or state.unreachable:
        return None
    if settings.limits.threads:
        return threads.next_send(state, settings.limits)
    moments = [earliest(state.tries_ms, settings.limits, blocks=True)] if state.blocks else []
    if state.notes or state.ask:
        moments.append(earliest(state.tries_ms, settings.limits, blocks=False))
    return min(moments, default=None)


def attempt(state: Agent, now_ms: int) -> list[AnyEvent]:
    """The attempt that is due now, if one is."""
    due = next_send(state)
    if due is None or due > now_ms:
        return []
    if state.attempt is None:
        assert state.settings is not None
        settings = state.settings
        return [threads.compose(state, settings) if settings.limits.threads else _compose(state, settings, now_ms)]
    if attempts.recognised(state.attempt, _limits(state), now_ms):
        return [_again(state.attempt)]
    return _refuse(state, state.attempt, Failure(UNCONFIRMED, unknown=True), now_ms)


def verdict(state: Agent, command: RecordVerdict, now_ms: int) -> list[AnyEvent]:
    """What the platform's verdict changes. Raises Repeated for any but that of the call under way."""
    outcome = attempts.verdict(state.attempt, command, _limits(state), now_ms)
    assert state.attempt is not None
    return _refuse(state, state.attempt, outcome, now_ms) if isinstance(outcome, Failure) else [outcome]


def receipt(state: Agent, command: RecordReceipt, now_ms: int) -> list[AnyEvent]:
    """What the platform says later; a text that came back says that the phone cannot be reached."""
    number = command.attempt
    if not 0 < number <= state.attempts:
        raise NotFound(f"{state.id} has had no attempt {number}")
    had = e.ReceiptHad(number, command.kind, command.because)
    if command.kind != "failed" or number <= state.since or state.unreachable or state.settings is None:
        return [had]
    failed = ways.fail(state, state.settings.channel, command.because, now_ms)
    return [had, *(failed or _give_up(state, command.because, now_ms))]


def resume(state: Agent, now_ms: int) -> list[AnyEvent]:
    """For a new owner: a call that was under way has an unknown outcome, and is repeated where that does no harm."""
    outcome = attempts.interrupted(state.attempt, _limits(state), now_ms)
    if outcome is None:
        return []
    assert state.attempt is not None
    return _refuse(state, state.attempt, outcome, now_ms) if isinstance(outcome, Failure) else [outcome]


def check_letter(state: Agent, number: int) -> None:
    """Raise NotFound unless a dead letter has this number."""
    if number not in state.letters:
        raise NotFound(f"there is no dead letter {number}: it was sent again, dropped, or never one")


def _limits(state: Agent) -> Limits:
    """Those that hold for the open attempt: a platform that knows a repeat by its text does not know a file's.

    A mail is the same to most programs when it comes again, by its id; and a visitor whom nobody has read is worse.
    """
    limits = _channel_limits(state)
    if limits.threads:
        return msgspec.structs.replace(limits, resend_ms=max(limits.resend_ms, MAIL_AGAIN_MS))
    is_file = state.attempt is not None and state.attempt.message is not None
    return msgspec.structs.replace(limits, resend_ms=0) if is_file else limits


def _channel_limits(state: Agent) -> Limits:
    """Of the channel that the open attempt went to, which may be the way in force no more."""
    settings, open_ = state.settings, state.attempt
    if settings is None:
        return Limits()
    if open_ is None or open_.channel == settings.channel:
        return settings.limits
    return next((way.limits for way in settings.ways if way.channel == open_.channel), settings.limits)


def _compose(state: Agent, settings: AgentSettings, now_ms: int) -> e.Attempted:
    """Notes first, in order, then a question, then blocks as far as they fit and may go."""
    room = settings.limits.max_text - BLOCK_MARGIN
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
        asks = state.held[-1].number if fits(cut(text, settings.limits.max_text - BLOCK_MARGIN)[0]) else 0
    complete = taken == len(state.notes) and bool(asks) == state.ask
    may_carry = complete and now_ms >= earliest(state.tries_ms, settings.limits, blocks=True)
    waiting = list(_pieces(state, settings)) if may_carry else []
    if waiting and not lines and isinstance(file := waiting[0][1], Attachment):
        return _compose_file(state, settings, waiting[0][0], file)
    carried = list(takewhile(lambda piece: isinstance(piece[1], str) and fits(piece[1]), waiting))
    number = state.attempts + 1
    if all(state.serving[conversation].again for (conversation, _), _ in carried):
        lines.append(f"({number})")  # else it might be equal to an earlier text, and the platform would drop it
    text, carries = "\n".join(lines), tuple(dict.fromkeys(place for place, _ in carried))
    return e.Attempted(
        number, settings.channel, settings.address, text, len(carried), taken, asks=asks, carries=carries
    )


def _compose_file(state: Agent, settings: AgentSettings, place: tuple[str, int], file: Attachment) -> e.Attempted:
    """A file goes by itself, after the text that names it."""
    return e.Attempted(
        state.attempts + 1,
        settings.channel,
        settings.address,
        "",
        1,
        0,
        carries=(place,),
        message=Outgoing((), files=(file,)),
    )


def _pieces(state: Agent, settings: AgentSettings) -> Iterator[tuple[tuple[str, int], str | Attachment]]:
    """The waiting blocks and parts of blocks, each with its conversation and seq."""
    waiting = (
        ((block.conversation, block.seq), piece) for block in state.blocks for piece in pieces(block, settings.limits)
    )
    return islice(waiting, state.part, None)


def _again(open_: PhoneAttempt) -> e.Attempted:
    return e.Attempted(
        open_.number, open_.channel, open_.address, open_.text, len(open_.blocks), len(open_.notes), open_.tries + 1,
        open_.asks, tuple(dict.fromkeys((one.conversation, one.seq) for one in open_.blocks)), open_.message,
    )  # fmt: skip


def _refuse(state: Agent, open_: PhoneAttempt, failure: Failure, now_ms: int) -> list[AnyEvent]:
    """The end of an attempt that was not taken. A lost note is not reported by a note: that might go on for ever."""
    refused = e.AttemptRefused(open_.number, failure.because, open_.text, failure.unknown)
    if failure.unreachable and (failed := ways.fail(state, open_.channel, failure.because, now_ms)):
        return [msgspec.structs.replace(refused, again=True), *failed]
    if failure.unreachable:
        return [refused, *_give_up(state, failure.because, now_ms)]
    return [refused, e.NoteWaiting(notes.unconfirmed(open_.blocks, failure.because))] if open_.blocks else [refused]


def _give_up(state: Agent, because: str, now_ms: int) -> list[AnyEvent]:
    """The phone cannot be reached: the conversations go back, and the phone is told so when it can be again."""
    events: list[AnyEvent] = [unreachable(state, because, tuple(state.serving), now_ms)]
    for conversation, served in state.serving.items():
        events.append(e.ServingStopped(conversation, served.no, "returned"))
        if served.no in state.seen:
            events.append(e.NoteWaiting(notes.stopped(served, "returned", ""), ends=served.no))
    return events
