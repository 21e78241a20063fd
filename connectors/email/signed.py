"""What we sign, and know again when it comes back: reply addresses and message ids.

Both carry the conversation's id and a MAC, so that nobody can write into a conversation whose mail they never got
(that an unsigned id allows it was FreeScout's GHSA-6r38-6mcf-2ww3).

Mail to an agent carries a tag instead, in both places: `a.<conversation>.<mac>`, or `a.<mac>` where it is of none. Its
MAC is over the agent's address too, so that it is worth nothing to whoever gets that mail forwarded.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass

_MAC_BYTES = 10
_MAC_CHARS = _MAC_BYTES * 8 // 5
_MAX_LOCAL = 64
"""Octets of what stands before the @ (RFC 5321, 4.5.3.1.1)."""

_CONVERSATION = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_LOCAL = re.compile(rf"(?P<base>[^@]+?)\+(?P<conversation>[a-z0-9_-]+)\.(?P<mac>[a-z2-7]{{{_MAC_CHARS}}})")
_ID = re.compile(
    rf"<(?P<conversation>[a-z0-9_-]+)\.(?P<number>[0-9]{{1,18}})\.(?P<mac>[a-z2-7]{{{_MAC_CHARS}}})"
    r"(?:\+(?P<tag>[a-z0-9_.-]+))?@[^<>@]+>",
    re.IGNORECASE,
)
_TAG = re.compile(rf"a\.(?:(?P<conversation>{_CONVERSATION.pattern})\.)?(?P<mac>[a-z2-7]{{{_MAC_CHARS}}})")


@dataclass(frozen=True)
class OurId:
    """What one of our own message ids says: the `number`-th message of a conversation; or to an agent, with a `tag`."""

    conversation: str
    number: int
    tag: str = ""


@dataclass(frozen=True)
class AgentTag:
    """What a tag says: it stood in a mail to an agent about this `conversation` or, if it is empty, about none.

    `signed`: that agent is whoever sends it now, as far as From names anybody.
    """

    conversation: str
    signed: bool


def reply_address(base: str, conversation: str, key: bytes) -> str:
    """The address that brings an answer back: kefu@example.com becomes kefu+c7-k3v9.<mac>@example.com.

    ValueError when the conversation's id could not stand in it, or when the whole is too long for mail servers.
    """
    return _tagged(base, f"{_checked(conversation)}.{_mac('address', conversation, key)}")


def agent_tag(conversation: str, agent: str, key: bytes) -> str:
    """What proves that a mail answers one of ours to the agent with the address `agent`."""
    mac = _mac("agent", f"{conversation} {agent.casefold()}", key)
    return f"a.{_checked(conversation)}.{mac}" if conversation else f"a.{mac}"


def agent_reply_address(base: str, tag: str) -> str:
    """The address that brings an agent's answer back; ValueError as for `reply_address`."""
    return _tagged(base, tag)


def _tagged(base: str, tag: str) -> str:
    local, at, domain = base.rpartition("@")
    if not local or not at or not domain:
        raise ValueError(f"{base!r} is no mail address; one looks like kefu@example.com")
    signed = f"{local}+{tag}"
    if len(signed.encode()) > _MAX_LOCAL:
        raise ValueError(f"{signed!r} is longer than the {_MAX_LOCAL} octets of a mailbox: shorten {local!r}")
    return f"{signed}@{domain}"


def read_reply_address(address: str, key: bytes, ours: Iterable[str]) -> str | None:
    """The conversation in a reply address of one of `ours`; None when it is none, or not signed with this key."""
    local, _, domain = address.lower().rpartition("@")
    found = _LOCAL.fullmatch(local)
    if found is None or f"{found['base']}@{domain}" not in {one.lower() for one in ours}:
        return None
    return _genuine("address", found["conversation"], found["mac"], key)


def message_id(conversation: str, number: int, domain: str, key: bytes, tag: str = "") -> str:
    """The Message-ID of the conversation's `number`-th message, in angle brackets; the same each time it is asked.

    To an agent it is the agent's `number`-th, with the tag of what it is about.
    """
    mac = _mac("message", f"{_checked(conversation)}.{number}", key)
    return f"<{conversation}.{number}.{mac}{'+' if tag else ''}{tag}@{domain}>"


def read_message_id(text: str, key: bytes) -> OurId | None:
    """What a Message-ID of ours says; None when it is none, or not signed with this key."""
    found = _ID.fullmatch(text)
    if found is None:
        return None
    conversation, number = found["conversation"].lower(), int(found["number"])
    if _genuine("message", f"{conversation}.{number}", found["mac"], key) is None:
        return None
    return OurId(conversation, number, (found["tag"] or "").lower())


def read_agent_tag(tag: str, agent: str, key: bytes) -> AgentTag | None:
    """What a tag says in a mail from the address `agent`; None when it is none."""
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    conversation = found["conversation"] or ""
    return AgentTag(conversation, hmac.compare_digest(agent_tag(conversation, agent, key), tag))


def _checked(conversation: str) -> str:
    """Mail servers change the case of addresses: an id that needs capitals would come back as another one."""
    if _CONVERSATION.fullmatch(conversation) is None:
        raise ValueError(f"{conversation!r} cannot stand in an address: only a-z, 0-9, - and _ survive the way")
    return conversation


def _mac(purpose: str, text: str, key: bytes) -> str:
    if not key:
        raise ValueError("without a key anybody could sign: set one")
    digest = hmac.digest(key, f"{purpose}:{text}".encode(), hashlib.sha256)
    return base64.b32encode(digest[:_MAC_BYTES]).decode().lower()


def _genuine(purpose: str, text: str, mac: str, key: bytes) -> str | None:
    return text if hmac.compare_digest(_mac(purpose, text, key), mac.lower()) else None
