"""The wire carries requests unchanged, and each mishap happens where its name says."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar, Request, Response, post

from hub.kit.far_side import Reply
from hub.kit.http_wire import HttpWire
from hub.kit.serving import serving
from hub.kit.wire import Mishap, port_of


class Site:
    """A wire between a client and a server, which writes down what it was asked."""

    def __init__(self, wire: HttpWire, http: httpx.AsyncClient, asked: list[bytes]) -> None:
        self.wire, self.http, self.asked = wire, http, asked

    async def ask(self, body: bytes = b"hello", read_s: float = 10) -> str:
        """The status of the answer, or why there is none within `read_s`."""
        patience = httpx.Timeout(10, read=read_s)
        try:
            return str((await self.http.post("/say?a=1", content=body, timeout=patience)).status_code)
        except httpx.HTTPError as error:
            return type(error).__name__


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    asked = list[bytes]()

    @post("/say", status_code=200)
    async def say(request: Request[Any, Any, Any]) -> Response[bytes]:
        asked.append(await request.body())
        return Response(b"x" * 100)

    async with (
        serving(Litestar([say], logging_config=None)) as url,
        HttpWire(port_of(url)) as wire,
        httpx.AsyncClient(base_url=wire.url, trust_env=False) as http,
    ):
        yield Site(wire, http, asked)


async def test_a_request_goes_through_unchanged_and_is_written_down(site: Site) -> None:
    assert await site.ask("您好".encode() * 20_000) == "200"
    assert site.asked == ["您好".encode() * 20_000]
    assert site.wire.requests[0].contains("/say?a=1 您好")
    assert site.wire.answered == 1


@pytest.mark.parametrize("mishap", ["reset", "cut", "refuse", "lose", "break", "spoil", "swallow", "answer"])
async def test_a_mishap_happens_before_or_after_the_work(site: Site, mishap: Mishap) -> None:
    with site.wire.fault(mishap, "/say", times=1, reply=Reply(429)) as fault:
        assert await site.ask(read_s=0.5) != "200"
        assert await site.ask() == "200"
    assert fault.hits == 1
    assert len(site.asked) == (1 if mishap in (*HttpWire.before, "answer") else 2)


async def test_an_answer_that_comes_drop_by_drop_is_whole(site: Site) -> None:
    with site.wire.fault("drip"):
        assert await site.ask() == "200"


async def test_what_is_on_hold_goes_on_when_the_fault_is_over_unless_nobody_waits_any_more(site: Site) -> None:
    with site.wire.fault("hold"):
        assert await site.ask(b"given up", read_s=0.2) == "ReadTimeout"
    assert await site.ask(b"later") == "200"
    assert site.asked == [b"later"]


async def test_a_fault_takes_only_requests_that_hold_all_its_words(site: Site) -> None:
    with site.wire.fault("reset", "/say bird7"):
        assert await site.ask(b"to bird8") == "200"
        assert await site.ask(b"to bird7") == "ReadError"


async def test_a_wire_that_is_gone_refuses_and_comes_back(site: Site) -> None:
    async with site.wire.gone():
        assert await site.ask() == "ConnectError"
    assert await site.ask() == "200"


async def test_the_same_bytes_can_be_sent_again(site: Site) -> None:
    with contextlib.suppress(httpx.HTTPError):
        await site.ask()
    assert await site.wire.again(site.wire.requests[0]) == 200
    assert site.asked == [b"hello", b"hello"]
