"""Where agents are reached, as teams.yaml says it: `delivery: [desk, {email: off_duty}, wecom]`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import PlainValidator, WithJsonSchema

from hub.domain.teams import DESK

MOST_S = 604_800
"""A week."""


class WayLine(NamedTuple):
    """A channel, or the desk; on the one condition that it has."""

    channel: str
    off_duty: bool = False
    unread_s: int = 0

    @property
    def always(self) -> bool:
        """Whether nothing behind it counts, as long as it can be reached."""
        return self.channel != DESK and not (self.off_duty or self.unread_s)


def _way_of(written: Any) -> WayLine:
    match written:
        case str(channel):
            return WayLine(channel)
        case dict() if len(written) == 1 and DESK not in written:
            ((channel, when),) = written.items()
            match when:
                case "off_duty":
                    return WayLine(channel, off_duty=True)
                case {"unread_s": int(seconds)} if len(when) == 1 and seconds is not True and 0 < seconds <= MOST_S:
                    return WayLine(channel, unread_s=seconds)
    raise ValueError("a way is desk, a channel, {email: off_duty} or {email: {unread_s: 600}}")


_CONDITION = {
    "anyOf": [
        {"const": "off_duty"},
        {
            "type": "object",
            "properties": {"unread_s": {"type": "integer", "minimum": 1, "maximum": MOST_S}},
            "required": ["unread_s"],
            "additionalProperties": False,
        },
    ]
}
Way = Annotated[
    WayLine,
    PlainValidator(_way_of),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "object", "additionalProperties": _CONDITION, "minProperties": 1, "maxProperties": 1},
            ]
        }
    ),
]
"""`desk`, `wecom`, `{email: off_duty}` or `{email: {unread_s: 600}}`."""


def ways_of(addresses: Mapping[str, str], *written: Sequence[WayLine] | None) -> list[WayLine]:
    """The ways of who has these addresses: by the first of the lists that there is, else the desk and then as written.

    A way that leads to no address of theirs is left out.
    """
    ways = next((ways for ways in written if ways is not None), None)
    if ways is None:
        return [WayLine(DESK), *map(WayLine, addresses)]
    return [way for way in ways if way.channel == DESK or way.channel in addresses]


def hidden(ways: Sequence[WayLine]) -> Iterator[tuple[int, str]]:
    """The places of conditions that are never asked, for what stands before them holds always; each with that."""
    first = next((place for place, way in enumerate(ways) if way.always), len(ways))
    for place, way in enumerate(ways):
        if place > first and not way.always:
            yield place, ways[first].channel
