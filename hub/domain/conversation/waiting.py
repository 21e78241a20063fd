"""What waits to leave for a visitor who has no socket, as lists show it."""

from collections.abc import Iterator

from hub.domain.attempts import SHOWN, Queued, not_yet
from hub.domain.conversation.outbox import Outbox, Waiting, next_send
from hub.domain.conversation.state import Conversation
from hub.domain.messages import Outgoing, Piece


def leaves(state: Conversation) -> bool:
    """Whether anything is on its way to the visitor, or waits to be."""
    box = state.outbox
    return box is not None and (box.attempt is not None or bool(box.waiting or box.pieces))


def queued(state: Conversation, now_ms: int) -> Iterator[Queued]:
    """What has had no attempt yet, the last to go first; what comes in meanwhile changes nothing of it.

    A message in several parts is one of them; while its attempt is open, the parts that follow belong to that.
    """
    box = state.outbox
    if box is not None:
        because = not_yet(box.attempt, next_send(box), now_ms)
        waiting: list[Piece | Waiting] = [*box.pieces, *box.waiting]
        for one in reversed(waiting):
            yield _shown(state.id, box, one, because)


def _shown(entity: str, box: Outbox, one: Piece | Waiting, because: str) -> Queued:
    """A message waits in one place only, so its number tells it from the others."""
    message = one.message if isinstance(one, Piece) else Outgoing((one.seq,))
    refs = tuple(f"{entity}/{seq}" for seq in message.refs)
    return Queued(
        one.at_ms, entity, message.refs[0], box.reach.channel, box.reach.address, one.text[:SHOWN], refs,
        message.part, message.parts, because,
    )  # fmt: skip
