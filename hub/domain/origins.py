"""Which relayed commands an entity has had: for each source partition the highest origin.

A relay sends to one target in log order and starts again from where it is sure; so the highest is enough to know a
repeat, for ever.
"""

from hub.domain.commands import Origin

Origins = dict[int, Origin]
"""Source partition → the last origin from there."""


def seen(origins: Origins, origin: Origin) -> bool:
    """Whether the command with this origin, or a later one from there, has been carried out."""
    last = origins.get(origin.partition)
    return last is not None and (origin.epoch, origin.seq, origin.index) <= (last.epoch, last.seq, last.index)


def note(origins: Origins, origin: Origin) -> None:
    """Remember `origin` as its source's highest; one command may cause several events."""
    if not seen(origins, origin):
        origins[origin.partition] = origin
