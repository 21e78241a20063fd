"""What nobody could read, over HTTP: looked at without its secrets, and read again after a fix."""

from collections.abc import AsyncIterator
from pathlib import Path

import pydantic
import pytest

from hub.contract import Answer, Forbidden, Inbound, Parsed, Raw
from hub.domain.commands import ReceiveText
from hub.domain.events import Unparsed
from hub.engine.calls import Denied, Outcome
from hub.engine.ingest import encode_raw
from tests.api.world import World, problem_of
from tests.history.batches import batch, record

LIST = "/api/v1/unparsed"
INTAKE = "i0-phone"
CAME = Raw(
    "POST",
    {"msg_signature": "abc", "nonce": "7"},
    {"x-sign": "s"},
    b"<xml>call 13812345678, geheim99</xml>",
    5000,
    "callback",
)


class PhoneSettings(pydantic.BaseModel):
    secret: pydantic.SecretStr = pydantic.SecretStr("geheim99")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(disk=tmp_path)
    world.phone.settings = PhoneSettings()
    await world.tell(
        batch(
            record(INTAKE, 1, Unparsed("KeyError: 'MsgType'", encode_raw(CAME))),
            record(INTAKE, 2, Unparsed("too long", "attachment i0-phone.raw")),
            record("i0-fax", 1, Unparsed("no paper", encode_raw(CAME))),
        )
    )
    yield world
    await world.history.close()


async def test_they_are_listed_the_latest_first(world: World) -> None:
    said = (await world.ask("GET", LIST, "admin", params={"limit": 2})).json()
    assert [(one["entity"], one["seq"], one["channel"], one["because"]) for one in said["unparsed"]] == [
        (INTAKE, 2, "phone", "too long"),
        (INTAKE, 1, "phone", "KeyError: 'MsgType'"),
    ]
    rest = (await world.ask("GET", LIST, "admin", params={"limit": 2, "cursor": said["cursor"]})).json()
    assert [one["entity"] for one in rest["unparsed"]] == ["i0-fax"]
    assert (await world.ask("GET", LIST, "admin", params={"channel": "fax"})).json()["cursor"] == ""


async def test_one_is_shown_without_its_secrets_and_with_its_body_on_demand(world: World) -> None:
    path = f"{LIST}/{INTAKE}/1"
    raw = (await world.ask("GET", path, "admin")).json()["raw"]
    assert raw == {
        "method": "POST", "query": {"msg_signature": "•••", "nonce": "7"}, "headers": {"x-sign": "•••"},
        "body": "<xml>call … (37 characters)", "received_at_ms": 5000, "route": "callback",
    }  # fmt: skip
    whole = (await world.ask("GET", path, "admin", params={"texts": True})).json()["raw"]
    assert whole["body"] == "<xml>call 1•••8, •••</xml>"
    kept = (await world.ask("GET", f"{LIST}/{INTAKE}/2", "admin")).json()["raw"]
    assert kept == {"kept_as": "attachment i0-phone.raw"}


async def test_what_can_be_read_now_is_taken_and_a_second_time_known(world: World) -> None:
    seen: list[Raw] = []

    def understand(raw: Raw) -> Parsed:
        seen.append(raw)
        return Parsed(Answer(), (Inbound("wangfang", "m1", "text", 1000),))

    world.phone.understand = understand
    answer = await world.ask("POST", f"{LIST}/{INTAKE}/1/replay", "admin")
    assert (answer.status_code, answer.json()) == (200, {"taken": [{"entity": "a3-wangfang"}]})
    assert seen == [CAME]
    ((entity, command),) = world.calls.commands
    assert isinstance(command, ReceiveText)
    assert (entity, command.outside_id, command.raw) == ("a3-wangfang", "m1", encode_raw(CAME))

    world.calls.submit = lambda entity, command, done, sender=None: done(  # type: ignore[method-assign]
        Outcome(denied=Denied("repeated", "carried out before, as event 7", seq=7))
    )
    again = await world.ask("POST", f"{LIST}/{INTAKE}/1/replay", "admin")
    assert again.json() == {"taken": [{"entity": "a3-wangfang", "seq": 7, "known": True}]}


def forbid(raw: Raw) -> Parsed:
    raise Forbidden("the signature is for geheim99")


def stumble(raw: Raw) -> Parsed:
    raise KeyError("MsgType")


@pytest.mark.parametrize(
    ("understand", "seq", "says"),
    [
        (forbid, 1, "the connector refuses it: the signature is for •••"),
        (stumble, 1, "KeyError: 'MsgType'"),
        (lambda raw: Parsed(unparsed="an event of type 7"), 1, "an event of type 7"),
        (stumble, 2, "is not kept"),
    ],
)
async def test_what_still_cannot_be_read_says_why_and_stays_as_it_is(
    world: World, understand: object, seq: int, says: str
) -> None:
    world.phone.understand = understand  # type: ignore[assignment]
    answer = await world.ask("POST", f"{LIST}/{INTAKE}/{seq}/replay", "admin")
    assert (answer.status_code, problem_of(answer)["code"]) == (409, "unread")
    assert says in answer.json()["detail"]
    assert world.calls.commands == []


async def test_what_is_kept_nowhere_is_not_found(world: World) -> None:
    for place in ("i0-phone/9", "i0-nobody/1", "c7-abc/1"):
        assert problem_of(await world.ask("GET", f"{LIST}/{place}", "admin"))["code"] == "not_found"
        assert problem_of(await world.ask("POST", f"{LIST}/{place}/replay", "admin"))["code"] == "not_found"


async def test_the_input_of_a_channel_that_is_off_waits(world: World) -> None:
    answer = await world.ask("POST", f"{LIST}/i0-fax/1/replay", "admin")
    assert "the channel fax is off: switch it on in config/hub.yaml" in problem_of(answer)["detail"]
