"""Events of whoever receives from the hub: an agent on their ways, a visitor on a platform."""

from typing import Literal

from hub.domain.events.base import Event
from hub.domain.messages import Outgoing


class Attempted(Event, frozen=True):
    """These exact bytes are on their way (`text`), as try `tries` of attempt number `attempt`.

    To a phone, `blocks` and `notes` say how many of what waits the text takes along (a part of a long block counts as
    one), `carries` which messages those blocks are, and `asks` is the number of the last held text that the text asks
    about, 0 without a question. `message` says what
    else goes: to a phone a file, to a visitor all that belongs to it.
    """

    attempt: int
    channel: str
    address: str
    text: str
    blocks: int = 0
    notes: int = 0
    tries: int = 1
    asks: int = 0
    carries: tuple[tuple[str, int], ...] = ()
    message: Outgoing | None = None


class AttemptSent(Event, frozen=True):
    """The platform took it. `refs`: the visitor has got these messages whole."""

    attempt: int
    receipt: str = ""
    refs: tuple[int, ...] = ()


class AttemptDelayed(Event, frozen=True):
    """Not now: the same bytes again at `retry_at_ms`."""

    attempt: int
    because: str
    retry_at_ms: int
    unknown: bool = False
    """The platform may have it."""


class AttemptRefused(Event, frozen=True):
    """It will not be taken, a dead letter: a person has to know. `unknown`: it may have arrived all the same.

    To a visitor: `refs` are the messages they have not got, `agent` (number `no`) the phone that is told, or empty.
    `message` stands there when the hub itself refused, without an attempt. `changes`: they have the messages, and it is
    their change that failed.
    """

    attempt: int
    because: str
    text: str
    unknown: bool = False
    refs: tuple[int, ...] = ()
    agent: str = ""
    no: int = 0
    message: Outgoing | None = None
    changes: bool = False
    again: bool = False
    """To an agent: all that it took along goes another way."""


class DeliveryRetried(Event, frozen=True):
    """A person has sent the dead letter of that attempt on its way again."""

    attempt: int
    by: str


class DeliveryDropped(Event, frozen=True):
    """A person has decided that the dead letter of that attempt is never sent."""

    attempt: int
    by: str


class ReceiptHad(Event, frozen=True):
    """The platform said later what became of attempt `attempt`, which it had taken."""

    attempt: int
    kind: Literal["delivered", "read", "failed"]
    because: str = ""
    refs: tuple[int, ...] = ()
    agent: str = ""
    no: int = 0


DeliveryEvent = (
    Attempted | AttemptSent | AttemptDelayed | AttemptRefused | DeliveryRetried | DeliveryDropped | ReceiptHad
)
