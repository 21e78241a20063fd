"""/api/v1/conversations/{id}/messages: what was said, what agents say, and what is decided of held messages."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hub.api import answers, once
from hub.api.agents import known
from hub.api.auth import Caller, may_read, standing_for
from hub.api.lists import Seq as Numbered
from hub.api.needs import Needs
from hub.api.problems import denied_problem, problem
from hub.domain.commands import AnswerMessage, ChangeMessage, RejectMessage, ReleaseMessage
from hub.domain.ids import is_conversation
from hub.domain.messages import Attachment
from hub.domain.refusals import Repeated
from hub.domain.views import Audience
from hub.engine.calls import Outcome
from hub.gateway.frames import MAX_FILES, MAX_TEXT_CHARS
from hub.media import links

Seq = Annotated[int, QueryParameter(ge=0, le=answers.END)]
Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]


class Messages(msgspec.Struct):
    """Event frames in order, as on a socket; `more`: older ones lie inside what was asked for."""

    conversation: str
    epoch: int
    events: tuple[msgspec.Raw, ...]
    more: bool


class NewAnswer(msgspec.Struct):
    """An answer. `files`: the claims of what was uploaded for it; then the text may be empty.

    `agent`: in whose name it is, where the caller is no agent; without, of whoever has the conversation.
    """

    text: Text = ""
    files: Annotated[list[str], msgspec.Meta(max_length=MAX_FILES)] = []
    agent: str = ""


class Correction(msgspec.Struct):
    """How the answer is to read from now on."""

    text: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT_CHARS)]


class Decided(msgspec.Struct):
    """The event that says so: its seq, and when (Unix milliseconds); 0 where there was nothing to do."""

    conversation: str
    seq: int = 0
    at: int = 0


class MessageController(Controller):
    """A conversation is named by its id (c7-…)."""

    path = "/api/v1/conversations/{id:str}/messages"
    tags = ("messages",)

    @get("/")
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
        audience: Audience = "visitor" if request.auth.owns(id) else "agent"
        page = await answers.page(needs.calls, id, audience, after, before)
        return Messages(id, page.epoch, page.frames, page.more)

    @post("/")
    async def answer(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        data: JSONBody[NewAnswer],
        needs: NamedDependency[Needs],
    ) -> Decided:
        """Answer the visitor, wherever they are. With an Idempotency-Key it is said once, however often it comes."""

        async def say(_: int) -> Decided:
            agent = await _speaker(request.auth, id, data.agent, needs)
            files = _claimed(data.files, id, request.auth.agent, needs)
            if not data.text and not files:
                raise problem(400, "text: an answer says something, or brings a file.", "empty")
            tab, n = once.number(request)
            command = AnswerMessage(agent, data.text, tab, n, files)
            return decided(await answers.submit(needs.calls, id, command), id)

        return await needs.once.carry_out(request, Decided, say, needs.now_ms())

    @patch("/{seq:int}", status_code=200)
    async def correct(
        self,
        request: Request[Any, Caller, Any],
        id: FromPath[str],
        seq: Numbered,
        data: JSONBody[Correction],
        needs: NamedDependency[Needs],
    ) -> Decided:
        """Correct the answer `seq`; 409 says why, where that cannot be done any more."""
        agent = await _speaker(request.auth, id, "", needs)
        return decided(await answers.submit(needs.calls, id, ChangeMessage(agent, data.text, seq)), id)

    @delete("/{seq:int}", status_code=200)
    async def recall(
        self, request: Request[Any, Caller, Any], id: FromPath[str], seq: Numbered, needs: NamedDependency[Needs]
    ) -> Decided:
        """Take the answer `seq` back; 409 says why, where that cannot be done any more."""
        agent = await _speaker(request.auth, id, "", needs)
        return decided(await answers.submit(needs.calls, id, ChangeMessage(agent, "", seq)), id)

    @post("/{seq:int}/release", status_code=200)
    async def release(self, id: FromPath[str], seq: Numbered, needs: NamedDependency[Needs]) -> Decided:
        """The held message may be read, and is delivered now."""
        check_id(id)
        return decided(await answers.submit(needs.calls, id, ReleaseMessage(seq, "admin")), id)

    @post("/{seq:int}/reject", status_code=200)
    async def reject(self, id: FromPath[str], seq: Numbered, needs: NamedDependency[Needs]) -> Decided:
        """The held message stays unread."""
        check_id(id)
        return decided(await answers.submit(needs.calls, id, RejectMessage(seq, "admin")), id)


def check_id(id: str) -> None:
    """Raises 404 when this is no conversation's id."""
    if not is_conversation(id):
        raise problem(404, f"{id} is no conversation; one looks like c7-k3v9.", "not_found")


def decided(outcome: Outcome, conversation: str) -> Decided:
    """The first event of the outcome, or the one that it had when it was carried out before. A refusal is raised."""
    denied = outcome.denied
    if denied is not None and denied.code != Repeated.code:
        raise denied_problem(denied)
    if not outcome.records:
        return Decided(conversation, denied.seq if denied else 0)
    return Decided(conversation, outcome.records[0].seq, outcome.records[0].at_ms)


async def _speaker(caller: Caller, conversation: str, named: str, needs: Needs) -> str:
    """The agent in whose name the caller speaks: themself; for others the one they name, or who has it."""
    check_id(conversation)
    if caller.agent:
        if named and needs.agent_id(named) != caller.agent:
            raise problem(403, f'You are not the agent "{named}".', "not_yours")
        return caller.agent
    if named:
        return known(needs, named)
    standing = await standing_for(caller, conversation, needs)
    if not standing.agent:
        raise problem(409, "The conversation is with nobody: let an agent take it first.", "not_yours")
    return standing.agent


def _claimed(claims: list[str], conversation: str, agent: str, needs: Needs) -> tuple[Attachment, ...]:
    """What was uploaded for this answer. Raises 400, also for what was uploaded by somebody else."""
    try:
        read = [needs.tokens.read_claim(text, needs.now_s()) for text in claims]
    except (links.Invalid, links.Expired) as error:
        raise problem(400, f"files: {error}: upload it again.", "bad_claim") from None
    if any((claim.conversation, claim.by) != (conversation, agent) for claim in read):
        raise problem(400, "files: one was uploaded for another conversation, or by somebody else.", "bad_claim")
    return tuple(claim.attachment for claim in read)
