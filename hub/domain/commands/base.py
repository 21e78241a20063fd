"""What all commands are."""

import msgspec


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Where a relayed command came from; each target keeps the highest per source partition, so a repeat is known."""

    partition: int
    epoch: int
    seq: int
    index: int


class Command(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """Base of all commands; the tag is the class name."""


class Tick(Command, frozen=True):
    """Time has passed: `next_due` of the entity has been reached."""
