"""What all events are."""

import msgspec


class Event(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, gc=False):
    """Base of all events; the tag is the class name. Unknown fields of a later version are kept out of the way."""
