"""How tests drive the page of agents and its hub: what a person does there, and what the admin asks the API for."""

import os
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from tests.browser.real_hub import RealHub
from tests.browser.test_widget import wait_for

ZHAO, LI = "zhaomin", "lilei"
PASSWORD = "correct horse battery"
DESKTOP = {"is_mobile": False, "has_touch": False, "device_scale_factor": 1, "viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}}
LINES = "**/api/v1/queues"
"""What the page asks for again and again to show who waits."""
PICTURES = os.environ.get("PICTURES")
"""The folder that the documentation's pictures are to be written to (`make pictures`)."""


class Api:
    """The hub's API, as the admin calls it."""

    def __init__(self, hub: RealHub) -> None:
        headers = {"authorization": f"Bearer {hub.admin_token}"}
        self._http = httpx.Client(base_url=f"{hub.url}/api/v1", headers=headers, trust_env=False)

    def call(self, method: str, path: str, **body: Any) -> Any:
        answer = self._http.request(method, path, json=body if method != "GET" else None)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def served(self) -> list[str]:
        """What agents have, as far as the history has come; there is something."""
        for _ in range(600):
            if found := self._served():
                return found
            time.sleep(0.05)
        raise AssertionError("nobody has anything")

    def close_all(self) -> None:
        """Nothing waits, nobody has anything, and the history has come so far."""
        for team in self.call("GET", "/queues")["queues"]:
            for waiting in self.call("GET", f"/queues/{team['name']}")["waiting"]:
                self.call("POST", f"/conversations/{waiting['conversation']}/close")
        while (served := self._served()) or any(agent["open"] for agent in self.call("GET", "/agents")["agents"]):
            for conversation in served:
                self.call("POST", f"/conversations/{conversation}/close")
            time.sleep(0.05)

    def _served(self) -> list[str]:
        return [one["id"] for one in self.call("GET", "/conversations?stage=served&limit=500")["conversations"]]


def log_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("账号").fill(name)
    page.get_by_label("密码").fill(password)
    page.get_by_role("button", name="登录").click()


def ask(page: Page, text: str) -> None:
    page.get_by_label("输入消息").fill(text)
    page.get_by_role("button", name="发送").click()


answer = ask


def take(page: Page, name: str) -> None:
    """Take the visitor of that name from the line; the conversation is then open."""
    page.locator(".waiting .item", has_text=name).get_by_role("button", name="接入").click()
    expect(page.locator(".thread h1")).to_contain_text(name)


def heard(page: Page) -> list[str]:
    """What the visitor's page shows of agents."""
    return page.locator(".row.other:not(:has([data-automatic])) .bubble").all_text_contents()


def expect_heard(page: Page, texts: list[str]) -> None:
    wait_for(lambda: heard(page) == texts, page)
    assert heard(page) == texts


def picture(page: Page, name: str) -> None:
    """A picture for the documentation, where one is asked for."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")
