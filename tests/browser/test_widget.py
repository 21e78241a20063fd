"""The H5 widget in a real browser: nothing is lost, nothing shows twice, nothing jumps."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from tests.browser.protocol_server import ProtocolServer
from tests.chromium import CHROMIUM, LAUNCH

Phone = Callable[..., BrowserContext]


def write(page: Page, text: str) -> None:
    page.get_by_label("输入消息").fill(text)
    page.get_by_role("button", name="发送").click()


def own(page: Page) -> list[str]:
    """The visitor's own texts as the page shows them."""
    return [text.removeprefix("我: ") for text in page.locator(".row.own .bubble").all_text_contents()]


def wait_for(true: Callable[[], bool], page: Page) -> None:
    """Polls, with the page alive; the assertion that follows says what is wrong."""
    for _ in range(300):
        if true():
            return
        page.wait_for_timeout(100)


def expect_own(page: Page, texts: list[str]) -> None:
    wait_for(lambda: own(page) == texts and page.locator(".pending").count() == 0, page)
    assert own(page) == texts
    assert page.locator(".pending").count() == 0


def test_a_visitor_writes_and_reads_the_answer(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "请问什么时候发货？")
    expect_own(chat, ["请问什么时候发货？"])
    hub.tell("answer", by="小王", text="今天就发")
    expect(chat.get_by_text("今天就发")).to_be_visible()
    expect(chat.get_by_role("status").first).to_have_text("小王 正在为您服务")
    assert hub.texts() == ["请问什么时候发货？"]


def test_who_waits_sees_their_place_and_nothing_moves_as_it_comes_nearer(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "在吗")
    expect_own(chat, ["在吗"])
    hub.tell("waiting", position=3, on_duty=True, low_s=170, high_s=290)
    box = chat.locator(".box")
    expect(box).to_contain_text("您前面还有 2 位")
    expect(box).to_contain_text("预计约 2–5 分钟")
    expect(chat.get_by_role("status").first).to_have_text("排队中 · 第 3 位")
    before = box.bounding_box()
    hub.tell("waiting", position=1, on_duty=True)
    expect(box).to_contain_text("下一位就是您")
    assert box.bounding_box() == before
    hub.tell("waiting", position=1, opens_at=4_102_444_800_000, away="急事请致电 400。", away_en="Call 400.")
    expect(box).to_contain_text("2100年1月1日")
    expect(box).to_contain_text("急事请致电 400。")
    hub.tell("answer", by="小王", text="您好")
    expect(box).to_have_count(0)


def test_who_is_asked_whether_they_are_there_says_so_with_one_tap(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "在吗")
    expect_own(chat, ["在吗"])
    hub.tell("answer", by="小王", text="请讲")
    hub.tell("nudged", seconds=300)
    expect(chat.locator(".box")).to_contain_text("请问还需要帮助吗？")
    chat.get_by_role("button", name="我还在").click()
    expect_own(chat, ["在吗", "我还在"])
    expect(chat.locator(".box")).to_have_count(0)
    hub.tell("closed", because="idle")
    expect(chat.get_by_text("许久没有收到您的消息")).to_be_visible()
    assert hub.texts() == ["在吗", "我还在"]


def test_what_is_written_offline_is_sent_later_and_once(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    expect_own(chat, ["一"])
    chat.context.set_offline(True)
    write(chat, "二")
    write(chat, "三")
    hub.cut()
    expect(chat.get_by_text("2 条消息未发送，联网后自动发送")).to_be_visible()
    expect(chat.get_by_text("网络已断开")).to_be_visible()
    chat.context.set_offline(False)
    expect_own(chat, ["一", "二", "三"])
    assert hub.texts() == ["一", "二", "三"]


def test_a_lost_ack_stores_and_shows_a_text_once(chat: Page, hub: ProtocolServer) -> None:
    hub.mute = True
    write(chat, "一")
    wait_for(lambda: hub.sent != [], chat)
    hub.mute = False
    hub.cut()
    expect_own(chat, ["一"])
    assert hub.texts() == ["一"]


def test_a_reload_loses_neither_unsent_texts_nor_the_conversation(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    expect_own(chat, ["一"])
    hub.mute = True
    write(chat, "二")
    wait_for(lambda: len(hub.sent) == 2, chat)
    hub.mute = False
    chat.reload()
    expect_own(chat, ["一", "二"])
    assert hub.texts() == ["一", "二"]
    assert len(hub.conversations) == 1


def test_a_closed_tabs_text_is_sent_by_the_next_one(phone: Phone, hub: ProtocolServer, hub_url: str) -> None:
    context = phone()
    page = context.new_page()
    page.goto(f"{hub_url}/chat")
    page.get_by_text("发消息给我们").wait_for()
    hub.mute = True
    write(page, "一")
    wait_for(lambda: hub.sent != [], page)
    page.close()
    hub.mute = False
    page = context.new_page()
    page.goto(f"{hub_url}/chat")
    expect_own(page, ["一"])
    assert hub.texts() == ["一"]


def test_a_killed_browser_has_kept_what_was_written(
    playwright: Playwright, hub: ProtocolServer, hub_url: str, tmp_path: Path
) -> None:
    def launch() -> BrowserContext:
        return playwright.chromium.launch_persistent_context(
            tmp_path / "profile", executable_path=CHROMIUM, args=LAUNCH, locale="zh-CN"
        )

    page = launch().new_page()
    page.goto(f"{hub_url}/chat")
    page.get_by_text("发消息给我们").wait_for()
    hub.mute = True
    write(page, "一")
    wait_for(lambda: hub.sent != [], page)
    for pid in _processes_with(tmp_path / "profile"):
        os.kill(pid, signal.SIGKILL)
    hub.mute = False
    (tmp_path / "profile" / "SingletonLock").unlink(missing_ok=True)
    context = launch()
    page = context.new_page()
    page.goto(f"{hub_url}/chat")
    expect_own(page, ["一"])
    assert hub.texts() == ["一"]
    context.close()


def _processes_with(folder: Path) -> list[int]:
    """The processes whose command line names the test's own folder: this test's browser and no other."""
    found = subprocess.run(["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


@pytest.mark.parametrize("locks", [True, False], ids=["shared tab id", "no Web Locks"])
def test_two_tabs_agree(phone: Phone, hub: ProtocolServer, hub_url: str, locks: bool) -> None:
    context = phone()
    if not locks:
        context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {value: undefined})")
    pages = [context.new_page(), context.new_page()]
    for page in pages:
        page.goto(f"{hub_url}/chat")
        page.get_by_text("发消息给我们").wait_for()
    texts = [f"第 {number} 条" for number in range(6)]
    for number, text in enumerate(texts):
        write(pages[number % 2], text)

        def all_there(expected: list[str] = texts[: number + 1]) -> bool:
            return hub.texts() == expected

        wait_for(all_there, pages[0])
    for page in pages:
        expect_own(page, texts)
    assert hub.texts() == texts
    assert len(hub.conversations) == 1
    assert len({id_.partition(".")[0] for id_ in hub.sent}) == (1 if locks else 2)


def test_what_one_tab_wrote_offline_another_sends(phone: Phone, hub: ProtocolServer, hub_url: str) -> None:
    context = phone()
    pages = [context.new_page(), context.new_page()]
    for page in pages:
        page.goto(f"{hub_url}/chat")
        page.get_by_text("发消息给我们").wait_for()
    # The first page's socket is dead and it does not come back: a frozen tab.
    pages[0].evaluate("WebSocket.prototype.send = () => {}")
    write(pages[0], "一")
    expect(pages[1].get_by_text("一")).to_be_visible()
    expect_own(pages[1], ["一"])
    assert hub.texts() == ["一"]


def test_lost_pushes_are_fetched(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    expect_own(chat, ["一"])
    for number in range(60):
        hub.lose("answer", by="小王", text=f"丢失 {number}")
    hub.tell("answer", by="小王", text="收到")
    expect(chat.get_by_text("丢失 0", exact=True)).to_be_attached()
    shown = chat.locator(".row.other .bubble").all_text_contents()
    assert shown[1:] == [f"丢失 {number}" for number in range(60)] + ["收到"]


def test_an_expired_token_is_renewed_to_the_same_conversation(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    expect_own(chat, ["一"])
    hub.cut(4401)
    write(chat, "二")
    expect_own(chat, ["一", "二"])
    assert len(hub.conversations) == 1


def test_a_hub_that_forgot_everything_gets_what_is_unsent(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    expect_own(chat, ["一"])
    hub.mute = True
    write(chat, "二")
    wait_for(lambda: len(hub.sent) == 2, chat)
    sockets = hub.forget_all()
    hub.mute = False
    hub.close(sockets, 4000)
    wait_for(lambda: hub.conversations != {} and hub.texts() == ["二"], chat)
    assert hub.texts() == ["二"]
    expect_own(chat, ["二"])


def test_nothing_moves_for_a_person_who_reads_older_messages(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    for number in range(40):
        hub.tell("answer", by="小王", text=f"第 {number} 句")
    expect(chat.get_by_text("第 39 句")).to_be_visible()
    row = chat.get_by_text("第 10 句", exact=True)
    row.scroll_into_view_if_needed()
    chat.wait_for_timeout(200)
    before = row.bounding_box()
    hub.tell("answer", by="小王", text="新的一句\n两行")
    expect(chat.get_by_role("button", name="1 条新消息")).to_be_visible()
    assert row.bounding_box() == before
    chat.get_by_role("button", name="1 条新消息").click()
    expect(chat.get_by_text("新的一句")).to_be_in_viewport()


def test_the_newest_message_stays_in_sight_when_the_keyboard_comes(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "一")
    for number in range(20):
        hub.tell("answer", by="小王", text=f"第 {number} 句")
    newest = chat.get_by_text("第 19 句")
    expect(newest).to_be_in_viewport(ratio=1)
    size = chat.viewport_size
    assert size
    chat.set_viewport_size({"width": size["width"], "height": size["height"] // 2})
    expect(newest).to_be_in_viewport(ratio=1)
    expect(chat.get_by_label("输入消息")).to_be_in_viewport(ratio=1)


def test_a_page_that_is_too_old_asks_to_be_reloaded(chat: Page, hub: ProtocolServer) -> None:
    hub.cut(4505)
    chat.get_by_role("button", name="刷新页面").click()
    expect(chat.get_by_text("发消息给我们")).to_be_visible()


def test_older_messages_are_loaded_by_scrolling_up(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "最早的一条")
    expect_own(chat, ["最早的一条"])
    for number in range(120):
        hub.lose("answer", by="小王", text=f"第 {number} 句")
    chat.reload()
    expect(chat.get_by_text("第 119 句")).to_be_visible()
    assert own(chat) == []

    def is_at_the_first() -> bool:
        chat.locator(".scroller").evaluate("node => node.scrollTo(0, -node.scrollHeight)")
        return own(chat) != []

    wait_for(is_at_the_first, chat)
    assert own(chat) == ["最早的一条"]
    assert chat.locator(".row.other").count() == 121, "120 answers and the greeting"


def test_foreign_text_stays_text_and_links_are_safe(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "hi")
    expect_own(chat, ["hi"])
    hub.tell("answer", by="<b>x</b>", text='<img src=x onerror="window.hit=1"> https://a.example/x。')
    link = chat.get_by_role("link", name="https://a.example/x")
    expect(link).to_have_attribute("rel", "noopener noreferrer nofollow")
    assert chat.evaluate("window.hit") is None
    assert chat.locator(".row.other img, .row.other b").count() == 0


def test_held_and_blocked_texts_say_so(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "a [held] b")
    write(chat, "c [blocked] d")
    expect(chat.get_by_text("待审核")).to_be_visible()
    expect(chat.get_by_text("未送达")).to_be_visible()
    hub.tell("rejected", ref=2)
    expect(chat.get_by_text("未通过审核")).to_be_visible()


def test_enter_sends_on_a_desktop_but_not_while_composing(phone: Phone, hub: ProtocolServer, hub_url: str) -> None:
    desktop = phone(is_mobile=False, has_touch=False, viewport={"width": 1000, "height": 700})
    page = desktop.new_page()
    page.goto(f"{hub_url}/chat")
    page.get_by_text("发消息给我们").wait_for()
    field = page.get_by_label("输入消息")
    field.fill("nihao")
    field.evaluate("node => node.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true}))")
    page.wait_for_timeout(200)
    assert hub.sent == []
    field.press("Shift+Enter")
    field.press_sequentially("second line")
    field.press("Enter")
    expect_own(page, ["nihao\nsecond line"])


def test_a_text_that_is_too_long_is_not_cut_in_silence(chat: Page, hub: ProtocolServer) -> None:
    chat.get_by_label("输入消息").fill("长" * 4001)
    expect(chat.get_by_text("4001 / 4000 字，请分几条发送")).to_be_visible()
    expect(chat.get_by_role("button", name="发送")).to_be_disabled()


def test_the_widget_and_its_host_page_leave_each_other_alone(phone: Phone, hub: ProtocolServer, hub_url: str) -> None:
    page = phone().new_page()
    page.goto(f"{hub_url}/shop")
    button = page.get_by_role("button", name="联系客服")
    expect(button).to_be_visible()
    assert hub.conversations == {}, "a page that is only looked at mints no token"
    button.click()
    expect(page.get_by_text("发消息给我们")).to_be_visible()
    write(page, "你好")
    expect_own(page, ["你好"])
    assert page.locator(".row.own .bubble").evaluate("node => getComputedStyle(node).fontSize") == "16px"
    page.get_by_role("button", name="收起").click()
    hub.tell("answer", by="小王", text="在的")
    expect(page.get_by_role("button", name="联系客服，1 条新消息")).to_be_visible()
    page.reload()
    page.get_by_role("button", name="联系客服，1 条新消息").click()
    expect(page.get_by_text("在的")).to_be_visible()


def test_it_works_inside_an_iframe(phone: Phone, hub: ProtocolServer, hub_url: str) -> None:
    page = phone(is_mobile=False, viewport={"width": 900, "height": 700}).new_page()
    page.goto(f"{hub_url}/shop")
    page.evaluate("url => document.body.append(Object.assign(document.createElement('iframe'), {src: url}))", "/chat")
    frame = page.frame_locator("iframe")
    frame.get_by_label("输入消息").fill("里面")
    frame.get_by_role("button", name="发送").click()
    wait_for(lambda: hub.conversations != {} and hub.texts() == ["里面"], page)
    assert hub.texts() == ["里面"]


def test_it_speaks_english_when_asked(phone: Phone, hub_url: str) -> None:
    page = phone().new_page()
    page.goto(f"{hub_url}/chat?lang=en")
    expect(page.get_by_text("Hello! How can we help you?")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_the_choices_of_a_reply_are_buttons_until_one_is_sent(chat: Page, hub: ProtocolServer) -> None:
    write(chat, "我要退货")
    expect_own(chat, ["我要退货"])
    hub.tell("reply", text="请问是哪一种情况？", choices=["七天无理由", "收到时已损坏"])
    expect(chat.get_by_role("button", name="七天无理由")).to_be_visible()
    box = chat.get_by_role("button", name="收到时已损坏").bounding_box()
    assert box
    assert box["height"] >= 44
    chat.get_by_role("button", name="收到时已损坏").click()
    expect_own(chat, ["我要退货", "收到时已损坏"])
    expect(chat.get_by_role("button", name="七天无理由")).to_have_count(0)
    assert hub.texts() == ["我要退货", "收到时已损坏"]


def test_typing_is_shown_and_told(chat: Page, hub: ProtocolServer) -> None:
    hub.signal(t="typing", on=True, by="agent")
    expect(chat.get_by_text("对方正在输入…")).to_be_visible()
    chat.get_by_label("输入消息").fill("我")
    wait_for(lambda: {"t": "typing", "on": True} in hub.signals, chat)
    assert {"t": "typing", "on": True} in hub.signals


def test_what_can_be_tapped_is_large_enough_for_a_thumb(chat: Page) -> None:
    for target in [*chat.get_by_role("button").all(), chat.get_by_label("输入消息")]:
        box = target.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
