"""Whatever happens to a whole hub: what waits to be sent can be listed, page by page, at any moment."""

from hub.domain import agent, conversation
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent, Attempted
from hub.domain.ids import AGENT, PLATFORM, kind_of
from tests.domain.hub_walk import Walk
from tests.domain.hub_world import Known

STEPS = 300
KINDS = {AGENT: agent, PLATFORM: conversation}


class Watched(Walk):
    """A walk that lists what waits after each decision, and knows what each place has ever stood for."""

    def __init__(self, seed: int) -> None:
        self.stood_for: dict[tuple[str, int, int], tuple[str, ...]] = {}
        self.most = self.begun = 0
        super().__init__(seed)

    def check(
        self, entity: str, command: AnyCommand, events: list[AnyEvent], known: Known | None, assigned: int
    ) -> None:
        super().check(entity, command, events, known, assigned)
        kind, state = KINDS.get(kind_of(entity)), self.of(entity)
        if kind is None:
            return
        listed = list(kind.queued(state, self.now_ms))
        places = [(one.entity, one.at_ms, one.place) for one in listed]
        assert len({*places}) == len(places), "each has a place of its own"
        assert all(one.entity == entity and one.at_ms for one in listed)
        assert kind.leaves(state) or not listed
        for place, one in zip(places, listed, strict=True):
            assert self.stood_for.setdefault(place, one.refs) == one.refs, f"{place} stood for something else"
        if state.attempt if kind is agent else state.outbox and state.outbox.attempt:
            assert all(one.because.startswith("attempt ") for one in listed)
        self.most = max(self.most, len(listed))
        self.begun += sum(isinstance(event, Attempted) and event.tries == 1 for event in events)


def test_each_that_waits_has_one_place_for_as_long_as_it_does() -> None:
    """20 × 300 steps. The check is the walk's own; what stands below says that it was worth looking."""
    most = begun = places = 0
    for seed in range(200, 220):
        walk = Watched(seed)
        try:
            for _ in range(STEPS):
                walk.step()
        except Exception as error:
            raise AssertionError(f"seed {seed}") from error
        most, begun, places = max(most, walk.most), begun + walk.begun, places + len(walk.stood_for)
    assert most > 3
    assert begun > 500
    assert places > 1000
