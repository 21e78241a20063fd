"""A mail as the hub sees it: who wrote what to whom, what kind of mail it is, and what could not be read of it."""

import datetime
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from connectors.email.body import File, charset_of, read_body
from connectors.email.bounces import Bounce, read_bounce
from connectors.email.headers import Address, Headers, addresses, message_ids, sent_at, split_head
from connectors.email.kinds import Kind, kind_of
from connectors.email.mime import Leaf, Limits, leaves
from connectors.email.quoting import split

LIMITS = Limits()


class Unreadable(Exception):
    """There is nothing in it: no field and no text."""


@dataclass(frozen=True)
class Mail:
    """What there is in a mail. Nobody has verified any of it, the sender's address least of all.

    `message_id`, `in_reply_to` and `references` are in angle brackets; a mail without an id has one made of its bytes.
    `recipients` are those of To, Cc, Delivered-To and X-Original-To. `sent_at` is UTC, by the sender's clock.
    `because` names the mark by which `kind` was recognised. `visible` and `quoted` are `text` apart: what its sender
    wrote, with quotations between, and the mail they answer. `own` is what they wrote without any quotation. `html` is
    harmless, and empty when there is none. `checked` are the fields in which servers say what they found of the sender,
    and anybody may have written. `notes` say, for a person, what was left out, damaged or not understood.
    """

    message_id: str
    sender: Address
    reply_to: tuple[Address, ...]
    recipients: tuple[Address, ...]
    subject: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    sent_at: datetime.datetime | None
    kind: Kind
    because: str
    visible: str
    quoted: str
    own: str
    text: str
    html: str
    files: tuple[File, ...]
    bounce: Bounce | None
    checked: tuple[str, ...]
    notes: tuple[str, ...]


def read_mail(data: bytes, ours: Collection[str], key: bytes, limits: Limits = LIMITS) -> Mail:
    """The mail in `data`, read as far as `limits` allow. Raises Unreadable when there is nothing in it.

    `ours` are the addresses that the hub sends from, `key` signs its ids (signed.py): by both it knows its own mail.
    """
    headers, parts, notes = _opened(data, limits)
    hint = charset_of(parts)
    body = read_body(parts, limits)
    parted = split(body.lines)
    text = "\n".join(line.text for line in body.lines).strip()
    sender, subject = _sender(headers, hint), headers.text("subject", hint)
    kind, because = kind_of(headers, sender.address, subject, ours, key)
    own_id = next(iter(message_ids(headers.raw("message-id"))), "")
    return Mail(
        message_id=own_id or f"<{hashlib.sha256(data).hexdigest()}@no-message-id.invalid>",
        sender=sender,
        reply_to=_reachable(headers, ("reply-to",), hint),
        recipients=_reachable(headers, ("to", "cc", "delivered-to", "x-original-to"), hint),
        subject=subject,
        in_reply_to=message_ids(headers.raw("in-reply-to")),
        references=message_ids(b" ".join(headers.all("references"))),
        sent_at=sent_at(headers.raw("date")),
        kind=kind,
        because=because,
        visible=parted.visible,
        quoted=parted.quoted,
        own=parted.own,
        text=text,
        html=body.html,
        files=body.files,
        bounce=read_bounce(headers, parts, text) if kind == "bounce" else None,
        checked=tuple(one.decode("ascii", "replace") for one in headers.all("authentication-results")),
        notes=(*notes, *_missing(own_id, sender), *body.notes),
    )


def _opened(data: bytes, limits: Limits) -> tuple[Headers, list[Leaf], list[str]]:
    notes: list[str] = []
    if len(data) > limits.mail_bytes:
        notes.append(f"a mail of {len(data)} bytes was cut after {limits.mail_bytes}")
        data = data[: limits.mail_bytes]
    if not data.strip(b"\0 \t\r\n"):
        raise Unreadable(f"a mail of {len(data)} bytes without any text")
    headers, start = split_head(data, 0, len(data), limits.header_bytes)
    if not headers:
        notes.append("there are no fields of a mail: all of it was read as text")
        start = 0
    parts, damage = leaves(headers, data, start, limits)
    return headers, parts, notes + damage


def _missing(own_id: str, sender: Address) -> Iterator[str]:
    if not own_id:
        yield "there is no Message-ID: an id was made of its bytes"
    if not sender.address:
        yield "there is no address of a sender"


def _sender(headers: Headers, hint: str) -> Address:
    """The first address of From; of Sender when there is none; else what stands in From, without an address."""
    written = addresses(headers.all("from"), hint)
    candidates = (*written, *addresses(headers.all("sender"), hint))
    return next((one for one in candidates if one.address), written[0] if written else Address(""))


def _reachable(headers: Headers, names: Sequence[str], hint: str) -> tuple[Address, ...]:
    """All addresses in these fields, each once."""
    found: dict[str, Address] = {}
    for one in addresses([field for name in names for field in headers.all(name)], hint):
        if one.address:
            found.setdefault(one.address.lower(), one)
    return tuple(found.values())
