"""The HTTP client lets no secret into the log and follows no redirect."""

import logging

import httpx
import pytest

from connectors.tencent.client import open_client


async def test_the_log_shows_the_path_and_not_the_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "httpx")  # whatever level the hub has given it
    async with open_client("http://127.0.0.1:9") as client:
        client._transport = httpx.MockTransport(lambda request: httpx.Response(200))
        client._mounts = {}
        await client.get("/cgi-bin/gettoken", params={"corpsecret": "hush"})
    assert "/cgi-bin/gettoken" in caplog.text
    assert "hush" not in caplog.text


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def redirect(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(302, headers={"location": "https://elsewhere.example/"})

    async with open_client("http://127.0.0.1:9") as client:
        client._transport = httpx.MockTransport(redirect)
        client._mounts = {}
        answer = await client.get("/", params={"access_token": "hush"})
    assert answer.status_code == 302
    assert asked == ["127.0.0.1"]
