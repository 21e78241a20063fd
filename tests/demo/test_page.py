"""`hub demo`: a person sees both sides on one page, talks to themselves, and Ctrl-C leaves nothing running."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from playwright.async_api import FrameLocator, Page

from tests.chromium import page_at


def first_of_three_ports() -> int:
    """Free ones in a row, below those that the system gives away by itself: other stand-ins take some of these."""
    while True:
        port = random.randrange(20_000, 32_000)
        with contextlib.suppress(OSError), contextlib.ExitStack() as probes:
            for n in range(3):
                probes.enter_context(socket.create_server(("127.0.0.1", port + n)))
            return port


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[str]:
    """The page's address; the demo must end by itself, with status 0, when it is interrupted."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "demo", "--port", str(first_of_three_ports()), "--data", str(tmp_path),
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(90):
        while not (line := (await process.stdout.readline()).decode()).startswith("both sides"):
            assert line, "the demo ended at its start"
    yield line.split()[-1]
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(60):
        rest, _ = await process.communicate()
    assert (process.returncode, rest.decode().splitlines()[-1]) == (0, "stopping")
    assert [pid for pid in Path("/proc").glob("[0-9]*") if str(tmp_path) in _environ(pid)] == []


def _environ(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""


async def take_part_by_mail(page: Page, agent: FrameLocator, visitor: FrameLocator) -> None:
    """The one whose mailbox the page leads to goes on duty, and answers whom the one with the phone gives away."""
    async with page.context.expect_page() as opened:
        await page.locator("#mailbox").click()
    mailbox = await opened.value
    letters = mailbox.locator("li.us")

    async def answer(to: str, text: str) -> None:
        await letters.filter(has_text=to).get_by_role("button", name="Answer").last.click()
        await mailbox.locator("#text").fill(text)
        await mailbox.locator("#send").click()

    await answer("您是客服了", "上班")
    await letters.filter(has_text="已上班").wait_for()
    await page.get_by_role("button", name="赵敏").click()
    await agent.get_by_role("textbox").fill("转接 #1 @周洁 请跟进")
    await agent.get_by_role("textbox").press("Enter")
    await letters.filter(has_text="请跟进").wait_for()
    await answer("请跟进", "查到了，明天到")
    await visitor.get_by_text("查到了，明天到").wait_for()


async def test_a_person_talks_to_themselves(demo: str) -> None:
    async with page_at(demo, locale="zh-CN", viewport={"width": 1280, "height": 860}) as page:
        visitor, agent = page.frame_locator("#visitor-h5"), page.frame_locator("#agent")
        await agent.locator(".row.app", has_text="已上班").wait_for()
        await visitor.locator("textarea").fill("我的电话是 13922334455")
        await visitor.locator("textarea").press("Enter")
        await agent.locator(".row.app", has_text="我的电话是 ***").wait_for()
        await agent.locator("textarea").fill("#1 您好，马上为您查询")
        await agent.locator("textarea").press("Enter")
        await visitor.get_by_text("您好，马上为您查询").wait_for()
        await page.get_by_role("button", name="李雷").click()
        await agent.get_by_text("李雷 的手机").wait_for()
        await page.get_by_role("button", name="English").click()
        await page.get_by_text("For the visitor to say").wait_for()
        name, password = (await page.locator("#login").inner_text()).split()
        async with httpx.AsyncClient(trust_env=False) as http:
            desk = str(await page.locator("#desk").get_attribute("href"))
            assert (await http.get(desk)).status_code == 200
            login = desk.replace("/agent", "/api/v1/agents/login")
            assert (await http.post(login, json={"name": name, "password": password})).status_code == 200
        await take_part_by_mail(page, agent, visitor)
        for width in (320, 390, 800):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
