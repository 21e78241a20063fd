"""What leaves for an agent's phone: one attempt at a time, made from what waits, repeated with the same bytes."""

from collections.abc import Iterator
from itertools import islice, takewhile

import msgspec

from hub.domain import attempts
from hub.domain import events as e
from hub.domain.agent import notes, reading, threads, ways
from hub.domain.agent.duty import unreachable
from hub.domain.agent.phone import BLOCK_MARGIN, pieces
from hub.domain.agent.state import MOST_SHOWN, Agent, Carried, Left, Note, PhoneAttempt, Shown, unsee
from hub.domain.attempts import UNCONFIRMED, Failure, note_again, note_delay, note_try
from hub.domain.commands import RecordReceipt, RecordVerdict
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Limits, Outgoing
from hub.domain.pace import earliest, earliest_repeat
from hub.domain.refusals import NotFound
from hub.domain.teams import AgentSettings
from hub.domain.text import cut, size

MOST_LETTERS = 20
"""So many dead letters can be sent again, the latest ones."""
MAIL_AGAIN_MS = 600_000
"""So long a mail of which nobody knows whether it arrived is sent again."""


# --- deciding --------------------------------------------------------------------------------------------------------


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
    events: list[AnyEvent] = [unreachable(state, because, ways.serving(state), now_ms)]
    for conversation, served in state.serving.items():
        events.append(e.ServingStopped(conversation, served.no, "returned"))
        if served.no in state.seen:
            events.append(e.NoteWaiting(notes.stopped(served, "returned", ""), ends=served.no))
    return events


# --- evolving --------------------------------------------------------------------------------------------------------


def evolve(state: Agent, event: e.Attempted | e.AttemptSent | e.AttemptDelayed | e.AttemptRefused, at_ms: int) -> None:
    """As hub.domain.agent.evolving.evolve, of these events."""
    match event:
        case e.Attempted():
            _try(state, event, at_ms)
        case e.AttemptDelayed() if state.attempt:
            note_delay(state.attempt, event)
        case e.AttemptSent() if state.attempt:
            attempt, state.attempt = state.attempt, None
            reading.reached(state, attempt.number, attempt.blocks)
            _show(state, attempt, at_ms)
        case e.AttemptRefused() if state.attempt:
            attempt, state.attempt = state.attempt, None
            state.ask = bool(state.held)
            if attempt.overtaken and event.unknown:
                state.overtaken_ms = at_ms
            if attempt.blocks or event.again:  # the notes only shared the text with what was refused
                state.notes = attempt.notes + state.notes
                if not event.again:
                    _bury(state, attempt)
                    _note_shown(state, attempt)  # for a note says which they were
            elif any(lost.returns or lost.ends for lost in attempt.notes):
                state.misled = True


def _bury(state: Agent, attempt: PhoneAttempt) -> None:
    message = attempt.message or Outgoing(())
    text = attempt.text or " ".join(f"[{file.name}]" for file in message.files)
    state.letters[attempt.number] = Note(text, thread=(message.thread, message.title))
    if len(state.letters) > MOST_LETTERS:
        del state.letters[next(iter(state.letters))]


def _try(state: Agent, event: e.Attempted, at_ms: int) -> None:
    state.tries_ms = note_try(state.tries_ms, at_ms)
    if state.attempt is not None:
        note_again(state.attempt, event.tries, at_ms)
        return
    notes, state.notes = state.notes[: event.notes], state.notes[event.notes :]
    state.ask = state.ask and not event.asks
    state.attempts = event.attempt
    state.attempt = PhoneAttempt(
        event.attempt, event.channel, event.address, event.text, event.tries, at_ms,
        blocks=_take(state, event.blocks), notes=notes, asks=event.asks, message=event.message,
    )  # fmt: skip


def _take(state: Agent, count: int) -> list[Carried]:
    """Take the first `count` blocks, or parts of such, out of what waits."""
    assert state.settings is not None
    carried: list[Carried] = []
    limits, blocks, taken = state.settings.limits, state.blocks, 0
    while len(carried) < count:
        block = blocks[taken]
        carried.append(Carried(block.conversation, block.no, block.seq))
        state.part += 1
        if state.part == len(pieces(block, limits)):
            state.part = 0
            taken += 1
    state.blocks = blocks[taken:]
    waiting = {block.conversation for block in state.blocks}
    for gone in {one.conversation for one in carried} - waiting:
        state.serving[gone].waits_ms = 0
    return carried


def _show(state: Agent, attempt: PhoneAttempt, at_ms: int) -> None:
    """The phone has the text: whoever reads it knows what it says. One of before is not the phone they look at."""
    _note_shown(state, attempt)
    if attempt.number <= state.since:
        return
    for shown in attempt.notes:
        if shown.ends:
            left = state.left.get(shown.ends)
            state.left[shown.ends] = Left(left.conversation if left else "", at_ms)
            unsee(state, shown.ends, at_ms)
        elif shown.returns:
            state.unsettled_ms = at_ms
        elif shown.begins and shown.begins not in state.seen:
            state.seen[shown.begins], state.seen_ms = False, at_ms
    for carried in attempt.blocks:
        if not state.seen.get(carried.no):
            state.seen[carried.no], state.seen_ms = True, at_ms
    if attempt.asks or attempt.overtaken:
        state.overtaken_ms = at_ms if attempt.overtaken else 0
    for held in state.held:
        if held.number <= attempt.asks and not held.asked_ms:
            held.asked_ms = at_ms


def _note_shown(state: Agent, attempt: PhoneAttempt) -> None:
    """Of a block that was cut, when its last part has left."""
    waiting = {(block.conversation, block.seq) for block in state.blocks}
    for carried in attempt.blocks:
        served = state.serving.get(carried.conversation)
        if served is not None and (carried.conversation, carried.seq) not in waiting:
            shown = served.shown.get(attempt.channel, [])
            served.shown[attempt.channel] = [*shown[-MOST_SHOWN + 1 :], Shown(carried.seq, attempt.tried_ms)]
    for one in attempt.notes:
        conversation, seq = one.failed
        if served := state.serving.get(conversation):
            served.heard = [*served.heard[-MOST_SHOWN + 1 :], Shown(seq, attempt.tried_ms)]
