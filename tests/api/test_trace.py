"""The way of a message over HTTP: each step with its time, and no more of anybody's words than was asked for."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hub.contract import Raw
from hub.domain import events as e
from hub.domain.messages import Outgoing, Profile, Reach
from hub.engine.ingest import encode_raw
from tests.api.test_unparsed import PhoneSettings
from tests.api.world import World, problem_of
from tests.history.batches import batch, record

MAIL = "p0-phone-x"
TRACE = "/api/v1/trace"
CAME = Raw("POST", {"sign": "x"}, {"host": "hub"}, "我的电话是 13812345678，geheim99".encode(), 5000)
STORY: list[e.AnyEvent] = [
    e.Reached(Reach("phone", "zhang@example.org")),
    e.Opened(Profile("phone")),
    e.MessagePosted(
        "", "我的电话是 13812345678，请回电", because=("call-me",), outside_id="<m1@x.org>", raw=encode_raw(CAME)
    ),
    e.AutoReplied("我们马上给您回电话，请稍等"),
    e.Attempted(1, "phone", "zhang@example.org", "我们马上给您回电话，请稍等", message=Outgoing((4,))),
    e.AttemptDelayed(1, "busy", 9_000),
]  # fmt: skip


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(disk=tmp_path)
    world.phone.settings = PhoneSettings()
    await world.tell(batch(*(record(MAIL, seq, event) for seq, event in enumerate(STORY, 1))))
    yield world
    await world.history.close()


async def test_each_step_is_told_with_its_time_and_without_its_words(world: World) -> None:
    said = (await world.ask("GET", f"{TRACE}/{MAIL}/3", "admin")).json()
    assert (said["message"], said["complete"]) == (f"{MAIL}/3", True)
    (came,) = said["steps"]
    assert (came["at"], came["ms"], came["entity"], came["seq"], came["event"]) == (
        1_000_003, 0, MAIL, 3, "MessagePosted",
    )  # fmt: skip
    assert came["says"] == {
        "id": "", "text": "我的电话是 1•••… (21 characters)", "because": ["call-me"], "outside_id": "<m1@x.org>",
        "raw": {
            "method": "POST", "query": {"sign": "•••"}, "headers": {"host": "hub"},
            "body": "我的电话是 1•••… (26 characters)", "received_at_ms": 5000, "route": "",
        },
    }  # fmt: skip


async def test_texts_are_shown_on_demand_but_no_secret_and_no_whole_address(world: World) -> None:
    said = (await world.ask("GET", f"{TRACE}/{MAIL}/3", "admin", params={"texts": True})).json()
    says = said["steps"][0]["says"]
    assert says["text"] == "我的电话是 1•••8，请回电"
    assert says["raw"]["body"] == "我的电话是 1•••8，•••"


async def test_the_tries_to_hand_it_over_are_steps(world: World) -> None:
    steps = (await world.ask("GET", f"{TRACE}/{MAIL}/4", "admin")).json()["steps"]
    assert [(step["event"], step["ms"]) for step in steps] == [
        ("AutoReplied", 0), ("Attempted", 1), ("AttemptDelayed", 2),
    ]  # fmt: skip
    assert steps[1]["says"]["address"] == "z•••g"
    assert steps[2]["says"] == {"attempt": 1, "because": "busy", "retry_at_ms": 9_000}


async def test_a_message_is_found_by_what_its_platform_calls_it(world: World) -> None:
    params = {"outside_id": "<m1@x.org>", "channel": "phone"}
    said = (await world.ask("GET", TRACE, "admin", params=params)).json()
    assert said["message"] == f"{MAIL}/3"
    answer = await world.ask("GET", TRACE, "admin", params=params | {"outside_id": "m2"})
    assert problem_of(answer)["detail"] == (
        "No message of phone is called m2; `hub unparsed list` shows what nobody could read."
    )
    assert problem_of(await world.ask("GET", TRACE, "admin", params={"channel": "phone"}))["status"] == 400


async def test_what_is_not_in_the_history_is_not_found(world: World) -> None:
    for place in (f"{MAIL}/99", "nonsense/1", "c7-abc/1"):
        assert problem_of(await world.ask("GET", f"{TRACE}/{place}", "admin"))["code"] == "not_found"
