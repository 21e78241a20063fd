"""What those who wait are told: their position and how long it may take, no more often than it means something."""

from collections.abc import Iterable

from hub.domain import events as e
from hub.domain.hours import opens_at
from hub.domain.messages import Wait
from hub.domain.queue.draft import Draft
from hub.domain.queue.fit import chooses, position, speaks, spoken, why_nobody
from hub.domain.queue.state import Place, Queue, lines_of, team_of
from hub.domain.queue.waits import LEAST, Service, expected

TURNED = 50
"""So many of a line are told when somebody comes on duty, or nobody is any more; the others when they come nearer."""
PAUSE_MS = 10_000
"""So long nobody hears again that they have moved up, unless they are the next: in a line that moves fast each of many
messages would be out of date before it is read."""


def is_served(state: Queue, place: Place) -> bool:
    """Whether somebody is on duty for it."""
    return any(state.slots.get(team) for team in lines_of(place))


def shown_line(state: Queue, place: Place) -> str:
    """The team in whose line its position counts: the first of those with somebody on duty."""
    lines = lines_of(place)
    return next((team for team in lines if state.slots.get(team)), lines[0])


class Outlook:
    """How long it may take, as of one moment; what all in a line have in common is looked up once."""

    def __init__(self, state: Queue, now_ms: int, before: Queue | None = None) -> None:
        """`before`: the state that `state` was forked from; what both say alike is quicker to find there."""
        self._state, self._now_ms = state, now_ms
        self._loads = (before or state).loads
        self._busy = {team for team, line in (before or state).lines.items() if line}
        self._slots: dict[tuple[str, str], float] = {}
        self._among: dict[tuple[str, ...], int] = {}
        """Of agents in these teams: how many lines they serve."""
        self._opens: dict[str, int] = {}

    def wait(self, place: Place, line: str, position: int) -> Wait:
        """What its visitor is told beside the position in that line."""
        state, own = self._state, team_of(self._state, place.team)
        team = state.teams.get(own)
        if team is None:
            return Wait()
        full = 0 < team.max_waiting < position
        if not is_served(state, place):
            zone = team.hours.zone if team.hours else ""
            return Wait(
                full=full, opens_at_ms=self._opens_at(own), zone=zone, away=team.away, away_en=team.away_en
            )  # fmt: skip
        low_s, high_s = self._expected(place, line, position)
        return Wait(low_s, high_s, full, away=team.away if full else "", away_en=team.away_en if full else "")

    def _expected(self, place: Place, line: str, position: int) -> tuple[int, int]:
        if not chooses(self._state, line):
            return 0, 0  # it depends on those who take
        service = self._state.busy.get(line, Service())
        if service.count < LEAST:
            service = self._state.service.get(line, Service())
        return expected(service, position, self._slots_of(line, spoken(self._state, line, place)))

    def _slots_of(self, team: str, language: str) -> float:
        """How many conversations its agents can have at a time, less what other lines will get of them."""
        if (team, language) not in self._slots:
            loads, among, slots = self._loads, self._among, 0.0
            for slot in self._state.slots[team]:
                settings = loads[slot.agent].settings
                if speaks(settings, language):
                    if settings.teams not in among:
                        among[settings.teams] = len(self._busy.intersection(settings.teams)) or 1
                    slots += settings.capacity / among[settings.teams]
            self._slots[team, language] = slots
        return self._slots[team, language]

    def _opens_at(self, name: str) -> int:
        if name not in self._opens:
            hours = self._state.teams[name].hours
            at_ms = opens_at(hours, self._now_ms) if hours else None
            self._opens[name] = at_ms if at_ms is not None and at_ms > self._now_ms else 0
        return self._opens[name]


def tell(draft: Draft) -> None:
    """Tell who has not been told yet, the first of a line that has somebody now or nobody more, who is much nearer."""
    state = draft.state
    outlook = Outlook(state, draft.now_ms, draft.before)
    for conversation in list(state.untold):
        if draft.full():
            break
        _tell(draft, outlook, conversation)
    turned = [conversation for team in draft.turned for conversation in _turned(state, team)]
    for conversation in dict.fromkeys([*draft.overflowed, *turned]):
        place = state.places[conversation]
        if not place.agent and place.told and place.told_on_duty != is_served(state, place):
            if draft.full():
                break
            _tell(draft, outlook, conversation)
    for team in draft.moved:
        for at in _powers_of_two(len(state.lines.get(team, ()))):
            conversation = state.lines[team][at - 1].conversation
            place = state.places[conversation]
            if 2 * at > place.told or shown_line(state, place) != team:
                continue
            if at == 1 or not 0 <= draft.now_ms - place.told_ms < PAUSE_MS:  # the clock may have been set back
                if draft.full():
                    return
                _tell(draft, outlook, conversation)


def _turned(state: Queue, team: str) -> Iterable[str]:
    """The first of a line, but for those who were told last what its own team says: most of them."""
    served = bool(state.slots.get(team))
    for spot in state.lines.get(team, [])[:TURNED]:
        place = state.places[spot.conversation]
        if place.told_on_duty != served or not (served or place.further == ()):
            yield spot.conversation


def _tell(draft: Draft, outlook: Outlook, conversation: str) -> None:
    state = draft.state
    place = state.places[conversation]
    line = shown_line(state, place)
    at = position(state, conversation, place, line)
    draft.happen(e.Told(
        conversation, place.no, team_of(state, place.team), at, is_served(state, place), place.lost,
        outlook.wait(place, line, at), why_nobody(state, place),
    ))  # fmt: skip


def _powers_of_two(highest: int) -> Iterable[int]:
    return (1 << power for power in range(highest.bit_length()))
