"""The agent entity in a world that goes wrong anywhere: never the wrong visitor, nothing lost, nothing twice."""

import pytest

from tests.domain.agent.world import World

STEPS = 1000


@pytest.mark.parametrize("first", range(0, 200, 40))
def test_no_text_reaches_a_visitor_it_was_not_meant_for(first: int) -> None:
    """5 × 40 × 1,000 steps. The checks are the world's own; what stands below says that it was worth looking."""
    answered = released = given_back = recalled = noted = handed_over = duty_changes = shown = 0
    for seed in range(first, first + 40):
        world = World(seed)
        try:
            for _ in range(STEPS):
                world.step()
            world.drain()
            stuck = [thread.waiting for thread in world.threads.values() if thread.mine]
            assert world.state.unreachable or not any(stuck), "every block is shown in the end"
        except Exception as error:
            raise AssertionError(f"seed {seed}, after {world.state.seq} events") from error
        answered += world.answered
        released += world.released
        given_back += world.given_back
        recalled += world.recalled
        noted += world.noted
        handed_over += world.handed_over
        duty_changes += world.duty_changes
        shown += len(world.platform)
    assert answered > 400
    assert released > 5
    assert given_back > 400
    assert recalled > 10
    assert noted > 10
    assert handed_over > 20
    assert duty_changes > 100
    assert shown > 500
