"""What leaves for a visitor who has no socket: in the conversation's order, part by part, each with its own verdict.

A message is cut to the channel's size, several that come shortly after each other are folded into one where the
channel asks for it. A part that is not taken holds up those behind it until a person, or the platform, has decided.
"""

import msgspec

from hub.domain import attempts, outside
from hub.domain import events as e
from hub.domain.attempts import UNCONFIRMED, Attempt, Failure, note_again, note_delay, note_try
from hub.domain.commands import RecordReceipt, RecordVerdict
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Limits, Outgoing, Piece, Reach, Rest, takes
from hub.domain.outside import OutsideIds
from hub.domain.pace import earliest_repeat
from hub.domain.refusals import NotFound
from hub.domain.text import SIZES, cut

MOST_LETTERS = 100
"""So many dead letters can be sent again, the latest ones."""
RECEIPTS = 50
"""A receipt is understood for so many of the last attempts, less those of a message that is not whole in them."""


class Waiting(msgspec.Struct, frozen=True, omit_defaults=True):
    """A message that has not left: event `seq` of the conversation."""

    seq: int
    at_ms: int
    text: str
    files: tuple[Attachment, ...] = ()
    choices: tuple[str, ...] = ()
    by: str = ""
    automatic: bool = False


class DeadLetter(msgspec.Struct, frozen=True):
    """A piece that was refused, with all that was to follow it; kept until a person decides."""

    piece: Piece
    because: str
    unknown: bool = False
    """It may have arrived."""


class VisitorAttempt(Attempt):
    """What is on its way to the visitor."""

    message: Outgoing = Outgoing(())


class SentOne(msgspec.Struct, frozen=True):
    """An attempt that the platform took, and has not been asked to take back since; `at_ms`: the first that it may."""

    receipt: str
    refs: tuple[int, ...]
    at_ms: int = 0
    automatic: bool = False


class Outbox(msgspec.Struct):
    """State of what leaves for one visitor; only the conversation's `evolve` changes it."""

    reach: Reach
    waiting: list[Waiting] = []
    pieces: list[Piece] = []
    """Cut already, they go first: the parts of a message under way, and dead letters that go again."""
    attempt: VisitorAttempt | None = None
    attempts: int = 0
    tries_ms: list[int] = []
    """The moments of the last hour's tries."""
    letters: dict[int, DeadLetter] = {}
    """Dead letters, by the number of their attempt."""
    sent: dict[int, SentOne] = {}
    """The last attempts that were taken, of messages that are whole in them as far as they were taken."""
    doubtful: tuple[int, ...] = ()
    """The last messages some of which may have arrived under no receipt, whatever became of their dead letter."""
    wrote_ms: int = 0
    """When the visitor last wrote, by our clock."""
    answered: int = 0
    """So many attempts were taken since then."""
    last_id: str = ""
    """The platform's id of the visitor's last message."""
    automatic: bool = False
    """A machine wrote that one: nothing is answered to it by itself."""
    outside: OutsideIds = {}
    """What the platform calls all that came."""


# --- deciding ------------------------------------------------------------------------------------------------------


def next_send(box: Outbox) -> int | None:
    """The first moment at which `attempt` has something to do; None: nothing waits, or a call is under way."""
    limits = box.reach.limits
    pace = earliest_repeat(box.tries_ms, limits, blocks=False)
    if box.attempt is not None:
        return None if box.attempt.retry_at_ms is None else max(box.attempt.retry_at_ms, pace)
    if box.pieces:
        return pace
    return max(pace, box.waiting[0].at_ms + limits.fold_ms) if box.waiting else None


def attempt(box: Outbox, now_ms: int) -> AnyEvent | None:
    """The attempt that is due now, or its refusal; None: nothing is due."""
    due = next_send(box)
    if due is None or due > now_ms:
        return None
    open_ = box.attempt
    if open_ is None:
        return _begin(box, now_ms)
    if attempts.recognised(open_, _limits(box), now_ms):
        return e.Attempted(
            open_.number, open_.channel, open_.address, open_.text, tries=open_.tries + 1, message=open_.message
        )
    return _refused(box, Failure(UNCONFIRMED, unknown=True))


def verdict(box: Outbox, command: RecordVerdict, now_ms: int) -> AnyEvent:
    """What the platform's verdict changes. Raises Repeated for any but that of the call under way."""
    outcome = attempts.verdict(box.attempt, command, _limits(box), now_ms)
    if isinstance(outcome, Failure):
        return _refused(box, outcome)
    if isinstance(outcome, e.AttemptSent) and box.attempt is not None:
        message = box.attempt.message
        return outcome if message.rest or message.replaces else msgspec.structs.replace(outcome, refs=message.refs)
    return outcome


def resume(box: Outbox, now_ms: int) -> AnyEvent | None:
    """For a new owner: what becomes of a call that was under way; None: there was none."""
    outcome = attempts.interrupted(box.attempt, _limits(box), now_ms)
    return _refused(box, outcome) if isinstance(outcome, Failure) else outcome


def receipt(box: Outbox, command: RecordReceipt) -> e.ReceiptHad:
    """What the platform says of an attempt that it had taken. Raises NotFound for one that is not known any more."""
    number = command.attempt or next((n for n, one in box.sent.items() if one.receipt == command.receipt), 0)
    if number not in box.sent:
        raise NotFound(f"no attempt of the last {RECEIPTS} is number {command.attempt}, receipt {command.receipt!r}")
    return e.ReceiptHad(number, command.kind, command.because, box.sent[number].refs)


def check_letter(box: Outbox, number: int) -> None:
    """Raise NotFound unless a dead letter has this number."""
    if number not in box.letters:
        raise NotFound(f"there is no dead letter {number}: it was sent again, dropped, or never one")


def has_failed(box: Outbox, event: AnyEvent) -> bool:
    """Whether an event that is not in force yet says that what a person wrote has not arrived, or nobody knows."""
    match event:
        case e.AttemptRefused(message=message):
            message = message or (box.attempt.message if box.attempt else None)
            return message is not None and not message.automatic
        case e.ReceiptHad(kind="failed", attempt=number):
            return not box.sent[number].automatic
    return False


def changeable_ms(limits: Limits, text: str) -> int:
    """For how long the channel lets us replace what it took, or, without a text, take it back; 0: never."""
    return limits.edits_ms if text else limits.recalls_ms


def _limits(box: Outbox) -> Limits:
    """Those that hold for the open attempt: a change does no harm when it comes twice."""
    limits = box.reach.limits
    if box.attempt is None or not box.attempt.message.replaces:
        return limits
    return msgspec.structs.replace(limits, resend_ms=max(limits.resend_ms, changeable_ms(limits, box.attempt.text)))


def _refused(box: Outbox, failure: Failure) -> e.AttemptRefused:
    """The end of the open attempt."""
    open_ = box.attempt
    assert open_ is not None
    message = open_.message
    return e.AttemptRefused(
        open_.number, failure.because, open_.text, failure.unknown, message.refs, changes=bool(message.replaces)
    )


def _begin(box: Outbox, now_ms: int) -> e.Attempted | e.AttemptRefused:
    piece = box.pieces[0] if box.pieces else _compose(box)
    number, reach = box.attempts + 1, box.reach
    message = msgspec.structs.replace(piece.message, thread=reach.thread, title=reach.title, in_reply_to=box.last_id)
    because = _impossible(box, piece, now_ms)
    if because:
        changes = bool(message.replaces)
        return e.AttemptRefused(number, because, piece.text, refs=message.refs, message=message, changes=changes)
    return e.Attempted(number, reach.channel, reach.address, piece.text, message=message)


def _impossible(box: Outbox, piece: Piece, now_ms: int) -> str:
    """Why the channel would not take it, for the agent who wrote it; empty: it may."""
    limits = box.reach.limits
    if piece.message.replaces:
        return too_late(box, piece.message.replaces, piece.text, now_ms)
    if limits.reply_within_ms and now_ms > box.wrote_ms + limits.reply_within_ms:
        return f"顾客超过 {limits.reply_within_ms // 3_600_000} 小时没有来信，此渠道不能再回复"
    if limits.replies and box.answered >= limits.replies:
        return f"顾客来信之前，此渠道最多回复 {limits.replies} 条"
    for file in piece.message.files:
        if not takes(limits, file):
            return f"此渠道不能发送 {file.name}（{file.type}，{file.size:,} 字节）"
    return ""


def too_late(box: Outbox, receipt: str, text: str, now_ms: int) -> str:
    """Why what has this receipt can neither be replaced by a text nor, without one, taken back; empty: it can."""
    verb, allowed_ms = "更正" if text else "撤回", changeable_ms(box.reach.limits, text)
    if not allowed_ms:
        return f"{box.reach.channel} 不能{verb}已发出的消息"
    at_ms = next((one.at_ms for one in box.sent.values() if one.receipt == receipt), 0)
    return f"发出太久了，{box.reach.channel} 不能再{verb}" if now_ms > at_ms + allowed_ms else ""


def _compose(box: Outbox) -> Piece:
    """The first of what waits, and what may go with it, cut to the channel's size: the first part with all others."""
    limits, taken = box.reach.limits, _foldable(box)
    choices, text = taken[-1].choices, _joined(taken)
    if len(choices) > limits.choices:
        text, choices = "\n".join([text, *(f"{i}. {choice}" for i, choice in enumerate(choices, 1))]), ()
    files = tuple(file for one in taken for file in one.files)
    texts = cut(text, limits.max_text, SIZES[limits.unit]) if text else []
    parts = [Rest(piece) for piece in texts[:-1]]
    if limits.files_with_text:
        parts.append(Rest(texts[-1] if texts else "", files, choices))
    else:
        parts += [Rest(texts[-1], (), choices)] if texts else []
        parts += [Rest("", (file,)) for file in files]
    first, *rest = parts or [Rest()]
    message = Outgoing(
        tuple(one.seq for one in taken), 1, 1 + len(rest), first.files, first.choices,
        taken[-1].by, taken[-1].automatic, rest=tuple(rest),
    )  # fmt: skip
    return Piece(first.text, message)


def _foldable(box: Outbox) -> list[Waiting]:
    """The first that waits, and those after it that go in the same text."""
    limits = box.reach.limits
    taken = [box.waiting[0]]
    if not limits.fold_ms:
        return taken
    for one in box.waiting[1:]:
        alike = one.automatic == taken[0].automatic and not taken[-1].choices
        plain = limits.files_with_text or not (one.files or taken[0].files)
        if not alike or not plain or SIZES[limits.unit](_joined([*taken, one])) > limits.max_text:
            break
        taken.append(one)
    return taken


def _joined(taken: list[Waiting]) -> str:
    return "\n\n".join(one.text for one in taken if one.text)


# --- evolving ------------------------------------------------------------------------------------------------------


def wrote(box: Outbox, outside_id: str, seq: int, at_ms: int, automatic: bool) -> None:
    """The visitor has written: the window for answers begins anew."""
    outside.note(box.outside, outside_id, at_ms, seq)
    box.wrote_ms, box.last_id, box.answered, box.automatic = at_ms, outside_id, 0, automatic


def evolve(box: Outbox, event: AnyEvent, at_ms: int) -> None:
    """Bring the outbox to where an event of the deliveries is in force; others change nothing."""
    match event:
        case e.Attempted():
            _try(box, event, at_ms)
        case e.AttemptDelayed() if box.attempt:
            note_delay(box.attempt, event)
        case e.AttemptSent(receipt=receipt) if box.attempt:
            _sent(box, box.attempt, receipt, at_ms)
        case e.AttemptRefused():
            _bury(box, event)
        case e.DeliveryRetried(attempt=number):
            box.pieces.append(msgspec.structs.replace(box.letters.pop(number).piece, at_ms=at_ms))
        case e.DeliveryDropped(attempt=number):
            box.letters.pop(number)
        case e.MessageCorrected():
            _correct(box, event, at_ms)
        case e.MessageRecalled(ref=ref):
            _drop(box, ref)
        case e.ChangeBegun(ref=ref, piece=piece):
            _drop(box, ref)
            box.pieces.append(msgspec.structs.replace(piece, at_ms=at_ms))


def _drop(box: Outbox, ref: int) -> None:
    """Nothing of the message waits any more."""
    box.waiting = [one for one in box.waiting if one.seq != ref]
    box.pieces = [piece for piece in box.pieces if piece.message.refs != (ref,)]


def _correct(box: Outbox, event: e.MessageCorrected, at_ms: int) -> None:
    """Where the message waits it waits in its new words."""
    if event.anew:
        _drop(box, event.ref)
        box.waiting.insert(0, Waiting(event.ref, at_ms, event.text, event.files, by=event.by))
    else:
        box.waiting = [
            msgspec.structs.replace(one, text=event.text) if one.seq == event.ref else one for one in box.waiting
        ]


def _try(box: Outbox, event: e.Attempted, at_ms: int) -> None:
    box.tries_ms = note_try(box.tries_ms, at_ms)
    if box.attempt is not None:
        note_again(box.attempt, event.tries, at_ms)
        return
    assert event.message is not None
    _take(box, event.message)
    box.attempts = event.attempt
    box.attempt = VisitorAttempt(
        event.attempt, event.channel, event.address, event.text, event.tries, at_ms, message=event.message
    )


def _take(box: Outbox, message: Outgoing) -> None:
    """What the attempt takes waits no more."""
    if box.pieces:
        del box.pieces[0]
    else:
        box.waiting = [one for one in box.waiting if one.seq not in message.refs]


def _sent(box: Outbox, taken: VisitorAttempt, receipt: str, at_ms: int) -> None:
    box.attempt = None
    message = taken.message
    if message.replaces:
        _replaced(box, message, taken.text, receipt)
    else:
        box.answered += 1
        began_ms = taken.tried_ms if taken.doubt_ms is None else taken.doubt_ms
        _remember(box, taken.number, SentOne(receipt, message.refs, began_ms, message.automatic), message.part)
    if message.rest:
        next_, *rest = message.rest
        following = msgspec.structs.replace(
            message, part=message.part + 1, files=next_.files, choices=next_.choices, rest=tuple(rest),
            replaces=next_.replaces,
        )  # fmt: skip
        box.pieces.insert(0, Piece(next_.text, following, at_ms))


def _remember(box: Outbox, number: int, one: SentOne, part: int) -> None:
    """A message is remembered whole or not at all: who takes back some of its parts has not taken it back."""
    if part == 1 or any(other.refs == one.refs for other in box.sent.values()):
        box.sent[number] = one
    if len(box.sent) > RECEIPTS:
        oldest = next(iter(box.sent.values())).refs
        box.sent = {n: other for n, other in box.sent.items() if other.refs != oldest}


def _replaced(box: Outbox, message: Outgoing, text: str, receipt: str) -> None:
    """The platform shows `text` in that place, perhaps under another receipt; or nothing, where there is no text."""
    sent = ((n, one) for n, one in box.sent.items() if (one.receipt, one.refs) == (message.replaces, message.refs))
    number, one = next(sent, (0, None))
    if one is None:
        return
    if text:
        box.sent[number] = msgspec.structs.replace(one, receipt=receipt or one.receipt)
    else:
        del box.sent[number]


def _bury(box: Outbox, event: e.AttemptRefused) -> None:
    if event.message is not None:  # the hub itself refused: there was no attempt
        _take(box, event.message)
        piece = Piece(event.text, event.message)
        box.attempts = event.attempt
    else:
        assert box.attempt is not None
        piece = Piece(box.attempt.text, box.attempt.message)
        box.attempt = None
    box.letters[event.attempt] = DeadLetter(piece, event.because, event.unknown)
    if event.unknown and not piece.message.replaces:
        box.doubtful = (*box.doubtful, *piece.message.refs)[-RECEIPTS:]
    if len(box.letters) > MOST_LETTERS:
        del box.letters[next(iter(box.letters))]
