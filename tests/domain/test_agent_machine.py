"""The agent entity in a world that goes wrong anywhere: never the wrong visitor, nothing lost, nothing twice."""

import pytest

from tests.domain.agent_world import World

RUNS, STEPS = 100, 600


@pytest.mark.parametrize("first", range(0, RUNS, 10))
def test_no_text_reaches_a_visitor_it_was_not_meant_for(first: int) -> None:
    answered = released = given_back = shown = 0
    for seed in range(first, first + 10):
        world = World(seed)
        try:
            for _ in range(STEPS):
                world.step()
            world.drain()
        except Exception as error:
            raise AssertionError(f"seed {seed}, seq {world.state.seq}") from error
        answered += world.answered
        released += world.released
        given_back += world.given_back
        shown += len(world.platform)
        if not world.state.unreachable:
            assert not [thread for thread in world.threads.values() if thread.mine and thread.waiting], seed
    assert answered > 200
    assert released > 5
    assert given_back > 20
    assert shown > 300
