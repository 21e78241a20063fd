"""What of that which reached an agent's phone they have read: there by answering, or anywhere else."""

from collections.abc import Iterable

from hub.domain import events as e
from hub.domain.agent.state import Agent, Carried
from hub.domain.events import AnyEvent

MOST = 50
"""So many attempts are waited for, the latest ones."""
ALL = 2**53
"""Behind every seq."""


def receipts(state: Agent, events: Iterable[AnyEvent]) -> list[AnyEvent]:
    """Those of the attempts of which nothing is unread once these events are in force."""
    read = dict(place for event in events if (place := _place(event)))
    return [
        e.ReceiptHad(number, "read")
        for number, blocks in (state.unread.items() if read else ())
        if all(block.seq <= read.get(block.conversation, 0) for block in blocks)
    ]


def reached(state: Agent, number: int, blocks: list[Carried]) -> None:
    """The phone has got these blocks."""
    unread = [block for block in blocks if not _is_read(state, block)]
    if unread:
        state.unread[number] = unread
    if len(state.unread) > MOST:
        del state.unread[next(iter(state.unread))]


def evolve(state: Agent, event: AnyEvent) -> None:
    """Forget what the event says that they have read."""
    if isinstance(event, e.ReceiptHad):
        state.unread.pop(event.attempt, None)
    elif place := _place(event):
        conversation, seq = place
        for number, blocks in list(state.unread.items()):
            left = [block for block in blocks if block.conversation != conversation or block.seq > seq]
            if left:
                state.unread[number] = left
            else:
                del state.unread[number]


def _place(event: AnyEvent) -> tuple[str, int] | None:
    """Up to where the event says that the agent has read which conversation."""
    match event:
        case e.ReadMarked(conversation=conversation, seq=seq):
            return conversation, seq
        case e.AnswerChosen(conversation=conversation, seen=int(seen)):
            return conversation, seen
        case e.AnswerChosen(conversation=conversation) | e.AcceptAsked(conversation=conversation):
            return conversation, ALL
    return None


def _is_read(state: Agent, block: Carried) -> bool:
    served = state.serving.get(block.conversation)
    return served is not None and block.seq <= served.read
