"""/api/v1/trace: the way of one message, from what came in to what the far side said."""

from typing import Any

import msgspec
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from hub.api.lists import Seq
from hub.api.masking import Mask, mask_for
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.events import Record
from hub.history.way import follow


class Step(msgspec.Struct):
    """An event on the way: `ms` milliseconds after the first one. `says` are its fields; `raw` in it is what came."""

    at: int
    ms: int
    entity: str
    seq: int
    event: str
    says: dict[str, Any]


class Trace(msgspec.Struct):
    """All that happened because of one message. `complete`: nothing lies beyond the events that were looked through."""

    message: str
    steps: list[Step]
    complete: bool


class TraceController(Controller):
    """For the admin. `texts=true` shows message texts; without, their length and first 10 characters."""

    path = "/api/v1/trace"
    tags = ("trace",)

    @get("/{conversation:str}/{seq:int}")
    async def by_place(
        self,
        conversation: FromPath[str],
        seq: Seq,
        needs: NamedDependency[Needs],
        texts: FromQuery[bool] = False,
    ) -> Trace:
        """Of event `seq` of a conversation; or of an agent, who wrote it on their phone."""
        return await _trace(needs, conversation, seq, texts)

    @get("/")
    async def by_outside_id(
        self,
        needs: NamedDependency[Needs],
        outside_id: FromQuery[str],
        channel: FromQuery[str],
        texts: FromQuery[bool] = False,
    ) -> Trace:
        """Of what the channel's platform calls `outside_id`. Reads all events of its conversations, and of agents."""
        place = await needs.history.find(channel, outside_id)
        if place is None:
            detail = (
                f"No message of {channel} is called {outside_id}; `hub unparsed list` shows what nobody could read."
            )
            raise problem(404, detail, "not_found")
        return await _trace(needs, *place, texts)


async def _trace(needs: Needs, entity: str, seq: int, texts: bool) -> Trace:
    way = await follow(needs.history, entity, seq)
    if way is None:
        detail = f"The history has no event {seq} of {entity}; a message is named like p7-email-k3v9/12."
        raise problem(404, detail, "not_found")
    mask = mask_for(needs.connectors, texts)
    steps = [_step(record, way.records[0].at_ms, mask) for record in way.records]
    return Trace(f"{entity}/{seq}", steps, way.complete)


def _step(record: Record, first_ms: int, mask: Mask) -> Step:
    said = msgspec.to_builtins(record.event)
    kind, raw = said.pop("type"), said.pop("raw", "")
    says = mask.fields(said) | ({"raw": mask.raw(raw)} if raw else {})
    return Step(record.at_ms, record.at_ms - first_ms, record.entity, record.seq, kind, says)
