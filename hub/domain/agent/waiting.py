"""What waits to leave for an agent's phone, as lists show it."""

from collections.abc import Iterator

from hub.domain.agent import notes
from hub.domain.agent.delivery import next_send
from hub.domain.agent.phone import pieces
from hub.domain.agent.state import Agent, Note
from hub.domain.attempts import SHOWN, Queued, not_yet
from hub.domain.messages import Block, Limits


def leaves(state: Agent) -> bool:
    """Whether anything is on its way to the phone, or waits to be."""
    return state.attempt is not None or state.ask or bool(state.blocks or state.notes)


def queued(state: Agent, now_ms: int) -> Iterator[Queued]:
    """What has had no attempt yet, the last to go first; what comes in meanwhile changes nothing of it.

    A message in several parts is one of them; while an attempt has the first of these, the others belong to that. What
    the agent is to be asked about held texts is one too.
    """
    settings = state.settings
    channel, address, limits = (settings.channel, settings.address, settings.limits) if settings else ("", "", Limits())
    because, first, left = _because(state, now_ms), state.blocks[0] if state.blocks else None, state.part
    waiting: list[Note | Block] = [*state.notes, *_question(state), *_blocks(state)]
    for one in reversed(waiting):
        text, refs, part, parts = one.text, tuple[str, ...](), 1, 1
        if isinstance(one, Block):
            text, parts = _as_shown(one, limits)
            refs, part = (f"{one.conversation}/{one.seq}",), 1 + (left if one is first else 0)
        yield Queued(one.at_ms, state.id, one.place, channel, address, text[:SHOWN], refs, part, parts, because)


def _because(state: Agent, now_ms: int) -> str:
    if state.attempt is None and (state.settings is None or not state.settings.channel):
        return "no channel reaches the agent"
    if state.attempt is None and state.unreachable:
        return "the agent cannot be reached"
    return not_yet(state.attempt, next_send(state), now_ms)


def _question(state: Agent) -> list[Note]:
    """What asks whom held texts are for, in the words that it would have now; its place is before all others."""
    if not state.ask:
        return []
    return [Note(notes.question(state.held, state.serving.values()), at_ms=state.held[-1].at_ms)]


def _blocks(state: Agent) -> list[Block]:
    """Without the one of which the open attempt has a part."""
    under_way = {(one.conversation, one.seq) for one in state.attempt.blocks} if state.attempt and state.part else ()
    return [block for block in state.blocks if (block.conversation, block.seq) not in under_way]


def _as_shown(block: Block, limits: Limits) -> tuple[str, int]:
    """How it begins on the phone, and of how many parts it is."""
    first, *more = pieces(block, limits)
    return str(first), 1 + len(more)
