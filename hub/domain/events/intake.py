"""Events of an intake."""

from hub.domain.events.base import Event


class Unparsed(Event, frozen=True):
    """Raw input that nobody could read."""

    because: str
    raw: str


IntakeEvent = Unparsed
