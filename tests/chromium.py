"""The browser that tests use: Debian's Chromium, or the one that the variable CHROMIUM names."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
LAUNCH = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def require() -> None:
    """Skip the test where there is none; in CI there has to be one. Playwright's own browsers are never downloaded."""
    if not CHROMIUM.exists():
        if os.environ.get("CI"):
            pytest.fail(f"no Chromium at {CHROMIUM}: CI has to install it (apt-get install chromium)")
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium, or name yours in the variable CHROMIUM")


@contextlib.asynccontextmanager
async def page_at(url: str, complaints: list[str] | None = None, **context: Any) -> AsyncIterator[Page]:
    """The page there, in a browser of its own; `context` are options of Playwright's new_context.

    What the browser has to say against it goes to `complaints`, and fails the test that leaves any there.
    """
    require()
    heard = [] if complaints is None else complaints
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=LAUNCH)
        page = await (await browser.new_context(**context)).new_page()
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
        await page.goto(url)
        yield page
        await browser.close()
    assert heard == []
