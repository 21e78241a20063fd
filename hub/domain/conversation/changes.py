"""An agent takes back or corrects an answer of theirs: what that means wherever the answer has come to.

On a page it is done at once. What still waits for a visitor on a platform simply changes, or waits no more. What the
platform has taken can be changed where, and as long as, the platform does it, part for part; until it has done so the
answer stands as it was, everywhere. What cannot be done is refused, and then nothing changes.
"""

from hub.domain import events as e
from hub.domain.commands import ChangeMessage
from hub.domain.conversation.outbox import Outbox, SentOne, too_late
from hub.domain.conversation.state import Conversation, Said
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Outgoing, Piece, Rest
from hub.domain.refusals import Unchangeable
from hub.domain.text import SIZES, beginning, cut

WITHDRAWN = "客服已撤回或更正，不再发送"


def decide(state: Conversation, command: ChangeMessage, now_ms: int) -> list[AnyEvent]:
    """The events of a change by the assignee. Raises Unchangeable."""
    text, verb = command.text, "更正" if command.text else "撤回"
    said = next((one for one in reversed(state.answers) if command.seq in (0, one.seq)), None)
    if said is None:
        raise Unchangeable(f"没有可以{verb}的消息：已经撤回，或者太早了")
    box = state.outbox
    if box is None or any(one.seq == said.seq for one in box.waiting):
        return [_done(state, said, text, state.display)]
    _check_settled(box, said.seq)
    withdrawn = _withdrawn(box, said.seq, command.agent)
    taken = [one for one in box.sent.values() if one.refs == (said.seq,)]
    untaken = [message for message in _messages(box) if message.refs == (said.seq,) and not message.replaces]
    if not taken and not any(message.part == 1 for message in untaken):  # which parts it has taken is forgotten
        raise Unchangeable(f"发出太久了，不能再{verb}")
    if not taken:
        return [*withdrawn, _done(state, said, text, state.display, anew=bool(text))]
    if text and untaken:
        raise Unchangeable("只送达了一部分：请先撤回，再重新发送")
    piece = _piece(box, said, text, state.display, _parts(box, said.files, text, taken), now_ms)
    return [*withdrawn, e.ChangeBegun(said.seq, piece)]


def done(state: Conversation, event: AnyEvent) -> list[AnyEvent]:
    """What follows the platform's verdict `event` on the last part of a change: now it is one."""
    open_ = None if state.outbox is None else state.outbox.attempt
    if not isinstance(event, e.AttemptSent) or open_ is None or not open_.message.replaces or open_.message.rest:
        return []
    (ref,) = open_.message.refs
    said = next((one for one in state.answers if one.seq == ref), Said(ref, ref))
    return [_done(state, said, open_.message.instead, open_.message.by)]


def _done(
    state: Conversation, said: Said, text: str, by: str, anew: bool = False
) -> e.MessageCorrected | e.MessageRecalled:
    to, no = (state.agent, state.no) if state.phone and state.stage == "served" else ("", 0)
    if text:
        return e.MessageCorrected(said.seq, said.now, text, by, beginning(said.text), said.files, anew, to, no)
    return e.MessageRecalled(said.seq, said.now, by, beginning(said.text), to, no)


def _messages(box: Outbox) -> list[Outgoing]:
    """What is on its way, cut already, or was refused."""
    pieces = [*box.pieces, *(letter.piece for letter in box.letters.values())]
    return [*(piece.message for piece in pieces), *([box.attempt.message] if box.attempt else [])]


def _check_settled(box: Outbox, ref: int) -> None:
    """Raise Unchangeable where nobody can know what the visitor has of it, or where it is not a message by itself."""
    open_ = box.attempt
    went = [*(message.refs for message in _messages(box)), *(one.refs for one in box.sent.values())]
    if any(ref in refs != (ref,) for refs in went):
        raise Unchangeable("它已和别的消息合成一条发出，不能单独更改")
    if open_ and open_.message.refs == (ref,) and (open_.retry_at_ms is None or open_.doubt_ms is not None):
        raise Unchangeable("它正在发送，请稍后再试")
    if ref in box.doubtful:
        raise Unchangeable("平台没有确认是否送达，不能更改")


def _withdrawn(box: Outbox, ref: int, agent: str) -> list[AnyEvent]:
    """The ends of what has not been taken of it, or of an earlier change, and certainly will not be."""
    open_, events = box.attempt, list[AnyEvent]()
    if open_ is not None and open_.message.refs == (ref,):
        changes = bool(open_.message.replaces)
        events.append(e.AttemptRefused(open_.number, WITHDRAWN, open_.text, refs=(ref,), changes=changes))
        events.append(e.DeliveryDropped(open_.number, agent))
    for number, letter in box.letters.items():
        if letter.piece.message.refs == (ref,):
            events.append(e.DeliveryDropped(number, agent))
    return events


def _parts(box: Outbox, files: tuple[Attachment, ...], text: str, taken: list[SentOne]) -> list[Rest]:
    """What is to stand in place of each part: the new text's, and nothing in place of those that it has not."""
    texts: list[str] = []
    if text:
        texts = cut(text, box.reach.limits.max_text, SIZES[box.reach.limits.unit])
        if files:
            raise Unchangeable(f"{box.reach.channel} 不能更正带图片或文件的消息：请先撤回，再重新发送")
        if len(texts) > len(taken):
            raise Unchangeable(f"新的文字要分 {len(texts)} 条，原来是 {len(taken)} 条：请先撤回，再重新发送")
    texts += [""] * (len(taken) - len(texts))
    return [Rest(part, replaces=one.receipt) for part, one in zip(texts, taken, strict=True)]


def _piece(box: Outbox, said: Said, text: str, by: str, parts: list[Rest], now_ms: int) -> Piece:
    for part in parts:
        because = too_late(box, part.replaces, part.text, now_ms)
        if not because and not part.replaces:
            because = f"{box.reach.channel} 没有给出这条消息的编号，不能更改"
        if because:
            raise Unchangeable(because)
    first, *rest = parts
    message = Outgoing(
        (said.seq,), 1, len(parts), by=by, rest=tuple(rest), replaces=first.replaces, instead=text
    )  # fmt: skip
    return Piece(first.text, message)
