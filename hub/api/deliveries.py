"""/api/v1/deliveries: what leaves for visitors on platforms and agents' phones, and what became of it."""

import heapq
import re
from collections.abc import Iterable
from itertools import islice
from operator import attrgetter
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from hub.api import answers
from hub.api.lists import LIMIT, Attempt, Limit, bad_cursor, check_entity, cursor_behind, place_of
from hub.api.needs import Needs
from hub.api.problems import denied_problem, problem
from hub.domain.attempts import Queued
from hub.domain.commands import AnyCommand, DropDelivery, RetryDelivery
from hub.domain.events import Attempted, AttemptRefused, Record
from hub.domain.ids import is_agent, is_conversation
from hub.domain.refusals import NotFound
from hub.engine.calls import Denied, Listed, Wanted
from hub.history.deliveries import STATES
from hub.history.models import DeliveryRow
from hub.history.queries import Place

QUEUED = "queued"
"""The state of what has had no attempt yet; its owner knows it, and the history does not."""
EXAMPLE = "p7-email-k3v9 or a12-wangfang"
INSTEAD = "ask again, or name states without queued for what the history has"
CURE = "`hub deliveries list` shows those that wait; of a phone, only texts with visitors' messages can be sent again"
_WAITS = re.compile(r"(.+)/(\d{1,18})")
"""Stands for the entity in the cursor behind something queued: with the place that it has there."""


class Delivery(msgspec.Struct, omit_defaults=True):
    """One attempt to hand something over, or what waits for one. Moments are Unix milliseconds; what is not known is
    left out.

    `entity` receives it: a conversation, or an agent. `state`: queued, since `at` and without an `attempt`; sending,
    delayed, sent; refused or unknown (it may have arrived), a dead letter; retried (as a later attempt) or dropped, by
    a person; delivered, read or failed, as the platform said later. `refs` are the messages in it; `text` is its
    beginning, or all of it where one is asked for. A message in several parts is queued as the next of them, and while
    that has an attempt the others are no deliveries yet.
    """

    entity: str
    state: str
    at: int
    attempt: int = 0
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
    """For the admin. What is queued is as of this moment, all else as far as the history has come; commands go to the
    owner and are in force when they are answered.

    A history that cannot be read is a 503, never an empty list, and so is an owner that does not answer.
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
        wanted, (begun_after, queued_after) = _states(states), _behind(cursor)
        queued, begun = Listed(()), list[DeliveryRow]()
        if not wanted or QUEUED in wanted:  # asked first: what leaves meanwhile is in the history then, or nearly so
            queued = await _queued(needs, entity, Wanted(limit, channel, queued_after))
            limit = min(limit, len(queued.queued)) if queued.more else limit
        if wanted != [QUEUED]:
            held, history = [state for state in wanted if state != QUEUED], needs.history
            begun = await history.deliveries(limit, states=held, channel=channel, entity=entity, after=begun_after)
        lists: tuple[Iterable[DeliveryRow | Queued], ...] = (begun, queued.queued)
        shown = list(islice(heapq.merge(*lists, key=attrgetter("at_ms"), reverse=True), limit))
        return Deliveries([*map(_listed, shown)], cursor_behind([*map(_place, shown)], limit))

    @get("/{entity:str}/{attempt:int}")
    async def one(self, entity: FromPath[str], attempt: Attempt, needs: NamedDependency[Needs]) -> Delivery:
        """One attempt, with its whole text."""
        _check_begun(entity, attempt)
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
    """The states that are named, each once; raises 400 for a word that is none."""
    named, known = {state for state in text.split(",") if state}, (QUEUED, *STATES)
    if unknown := named.difference(known):
        detail = f"state: {', '.join(sorted(unknown))} is none; there are {', '.join(known)}."
        raise problem(400, detail, "bad_state")
    return sorted(named)


def _behind(cursor: str) -> tuple[Place | None, tuple[int, str, int] | None]:
    """Behind which row of the history the page goes on, and behind which of what is queued. Raises 400.

    Of the same moment the history's come first, each list in its own order: databases sort texts as they are told.
    """
    place = place_of(cursor)
    if place is None:
        return None, None
    if place.number:
        return place, (place.at_ms + 1, "", 0)
    found = _WAITS.fullmatch(place.entity)
    if found is None:
        raise bad_cursor()
    return Place(place.at_ms, "", 0), (place.at_ms, found[1], int(found[2]))


def _place(one: DeliveryRow | Queued) -> Place:
    if isinstance(one, Queued):
        return Place(one.at_ms, f"{one.entity}/{one.place}", 0)
    return Place(one.at_ms, one.entity, one.attempt)


def _check_begun(entity: str, attempt: int) -> None:
    """Raise 404 for the number that what is queued would have."""
    if not attempt:
        detail = f"There is no attempt 0 of {entity}: what is queued goes by itself, and has a number from then on."
        raise problem(404, detail, "not_found")


async def _queued(needs: Needs, entity: str, wanted: Wanted) -> Listed:
    """What waits at the entity, which may be any text, or, where it is empty, anywhere. Raises 503 unless all owners
    answer.
    """
    if entity and not (is_conversation(entity) or is_agent(entity)):
        return Listed(())
    answer: Listed | Denied = await answers.ask(lambda done: needs.calls.queued(entity, wanted, done))
    if isinstance(answer, Listed):
        return answer
    if answer.code == NotFound.code:
        return Listed(())
    raise problem(503, f"{answer.message}: {INSTEAD}.", "unavailable", {"retry-after": "1"})


async def _decide(needs: Needs, entity: str, attempt: int, command: AnyCommand) -> LetterDecided:
    check_entity(entity, EXAMPLE)
    _check_begun(entity, attempt)
    outcome = await answers.submit(needs.calls, entity, command)
    if outcome.denied is not None and outcome.denied.code == "not_found":
        raise problem(404, f"{outcome.denied.message}; {CURE}.", "not_found")
    if outcome.denied is not None:
        raise denied_problem(outcome.denied)
    record = outcome.records[0]
    return LetterDecided(entity, attempt, record.seq, record.at_ms)


def _listed(one: DeliveryRow | Queued) -> Delivery:
    if isinstance(one, DeliveryRow):
        return _shown(one, one.text or "")
    return Delivery(
        one.entity, QUEUED, one.at_ms, channel=one.channel, address=one.address, because=one.because,
        refs=list(one.refs), part=one.part, parts=one.parts, text=one.text,
    )  # fmt: skip


def _shown(row: DeliveryRow, text: str) -> Delivery:
    refs = msgspec.json.decode(row.refs, type=list[str]) if row.refs else []
    return Delivery(
        row.entity, row.state, row.at_ms, row.attempt, row.began_ms or 0, row.channel or "", row.address or "",
        row.tries or 0, row.because or "", row.receipt or "", refs, row.part or 1, row.parts or 1, text,
    )  # fmt: skip


def _text(held: list[Record]) -> str:
    """Of the event that began the attempt."""
    return next((one.event.text for one in held if isinstance(one.event, Attempted | AttemptRefused)), "")
