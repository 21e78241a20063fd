"""/api/v1/unparsed: what platforms sent and nobody could read, and reading it again after a fix."""

from typing import Any

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from hub.api.lists import LIMIT, Limit, Seq, cursor_behind, place_of
from hub.api.masking import mask_for
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.domain.events import Unparsed
from hub.engine.calls import Replayed
from hub.history.queries import Place


class Input(msgspec.Struct):
    """An input: event `seq` of its channel's intake, kept at `at` (Unix milliseconds) because nobody could read it."""

    entity: str
    seq: int
    channel: str
    at: int
    because: str


class Inputs(msgspec.Struct):
    """A page of them, the latest first; `cursor` asks for the next one, and is empty on the last."""

    unparsed: list[Input]
    cursor: str


class WholeInput(Input):
    """An input with what came: method, query, headers, body and when it was received, with secrets masked."""

    raw: dict[str, Any]


class UnparsedController(Controller):
    """For the admin. An input stays in the list when it has been replayed: no event of its intake says so.

    A replay may be repeated, for what had been taken is known by its outside id, and its answer says which is which.
    """

    path = "/api/v1/unparsed"
    tags = ("unparsed",)

    @get("/")
    async def list_all(
        self,
        needs: NamedDependency[Needs],
        channel: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        limit: Limit = LIMIT,
    ) -> Inputs:
        """Those of the channel; without: of all."""
        rows = await needs.history.unparsed(limit, channel=channel, after=place_of(cursor))
        mask = mask_for(needs.connectors)
        shown = [Input(row.entity, row.seq, row.channel, row.at_ms, mask.line(row.because)) for row in rows]
        return Inputs(shown, cursor_behind([Place(row.at_ms, row.entity, row.seq) for row in rows], limit))

    @get("/{entity:str}/{seq:int}")
    async def one(
        self, entity: FromPath[str], seq: Seq, needs: NamedDependency[Needs], texts: FromQuery[bool] = False
    ) -> WholeInput:
        """One of them, with what came; `texts`: with all of its body."""
        at_ms, event = await _kept(needs, entity, seq)
        mask = mask_for(needs.connectors, texts)
        return WholeInput(entity, seq, _channel(entity), at_ms, mask.line(event.because), mask.raw(event.raw))

    @post("/{entity:str}/{seq:int}/replay", status_code=200)
    async def replay(self, entity: FromPath[str], seq: Seq, needs: NamedDependency[Needs]) -> Replayed:
        """Let the channel's connector, as it is now, read it again; what it means is carried out and told."""
        _, event = await _kept(needs, entity, seq)
        replayed = await needs.replay(_channel(entity), event.raw)
        if replayed.because and not replayed.taken:
            detail = f"It still cannot be read: {mask_for(needs.connectors).line(replayed.because)}."
            raise problem(409, detail, "unread")
        return replayed


async def _kept(needs: Needs, entity: str, seq: int) -> tuple[int, Unparsed]:
    """When it was kept, and how; raises 404."""
    for record in await needs.history.records(entity, seq, seq, 1):
        if isinstance(record.event, Unparsed):
            return record.at_ms, record.event
    raise problem(404, f"Nothing unread is kept at {entity}/{seq}; `hub unparsed list` shows what is.", "not_found")


def _channel(entity: str) -> str:
    return entity.partition("-")[2]
