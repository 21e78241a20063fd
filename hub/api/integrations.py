"""/api/v1/tokens: what lets programs in. A token is shown once; what is kept of it is a hash."""

import secrets
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hub.api.needs import Needs
from hub.api.problems import problem
from hub.api.rights import Scope
from hub.bus.access import Access, Integration, digest


class Wanted(msgspec.Struct):
    """What the token is for, and what it may do."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    scopes: Annotated[list[Scope], msgspec.Meta(min_length=1)]


class Shown(msgspec.Struct):
    """A token without itself; `created_at` is in Unix milliseconds."""

    id: str
    name: str
    scopes: list[str]
    created_at: int


class Made(Shown):
    """A new token: nobody can tell it again."""

    token: str


class TokenList(msgspec.Struct):
    """All of them, the oldest first."""

    tokens: list[Shown]


class TokenController(Controller):
    """For the admin."""

    path = "/api/v1/tokens"
    tags = ("tokens",)

    @get("/")
    async def list_all(self, needs: NamedDependency[Needs]) -> TokenList:
        """Those that are good."""
        return TokenList(
            [Shown(one.id, one.name, list(one.scopes), one.created_at_ms) for one in needs.access.integrations()]
        )

    @post("/")
    async def create(self, data: JSONBody[Wanted], needs: NamedDependency[Needs]) -> Made:
        """A new one, good until it is revoked."""
        token = f"kefu_{secrets.token_urlsafe(32)}"
        scopes = tuple(dict.fromkeys(data.scopes))
        made = Integration(secrets.token_hex(4), data.name, scopes, needs.now_ms())

        def with_it(access: Access) -> Access:
            return msgspec.structs.replace(access, integrations=access.integrations | {digest(token): made})

        await needs.access.change(with_it)
        return Made(made.id, made.name, list(scopes), made.created_at_ms, token)

    @delete("/{id:str}", status_code=204)
    async def revoke(self, id: FromPath[str], needs: NamedDependency[Needs]) -> None:
        """It is good no more; elsewhere a moment later."""
        if all(one.id != id for one in needs.access.integrations()):
            raise problem(404, f"There is no token {id}; `hub tokens list` shows those that are good.", "not_found")

        def without_it(access: Access) -> Access:
            left = {key: one for key, one in access.integrations.items() if one.id != id}
            return msgspec.structs.replace(access, integrations=left)

        await needs.access.change(without_it)
