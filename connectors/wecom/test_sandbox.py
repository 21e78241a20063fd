"""The stand-in as others see it: a stranger's client, robots over HTTP, and a person before the phone's page."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from playwright.async_api import Page, async_playwright
from wechatpy.enterprise import WeChatClient  # type: ignore[import-untyped]
from wechatpy.exceptions import WeChatClientException  # type: ignore[import-untyped]

from connectors.wecom.conftest import Clock
from connectors.wecom.far_side import PER_MINUTE
from connectors.wecom.sandbox import WeComSandbox

CHROMIUM = shutil.which("chromium")
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]


@pytest.fixture
async def sandbox(clock: Clock) -> AsyncIterator[WeComSandbox]:
    async with WeComSandbox({"wangfang": "王芳", "lisi": "李四"}, now=clock, retry_after_s=0.01) as running:
        yield running


@pytest.fixture
async def http(sandbox: WeComSandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as client:
        yield client


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


@pytest.mark.parametrize(
    ("method", "path", "content", "status", "detail"),
    [
        ("POST", "/phone/nobody/type", {"text": "x"}, 404, "'nobody' is no member"),
        ("GET", "/phone/nobody/texts", None, 404, "'nobody' is no member"),
        ("POST", "/phone/lisi/type", {"text": " "}, 400, "a text, or one of location"),
        ("POST", "/phone/lisi/type", {"kind": "smell"}, 400, "a text, or one of location"),
        ("POST", "/phone/lisi/menu", {"key": "FIRE"}, 400, "the menu has LIST, ON, OFF"),
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


# --- the phone's page ----------------------------------------------------------------------------------------------


@pytest.fixture
async def page(sandbox: WeComSandbox) -> AsyncIterator[Page]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: apt-get install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_ARGS)
        context = await browser.new_context(locale="zh-CN", viewport={"width": 390, "height": 700})
        page = await context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
        await page.goto(f"{sandbox.url}/phone?user=wangfang")
        yield page
        await browser.close()
    assert complaints == []


async def test_a_person_talks_with_the_app(sandbox: WeComSandbox, page: Page) -> None:
    await show(sandbox, "【#12·57 张三】\n<b>在吗</b>")
    bubble = page.locator(".row.app .bubble")
    await bubble.wait_for()
    assert await bubble.inner_text() == "【#12·57 张三】\n<b>在吗</b>"
    await page.fill("#input", "您好")
    await page.press("#input", "Enter")
    await page.locator(".row.member .bubble", has_text="您好").wait_for()
    assert await page.input_value("#input") == ""
    await page.click("text=列表")
    await page.locator("#status", has_text="未送达客服系统").wait_for()
    assert [callback.msgid for callback in sandbox.ledger().callbacks if " " in callback.msgid] == [
        "enter_agent ",
        "click LIST",
    ]


async def test_the_page_says_what_was_dropped(sandbox: WeComSandbox, page: Page) -> None:
    for n in range(PER_MINUTE + 1):
        await show(sandbox, f"第 {n} 条")
    await page.locator("#status", has_text="已静默丢弃 1 条").wait_for()
    assert await page.locator(".row.app").count() == PER_MINUTE


async def test_the_page_does_not_jump_while_somebody_reads(sandbox: WeComSandbox, page: Page, clock: Clock) -> None:
    for n in range(PER_MINUTE):
        await show(sandbox, f"第 {n} 条")
    await page.locator(".row.app", has_text=f"第 {PER_MINUTE - 1} 条").wait_for()
    await page.hover("#chat")
    await page.mouse.wheel(0, -100_000)
    await page.wait_for_function("document.getElementById('chat').scrollTop === 0")
    clock.now += 60
    await show(sandbox, "新的")
    await page.locator("#newer").wait_for()
    assert await page.evaluate("document.getElementById('chat').scrollTop") == 0
    await page.click("#newer")
    await page.locator("#newer").wait_for(state="hidden")
    assert await page.evaluate("document.getElementById('chat').scrollTop") > 0


async def test_the_page_fits_a_frame_and_a_narrow_phone(sandbox: WeComSandbox, page: Page) -> None:
    await show(sandbox, "https://example.com/" + "long" * 60)
    await page.locator(".row.app").wait_for()
    for width in (320, 390, 1200):
        await page.set_viewport_size({"width": width, "height": 600})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
