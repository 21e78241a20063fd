"""The kinds of entity, for an engine that does not know which one it runs."""

from collections.abc import Callable, Generator, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from hub.domain import agent, conversation, ids, intake, looks, queue
from hub.domain.attempts import Queued
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.looks import Question

Decide = Callable[[Any, AnyCommand, Origin | None, int], list[AnyEvent]]


class Large(NamedTuple):
    """How an image is made of a state that takes more than a turn of the loop: it is encoded, and read, bit by bit."""

    type: type
    kept: Callable[[Any], Any]
    """What the image holds, of that type: a copy that later events leave as it is."""
    rebuilt: Callable[[Any], Generator[None, None, Any]]
    """The state of which that was kept, step by step."""


class Kind(NamedTuple):
    """One kind: the type of its state and its pure functions.

    `state.seq` is the last seq; `prev` the last that the visitor may see.
    """

    state: type
    new: Callable[[str], Any]
    decide: Decide
    evolve: Callable[[Any, Record, Origin | None], None]
    reactions: Callable[[Record], list[tuple[str, AnyCommand]]]
    next_due: Callable[[Any], int | None] | None = None
    sets_clock: Callable[[AnyEvent], bool] = lambda event: True
    """Whether after an event something may be due sooner than before it: then it is loaded at a take-over."""
    resume: Callable[[Any, int], list[AnyEvent]] | None = None
    """What to do at a take-over with what the owner before may have left in the air."""
    awake: Callable[[Any], bool] | None = None
    """Whether something of it may be in the air, or waits to be: then it must not be forgotten, and is loaded at a
    take-over. None: never."""
    queued: Callable[[Any, int], Iterator[Queued]] | None = None
    """What waits for its first attempt, at a moment (Unix ms), of a kind that may be awake; the iterator is in no hurry
    and tells of what there was when it began."""
    prev: Callable[[Any], int] = attrgetter("seq")
    large: Large | None = None
    """Of a kind whose states may be large."""
    look: Callable[[Any, Question, int], bytes] = looks.at_nothing
    """The JSON of the answer to a question about the state, at a moment (Unix ms). Raises NotFound for a question that
    this kind does not know."""


def kinds(decide_conversation: Decide = conversation.decide, decide_agent: Decide = agent.decide) -> dict[str, Kind]:
    """All kinds by the letter of their ids; what decides of conversations and agents is the pipeline, given rules."""
    return {
        ids.CONVERSATION: Kind(
            conversation.Conversation,
            conversation.new,
            decide_conversation,
            conversation.evolve,
            conversation.reactions,
            conversation.next_due,
            conversation.sets_clock,
            prev=attrgetter("visitor_seq"),
            look=looks.at_conversation,
        ),
        ids.PLATFORM: Kind(
            conversation.Conversation,
            conversation.new,
            decide_conversation,
            conversation.evolve,
            conversation.reactions,
            conversation.next_due,
            resume=conversation.resume,
            awake=conversation.leaves,
            queued=conversation.queued,
            prev=attrgetter("visitor_seq"),
            look=looks.at_conversation,
        ),
        ids.AGENT: Kind(
            agent.Agent,
            agent.new,
            decide_agent,
            agent.evolve,
            agent.reactions,
            agent.next_due,
            resume=agent.resume,
            awake=agent.leaves,
            queued=agent.queued,
            look=looks.at_agent,
        ),
        ids.QUEUE: Kind(
            queue.Queue,
            queue.new,
            queue.decide,
            queue.evolve,
            queue.reactions,
            queue.next_due,
            large=Large(queue.Kept, queue.kept, queue.rebuilt),
            look=looks.at_queue,
        ),
        ids.INTAKE: Kind(intake.Intake, intake.new, intake.decide, intake.evolve, intake.reactions),
    }
