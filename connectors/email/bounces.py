"""Mail about mail that could not be delivered: which of ours, to whom, and why (RFC 3464)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from connectors.email.headers import Headers, addresses, message_ids, split_head
from connectors.email.mime import Leaf

_MAX_GROUPS = 50
_MAX_HEAD = 64_000
_LOOKED_AT = 20_000
"""Characters of a bounce's text in which the reason is looked for."""

_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_ID_IN_TEXT = re.compile(r"message-id:\s{0,20}(<[^<>\s]{3,250}>)", re.IGNORECASE)
_REASON = re.compile(r"^.{0,200}(?<!\d)[45]\d\d[ -].{1,300}$", re.MULTILINE)
_RETURNED = frozenset({"message/rfc822", "text/rfc822-headers", "message/rfc822-headers", "message/global"})


@dataclass(frozen=True)
class Bounce:
    """What a delivery report says; what it doesn't say is empty.

    `action` is the report's word: failed, delayed, delivered, relayed or expanded; a report without a machine-readable
    part is taken for failed. `status` is the enhanced code (RFC 3463), `said` the far server's own words.
    """

    message_id: str
    recipients: tuple[str, ...]
    action: str
    status: str
    said: str


def read_bounce(headers: Headers, leaves: Sequence[Leaf], text: str) -> Bounce:
    """What a mail that is known to be a bounce says; `text` is what a person reads in it."""
    groups = [group for leaf in leaves if leaf.type == "message/delivery-status" for group in _groups(leaf.content)]
    returned = [
        split_head(leaf.content, 0, len(leaf.content), _MAX_HEAD)[0] for leaf in leaves if leaf.type in _RETURNED
    ]
    text = text[:_LOOKED_AT]
    failed = headers.all("x-failed-recipients")
    recipients = [_typed(group, "final-recipient") or _typed(group, "original-recipient") for group in groups]
    recipients += [found.address for found in addresses(failed)]
    said = next((words for group in groups if (words := _typed(group, "diagnostic-code"))), "")
    status = next((found[0] for group in groups if (found := _STATUS.search(group.text("status")))), "")
    return Bounce(
        message_id=_original_id(returned, text),
        recipients=tuple(dict.fromkeys(one for one in recipients if one)),
        action=next((word for group in groups if (word := group.text("action").lower())), "failed"),
        status=status or _first(_STATUS, said) or _first(_STATUS, text),
        said=said or _first(_REASON, text).strip(),
    )


def _groups(content: bytes) -> list[Headers]:
    """The field groups of a delivery report: one about the mail, then one for each recipient."""
    groups: list[Headers] = []
    start = 0
    while start < len(content) and len(groups) < _MAX_GROUPS:
        group, start = split_head(content, start, len(content), _MAX_HEAD)
        groups.append(group)
    return groups


def _typed(group: Headers, name: str) -> str:
    """The value of a field that names its type first: "rfc822; a@example.com", "smtp; 550 no such user"."""
    return group.text(name).partition(";")[2].strip()


def _original_id(returned: Sequence[Headers], text: str) -> str:
    for head in returned:
        for found in message_ids(head.raw("message-id")):
            return found
    quoted = _ID_IN_TEXT.search(text)
    return quoted[1] if quoted else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0] if found else ""
