"""POST /api/v1/visitors and /renew: the tokens that pages open their sockets with (docs/protocol.md, Tokens)."""

from typing import Any

import msgspec
from litestar import Controller, Request, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hub.api.clients import ClientRate
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.gateway.socket import own_origin
from hub.gateway.tokens import RENEWABLE_S, Expired, Invalid, Minted, Visitor


class VisitorToken(msgspec.Struct):
    """A token and its conversation; `expires_at` is in Unix milliseconds."""

    token: str
    conversation: str
    expires_at: int


class Renewal(msgspec.Struct):
    """The old token, at most 30 days past its end."""

    token: str


class VisitorController(Controller):
    """Open to everybody, so: limited by address, and closed to pages of sites that were not allowed."""

    path = "/api/v1/visitors"
    tags = ("visitors",)

    @post("/")
    async def mint(
        self, request: Request[Any, Any, Any], needs: NamedDependency[Needs], rate: NamedDependency[ClientRate]
    ) -> VisitorToken:
        """A new conversation and the token for it; the body says what the page knows of the visitor."""
        _check_origin(request, needs)
        rate.check(request)
        if needs.profile is None:
            raise problem(404, "No channel for visitors' pages is on: add `h5:` under `channels:`.", "no_pages")
        try:
            profile = needs.profile(await request.body(), request.headers.get("user-agent", ""))
        except ValueError as error:
            raise problem(400, str(error), "bad_body") from None
        conversation = needs.new_conversation_id()
        return _as_answer(needs.tokens.mint_visitor(conversation, profile, needs.now_s()), conversation)

    @post("/renew")
    async def renew(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[Renewal],
        needs: NamedDependency[Needs],
        rate: NamedDependency[ClientRate],
    ) -> VisitorToken:
        """A new token for the same conversation."""
        _check_origin(request, needs)
        rate.check(request)
        try:
            visitor = needs.tokens.read(data.token, needs.now_s(), RENEWABLE_S)
        except (Expired, Invalid):
            visitor = None
        if not isinstance(visitor, Visitor):
            raise problem(401, "This token cannot be renewed: ask for a new one.", "not_renewable")
        minted = needs.tokens.mint_visitor(visitor.conversation, visitor.profile, needs.now_s())
        return _as_answer(minted, visitor.conversation)


def _check_origin(request: Request[Any, Any, Any], needs: Needs) -> None:
    origin = request.headers.get("origin", "")
    if origin and not needs.allows(origin, own_origin(origin, request.headers.get("host", ""))):
        raise problem(403, f"Pages of {origin} may not ask for tokens here.", "origin")


def _as_answer(minted: Minted, conversation: str) -> VisitorToken:
    return VisitorToken(minted.token, conversation, minted.expires_at_s * 1000)
