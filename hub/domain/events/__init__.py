"""What has happened to an entity. Durable, numbered, never changed; the log holds these and nothing else."""

import msgspec

from hub.domain.events.agent import *
from hub.domain.events.base import *
from hub.domain.events.conversation import *
from hub.domain.events.delivery import *
from hub.domain.events.intake import *
from hub.domain.events.queue import *

AnyEvent = ConversationEvent | QueueEvent | AgentEvent | DeliveryEvent | IntakeEvent


class Record(msgspec.Struct, frozen=True, gc=False):
    """One event at its place: the `seq`-th of its entity, at `at_ms` (Unix, UTC).

    `prev` is the last seq before this one that the *visitor* may see (views.py); an agent sees every seq.
    """

    entity: str
    seq: int
    prev: int
    at_ms: int
    event: AnyEvent
