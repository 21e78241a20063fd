"""The tokens that let a visitor or an agent in: JWTs, HS256, signed by the hub (docs/protocol.md, Tokens)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jwt
import msgspec

from hub.domain.messages import Profile
from hub.media import links
from hub.media.links import Claim

VISITOR_TOKEN_S = 7 * 24 * 3600
AGENT_TOKEN_S = 12 * 3600
RENEWABLE_S = 30 * 24 * 3600
"""So long after its end a visitor's token can be exchanged for a new one."""
MAX_TOKEN_CHARS = 32_768
"""Longer ones are refused unread; it leaves room for two addresses of 2,048 characters, and fits into a frame."""
_ALGORITHM = "HS256"
_jws = jwt.PyJWS([_ALGORITHM])


class Visitor(msgspec.Struct, frozen=True, gc=False):
    """Who may see and write one conversation, until `expires_at_s` (Unix seconds)."""

    conversation: str
    profile: Profile
    expires_at_s: int


class AgentIdentity(msgspec.Struct, frozen=True, gc=False):
    """An agent, by entity id; may see and answer what the queue gives them, until `expires_at_s` (Unix seconds).

    `generation` counts their passwords: with the next one the token is good no more.
    """

    agent: str
    expires_at_s: int
    generation: int = 0


Identity = Visitor | AgentIdentity


class Minted(NamedTuple):
    """A new token, and until when it is good (Unix seconds)."""

    token: str
    expires_at_s: int


class Invalid(Exception):
    """The token was not signed by this hub, or says nothing that can be used."""


class Expired(Exception):
    """The token was good, until it expired."""


class Tokens:
    """Signs and reads tokens. All workers of a hub share one `secret` of at least 32 bytes.

    `generation` says how often the password of the agent with an entity id was set; None: there is no such agent.
    """

    def __init__(self, secret: bytes, generation: Callable[[str], int | None] = lambda agent: 0) -> None:
        if len(secret) < 32:
            raise ValueError(f"the token secret has {len(secret)} bytes; HS256 needs at least 32 random ones")
        self._secret = secret
        self.generation = generation

    def mint_visitor(self, conversation: str, profile: Profile, now_s: float) -> Minted:
        """A token for the visitor of `conversation`."""
        return self._sign("visitor", conversation, int(now_s) + VISITOR_TOKEN_S, msgspec.to_builtins(profile))

    def mint_agent(self, agent: str, now_s: float, generation: int | None = None) -> Minted:
        """A token for the agent with this entity id; of the generation that there is now, unless another is named."""
        counted = self.generation(agent) if generation is None else generation
        return self._sign("agent", agent, int(now_s) + AGENT_TOKEN_S, {"gen": counted} if counted else {})

    def read(self, token: str, now_s: float, grace_s: int = 0) -> Identity:
        """Whose token it is; up to `grace_s` past its end. Raises Invalid or Expired."""
        if len(token) > MAX_TOKEN_CHARS:
            raise Invalid(f"a token of {len(token)} characters exceeds the limit of {MAX_TOKEN_CHARS}")
        try:
            # The clock is ours (an argument), so PyJWT must not judge `exp` by its own.
            claims = jwt.decode(token, self._secret, [_ALGORITHM], options={"verify_exp": False, "require": ["exp"]})
            identity = _identity(claims)
        except (jwt.PyJWTError, msgspec.ValidationError, ValueError) as error:
            raise Invalid("the token was not made by this hub") from error
        if now_s >= identity.expires_at_s + grace_s:
            raise Expired("the token has expired")
        if isinstance(identity, AgentIdentity) and (because := self.ended(identity)):
            raise Expired(because)
        return identity

    def ended(self, identity: AgentIdentity) -> str:
        """Why the agent's token is good no more before its time; empty: it is good.

        One of a later generation is signed by a worker that heard of the new password before this one.
        """
        generation = self.generation(identity.agent)
        if generation is None:
            return "rules/teams.yaml names the agent no more"
        return "the agent's password has been changed since" if identity.generation < generation else ""

    def read_claim(self, text: str, now_s: float) -> Claim:
        """What was uploaded. Raises hub.media.links.Invalid or Expired."""
        return links.read(Claim, text, now_s, self._secret)

    def _sign(self, role: str, subject: str, expires_at_s: int, fields: dict[str, Any]) -> Minted:
        # PyJWT's own JSON would write a Chinese address six times as long.
        claims = msgspec.json.encode({"role": role, "sub": subject, "exp": expires_at_s} | fields)
        return Minted(_jws.encode(claims, self._secret, _ALGORITHM), expires_at_s)


def _identity(claims: dict[str, Any]) -> Identity:
    known = msgspec.convert(claims, _Claims)
    match claims.get("role"):
        case "visitor":
            return Visitor(known.subject, msgspec.convert(claims, Profile), known.expires_at_s)
        case "agent":
            return AgentIdentity(known.subject, known.expires_at_s, known.generation)
    raise Invalid("the token was not made by this hub")


class _Claims(msgspec.Struct):
    subject: str = msgspec.field(name="sub")
    expires_at_s: int = msgspec.field(name="exp")
    generation: int = msgspec.field(name="gen", default=0)
