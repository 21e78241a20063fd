"""What waits for an agent's phone beside visitors' messages, as events: notes, and texts that come back to them."""

from hub.domain import events as e
from hub.domain.agent import notes
from hub.domain.agent.phone import BLOCK_MARGIN, pages
from hub.domain.agent.state import Agent
from hub.domain.events import AnyEvent


def note(
    state: Agent,
    text: str,
    begins: int = 0,
    ends: int = 0,
    returns: bool = False,
    failed: tuple[str, int] = ("", 0),
) -> list[AnyEvent]:
    """The note in pieces that fit the phone; none where there is no phone. The last piece carries the news."""
    settings = state.settings
    if settings is None or not settings.channel:
        return []
    *first, last = pages(text, settings.limits.max_text - BLOCK_MARGIN)
    return [*map(e.NoteWaiting, first), e.NoteWaiting(last, begins, ends, returns, failed=failed)]


def give_back(
    state: Agent, because: str, text: str, ends: int = 0, failed: tuple[str, int] = ("", 0)
) -> list[AnyEvent]:
    """The agent's own text, which nobody got; "" when what they asked for was no text."""
    return note(state, notes.given_back(because, text), ends=ends, returns=bool(text), failed=failed)


def drop_held(state: Agent, because: str) -> list[AnyEvent]:
    """None of the texts that wait for a number is sent."""
    events: list[AnyEvent] = []
    for held in state.held:
        events += [e.HeldDropped(held.text), *give_back(state, because, held.text)]
    return events
