"""A whole hub with two agents, their pages and their visitors'."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.agent.driving import LI, PASSWORD, PHONE, ZHAO, Api, ask, log_in
from tests.browser.real_hub import RealHub

Phone = Callable[..., BrowserContext]


def _arrange(teams: dict[str, Any]) -> None:
    """Two agents for all teams, on the page only: no phone has them."""
    everybody = {ZHAO: ("赵敏", 5), LI: ("李雷", 5)}
    teams["agents"] = {
        name: {"display": display, "teams": list(teams["teams"]), "capacity": capacity}
        for name, (display, capacity) in everybody.items()
    }
    for team in teams["teams"].values():
        team.pop("lead", None)


@pytest.fixture(scope="module")
def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """One hub for all tests of this module; each leaves it without open conversations."""
    with RealHub(tmp_path_factory.mktemp("hub"), _arrange).running() as running:
        yield running


@pytest.fixture
def api(hub: RealHub) -> Iterator[Api]:
    """The admin; at the end nobody is on duty, and nothing is open."""
    api = Api(hub)
    for name in (ZHAO, LI):
        api.call("PUT", f"/agents/{name}/password", password=PASSWORD)
    yield api
    for name in (ZHAO, LI):
        api.call("POST", f"/agents/{name}/duty", on=False)
    api.close_all()


@pytest.fixture
def visitor(phone: Phone, hub: RealHub) -> Callable[[str, str], Page]:
    """Makes a visitor's page with a first message."""

    def make(name: str, text: str) -> Page:
        page = phone().new_page()
        page.goto(f"{hub.url}/chat?name={name}")
        page.get_by_text("发消息给我们").wait_for()
        ask(page, text)
        return page

    return make


@pytest.fixture
def agent(phone: Phone, hub: RealHub, api: Api) -> Callable[..., Page]:
    """Makes a page of an agent, logged in."""

    def make(name: str = ZHAO, url: str = hub.url, **options: Any) -> Page:
        page = phone(**(PHONE | options)).new_page()
        page.goto(f"{url}/agent")
        log_in(page, name, PASSWORD)
        page.locator(".list").wait_for()
        return page

    return make
