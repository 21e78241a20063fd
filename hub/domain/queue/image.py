"""What is kept of the queue in an image, and how all of it is made from that."""

from collections.abc import Generator

import msgspec

from hub.domain.queue.lines import enlist, line_up, stand
from hub.domain.queue.numbers import Numbers
from hub.domain.queue.state import Kept, Queue

AT_ONCE = 16
"""So many agents or conversations are put in their places in one step, in a fifth of a millisecond or less."""


def kept(state: Queue) -> Kept:
    """A copy that what happens next leaves as it is; of 10,000 who wait it takes a tenth of a millisecond or two."""
    numbers = state.numbers
    return Kept(
        state.id, state.seq, state.rules, state.places.copy(), state.loads.copy(), state.on_duty, state.unsettled,
        state.astray, state.service.copy(), state.busy.copy(),
        Numbers(numbers.highest, numbers.free.copy(), numbers.resting.copy()), state.origins.copy(),
    )  # fmt: skip


def rebuilt(image: Kept) -> Generator[None, None, Queue]:
    """The queue of which this was kept, step by step."""
    state = Queue(**msgspec.structs.asdict(image), teams={team.name: team for team in image.rules.teams})
    for team in state.teams:
        state.lines[team], state.lanes[team], state.slots[team] = [], {}, []
        state.members[team], state.languages[team] = 0, set()
    for at, load in enumerate(state.loads.values()):
        enlist(state.members, state.languages, load)
        if at % AT_ONCE == 0:
            yield
    for at, agent in enumerate(state.on_duty):
        line_up(state, agent)
        if at % AT_ONCE == 0:
            yield
    for at, (conversation, place) in enumerate(state.places.items()):
        state.numbered[place.no] = conversation
        if not place.agent:
            stand(state, conversation, place)
        if at % AT_ONCE == 0:
            yield
    return state
