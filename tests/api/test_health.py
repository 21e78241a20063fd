"""GET /api/v1/health: what a load balancer and a person read of a worker."""

import pytest

from hub.engine.calls import Health
from tests.api.world import World


async def test_a_worker_without_troubles_is_ok() -> None:
    answer = await World().ask("GET", "/api/v1/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "reasons": []})


@pytest.mark.parametrize(
    ("health", "reason"),
    [
        (Health("w0", partitions={3: "LOG-3 is damaged"}), "partition 3 is not taken: LOG-3 is damaged"),
        (Health("w0", entities={"c7-a": "PostMessage failed: 我的密码"}), "entities that have stopped: 1; the log and"),
        (Health("w0", warnings=("LOG-3 is 81 % full",)), "LOG-3 is 81 % full"),
    ],
)
async def test_what_a_person_should_look_at_leaves_it_in_the_balancer(health: Health, reason: str) -> None:
    world = World()
    world.health = health
    answer = await world.ask("GET", "/api/v1/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["reasons"][0].startswith(reason)
    assert "密码" not in answer.text


async def test_a_worker_that_refuses_says_why_and_leaves_the_balancer() -> None:
    world = World()
    world.health = Health("w0", refusing="no room", warnings=("no room", "LOG-3 is 81 % full"))
    answer = await world.ask("GET", "/api/v1/health")
    assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
    assert answer.json() == {"status": "refusing", "reasons": ["no room", "LOG-3 is 81 % full"]}
