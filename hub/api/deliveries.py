"""/api/v1/deliveries: what became of what left for visitors on platforms and agents' phones, and the dead letters."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from hub.api import answers
from hub.api.lists import LIMIT, Attempt, Limit, check_entity, cursor_behind, place_of
from hub.api.needs import Needs
from hub.api.problems import denied_problem, problem
from hub.domain.commands import AnyCommand, DropDelivery, RetryDelivery
from hub.domain.events import Attempted, AttemptRefused, Record
from hub.history.deliveries import STATES
from hub.history.models import DeliveryRow
from hub.history.queries import Place

EXAMPLE = "p7-email-k3v9 or a12-wangfang"
CURE = "`hub deliveries list` shows those that wait; of a phone, only texts with visitors' messages can be sent again"


class Delivery(msgspec.Struct, omit_defaults=True):
    """One attempt to hand something over. Moments are Unix milliseconds; what is not known is left out.

    `entity` receives it: a conversation, or an agent. `state`: sending, delayed, sent; refused or unknown (it may have
    arrived), a dead letter; retried (as a later attempt) or dropped, by a person; delivered, read or failed, as the
    platform said later. `refs` are the messages in it; `text` is its beginning, or all of it where one is asked for.
    """

    entity: str
    attempt: int
    state: str
    at: int
    began: int = 0
    channel: str = ""
    address: str = ""
    tries: int = 0
    because: str = ""
    receipt: str = ""
    refs: list[str] = []
    part: int = 1
    parts: int = 1
    text: str = ""


class Deliveries(msgspec.Struct):
    """A page of them, the latest first; `cursor` asks for the next one, and is empty on the last."""

    deliveries: list[Delivery]
    cursor: str


class LetterDecided(msgspec.Struct):
    """The event that says so: its seq, and when (Unix milliseconds)."""

    entity: str
    attempt: int
    seq: int
    at: int


class DeliveryController(Controller):
    """For the admin. As far as the history has come; commands go to the owner and are in force when they are answered.

    A history that cannot be read is a 503, never an empty list.
    """

    path = "/api/v1/deliveries"
    tags = ("deliveries",)

    @get("/")
    async def list_all(
        self,
        needs: NamedDependency[Needs],
        states: Annotated[str, QueryParameter(name="state")] = "",
        channel: FromQuery[str] = "",
        entity: FromQuery[str] = "",
        cursor: FromQuery[str] = "",
        limit: Limit = LIMIT,
    ) -> Deliveries:
        """Those in one of the states (commas between them), on the channel, for the entity; without: all."""
        wanted = _states(states)
        after = place_of(cursor)
        rows = await needs.history.deliveries(limit, states=wanted, channel=channel, entity=entity, after=after)
        places = [Place(row.at_ms, row.entity, row.attempt) for row in rows]
        return Deliveries([_shown(row, row.text or "") for row in rows], cursor_behind(places, limit))

    @get("/{entity:str}/{attempt:int}")
    async def one(self, entity: FromPath[str], attempt: Attempt, needs: NamedDependency[Needs]) -> Delivery:
        """One attempt, with its whole text."""
        row = await needs.history.delivery(entity, attempt)
        if row is None:
            raise problem(404, f"The history knows no attempt {attempt} of {entity}; {CURE}.", "not_found")
        held = await needs.history.records(entity, row.text_seq, row.text_seq, 1) if row.text_seq else []
        return _shown(row, _text(held) or row.text or "")

    @post("/{entity:str}/{attempt:int}/retry", status_code=200)
    async def retry(self, entity: FromPath[str], attempt: Attempt, needs: NamedDependency[Needs]) -> LetterDecided:
        """The dead letter goes again, as a new attempt, before what waits and has not been begun."""
        return await _decide(needs, entity, attempt, RetryDelivery(attempt, "admin"))

    @post("/{entity:str}/{attempt:int}/drop", status_code=200)
    async def drop(self, entity: FromPath[str], attempt: Attempt, needs: NamedDependency[Needs]) -> LetterDecided:
        """The dead letter is never sent."""
        return await _decide(needs, entity, attempt, DropDelivery(attempt, "admin"))


def _states(text: str) -> list[str]:
    """The states that are named; raises 400 for a word that is none."""
    named = [state for state in text.split(",") if state]
    if unknown := set(named) - set(STATES):
        detail = f"state: {', '.join(sorted(unknown))} is none; there are {', '.join(STATES)}."
        raise problem(400, detail, "bad_state")
    return named


async def _decide(needs: Needs, entity: str, attempt: int, command: AnyCommand) -> LetterDecided:
    check_entity(entity, EXAMPLE)
    outcome = await answers.submit(needs.calls, entity, command)
    if outcome.denied is not None and outcome.denied.code == "not_found":
        raise problem(404, f"{outcome.denied.message}; {CURE}.", "not_found")
    if outcome.denied is not None:
        raise denied_problem(outcome.denied)
    record = outcome.records[0]
    return LetterDecided(entity, attempt, record.seq, record.at_ms)


def _shown(row: DeliveryRow, text: str) -> Delivery:
    refs = msgspec.json.decode(row.refs, type=list[str]) if row.refs else []
    return Delivery(
        row.entity, row.attempt, row.state, row.at_ms, row.began_ms or 0, row.channel or "", row.address or "",
        row.tries or 0, row.because or "", row.receipt or "", refs, row.part or 1, row.parts or 1, text,
    )  # fmt: skip


def _text(held: list[Record]) -> str:
    """Of the event that began the attempt."""
    return next((one.event.text for one in held if isinstance(one.event, Attempted | AttemptRefused)), "")
