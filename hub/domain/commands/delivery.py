"""Commands to whoever receives from the hub: an agent, a conversation on a platform."""

from typing import Literal

from hub.domain.commands.base import Command


class RecordVerdict(Command, frozen=True):
    """What became of an attempt. `kind` as in the contract; for a retry, `retry_at_ms` says when."""

    attempt: int
    kind: Literal["sent", "retry", "refused", "unknown"]
    because: str = ""
    receipt: str = ""
    retry_at_ms: int = 0
    unreachable: bool = False
    """With refused: this recipient cannot be reached at all."""


class RecordReceipt(Command, frozen=True):
    """The platform says later what became of an attempt that it had taken: its number, or the receipt it gave."""

    kind: Literal["delivered", "read", "failed"]
    attempt: int = 0
    receipt: str = ""
    because: str = ""
    raw: str = ""


class RetryDelivery(Command, frozen=True):
    """Send the dead letter of that attempt again."""

    attempt: int
    by: str


class DropDelivery(Command, frozen=True):
    """Never send the dead letter of that attempt."""

    attempt: int
    by: str


DeliveryCommand = RecordVerdict | RecordReceipt | RetryDelivery | DropDelivery
