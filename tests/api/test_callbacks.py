"""What platforms call: committed before it is answered, and never lost for a reason of ours."""

import base64
import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from hub.contract import Answer, Forbidden, Inbound, Parsed, Raw
from hub.domain.commands import KeepUnparsed, ReceiveText
from hub.engine.calls import Denied, Outcome
from tests.api.world import World, problem_of

PATH = "/callbacks/phone/callback"


def inbound(n: int) -> Inbound:
    return Inbound("wangfang", f"m{n}", f"text {n}", 1000 + n)


async def test_what_came_is_committed_in_order_with_its_raw_input_then_answered() -> None:
    world = World()
    seen: list[Raw] = []

    def understand(raw: Raw) -> Parsed:
        seen.append(raw)
        return Parsed(Answer(202, "<ok/>", "text/xml"), (inbound(1), inbound(2)))

    world.phone.understand = understand
    headers = {"x-sign": "1", "cookie": "secret=1"}
    answer = await world.ask("POST", PATH, params={"nonce": "7"}, content=b"\xff<xml>", headers=headers)
    assert (answer.status_code, answer.text, answer.headers["content-type"]) == (202, "<ok/>", "text/xml")
    (raw,) = seen
    assert (raw.route, raw.method, raw.query, raw.body) == ("callback", "POST", {"nonce": "7"}, b"\xff<xml>")
    assert raw.headers["x-sign"] == "1"

    (one, first), (two, second) = world.calls.commands
    assert one == two == "a3-wangfang"
    assert isinstance(first, ReceiveText)
    assert isinstance(second, ReceiveText)
    assert (first.outside_id, second.outside_id) == ("m1", "m2")
    kept = json.loads(first.raw)
    assert base64.b64decode(kept["body"]) == b"\xff<xml>"
    assert (kept["query"], kept["headers"]["x-sign"], "cookie" in kept["headers"]) == ({"nonce": "7"}, "1", False)


async def test_a_check_is_answered_and_nothing_is_stored() -> None:
    world = World()
    answer = await world.ask("GET", PATH)
    assert (answer.status_code, answer.text, world.calls.commands) == (200, "success", [])


async def test_the_channels_own_folder_is_a_route_too() -> None:
    world = World()
    assert (await world.ask("POST", "/callbacks/phone")).status_code == 200
    answer = await world.ask("GET", "/callbacks/phone")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path", ["/callbacks/phone/other", "/callbacks/nobody/callback", "/callbacks/phone/callback/x"]
)
async def test_what_no_channel_takes_is_not_found(path: str) -> None:
    assert problem_of(await World().ask("POST", path))["status"] == 404


async def test_a_forgery_is_refused_with_one_log_line_and_stores_nothing() -> None:
    world = World()

    def understand(raw: Raw) -> Parsed:
        raise Forbidden("wrong signature")

    world.phone.understand = understand
    with capture_logs() as lines:
        answer = await world.ask("POST", PATH, content=b"<xml>")
    assert (problem_of(answer)["status"], world.calls.commands) == (403, [])
    assert "signature" not in answer.text
    assert lines == [
        {
            "event": "callback refused",
            "log_level": "warning",
            "channel": "phone",
            "route": "callback",
            "because": "wrong signature",
        }
    ]


async def test_what_a_connector_stumbles_over_is_kept_and_taken() -> None:
    world = World()

    def understand(raw: Raw) -> Parsed:
        raise KeyError("MsgType")

    world.phone.understand = understand
    with capture_logs() as lines:
        answer = await world.ask("POST", PATH, content=b"<xml>")
    assert (answer.status_code, answer.text) == (200, "")
    ((entity, command),) = world.calls.commands
    assert isinstance(command, KeepUnparsed)
    assert (entity, command.because) == ("i0-phone", "KeyError: 'MsgType'")
    assert base64.b64decode(json.loads(command.raw)["body"]) == b"<xml>"
    assert [line["event"] for line in lines] == ["callback not understood"]
    assert world.stumbled == ["phone"]


async def test_what_a_connector_cannot_read_is_kept_with_its_reason() -> None:
    world = World()
    world.phone.understand = lambda raw: Parsed(Answer(body="success"), unparsed="an event of type 7")
    answer = await world.ask("POST", PATH)
    ((_, command),) = world.calls.commands
    assert isinstance(command, KeepUnparsed)
    assert (answer.text, command.because) == ("success", "an event of type 7")


async def test_what_no_owner_commits_is_taken_once_it_is_on_disk(tmp_path: Path) -> None:
    world = World(disk=tmp_path)
    world.calls.away = True
    world.phone.understand = lambda raw: Parsed(Answer(body="success"), (inbound(1),))
    assert (await world.ask("POST", PATH)).text == "success"
    assert (world.spool.waiting, len(list((tmp_path / "spool").iterdir()))) == (1, 1)


async def test_the_platform_is_asked_to_come_again_while_neither_log_nor_disk_take_anything() -> None:
    world = World()
    world.calls.away = True
    world.phone.understand = lambda raw: Parsed(Answer(body="success"), (inbound(1),))
    answer = await world.ask("POST", PATH)
    assert (problem_of(answer)["code"], answer.status_code, answer.headers["retry-after"]) == ("unavailable", 503, "1")


@pytest.mark.parametrize(("code", "kept"), [("repeated", 0), ("refused", 1), ("not_found", 1)])
async def test_a_refusal_is_answered_as_taken_and_kept_unless_it_was_known(code: str, kept: int) -> None:
    world = World()
    submit = world.calls.submit

    def refuse(entity, command, done, sender=None):  # type: ignore[no-untyped-def]
        if isinstance(command, ReceiveText):
            done(Outcome(denied=Denied(code, "no")))
        else:
            submit(entity, command, done, sender)

    world.calls.submit = refuse  # type: ignore[method-assign]
    world.phone.understand = lambda raw: Parsed(Answer(body="success"), (inbound(1),))
    assert (await world.ask("POST", PATH)).text == "success"
    assert len(world.calls.commands) == kept


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413), (262_145, 413)])
async def test_a_body_is_bounded(size: int, status: int) -> None:
    answer = await World().ask("POST", PATH, content=b"x" * size)
    assert answer.status_code == status


async def test_a_body_without_a_length_is_bounded_as_well() -> None:
    async def endless():  # type: ignore[no-untyped-def]
        while True:
            yield b"x" * 65_536

    answer = await World().ask("POST", PATH, content=endless())
    assert answer.status_code == 413
