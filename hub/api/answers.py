"""The engine's answers as awaitables: the one place where a `done` becomes a future."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import msgspec

from hub.api.problems import denied_problem
from hub.domain.commands import AnyCommand
from hub.domain.ids import is_conversation
from hub.domain.looks import AskStanding, Question, Standing
from hub.domain.refusals import NotFound
from hub.domain.views import Audience
from hub.engine.calls import Calls, Denied, Outcome, Page, Seen

T = TypeVar("T")
END = 2**53 - 1
"""Behind every seq."""
Seq = Annotated[int, msgspec.Meta(ge=0, le=END)]


def ask(question: Callable[[Callable[[T], None]], None]) -> asyncio.Future[T]:
    """Put the question now; the future has what its `done` is called with. Cancelling it leaves the question alone."""
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()

    def done(answer: T) -> None:
        if not future.done():
            future.set_result(answer)

    question(done)
    return future


def submit(calls: Calls, entity: str, command: AnyCommand) -> asyncio.Future[Outcome]:
    """What becomes of the command, when it is on disk or refused. Commands are taken in the order of these calls."""
    return ask(lambda done: calls.submit(entity, command, done))


async def carry_out(calls: Calls, entity: str, command: AnyCommand) -> Outcome:
    """The outcome of a command that was carried out; a refusal is raised as a problem."""
    outcome = await submit(calls, entity, command)
    if outcome.denied is not None:
        raise denied_problem(outcome.denied)
    return outcome


async def page(calls: Calls, entity: str, audience: Audience, after: int, before: int) -> Page:
    """The latest at most 50 events with after < seq < before; a refusal is raised as a problem."""
    answer: Page | Denied = await ask(lambda done: calls.page(entity, audience, after, before, done))
    if isinstance(answer, Denied):
        raise denied_problem(answer)
    return answer


async def look(calls: Calls, entity: str, question: Question, answer: type[T]) -> T:
    """What the entity answers; a refusal is raised as a problem."""
    seen: Seen | Denied = await ask(lambda done: calls.look(entity, question, done))
    if isinstance(seen, Denied):
        raise denied_problem(seen)
    return msgspec.json.decode(seen.data, type=answer)


async def standing(calls: Calls, conversation: str) -> Standing | None:
    """How the conversation stands now; None: there is none with this id."""
    if not is_conversation(conversation):
        return None
    seen: Seen | Denied = await ask(lambda done: calls.look(conversation, AskStanding(), done))
    if isinstance(seen, Seen):
        return msgspec.json.decode(seen.data, type=Standing)
    if seen.code == NotFound.code:
        return None
    raise denied_problem(seen)
