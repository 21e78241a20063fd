"""Commands to an intake."""

from hub.domain.commands.base import Command


class KeepUnparsed(Command, frozen=True):
    """Raw input that the connector could not read: kept, counted, to be replayed after a fix."""

    because: str
    raw: str


IntakeCommand = KeepUnparsed
