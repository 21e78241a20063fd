"""The stand-in as others see it: a stranger's client, and robots over HTTP."""

import asyncio
import hashlib
import io
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from wechatpy.enterprise import WeChatClient  # type: ignore[import-untyped]
from wechatpy.exceptions import WeChatClientException  # type: ignore[import-untyped]

from connectors.wecom.conftest import Clock
from connectors.wecom.sandbox import WeComSandbox


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[WeComSandbox]:
    async with WeComSandbox({"wangfang": "王芳", "lisi": "李四"}, now=clock, retry_after_s=0.01) as running:
        yield running


@pytest.fixture
async def http(sandbox: WeComSandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        yield client


def png(width: int, height: int) -> bytes:
    """A picture of stripes."""
    rows = b"".join(b"\0" + bytes((240, 90 + y % 120, 60)) * width for y in range(height))
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


async def show(sandbox: WeComSandbox, text: str, user: str = "wangfang") -> None:
    """The app sends a text."""
    await asyncio.to_thread(client_of(sandbox).message.send_text, sandbox.account.agent_id, user, text)


# --- a stranger ----------------------------------------------------------------------------------------------------


def client_of(sandbox: WeComSandbox, secret: str = "") -> Any:
    """wechatpy's own WeCom client, pointed at the stand-in; it knows nothing of this project."""

    class Stranger(WeChatClient):  # type: ignore[misc]
        API_BASE_URL = f"{sandbox.url}/cgi-bin/"

        def fetch_access_token(self) -> Any:
            params = {"corpid": self.corp_id, "corpsecret": self.secret}
            return self._fetch_access_token(f"{sandbox.url}/cgi-bin/gettoken", params)

    return Stranger(sandbox.account.corp_id, secret or sandbox.account.secret, timeout=5)


async def test_a_strangers_client_sends_and_renews_its_token(sandbox: WeComSandbox) -> None:
    stranger = client_of(sandbox)
    agent_id = sandbox.account.agent_id
    await asyncio.to_thread(stranger.message.send_text, agent_id, ["wangfang", "lisi"], "第一条")
    sandbox.far_side.expire_tokens()
    await asyncio.to_thread(stranger.message.send_text, agent_id, "wangfang", "第二条")
    assert [bubble.text for bubble in await sandbox.texts("wangfang")] == ["第一条", "第二条"]
    assert [bubble.text for bubble in await sandbox.texts("lisi")] == ["第一条"]
    assert sandbox.ledger().calls["gettoken"] == 2


async def test_a_strangers_client_understands_the_refusals(sandbox: WeComSandbox) -> None:
    stranger = client_of(sandbox)
    with pytest.raises(WeChatClientException) as raised:
        await asyncio.to_thread(stranger.message.send_text, sandbox.account.agent_id, "nobody", "在吗")
    assert raised.value.errcode == 81013
    with pytest.raises(WeChatClientException) as raised:
        await asyncio.to_thread(client_of(sandbox, secret="wrong").fetch_access_token)
    assert raised.value.errcode == 40001


async def test_a_strangers_client_uploads_and_shows_a_file(sandbox: WeComSandbox, http: httpx.AsyncClient) -> None:
    stranger, picture = client_of(sandbox), png(2, 2)
    named = io.BytesIO(picture)
    named.name = "cat.png"
    kept = await asyncio.to_thread(stranger.media.upload, "image", named)
    await asyncio.to_thread(stranger.message.send_image, sandbox.account.agent_id, "wangfang", kept["media_id"])
    (bubble,) = await sandbox.texts("wangfang")
    assert bubble.file is not None
    assert (bubble.file.kind, bubble.file.name) == ("image", "cat.png")
    # its own download has the real host's address written into it
    params = {"access_token": stranger.access_token, "media_id": kept["media_id"]}
    downloaded = await http.get("/cgi-bin/media/get", params=params)
    assert (downloaded.content, downloaded.headers["content-type"]) == (picture, "image/png")
    with pytest.raises(WeChatClientException) as raised:
        await asyncio.to_thread(stranger.media.upload, "image", io.BytesIO(b"no picture"))
    assert raised.value.errcode == 40005


# --- robots --------------------------------------------------------------------------------------------------------


async def test_a_robot_reads_what_the_app_showed_and_waits_for_more(
    sandbox: WeComSandbox, http: httpx.AsyncClient
) -> None:
    await show(sandbox, "一")
    first = (await http.get("/phone/wangfang/texts", params={"after": 0})).json()
    assert [bubble["text"] for bubble in first["bubbles"]] == ["一"]
    # what the robot types is no text of the app; that the hub never took it is news, and has to be over
    await http.post("/phone/wangfang/type", json={"text": "在", "wait": True})
    waiting = asyncio.create_task(http.get("/phone/wangfang/texts", params={"after": first["last"]}))
    await show(sandbox, "二")
    assert [bubble["text"] for bubble in (await waiting).json()["bubbles"]] == ["二"]


async def test_a_robot_that_waits_hears_whether_the_hub_took_it(http: httpx.AsyncClient) -> None:
    typed = (await http.post("/phone/lisi/type", json={"text": "上班", "wait": True})).json()
    assert typed["taken"] is False  # no callback URL has been entered
    ledger = (await http.get("/ledger")).json()
    assert ledger["callbacks"] == [{"msgid": typed["msgid"], "user": "lisi", "statuses": [0, 0, 0], "taken": False}]
    assert [bubble["text"] for bubble in ledger["phones"]["lisi"]] == ["上班"]


async def test_a_robot_sends_a_file_and_compares_it_by_its_digest(
    sandbox: WeComSandbox, http: httpx.AsyncClient
) -> None:
    picture = png(2, 2)
    typed = (await http.post("/phone/lisi/files", params={"name": "猫.png", "wait": True}, content=picture)).json()
    assert typed["taken"] is False  # no callback URL has been entered
    (bubble,) = (await http.get("/ledger")).json()["phones"]["lisi"]
    digest = hashlib.sha256(picture).hexdigest()
    assert bubble["file"] == {"kind": "image", "name": "猫.png", "size": len(picture), "sha256": digest}
    shown = await http.get(f"/phone/lisi/files/{bubble['n']}")
    assert (shown.content, shown.headers["content-type"]) == (picture, "image/png")
    assert shown.headers["content-disposition"].startswith("inline;")


async def test_what_is_no_picture_is_only_ever_downloaded(sandbox: WeComSandbox, http: httpx.AsyncClient) -> None:
    typed, _ = sandbox.say("lisi", "file", content=b"<script>alert(1)</script>", name="x.html")
    shown = await http.get(f"/phone/lisi/files/{typed.n}")
    assert shown.headers["content-type"] == "application/octet-stream"
    assert shown.headers["content-disposition"] == "attachment; filename*=UTF-8''x.html"


async def test_faults_of_media_are_switched_over_http(sandbox: WeComSandbox, http: httpx.AsyncClient) -> None:
    await http.patch("/faults", json={"media_502": True})
    assert (await http.get("/cgi-bin/media/get")).status_code == 502
    assert (await http.post("/cgi-bin/media/upload", files={"media": b"123456"})).status_code == 502
    await http.patch("/faults", json={"media_502": False, "media_errcode": 45009})
    assert (await http.get("/cgi-bin/media/get")).json()["errcode"] == 45009


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "detail"),
    [
        ("POST", "/phone/nobody/type", {"text": "x"}, 404, "'nobody' is no member"),
        ("GET", "/phone/nobody/texts", None, 404, "'nobody' is no member"),
        ("POST", "/phone/lisi/type", {"text": " "}, 400, "a text, or one of location"),
        ("POST", "/phone/lisi/type", {"kind": "smell"}, 400, "a text, or one of location"),
        ("POST", "/phone/lisi/files?kind=smell", {}, 400, "the bytes of a file, and its kind: image"),
        ("POST", "/phone/lisi/files", None, 400, "the bytes of a file, and its kind: image"),
        ("GET", "/phone/lisi/files/1", None, 404, "no file at place 1"),
        ("POST", "/phone/lisi/menu", {"key": "FIRE"}, 400, "the menu has LIST, WAITING, NEXT, ON, OFF"),
        ("POST", "/callback", {"url": "http://127.0.0.1:9/x"}, 400, "no answer within 1 s"),
        ("PATCH", "/faults", {"slower": 1}, 400, "no fault is called slower"),
        ("PATCH", "/faults", {"slow_s": "much"}, 400, "slow_s"),
    ],
)
async def test_a_robots_mistake_is_named(
    http: httpx.AsyncClient, method: str, path: str, content: Any, status: int, detail: str
) -> None:
    answer = await http.request(method, path, json=content)
    assert answer.status_code == status
    assert detail in answer.json()["detail"]


async def test_faults_are_switched_over_http(sandbox: WeComSandbox, http: httpx.AsyncClient) -> None:
    assert (await http.patch("/faults", json={"http_502": True})).json()["http_502"] is True
    assert (await http.get("/cgi-bin/gettoken")).status_code == 502
    await http.patch("/faults", json={"http_502": False})
    await show(sandbox, "一")
    for spoil, errcode in (("expire", 42001), ("invalidate", 40014)):
        token = str(sandbox.far_side.get_token(sandbox.account.corp_id, sandbox.account.secret, 2e9)["access_token"])
        await http.post(f"/tokens/{spoil}")
        answer = await http.post("/cgi-bin/message/send", params={"access_token": token}, content=b"{}")
        assert answer.json()["errcode"] == errcode


async def test_a_stand_in_stops_while_somebody_waits() -> None:
    async with httpx.AsyncClient(trust_env=False) as http:
        async with WeComSandbox({"lisi": "李四"}) as sandbox:
            waiting = asyncio.create_task(http.get(f"{sandbox.url}/phone/lisi/texts", params={"wait": 25}))
            await http.get(f"{sandbox.url}/ledger")
        assert (await waiting).json()["bubbles"] == []
