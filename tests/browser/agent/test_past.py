"""What an agent may read without having it: who waits, before one takes them, and what one has closed."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from tests.browser.agent.driving import LINES, take
from tests.browser.real_hub import RealHub
from tests.browser.test_widget import wait_for

CLOSED = re.compile(r"/conversations\?stage=closed")
"""What the list of closed conversations asks for."""


def open_past(page: Page, label: str = "已结束的会话") -> Locator:
    """The list of closed conversations, opened."""
    page.get_by_role("button", name=label).click()
    sheet = page.get_by_role("dialog", name=label)
    expect(sheet).to_be_visible()
    return sheet


def look_again(page: Page) -> None:
    """Returns when the open list has been looked at, and what was found has been shown."""
    with page.expect_response(CLOSED):
        pass
    with page.expect_request(CLOSED):
        pass


def test_one_may_look_before_one_takes_and_read_what_one_has_closed(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("钱先看", "先看看这句")
    page = agent()
    page.locator(".waiting .item", has_text="钱先看").get_by_role("button").first.click()
    sheet = page.get_by_role("dialog")
    expect(sheet.locator(".transcript")).to_contain_text("先看看这句")
    sheet.get_by_role("button", name="接入").click()
    expect(page.locator(".thread h1")).to_contain_text("钱先看")
    page.get_by_role("button", name="结束", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="结束").click()
    expect(page.locator(".thread .parted")).to_be_visible()
    page.go_back()
    page.get_by_role("button", name="已结束的会话").click()
    page.get_by_role("dialog").get_by_role("button", name="钱先看").click()
    expect(page.get_by_role("dialog").locator(".transcript")).to_contain_text("先看看这句")


def test_what_was_closed_a_moment_ago_comes_into_the_open_list(
    hub: RealHub, agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("孙刚走", "谢谢")
    page = agent()
    take(page, "孙刚走")
    with hub.stopped("hub.history.follower"):
        page.locator(".tools").get_by_role("button", name="结束").click()
        page.get_by_role("dialog").get_by_role("button", name="结束").click()
        expect(page.locator(".parted")).to_be_visible()
        page.get_by_role("button", name="返回").click()
        row = open_past(page).get_by_role("button", name="孙刚走")
        expect(row).to_have_count(0)
    row.click()
    expect(page.get_by_role("dialog").locator(".transcript")).to_contain_text("谢谢")


def test_the_open_list_is_redrawn_only_where_something_changed(agent: Callable[..., Page]) -> None:
    page = agent()
    rows = [{"id": f"c1-{n}", "name": f"访客{n}", "at": 1_790_000_000_000} for n in range(100, 120)]
    answer = {"conversations": rows, "cursor": ""}
    page.route(CLOSED, lambda route: route.fulfill(json=answer))
    sheet = open_past(page)
    row = sheet.get_by_role("button", name="访客117")
    row.focus()
    scrolled = sheet.evaluate("sheet => sheet.scrollTop")
    assert scrolled > 0
    page.evaluate(
        """() => {
            window.changes = 0;
            const observer = new MutationObserver((records) => (window.changes += records.length));
            observer.observe(document.querySelector("dialog"), { subtree: true, childList: true, attributes: true });
        }"""
    )
    look_again(page)
    assert page.evaluate("changes") == 0
    assert sheet.evaluate("sheet => sheet.scrollTop") == scrolled
    answer["conversations"] = [{"id": "c1-new", "name": "新来的", "at": 1_790_000_000_001}, *rows[:-1]]
    expect(sheet.get_by_role("button").first).to_contain_text("新来的")
    expect(sheet.get_by_role("button", name="访客119")).to_have_count(0)
    expect(row).to_be_focused()
    expect(row).to_be_in_viewport()


@pytest.mark.parametrize(
    ("language", "label", "none", "away", "failed"),
    [
        ("zh", "已结束的会话", "还没有", "连不上服务器", "没能完成：history away"),
        ("en", "Closed chats", "None yet", "The server cannot be reached", "That did not work: history away"),
    ],
)
def test_what_keeps_the_open_list_from_the_newest_is_said_until_it_is_over(
    hub: RealHub, agent: Callable[..., Page], language: str, label: str, none: str, away: str, failed: str
) -> None:
    page = agent()
    page.goto(f"{hub.url}/agent?lang={language}")
    page.route(CLOSED, lambda route: route.fulfill(json={"conversations": [], "cursor": ""}))
    status = open_past(page, label).get_by_role("status")
    expect(status).to_have_text(none)
    page.route(CLOSED, lambda route: route.abort())
    expect(status).to_contain_text(away)
    page.route(CLOSED, lambda route: route.fulfill(status=503, json={"detail": "history away"}))
    expect(status).to_have_text(failed)
    page.route(CLOSED, lambda route: route.fulfill(json={"conversations": [], "cursor": ""}))
    expect(status).to_have_text(none)


def test_a_closed_list_is_not_looked_at_any_more(agent: Callable[..., Page]) -> None:
    page = agent()
    sheet = open_past(page)
    looks: list[Request] = []
    ended: list[Request] = []
    page.route(CLOSED, lambda route: looks.append(route.request))  # no answer comes
    page.on("requestfailed", lambda request: ended.append(request) if CLOSED.search(request.url) else None)
    wait_for(lambda: bool(looks), page)
    sheet.get_by_role("button", name="返回").click()
    for _ in range(3):  # the lines are looked at as often as this was
        with page.expect_response(LINES):
            pass
        assert ended == looks
    assert len(looks) == 1
