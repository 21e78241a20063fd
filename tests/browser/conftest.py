"""What browser tests share: Debian's Chromium, a phone, and a hub to talk to."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests import chromium
from tests.browser.protocol_server import ProtocolServer

expect.set_options(timeout=30_000)  # as everything else in Playwright; its 5 s are too few on a busy machine


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, where there is a Chromium for it."""
    chromium.require()
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium.CHROMIUM, args=chromium.LAUNCH)
    yield browser
    browser.close()


@pytest.fixture
def hub() -> Iterator[ProtocolServer]:
    """The hub that the pages talk to; it can be told to misbehave."""
    with ProtocolServer().running() as server:
        yield server


@pytest.fixture
def hub_url(hub: ProtocolServer) -> str:
    """Where it is. To run the tests that need no misbehaviour against a real hub, only this has to change."""
    return hub.url


@pytest.fixture
def phone(playwright: Playwright, browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Makes a visitor's phone; its pages share one storage. An error on any page fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def make(**options: object) -> BrowserContext:
        device = playwright.devices["iPhone 13"] | {"locale": "zh-CN"} | options
        context = browser.new_context(**device)
        context.on("weberror", lambda error: errors.append(str(error.error)))
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()
    assert errors == []


@pytest.fixture
def chat(phone: Callable[..., BrowserContext], hub_url: str) -> Page:
    """The stand-alone page on a phone, connected."""
    page = phone().new_page()
    page.goto(f"{hub_url}/chat")
    page.get_by_text("发消息给我们").wait_for()
    return page
