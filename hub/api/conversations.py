"""/api/v1/conversations/{id}/messages: the history, and what a person decides about held messages."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hub.api import answers
from hub.api.auth import Caller, agent_of, may, may_read, owns
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.commands import MarkRead, RejectMessage, ReleaseMessage
from hub.domain.ids import is_conversation
from hub.domain.views import Audience
from hub.engine.calls import Outcome

Seq = Annotated[int, QueryParameter(ge=0, le=answers.END)]


class Messages(msgspec.Struct):
    """Event frames in order, as on a socket; `more`: older ones lie inside what was asked for."""

    conversation: str
    epoch: int
    events: tuple[msgspec.Raw, ...]
    more: bool


class Decided(msgspec.Struct):
    """The event that says so: its seq, and when (Unix milliseconds)."""

    conversation: str
    seq: int
    at: int


class ConversationController(Controller):
    """A conversation is named by its id (c7-…)."""

    path = "/api/v1/conversations/{id:str}/messages"
    tags = ("conversations",)

    @get("/", opt=may("visitor", "agent", "admin"))
    async def history(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        needs: NamedDependency[Needs],
        after: Seq = 0,
        before: Seq = answers.END,
    ) -> Messages:
        """The latest at most 50 events with after < seq < before: a visitor's own, an agent's whom it is with."""
        if not await may_read(request.auth, id, needs):
            raise problem(403, "This conversation is not yours.", "not_yours")
        check_id(id)
        audience: Audience = "visitor" if owns(request.auth, id) else "agent"
        page = await answers.page(needs.calls, id, audience, after, before)
        return Messages(id, page.epoch, page.frames, page.more)

    @post("/{seq:int}/release", opt=may("admin"), status_code=200)
    async def release(self, id: FromPath[str], seq: FromPath[int], needs: NamedDependency[Needs]) -> Decided:
        """The held message may be read, and is delivered now."""
        check_id(id)
        return _decided(await answers.carry_out(needs.calls, id, ReleaseMessage(seq, "admin")), id)

    @post("/{seq:int}/reject", opt=may("admin"), status_code=200)
    async def reject(self, id: FromPath[str], seq: FromPath[int], needs: NamedDependency[Needs]) -> Decided:
        """The held message stays unread."""
        check_id(id)
        return _decided(await answers.carry_out(needs.calls, id, RejectMessage(seq, "admin")), id)


class Read(msgspec.Struct):
    """All up to this seq has been read."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=answers.END)]


@post("/api/v1/conversations/{id:str}/read", opt=may("agent"), status_code=200, tags=["conversations"])
async def mark_read(
    request: Request[Any, Caller, Any], id: FromPath[str], data: JSONBody[Read], needs: NamedDependency[Needs]
) -> Read:
    """What an agent has read here is not pushed to their other channels. Of a conversation not theirs: nothing."""
    check_id(id)
    await answers.carry_out(needs.calls, agent_of(request.auth), MarkRead(id, data.seq))
    return data


def check_id(id: str) -> None:
    """Raises 404 when this is no conversation's id."""
    if not is_conversation(id):
        raise problem(404, f"{id} is no conversation; one looks like c7-k3v9.", "not_found")


def _decided(outcome: Outcome, conversation: str) -> Decided:
    record = outcome.records[0]
    return Decided(conversation, record.seq, record.at_ms)
