"""The phone's page in a browser, as a person uses it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import FilePayload, Page, expect

from connectors.telegram.conftest import ANNA, ZHANG, Bot
from connectors.telegram.sandbox import TelegramSandbox
from tests.chromium import page_at

GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01"
PIXEL = GIF + b"\x00\x01\x00\x00\x02\x02D\x01\x00;"

SMALL = """[...document.querySelectorAll("button, select, textarea")]
  .filter(one => one.offsetHeight && one.offsetHeight < 44).length"""
"""How much of what is tapped is smaller than a finger."""


@pytest.fixture(params=["zh-CN", "en-US"])
async def page(request: pytest.FixtureRequest, telegram: TelegramSandbox) -> AsyncIterator[Page]:
    url, size = f"{telegram.url}/?user={ZHANG}", {"width": 390, "height": 700}
    async with page_at(url, locale=request.param, viewport=size) as page:
        yield page


async def test_a_person_talks_with_the_bot(telegram: TelegramSandbox, bot: Bot, page: Page) -> None:
    await page.locator("#input").fill("<b>在吗</b>")
    await page.keyboard.press("Enter")
    await expect(page.locator(".person .text")).to_have_text("<b>在吗</b>")
    keys: dict[str, Any] = {"keyboard": [["九点", "十点"]]}
    buttons = {"inline_keyboard": [[{"text": "好", "callback_data": "yes"}]]}
    sent = await bot.call("sendMessage", chat_id=ZHANG, text="几点来？", reply_markup=buttons)
    await page.get_by_role("button", name="好", exact=True).click()
    await expect(page.locator(".bot .text")).to_have_text("几点来？")
    await bot.call("editMessageText", chat_id=ZHANG, message_id=sent["message_id"], text="明天几点来？")
    await expect(page.locator(".bot .text")).to_have_text("明天几点来？")
    await bot.call("sendMessage", chat_id=ZHANG, text="请选", reply_markup=keys)
    await page.get_by_role("button", name="十点").click()
    await expect(page.locator(".person .text")).to_have_text(["<b>在吗</b>", "十点"])
    presses = telegram.api.presses
    assert [press.data for press in presses.values()] == ["yes"]
    await bot.call("answerCallbackQuery", callback_query_id=next(iter(presses)), text="收到")
    await expect(page.locator("#status")).to_have_text("收到")


async def test_a_person_changes_sends_files_and_stops_the_bot(telegram: TelegramSandbox, page: Page) -> None:
    telegram.say(ZHANG, "在吗")
    await page.locator(".person .bubble").click()
    await page.locator("#input").fill("在不在")
    await page.locator("#send").click()
    await expect(page.locator(".person .text")).to_have_text("在不在")
    files: list[FilePayload] = [
        {"name": "花.png", "mimeType": "image/png", "buffer": PIXEL},
        {"name": "合同.pdf", "mimeType": "application/pdf", "buffer": b"%PDF"},
    ]
    await page.locator("#files").set_input_files(files)
    await expect(page.locator(".bubble img")).to_have_count(1)
    await expect(page.locator(".bubble a")).to_contain_text("合同.pdf")
    await page.locator("#more button").first.click()
    await expect(page.locator(".row")).to_have_count(4)
    await page.locator("#more button").last.click()
    await expect(page.locator("#status")).to_be_visible()
    assert telegram.api.chats.all[ZHANG].blocked
    assert [shown.kind for shown in telegram.shown(ZHANG)] == ["text", "photo", "document", "sticker"]


async def test_the_newest_message_stays_in_view_unless_somebody_reads_above(
    telegram: TelegramSandbox, bot: Bot, page: Page
) -> None:
    for n in range(30):
        telegram.say(ZHANG, f"{n}")
    await expect(page.locator(".row")).to_have_count(30)
    await bot.call("sendMessage", chat_id=ZHANG, text="请选", reply_markup={"keyboard": [["一"], ["二"], ["三"]]})
    await expect(page.locator(".bot .meta")).to_be_in_viewport(ratio=1)
    await page.locator("#chat").evaluate("chat => { chat.scrollTop = 0; }")
    await expect(page.locator(".bot")).not_to_be_in_viewport()
    telegram.say(ZHANG, "在吗")
    await expect(page.locator(".row")).to_have_count(32)
    assert await page.locator("#chat").evaluate("chat => chat.scrollTop") == 0


async def test_another_person_has_another_chat(telegram: TelegramSandbox, page: Page) -> None:
    telegram.say(ZHANG, "在吗")
    await expect(page.locator(".row")).to_have_count(1)
    await page.locator("#person").select_option(str(ANNA))
    await expect(page.locator(".empty")).to_be_visible()
    await page.locator("#input").fill("Hello")
    await page.locator("#send").click()
    await expect(page.locator(".person .text")).to_have_text("Hello")
    assert [shown.text for shown in telegram.shown(ANNA)] == ["Hello"]
    small = await page.evaluate(SMALL)
    wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
    assert (small, wide) == (0, False)
