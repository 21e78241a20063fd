"""A visitor's page and an agent's phone on a whole hub: what one side writes the other reads, once, whatever dies."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, FrameLocator, Page, expect

from tests.browser.real_hub import RealHub
from tests.browser.test_widget import expect_own, wait_for, write

Phone = Callable[..., BrowserContext]

WANG, ZHAO = "WangFang", "ZhaoMin"
"""Userids of rules/teams.yaml. Who has not bought yet asks WangFang; ZhaoMin, as on the demo's page, has all teams."""
OPENER = "这款羽绒服有 M 码的现货吗？"
"""A sentence that the rules give to WangFang's team, without an automatic reply."""
PHONE_MS = 60_000
"""A phone gets at most 25 texts a minute, and these tests share one: a text may have to wait for its turn."""
PICTURES = os.environ.get("PICTURES")
"""The folder that the documentation's pictures are to be written to (`make pictures`)."""
MAX_PICTURE_BYTES = 200_000


@pytest.fixture(scope="module")
def hub(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealHub]:
    """One hub for all tests of this module; each has visitors of its own. Without a browser none is started."""
    with RealHub(tmp_path_factory.mktemp("hub")).running() as running:
        yield running


@pytest.fixture
def agent(phone: Phone, hub: RealHub) -> Iterator[Callable[[str], Page]]:
    """Makes the page of a member's phone, on duty; at the end they go off duty."""
    pages: list[Page] = []

    def make(user: str) -> Page:
        page = phone().new_page()
        page.goto(hub.phone_url(user))
        tap(page, "上班", "已上班")
        pages.append(page)
        return page

    yield make
    for page in pages:
        tap(page, "下班", "已下班")


@pytest.fixture
def wang(agent: Callable[[str], Page]) -> Page:
    """WangFang's phone; she is on duty."""
    return agent(WANG)


@pytest.fixture
def visitor(phone: Phone, hub: RealHub) -> Callable[..., Page]:
    """Makes a visitor's page on a phone, connected."""

    def make(context: BrowserContext | None = None, name: str = "张三", url: str = hub.url) -> Page:
        page = (context or phone()).new_page()
        page.goto(f"{url}/chat?name={name}")
        page.get_by_text("发消息给我们").wait_for()
        return page

    return make


def tap(page: Page, button: str, answer: str) -> None:
    """Tap in the app's menu, and wait for what the hub answers to it."""
    told = page.locator(".row.app .bubble", has_text=answer)
    page.locator("#app", has_text=re.compile(".+")).wait_for()
    before = told.count()
    page.get_by_role("button", name=button, exact=True).click()
    expect(told).to_have_count(before + 1, timeout=PHONE_MS)


def say(page: Page | FrameLocator, text: str) -> None:
    """Type on the agent's phone."""
    page.get_by_label("给客服台发消息").fill(text)
    page.get_by_role("button", name="发送").click()


def block(page: Page | FrameLocator, text: str) -> str:
    """`#12` of the block on the agent's phone that has `text`."""
    bubble = page.locator(".row.app .bubble", has_text=text)
    bubble.last.wait_for(timeout=PHONE_MS)
    found = re.search(rf"【(#\d+)·\d+ [^】]+】[^【]*{re.escape(text)}", bubble.last.text_content() or "")
    assert found, bubble.all_text_contents()
    return found[1]


def shown(page: Page) -> str:
    """All that the app has shown on the agent's phone."""
    return "\n".join(page.locator(".row.app .bubble").all_text_contents())


def answers(page: Page) -> list[str]:
    """What the visitor's page shows of agents, without the greeting and automatic replies."""
    rows = page.locator(".row.other:not(:has([data-automatic])) .bubble")
    return rows.all_text_contents()


def expect_answers(page: Page, texts: list[str]) -> None:
    wait_for(lambda: answers(page) == texts, page)
    assert answers(page) == texts


def picture(page: Page, name: str, width: int | None = None) -> None:
    """A picture of the page for the documentation, where one is asked for; `width` leaves out what is right of it."""
    if not PICTURES:
        return
    file = Path(PICTURES) / f"{name}.png"
    height = (page.viewport_size or {"height": 0})["height"]
    page.screenshot(path=file, clip={"x": 0, "y": 0, "width": width, "height": height} if width else None)
    assert file.stat().st_size < MAX_PICTURE_BYTES, f"{file}: {file.stat().st_size} bytes"


def test_an_agent_answers_by_number_and_by_the_sticky_choice(wang: Page, visitor: Callable[..., Page]) -> None:
    page = visitor()
    write(page, OPENER)
    number = block(wang, OPENER)
    say(wang, f"{number} 您好，有现货，今天下单明天发出")
    expect_answers(page, ["您好，有现货，今天下单明天发出"])
    expect(page.get_by_role("status").first).to_have_text("王芳 正在为您服务")
    write(page, "好的，到货前打我电话 13922334455")
    assert block(wang, "到货前打我电话 ***") == number
    other = visitor(name="李四")
    write(other, "满 300 的优惠券还有吗？")
    block(wang, "优惠券还有吗")
    say(wang, "好的，已为您备注")
    expect_answers(page, ["您好，有现货，今天下单明天发出", "好的，已为您备注"])
    assert answers(other) == []
    write(page, "谢谢！")
    block(wang, "谢谢！")
    picture(page, "visitor")
    picture(wang, "phone")
    assert "13922334455" not in shown(wang)


def test_a_reload_keeps_both_sides(wang: Page, visitor: Callable[..., Page]) -> None:
    page = visitor()
    write(page, f"{OPENER}一")
    say(wang, f"{block(wang, f'{OPENER}一')} 有的，重新加载前")
    expect_answers(page, ["有的，重新加载前"])
    before = shown(wang)
    page.reload()
    wang.reload()
    expect_own(page, [f"{OPENER}一"])
    expect_answers(page, ["有的，重新加载前"])
    wait_for(lambda: shown(wang) == before, wang)
    assert shown(wang) == before


def test_what_is_written_offline_arrives_once(hub: RealHub, wang: Page, visitor: Callable[..., Page]) -> None:
    with hub.line() as line:
        page = visitor(url=line.url)
        write(page, f"{OPENER}二")
        number = block(wang, f"{OPENER}二")
        page.context.set_offline(True)
        line.cut()
        expect(page.get_by_text("网络已断开")).to_be_visible()
        write(page, "没有网的时候写的")
        expect(page.get_by_text("1 条消息未发送，联网后自动发送")).to_be_visible()
        say(wang, f"{number} 在您断网的时候回的")
        line.mend()
        page.context.set_offline(False)
        expect_own(page, [f"{OPENER}二", "没有网的时候写的"])
        expect_answers(page, ["在您断网的时候回的"])
        block(wang, "没有网的时候写的")
        assert shown(wang).count("没有网的时候写的") == 1


def test_two_tabs_of_one_browser_agree(phone: Phone, wang: Page, visitor: Callable[..., Page]) -> None:
    context = phone()
    tabs = [visitor(context), visitor(context)]
    texts = [f"{OPENER}三"] + [f"第 {n} 条，来自标签 {n % 2}" for n in range(1, 6)]
    for n, text in enumerate(texts):
        write(tabs[n % 2], text)
        for tab in tabs:
            expect_own(tab, texts[: n + 1])
    say(wang, f"{block(wang, texts[-1])} 两个标签都看得到")
    for tab in tabs:
        expect_answers(tab, ["两个标签都看得到"])
    phone_shows = shown(wang)
    assert [phone_shows.count(text) for text in texts] == [1] * len(texts)
    assert sorted(texts, key=phone_shows.index) == texts


def test_workers_are_killed_and_nothing_is_lost_or_doubled(
    hub: RealHub, wang: Page, visitor: Callable[..., Page]
) -> None:
    page = visitor()
    texts, answered = [f"{OPENER}四"], []
    write(page, texts[0])
    number = block(wang, texts[0])
    for round_, worker in enumerate(hub.stage.children("hub-worker")):
        texts.append(f"第 {round_} 次之前写的")
        write(page, texts[-1])
        hub.kill(worker)
        texts.append(f"第 {round_} 次之后写的")
        write(page, texts[-1])
        expect_own(page, texts)
        block(wang, texts[-1])
        answered.append(f"第 {round_} 次之后回的")
        say(wang, f"{number} {answered[-1]}")
        expect_answers(page, answered)
    page.reload()
    expect_own(page, texts)
    expect_answers(page, answered)
    assert [shown(wang).count(text) for text in texts] == [1] * len(texts)


def test_the_line_of_html_works_on_a_page_of_another_origin(hub: RealHub, phone: Phone, wang: Page) -> None:
    with hub.shop() as url:
        page = phone().new_page()
        page.goto(url)
        page.get_by_role("button", name="联系客服").click()
        page.get_by_text("发消息给我们").wait_for()
        write(page, f"{OPENER}五")
        say(wang, f"{block(wang, f'{OPENER}五')} 花店也能聊")
        expect_answers(page, ["花店也能聊"])
        page.get_by_role("button", name="收起").click()
        page.reload()
        page.get_by_role("button", name="联系客服").click()
        expect_own(page, [f"{OPENER}五"])
        expect_answers(page, ["花店也能聊"])


def test_the_demos_page_has_both_sides(hub: RealHub, phone: Phone, agent: Callable[[str], Page]) -> None:
    agent(ZHAO)
    with hub.demo_page() as url:
        desk = phone(is_mobile=False, has_touch=False, device_scale_factor=1, viewport={"width": 1280, "height": 860})
        page = desk.new_page()
        page.goto(url)
        visitor, phone_ = page.frame_locator("#visitor-h5"), page.frame_locator("#agent")
        visitor.get_by_label("输入消息").fill("我的快递到哪了")
        visitor.get_by_label("输入消息").press("Enter")
        say(phone_, f"{block(phone_, '我的快递到哪了')} 已到本市，今天下午派送")
        expect(visitor.get_by_text("已到本市，今天下午派送")).to_be_visible()
        visitor.get_by_label("输入消息").fill("太好了，谢谢")
        visitor.get_by_label("输入消息").press("Enter")
        block(phone_, "太好了，谢谢")
        picture(page, "demo", width=896)


MAILS = {
    "zh-CN": ("邮件", "li@example.net", "订单 8812 的花瓶", "请问快递到哪了", "已到本市，今天下午派送"),
    "en-US": ("Mail", "amy@example.net", "The vase of order 8812", "Where is my package?", "It arrives this afternoon"),
}


@pytest.mark.parametrize("locale", MAILS)
def test_the_demos_page_has_a_mailbox_and_the_answer_arrives_in_it(
    hub: RealHub, phone: Phone, agent: Callable[[str], Page], locale: str
) -> None:
    mail, address, subject, text, answer = MAILS[locale]
    agent(ZHAO)
    with hub.demo_page() as url:
        desk = phone(
            is_mobile=False,
            has_touch=False,
            device_scale_factor=1,
            viewport={"width": 1280, "height": 860},
            locale=locale,
        )
        page = desk.new_page()
        page.goto(url)
        chat, mailbox, phone_ = (page.frame_locator(f"#{name}") for name in ("visitor-h5", "visitor-email", "agent"))
        expect(mailbox.locator("#text")).to_be_hidden()
        page.get_by_role("button", name=mail, exact=True).click()
        expect(chat.locator("textarea")).to_be_hidden()
        mailbox.locator("#address").fill(address)
        mailbox.locator("#subject").fill(subject)
        mailbox.locator("#text").fill(text)
        mailbox.get_by_role("button").last.click()
        phone_.locator("textarea").fill(f"{block(phone_, subject)} {answer}")
        phone_.locator("textarea").press("Enter")
        expect(mailbox.locator("li.us", has_text=answer)).to_be_visible(timeout=PHONE_MS)
        assert (mailbox.locator("li.us", has_text=answer).locator("h2").text_content() or "").startswith("Re:")
        for width in (320, 390, 800, 1280):
            page.set_viewport_size({"width": width, "height": 844})
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            expect(mailbox.locator("#text")).to_be_visible()
            page.locator("#visitor-email").scroll_into_view_if_needed()
            expect(mailbox.locator("li.us", has_text=answer).locator(".text")).to_be_in_viewport(ratio=1)
            assert mailbox.locator("html").evaluate("page => page.scrollWidth <= page.clientWidth")
        other, title = ("English", "Mailbox (demo)") if locale == "zh-CN" else ("中文", "邮箱（演示）")
        page.locator("#language", has_text=other).click()
        expect(mailbox.locator("h1")).to_have_text(title)
