"""What the log says of deliveries, as columns. Pure; an event gives only those that it changes."""

from typing import Any

import msgspec

from hub.domain import events as e
from hub.domain.attempts import SHOWN
from hub.domain.events import Record
from hub.domain.ids import channel_of
from hub.domain.messages import Outgoing

STATES = (
    "sending", "delayed", "sent", "refused", "unknown", "retried", "dropped", "delivered", "read", "failed",
)  # fmt: skip
"""What a delivery may be; hub.history.models says what each means."""


def delivery(record: Record) -> dict[str, Any]:
    """The columns of `deliveries` that the event changes; none for an event that is of no delivery."""
    match record.event:
        case e.Attempted(attempt=attempt, tries=1, channel=channel, address=address, text=text, message=message):
            begun = _begun(record, channel, text, message or Outgoing(())) | {"address": storable(address)}
            refs = begun["refs"] if message and message.refs else _places(record.event.carries)
            changed = begun | {"attempt": attempt, "state": "sending", "tries": 1, "refs": refs}
        case e.Attempted(attempt=attempt, tries=tries):
            changed = {"attempt": attempt, "state": "sending", "tries": tries}
        case e.AttemptSent(attempt=attempt, receipt=receipt):
            changed = {"attempt": attempt, "state": "sent", "because": "", "receipt": storable(receipt)}
        case e.AttemptDelayed(attempt=attempt, because=because):
            changed = {"attempt": attempt, "state": "delayed", "because": storable(because)}
        case e.AttemptRefused(attempt=attempt, because=because, unknown=unknown, text=text, message=message):
            changed = {"attempt": attempt, "state": "unknown" if unknown else "refused", "because": storable(because)}
            if message:  # the hub itself refused: there was no attempt
                changed |= _begun(record, channel_of(record.entity), text, message) | {"tries": 0}
        case e.DeliveryRetried(attempt=attempt):
            changed = {"attempt": attempt, "state": "retried"}
        case e.DeliveryDropped(attempt=attempt):
            changed = {"attempt": attempt, "state": "dropped"}
        case e.ReceiptHad(attempt=attempt, kind=kind, because=because):
            changed = {"attempt": attempt, "state": kind, "because": storable(because)}
        case _:
            return {}
    return changed | {"entity": record.entity, "seq": record.seq, "at_ms": record.at_ms}


def _begun(record: Record, channel: str, text: str, message: Outgoing) -> dict[str, Any]:
    return {
        "channel": channel,
        "text": storable(text[:SHOWN]),
        "text_seq": record.seq,
        "began_ms": record.at_ms,
        "refs": _places((record.entity, seq) for seq in message.refs),
        "part": message.part,
        "parts": message.parts,
    }


def _places(carried: Any) -> str:
    return msgspec.json.encode([f"{entity}/{seq}" for entity, seq in carried]).decode()


def storable(text: str) -> str:
    """The text without what PostgreSQL does not take for one."""
    return text.replace("\0", "")


DELIVERING = frozenset(
    kind.__name__
    for kind in (
        e.Attempted, e.AttemptSent, e.AttemptDelayed, e.AttemptRefused,
        e.DeliveryRetried, e.DeliveryDropped, e.ReceiptHad,
    )
)  # fmt: skip
"""The kinds that `delivery` knows; all others need not be decoded."""
