"""One decision of the queue, thought through: the events so far, and the state as it will be after them."""

from collections.abc import Iterable

import msgspec

from hub.domain import events as e
from hub.domain.events import AnyEvent, Record
from hub.domain.queue.evolving import evolve
from hub.domain.queue.fit import next_for, why_next
from hub.domain.queue.fork import Fork
from hub.domain.queue.numbers import Numbers
from hub.domain.queue.state import Lanes, Queue, lines_of, team_of
from hub.domain.teams import Team

AT_ONCE = 10
"""So many events one decision leads to, and a few more; the others follow with the next Tick: the worker does nothing
else meanwhile, and an event takes up to a twentieth of a millisecond."""


class Draft:
    """What `happen` adds is in force in `state` at once, and leaves the queue's own state as it is."""

    def __init__(self, state: Queue, now_ms: int) -> None:
        self.before, self.state, self.now_ms = state, _fork(state), now_ms
        self.events: list[AnyEvent] = []
        self.moved: dict[str, None] = {}
        """Teams whose line somebody has left."""
        self.turned: dict[str, None] = {}
        """Teams of which somebody is on duty now where nobody was, or the other way round."""
        self.overflowed: list[str] = []
        self.unsettled = dict.fromkeys(state.unsettled)
        """Teams for which there is more to decide,"""
        self.astray = dict.fromkeys(state.astray)
        """and lines in which some may belong elsewhere."""
        self.more = False
        """Something had to be left."""

    def happen(self, event: AnyEvent) -> None:
        """This event too."""
        self.events.append(event)
        evolve(self.state, Record(self.state.id, self.state.seq + 1, self.state.seq, self.now_ms, event))

    def full(self) -> bool:
        """Whether the rest has to wait for the next Tick; to be asked when there is a rest."""
        self.more = self.more or len(self.events) >= AT_ONCE
        return self.more

    def leaves(self, conversation: str) -> None:
        """It will stand in its lines no more, or elsewhere: those behind it move up."""
        place = self.state.places.get(conversation)
        if place is not None and not place.agent:
            self.moved.update(dict.fromkeys(lines_of(place)))

    def choose(self, conversation: str, agent: str, because: str, taken: bool = False) -> None:
        """The agent gets it."""
        place, settings = self.state.places[conversation], self.state.loads[agent].settings
        name = team_of(self.state, place.team)
        team = self.state.teams.get(name, Team(name, name))
        self.leaves(conversation)
        self.happen(e.Chosen(
            conversation, place.no, agent, settings.display, name, bool(settings.channel), because,
            team.display, team.patience, team.lead, taken, place.asked,
        ))  # fmt: skip

    def fill(self, agent: str, but: str = "") -> None:
        """The agent has room: the first in their lines get it, without `but`; later, where others wait for that too."""
        while agent in self.state.on_duty and agent in self.state.loads:
            load = self.state.loads[agent]
            spot, line = next_for(self.state, load, self.now_ms, but=but)
            if spot is None or line is None:
                return
            if self.unsettled or self.full():
                self.leave(load.settings.teams)
                return
            self.choose(spot.conversation, agent, why_next(self.state, load, line))

    def leave(self, teams: Iterable[str]) -> None:
        """There is more to decide for these teams: later."""
        self.unsettled.update(dict.fromkeys(teams))


def _fork(state: Queue) -> Queue:
    """The state to think ahead on. It gives no numbers: those that are free take long to copy."""
    return msgspec.structs.replace(
        state,
        places=Fork(state.places),
        numbered=Fork(state.numbered),
        loads=Fork(state.loads),
        lines=Fork(state.lines, list.copy),
        lanes=Fork(state.lanes, _copied),
        slots=Fork(state.slots, list.copy),
        patient=Fork(state.patient, list.copy),
        resting=dict(state.resting),
        untold=dict(state.untold),
        service=Fork(state.service),
        busy=Fork(state.busy),
        numbers=Numbers(),
    )


def _copied(lanes: Lanes) -> Lanes:
    return {lane: spots.copy() for lane, spots in lanes.items()}
