"""What platforms call: committed before it is answered, and never lost for a reason of ours."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

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
    "path",
    [
        "/callbacks", "/callbacks/", "/callbacks/phone/other", "/callbacks/nobody/callback",
        "/callbacks/phone/callback/x",
    ],
)  # fmt: skip
async def test_what_no_channel_takes_is_not_found(path: str) -> None:
    assert problem_of(await World().ask("POST", path))["status"] == 404


@pytest.mark.parametrize("by", ["trust", "understand"])
async def test_a_forgery_is_refused_with_one_log_line_and_stores_nothing(by: str) -> None:
    world = World()

    def refuse(raw: Raw) -> Parsed:
        raise Forbidden("wrong signature")

    setattr(world.phone, by, refuse)
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


async def test_what_a_connector_cannot_verify_is_refused_and_stores_nothing() -> None:
    world = World()

    def stumble(raw: Raw) -> None:
        raise KeyError("x-sign")

    world.phone.trust = stumble
    with capture_logs() as lines:
        answer = await world.ask("POST", PATH, content=b"<xml>")
    assert (problem_of(answer)["status"], world.calls.commands) == (403, [])
    assert [(line["event"], line["channel"]) for line in lines] == [("callback cannot be verified", "phone")]


async def test_a_secret_in_a_header_is_seen_by_verify_alone() -> None:
    world = World()
    trusted, understood = list[str](), list[Raw]()
    world.phone.trust = lambda raw: trusted.append(raw.headers["x-secret"])

    def understand(raw: Raw) -> Parsed:
        understood.append(raw)
        return Parsed(unparsed="an event of type 7")

    world.phone.understand = understand
    await world.ask("POST", "/callbacks/phone", headers={"X-Secret": "hush", "X-Other": "1"})
    assert trusted == ["hush"]
    assert [(raw.headers.get("x-secret"), raw.headers["x-other"]) for raw in understood] == [(None, "1")]
    ((_, command),) = world.calls.commands
    assert isinstance(command, KeepUnparsed)
    assert "hush" not in command.raw


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


parsed: Any = Parsed
answer: Any = Answer
"""As a careless connector makes them, whose types nobody checks."""


@pytest.mark.parametrize(
    "made",
    [None, parsed(None), parsed(answer(body="\ud83d")), parsed(answer(body=b"ok")), parsed(answer(200, "", "你"))],
)
async def test_what_cannot_be_answered_as_a_connector_says_is_kept_and_taken(made: Any) -> None:
    world = World()
    world.phone.understand = lambda raw: made
    with capture_logs() as lines:
        answer = await world.ask("POST", PATH, content=b"<xml>")
    assert (answer.status_code, answer.text) == (200, "")
    ((_, command),) = world.calls.commands
    assert isinstance(command, KeepUnparsed)
    assert [line["event"] for line in lines] == ["callback not understood"]


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
    assert (world.spool.waiting, len(list((tmp_path / "spool").glob("*.spool")))) == (1, 1)


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
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65_536

    answer = await World().ask("POST", PATH, content=endless())
    assert answer.status_code == 413


@pytest.mark.parametrize("path", ["/callbacks/phone/callback/", "/callbacks//phone///callback"])
async def test_slashes_too_many_change_nothing(path: str) -> None:
    assert (await World().ask("GET", path)).text == "success"


async def test_of_several_headers_or_parameters_with_one_name_one_is_kept() -> None:
    world = World()
    seen: list[Raw] = []

    def understand(raw: Raw) -> Parsed:
        seen.append(raw)
        return Parsed()

    world.phone.understand = understand
    await world.client.get(PATH + "?a=1&a=%E4%BD%A0+2&b", headers=[("X-A", "first"), ("x-a", "second")])
    assert (seen[0].query, seen[0].headers["x-a"]) == ({"a": "你 2", "b": ""}, "first")


async def test_a_fault_of_ours_is_logged_and_tells_the_platform_to_come_again() -> None:
    async def take(channel: str, parsed: Parsed, raw: Raw) -> None:
        raise RuntimeError("a secret of the house")

    with capture_logs() as lines:
        answer = await World(take=take).ask("POST", PATH)
    assert problem_of(answer)["status"] == 500
    assert "secret" not in answer.text
    assert [line["event"] for line in lines] == ["request failed"]


async def test_who_goes_in_the_middle_of_a_request_brings_nothing() -> None:
    world = World()
    arriving = iter([{"type": "http.request", "body": b"<x", "more_body": True}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        return next(arriving)

    async def send(message: Any) -> None:
        raise AssertionError("nobody is there to be answered")

    scope = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": []}
    await world.app(scope, receive, send)  # type: ignore[arg-type]
    assert world.calls.commands == []
