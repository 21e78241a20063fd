"""The phone's page in a browser, as a person uses it."""

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import FilePayload, Page

from connectors.wecom.conftest import Clock
from connectors.wecom.far_side import PER_MINUTE
from connectors.wecom.sandbox import WeComSandbox
from connectors.wecom.test_sandbox import client_of, png, show
from tests.chromium import page_at

PASTE = """bytes => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], "image.png", {type: "image/png"}));
  const paste = new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true});
  document.getElementById("input").dispatchEvent(paste);
}"""
"""What the browser does when a picture is pasted."""


async def show_file(sandbox: WeComSandbox, kind: str, name: str, content: bytes) -> None:
    """The app sends a file."""
    named = io.BytesIO(content)
    named.name = name
    stranger, agent_id = client_of(sandbox), sandbox.account.agent_id
    kept = await asyncio.to_thread(stranger.media.upload, kind, named)
    send = stranger.message.send_image if kind == "image" else stranger.message.send_file
    await asyncio.to_thread(send, agent_id, "wangfang", kept["media_id"])


@pytest.fixture
def complaints() -> list[str]:
    """What the browser has to say against the page; nothing, at the end of each test."""
    return []


@pytest.fixture
async def page(sandbox: WeComSandbox, complaints: list[str]) -> AsyncIterator[Page]:
    url, size = f"{sandbox.url}/phone?user=wangfang", {"width": 390, "height": 700}
    async with page_at(url, complaints, locale="zh-CN", viewport=size) as page:
        yield page


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


async def test_a_picture_is_shown_and_a_file_is_a_card(sandbox: WeComSandbox, page: Page) -> None:
    for kind, name, content in (
        ("image", "鞋.png", png(300, 200)),
        ("file", "退货单 2026.pdf", b"%PDF-1.7" + bytes(2000)),
    ):
        await show_file(sandbox, kind, name, content)
    picture = page.locator(".row.app .picture img")
    await picture.wait_for()
    await page.wait_for_function("document.querySelector('.picture img').naturalWidth === 300")
    assert await picture.get_attribute("alt") == "鞋.png"
    card = page.locator(".row.app .file")
    assert await card.locator(".name").inner_text() == "退货单 2026.pdf"
    assert await card.locator(".size").inner_text() == "2.0 KB"
    async with page.context.expect_page() as opened:
        await picture.click()
    assert (await opened.value).url == f"{sandbox.url}/phone/wangfang/files/1"
    async with page.expect_download() as downloading:
        await card.click()
    assert (await downloading.value).suggested_filename == "退货单 2026.pdf"


async def test_a_person_chooses_and_pastes_pictures(sandbox: WeComSandbox, page: Page) -> None:
    chosen = [("猫.png", png(200, 300)), ("单.pdf", b"%PDF-1.7 " + bytes(100))]
    async with page.expect_file_chooser() as choosing:
        await page.get_by_label("图片或文件").click()
    await (await choosing.value).set_files(
        [FilePayload(name=name, mimeType="application/octet-stream", buffer=content) for name, content in chosen]
    )
    await page.locator(".row.member .file", has_text="单.pdf").wait_for()
    await page.evaluate(PASTE, list(png(20, 20)))
    await page.locator(".row.member .picture").nth(1).wait_for()
    phone = sandbox.phone("wangfang")
    assert [media.content for media in phone.files.values()] == [*(content for _, content in chosen), png(20, 20)]
    assert [media.kind for media in phone.files.values()] == ["image", "file", "image"]


async def test_the_page_says_which_file_was_not_sent_and_sends_the_others(
    sandbox: WeComSandbox, page: Page, complaints: list[str]
) -> None:
    contents = {"空.png": b"", "鞋.png": png(20, 20)}
    await page.locator("#files").set_input_files(
        [FilePayload(name=name, mimeType="image/png", buffer=content) for name, content in contents.items()]
    )
    await page.locator(".row.member .picture").wait_for()
    assert (await page.locator("#status").inner_text()).startswith("未发送：空.png")
    assert [media.name for media in sandbox.phone("wangfang").files.values()] == ["鞋.png"]
    (complaint,) = complaints
    assert "400" in complaint
    complaints.clear()


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
