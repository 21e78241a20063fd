"""How each event of the queue changes its state."""

import msgspec

from hub.domain import events as e
from hub.domain.commands import Origin
from hub.domain.events import Record
from hub.domain.origins import note
from hub.domain.queue.arranging import arrange
from hub.domain.queue.lines import leave_lines, line_off, line_up, move, stand
from hub.domain.queue.state import Place, Queue, charge, team_of
from hub.domain.queue.waits import Service, measured


def evolve(state: Queue, record: Record, origin: Origin | None = None) -> None:
    """Bring the state to where the event is in force."""
    event = record.event
    state.seq = record.seq
    if origin is not None:
        note(state.origins, origin)
    match event:
        case e.Enqueued():
            _enqueue(state, event, record)
        case e.Overflowed(conversation=conversation, team=team):
            place = leave_lines(state, conversation)
            further = (*place.further, team)
            stand(state, conversation, msgspec.structs.replace(place, further=further, joined_ms=record.at_ms))
        case e.Rerouted(conversation=conversation, team=team):
            place = leave_lines(state, conversation)
            further = tuple(line for line in place.further if line in state.teams and line != team)
            stand(state, conversation, msgspec.structs.replace(place, line=team, further=further))
        case e.Told(conversation=conversation, position=position, on_duty=on_duty):
            place = state.places[conversation]
            state.untold.pop(conversation, None)
            state.places[conversation] = msgspec.structs.replace(
                place, told=position, told_on_duty=on_duty, told_ms=record.at_ms, lost=""
            )  # fmt: skip
        case e.Chosen(conversation=conversation, agent=agent):
            _give(state, conversation, agent, record)
        case e.Left(conversation=conversation, no=no, free_at_ms=free_at_ms):
            _drop(state, conversation, record.at_ms)
            del state.numbered[no]
            state.numbers.give_back(no, free_at_ms)
        case e.DutySet(agent=agent, on=on):
            _change_duty(state, agent, on)
        case e.TeamsChanged():
            arrange(state, event, record.at_ms)
        case e.Settling(more=more, teams=teams, astray=astray):
            state.unsettled, state.astray = list(teams or state.teams) if more else [], list(astray)


def _enqueue(state: Queue, event: e.Enqueued, record: Record) -> None:
    since = record.seq
    if event.conversation in state.places:
        since = state.places[event.conversation].since
        _drop(state, event.conversation, record.at_ms, measure=not event.avoid_until_ms)
    else:
        state.numbers.take(event.no, record.at_ms)
        state.numbered[event.no] = event.conversation
    place = Place(
        event.no, since, event.team, event.priority, record.at_ms, event.channel, event.language, event.name,
        avoid=event.avoid, avoid_until_ms=event.avoid_until_ms, last=event.last, last_ms=event.last_ms,
        line=team_of(state, event.team), joined_ms=record.at_ms, asked=event.asked,
    )  # fmt: skip
    stand(state, event.conversation, place)


def _give(state: Queue, conversation: str, agent: str, record: Record) -> None:
    place = leave_lines(state, conversation)
    state.places[conversation] = msgspec.structs.replace(
        place, agent=agent, at_ms=record.at_ms,
        avoid="", avoid_until_ms=0, further=(), told=0, told_on_duty=False, lost="",
    )  # fmt: skip
    load = state.loads[agent]
    weight = load.load + charge(load, place.channel)
    full_ms = (load.full_ms or record.at_ms) if weight >= load.settings.capacity else 0
    held = (*load.held, conversation)
    move(state, msgspec.structs.replace(load, load=weight, held=held, latest=record.seq, full_ms=full_ms))


def _drop(state: Queue, conversation: str, at_ms: int, measure: bool = True) -> None:
    """Take the conversation out of its lines, or from its agent."""
    place = state.places[conversation]
    if place.agent:
        load = state.loads[place.agent]
        weighs = charge(load, place.channel)
        weight = load.load - weighs
        full_ms = at_ms if weight >= load.settings.capacity else 0
        held = tuple(other for other in load.held if other != conversation)
        move(state, msgspec.structs.replace(load, load=weight, held=held, full_ms=full_ms))
        if measure:
            team = team_of(state, place.team)
            _measure(state.service, team, (at_ms - place.at_ms) * weighs)
            if load.full_ms:
                _measure(state.busy, team, (at_ms - load.full_ms) * load.load)
    else:
        leave_lines(state, conversation)
    del state.places[conversation]


def _measure(services: dict[str, Service], team: str, took_ms: int) -> None:
    services[team] = measured(services.get(team, Service()), max(0, took_ms) / 1000)


def _change_duty(state: Queue, agent: str, on: bool) -> None:
    if on:
        state.on_duty = state.on_duty | {agent}
        line_up(state, agent)
    else:
        line_off(state, agent)
        state.on_duty = state.on_duty - {agent}
