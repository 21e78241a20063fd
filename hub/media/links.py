"""Signed words that run out: a link to read a file, a ticket to upload one, a claim that an upload happened.

Each is <content>.<signature>, both in base64url, fit for a path. Whoever holds one has the right that it names, so a
link goes only to those who may read its conversation. The signature covers the kind too: no ticket passes for a link.
"""

import base64
import binascii
import hashlib
import hmac
from typing import TypeVar

import msgspec

from hub.domain.messages import Attachment

LINK_S, TICKET_S, CLAIM_S = 600, 600, 7 * 24 * 3600
"""A link is good for LINK_S to twice as long; a claim as long as a page may be offline with its token."""
MAX_CHARS = 4096
"""Longer ones are refused unread."""


class Link(msgspec.Struct, frozen=True, tag="link"):
    """May read this file until `until_s` (Unix seconds)."""

    until_s: int
    attachment: Attachment


class Ticket(msgspec.Struct, frozen=True, tag="ticket"):
    """May upload one file into the conversation: at most `max_bytes`, beginning before `until_s`.

    `by` is "visitor" or the agent's entity id; `name` is what they call the file, as they said it.
    """

    until_s: int
    conversation: str
    by: str
    name: str
    max_bytes: int


class Claim(msgspec.Struct, frozen=True, tag="claim"):
    """`by` has uploaded this file into this conversation, and may send it there until `until_s`."""

    until_s: int
    conversation: str
    by: str
    attachment: Attachment


class Invalid(Exception):
    """It was not signed here, not for this, or has been changed."""


class Expired(Exception):
    """It was good, until it ran out."""


T = TypeVar("T", Link, Ticket, Claim)


def link_until(now_s: float) -> int:
    """Until when a link made now is good; the same for LINK_S, so that browsers find in their cache what they have."""
    return (int(now_s) // LINK_S + 2) * LINK_S


def sign(word: Link | Ticket | Claim, signing_key: bytes) -> str:
    """The word as text."""
    content = _pack(msgspec.json.encode(word))
    return f"{content}.{_signature(type(word), content, signing_key)}"


def read(kind: type[T], text: str, now_s: float, signing_key: bytes) -> T:
    """The word that was signed. Raises Invalid, or Expired."""
    content, _, signature = text.partition(".")
    if len(text) > MAX_CHARS or not text.isascii():
        raise Invalid(f"this is no {kind.__name__.lower()}")
    if not hmac.compare_digest(signature, _signature(kind, content, signing_key)):
        raise Invalid(f"this {kind.__name__.lower()} was not made by this hub")
    try:
        word = msgspec.json.decode(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)), type=kind)
    except (binascii.Error, msgspec.DecodeError) as error:  # signed by a version that wrote it otherwise
        raise Invalid(f"this {kind.__name__.lower()} is of another version: {error}") from None
    if now_s >= word.until_s:
        raise Expired(f"this {kind.__name__.lower()} has run out")
    return word


def _signature(kind: type[Link | Ticket | Claim], content: str, signing_key: bytes) -> str:
    # The key signs tokens too (hub.gateway.tokens): no JWT's signed part begins like this.
    signed = f"file {kind.__name__.lower()}:{content}".encode()
    return _pack(hmac.digest(signing_key, signed, hashlib.sha256))


def _pack(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
