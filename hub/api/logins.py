"""POST /api/v1/agents/login, and the passwords for it: how an agent comes in without the admin."""

import hashlib
import hmac
import math
from typing import Annotated, Any

import msgspec
from litestar import Request, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from hub.api import hashing
from hub.api.agents import AgentToken, known
from hub.api.clients import ClientRate
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.bus.access import Access
from hub.errors import Locked

SHORTEST, LONGEST = 8, 256
STRANGERS = 4096
"""Tries at names that nobody has are counted in so many places, for whoever tries may think of any number of names."""


class Login(msgspec.Struct):
    """The agent's name in rules/teams.yaml, and their password."""

    name: Annotated[str, msgspec.Meta(max_length=64)]
    password: Annotated[str, msgspec.Meta(max_length=LONGEST)]


class Password(msgspec.Struct):
    """A new password."""

    password: Annotated[str, msgspec.Meta(min_length=SHORTEST, max_length=LONGEST)]


@post("/api/v1/agents/login", status_code=200, tags=["agents"])
async def log_in(
    request: Request[Any, Any, Any],
    data: JSONBody[Login],
    needs: NamedDependency[Needs],
    logins: NamedDependency[ClientRate],
) -> AgentToken:
    """A token for one working day. After five wrong passwords nobody may try this name for a while, which grows."""
    logins.check(request)
    agent = needs.agent_id(data.name)
    generation = needs.tokens.generation(agent or "")  # a password that is changed meanwhile ends this token too
    account = data.name if agent else _stranger(data.name, needs)
    try:
        right = await needs.passwords.check(
            account, lambda hashed: hashing.is_right(hashed, data.password), needs.now_ms()
        )
    except Locked as locked:
        seconds = max(1, math.ceil((locked.until_ms - needs.now_ms()) / 1000))
        detail = f"Too many wrong passwords for this name: try again in {seconds} s."
        raise problem(429, detail, "locked", {"retry-after": str(seconds)}) from None
    if agent is None or not right:
        raise problem(401, "There is no agent with this name and password.", "wrong_login")
    minted = needs.tokens.mint_agent(agent, needs.now_s(), generation)
    return AgentToken(minted.token, agent, minted.expires_at_s * 1000)


def _stranger(name: str, needs: Needs) -> str:
    """Where tries at a name that nobody has are counted.

    With a key: who knew which names share a place could lock it under one, and learn of the other whether it is known.
    """
    place = hmac.digest(needs.signing_key, f"stranger {name}".encode(), hashlib.sha256)
    return f"stranger.{int.from_bytes(place[:4], 'big') % STRANGERS}"


@put("/api/v1/agents/{name:str}/password", status_code=204, tags=["agents"])
async def set_password(name: FromPath[str], data: JSONBody[Password], needs: NamedDependency[Needs]) -> None:
    """Give the agent a password. All their tokens are good no more, and a lock on their name is lifted."""
    agent = known(needs, name)
    await needs.passwords.put(name, await hashing.hashed(data.password))

    def next_generation(access: Access) -> Access:
        generations = access.generations | {agent: access.generations.get(agent, 0) + 1}
        return msgspec.structs.replace(access, generations=generations)

    await needs.access.change(next_generation)
