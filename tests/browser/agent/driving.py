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
PICTURES = os.environ.get("PICTURES")
"""The folder that the documentation's pictures are to be written to (`make pictures`)."""
COMES_MS = 15_000


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
        for _ in range(100):
            if found := self.call("GET", "/conversations?stage=served&limit=500")["conversations"]:
                return [one["id"] for one in found]
            time.sleep(0.05)
        raise AssertionError("nobody has anything")

    def close_all(self) -> None:
        """Nothing waits, and nobody has anything."""
        for team in self.call("GET", "/queues")["queues"]:
            for waiting in self.call("GET", f"/queues/{team['name']}")["waiting"]:
                self.call("POST", f"/conversations/{waiting['conversation']}/close")
        while any(agent["open"] for agent in self.call("GET", "/agents")["agents"]):
            for conversation in self.served():
                self.call("POST", f"/conversations/{conversation}/close")


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
    page.locator(".waiting .item", has_text=name).get_by_role("button", name="接入").click(timeout=COMES_MS)
    expect(page.locator(".thread h1")).to_contain_text(name, timeout=COMES_MS)


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
