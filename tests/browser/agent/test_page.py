"""The page of agents on a whole hub: several agents at once, and nothing they write is lost, doubled or sent astray."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from hub.demo.channels.email import Email
from tests.browser.agent.driving import (
    DESKTOP,
    LI,
    LINES,
    PASSWORD,
    PHONE,
    ZHAO,
    Api,
    answer,
    ask,
    expect_heard,
    log_in,
    picture,
    take,
)
from tests.browser.real_hub import RealHub

Phone = Callable[..., BrowserContext]


def test_a_wrong_password_is_said_with_what_to_do(phone: Phone, hub: RealHub, api: Api) -> None:
    page = phone(**PHONE).new_page()
    page.goto(f"{hub.url}/agent")
    log_in(page, ZHAO, "wrong")
    expect(page.get_by_text("账号或密码不对。忘了密码，请管理员重设")).to_be_visible()
    log_in(page, ZHAO, PASSWORD)
    expect(page.get_by_role("heading", name="赵敏")).to_be_visible()


def test_who_has_guessed_too_often_is_told_to_wait(phone: Phone, hub: RealHub, api: Api) -> None:
    page = phone(**PHONE).new_page()
    page.goto(f"{hub.url}/agent")
    for _ in range(5):
        log_in(page, LI, "wrong")
        expect(page.get_by_text("账号或密码不对")).to_be_visible()
    log_in(page, LI, "wrong")
    expect(page.get_by_text("输错太多次")).to_be_visible()
    expect(page.get_by_role("button", name="登录")).to_be_disabled()


def test_a_new_password_ends_the_session_and_keeps_what_was_written(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page], api: Api
) -> None:
    customer, page = visitor("张三", "请问有人吗？"), agent()
    take(page, "张三")
    page.get_by_label("输入消息").fill("写到一半")
    api.call("PUT", f"/agents/{ZHAO}/password", password=PASSWORD + "!")
    expect(page.get_by_text("登录已过期，请重新登录")).to_be_visible()
    log_in(page, ZHAO, PASSWORD + "!")
    page.locator(".item", has_text="张三").click()
    expect(page.get_by_label("输入消息")).to_have_value("写到一半")
    page.get_by_role("button", name="发送").click()
    expect_heard(customer, ["写到一半"])


def test_of_two_who_take_the_same_visitor_one_is_told_who_was_first(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("张三", "请问有人吗？")
    zhao, li = agent(), agent(LI)
    waiting = li.locator(".waiting .item", has_text="张三")
    waiting.wait_for()
    li.route(LINES, lambda route: route.abort())  # what LI's page shows is not the newest
    with li.expect_event("requestfailed"):
        pass
    take(zhao, "张三")
    waiting.get_by_role("button", name="接入").click()
    expect(li.locator(".toast")).to_contain_text("赵敏")
    expect(li.locator(".toast")).to_contain_text("已接入")
    li.unroute(LINES)
    expect(waiting).to_have_count(0)


def test_who_came_first_stands_first_in_line_also_after_they_were_given_back(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page], api: Api
) -> None:
    visitor("张三", "请问有人吗？")
    visitor("李四", "在吗")
    page = agent()
    take(page, "张三")
    (conversation,) = api.served()
    (team,) = [team["name"] for team in api.call("GET", "/queues")["queues"] if team["waiting"]]
    api.call("POST", f"/conversations/{conversation}/transfer", team=team)
    page.get_by_role("button", name="返回").click()
    expect(page.locator(".waiting .item b")).to_have_text(["张三", "李四"])


def test_a_claim_on_one_page_is_seen_on_the_agents_other_page(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("张三", "请问有人吗？")
    one, other = agent(), agent(**DESKTOP)
    take(one, "张三")
    expect(other.locator("[aria-label=我的会话] .item")).to_contain_text("张三")
    other.locator("[aria-label=我的会话] .item").click()
    answer(other, "在的，请讲")
    expect(one.locator(".row.own .bubble", has_text="在的，请讲")).to_be_visible()


def test_answers_during_a_cut_arrive_once_and_in_order(
    hub: RealHub, agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    customer = visitor("张三", "请问有人吗？")
    with hub.line() as line:
        page = agent(url=line.url)
        take(page, "张三")
        answer(page, "一")
        expect_heard(customer, ["一"])
        line.cut()
        expect(page.locator(".list .standing")).to_contain_text("重新连接中")
        answer(page, "二")
        answer(page, "三")
        ask(customer, "收到")
        line.mend()
        expect_heard(customer, ["一", "二", "三"])
        expect(page.locator(".row.other .bubble", has_text="收到")).to_be_visible()
        expect(page.locator(".pending")).to_have_count(0)
        own = page.locator(".row.own:not([data-automatic]) .bubble").all_text_contents()
        assert own == ["一", "二", "三"]


def test_a_reload_in_the_cut_loses_nothing(
    hub: RealHub, agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    customer = visitor("张三", "请问有人吗？")
    with hub.line() as line:
        page = agent(url=line.url)
        take(page, "张三")
        page.evaluate("WebSocket.prototype.send = () => {}")  # what is sent now gets lost
        answer(page, "一")
        expect(page.locator(".row.own .bubble", has_text="一")).to_be_visible()
        page.reload()
        expect_heard(customer, ["一"])
        page.locator(".item", has_text="张三").click()
        expect(page.locator(".row.own:not([data-automatic]) .bubble")).to_have_count(1)


def test_a_transfer_with_a_note_is_seen_on_both_sides(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page], api: Api
) -> None:
    customer, zhao, li = visitor("张三", "我要退货"), agent(**DESKTOP), agent(LI)
    take(zhao, "张三")
    li.get_by_role("button", name="上班").click()
    expect(li.get_by_role("button", name="下班")).to_be_visible()
    zhao.get_by_role("button", name="转接").click()
    zhao.get_by_role("radio", name="李雷").check()
    zhao.locator("dialog textarea").fill("老客户，先退款")
    zhao.locator("dialog").get_by_role("button", name="转接").click()
    li.locator(".item", has_text="张三").click()
    expect(li.get_by_text("老客户，先退款")).to_be_visible()
    expect(zhao.locator(".parted")).to_have_text("已转给 李雷")
    expect(zhao.get_by_label("输入消息")).to_be_hidden()
    answer(li, "您好，我是李雷")
    expect_heard(customer, ["您好，我是李雷"])


def test_what_was_written_for_somebody_elses_visitor_is_given_back(
    hub: RealHub, agent: Callable[..., Page], visitor: Callable[[str, str], Page], api: Api
) -> None:
    customer, li = visitor("张三", "我要退货"), agent(LI)
    with hub.line() as line:
        page = agent(url=line.url)
        take(page, "张三")
        (conversation,) = api.served()
        line.cut()
        expect(page.locator(".list .standing")).to_contain_text("重新连接中")
        answer(page, "这句不该发出")
        api.call("POST", f"/agents/{LI}/duty", on=True)
        api.call("POST", f"/conversations/{conversation}/transfer", agent=LI)
        li.locator("button.item", has_text="张三").wait_for()
        line.mend()
        expect(page.get_by_text("没有发出：会话已不在您这里")).to_be_visible()
    li.locator("button.item", has_text="张三").click()
    answer(li, "我来处理")
    expect_heard(customer, ["我来处理"])


def test_an_answer_is_corrected_and_taken_back(agent: Callable[..., Page], visitor: Callable[[str, str], Page]) -> None:
    customer, page = visitor("张三", "几点发货？"), agent()
    take(page, "张三")
    answer(page, "明天")
    page.locator(".row.own .bubble", has_text="明天").click()
    page.get_by_role("button", name="更正").click()
    page.locator("dialog textarea").fill("今天")
    page.locator("dialog").get_by_role("button", name="更正").click()
    expect_heard(customer, ["今天"])
    page.locator(".row.own .bubble", has_text="今天").click()
    page.get_by_role("button", name="撤回").click()
    expect_heard(customer, [])
    expect(page.get_by_text("撤回了一条消息")).to_be_visible()


def test_closing_says_why_and_the_visitor_can_come_back(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    customer, page = visitor("张三", "谢谢"), agent()
    take(page, "张三")
    page.locator(".tools").get_by_role("button", name="结束").click()
    page.get_by_role("button", name="已解决").click()
    page.locator("dialog form").get_by_role("button", name="结束").click()
    expect(page.locator(".parted")).to_have_text("会话已结束")
    expect(page.get_by_text("（已解决）")).to_be_visible()
    page.get_by_role("button", name="返回").click()
    expect(page.locator("[aria-label=我的会话] .item")).to_have_count(0)
    ask(customer, "还有一个问题")
    take(page, "张三")
    expect(page.get_by_text("会话重新打开")).to_be_visible()


def test_a_chat_that_was_closed_with_an_answer_that_may_not_have_arrived_comes_back(
    hub: RealHub, agent: Callable[..., Page]
) -> None:
    channel = hub.stage.channels["email"]
    assert isinstance(channel, Email)

    async def write() -> None:
        channel.mail.say("sunmail@example.net", "发票抬头写错了", subject="发票")

    hub.call(write())
    page = agent()
    page.get_by_role("button", name="上班").click()
    page.locator("button.item", has_text="访客").click()
    with channel.mail.faulty(drop_after_data=1, slow_s=4.0):
        page.get_by_label("输入消息").fill("马上重开")
        page.get_by_role("button", name="发送").click()
        page.get_by_role("button", name="结束", exact=True).click()
        page.get_by_role("dialog").get_by_role("button", name="结束").click()
        expect(page.locator(".thread .parted")).to_be_visible()
        expect(page.locator(".thread .parted")).to_be_hidden()
    expect(page.locator(".row.own", has_text="马上重开")).to_contain_text("没有送达")
    picture(page, "undelivered")


def test_a_note_is_for_agents_and_hold_is_shown(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    customer, page = visitor("张三", "请问有人吗？"), agent()
    take(page, "张三")
    page.get_by_role("button", name="更多").click()
    page.get_by_role("button", name="备注").click()
    page.locator("dialog textarea").fill("老客户")
    page.get_by_role("button", name="保存").click()
    expect(page.get_by_text("赵敏 的备注：老客户")).to_be_visible()
    page.get_by_role("button", name="更多").click()
    page.get_by_role("button", name="挂起").click()
    expect(page.locator(".thread .standing")).to_contain_text("已挂起")
    assert "老客户" not in (customer.locator(".log").text_content() or "")


def test_a_slash_offers_quick_replies(agent: Callable[..., Page], visitor: Callable[[str, str], Page]) -> None:
    customer, page = visitor("张三", "请问有人吗？"), agent(**DESKTOP)
    take(page, "张三")
    page.get_by_label("输入消息").press_sequentially("/稍")
    expect(page.get_by_role("option")).to_have_count(1)
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect_heard(customer, ["好的，我马上为您查询，请稍等。"])


def test_the_page_says_whether_one_is_on_duty_and_until_when(agent: Callable[..., Page]) -> None:
    page = agent()
    expect(page.locator(".list .standing")).to_have_text("已下班")
    page.get_by_role("button", name="上班").click()
    expect(page.locator(".list .standing")).to_contain_text("上班中 · 到 ")
    page.get_by_role("button", name="下班").click()
    expect(page.locator(".list .standing")).to_have_text("已下班")


def test_who_has_missed_two_is_told_why_they_are_off_duty(agent: Callable[..., Page]) -> None:
    page = agent()
    why = {"on_duty": False, "because": "missed"}
    page.route("**/duty", lambda route: route.fulfill(json=why) if route.request.method == "GET" else route.continue_())
    page.reload()
    expect(page.locator(".list .standing")).to_have_text("两次没有接起，已下班")


def test_who_is_on_duty_already_is_not_told_to_go_on_duty(agent: Callable[..., Page]) -> None:
    page = agent()
    expect(page.get_by_text("点「上班」开始接待")).to_be_visible()
    page.get_by_role("button", name="上班").click()
    expect(page.get_by_text("有访客时会自动分配给您")).to_be_visible()


def test_an_english_page_has_the_english_names_of_teams(
    hub: RealHub, agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("张三", "hello")
    page = agent(**DESKTOP)
    page.goto(f"{hub.url}/agent?lang=en")
    waiting = page.locator(".waiting .item", has_text="张三")
    expect(waiting).to_contain_text("General · h5")
    waiting.get_by_role("button", name="Take").click()
    page.get_by_role("button", name="Transfer").click()
    expect(page.get_by_role("radio", name="After-sales")).to_be_visible()


def test_what_the_visitor_wrote_while_it_was_being_closed_is_to_be_read_first(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    customer, page = visitor("张三", "谢谢"), agent()
    take(page, "张三")
    page.locator(".tools").get_by_role("button", name="结束").click()
    ask(customer, "等等，还有")
    expect(page.locator(".row.other .bubble", has_text="等等，还有")).to_have_count(1)
    page.get_by_role("dialog").get_by_role("button", name="结束").click()
    expect(page.locator(".toast")).to_have_text("没有结束：访客刚刚又写了，或有回复没有送达。请看过后再结束")
    expect(page.locator(".row.other .bubble", has_text="等等，还有")).to_be_in_viewport()
    page.locator(".tools").get_by_role("button", name="结束").click()
    page.get_by_role("dialog").get_by_role("button", name="结束").click()
    expect(page.locator(".parted")).to_have_text("会话已结束")


def test_what_can_be_tapped_is_large_enough_for_a_thumb(
    agent: Callable[..., Page], visitor: Callable[[str, str], Page]
) -> None:
    visitor("张三", "请问有人吗？")
    visitor("李四", "在吗")
    page = agent()
    page.locator(".waiting .item").nth(1).wait_for()
    _expect_large(page)
    take(page, "张三")
    _expect_large(page)
    page.get_by_role("button", name="更多").click()
    _expect_large(page)


def _expect_large(page: Page) -> None:
    for target in page.locator("button:visible, textarea:visible").all():
        box = target.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44, target.text_content()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize(("locale", "scheme"), [("zh-CN", "light"), ("en-US", "dark")])
def test_three_agents_work_on_one_hub(
    phone: Phone,
    hub: RealHub,
    agent: Callable[..., Page],
    visitor: Callable[[str, str], Page],
    locale: str,
    scheme: str,
) -> None:
    names = ["张三", "李四", "王五"]
    customers = [visitor(name, f"我是{name}，订单还没有到") for name in names]
    pages = [agent(**DESKTOP, color_scheme=scheme), agent(LI), agent(color_scheme=scheme)]
    for page, name in zip(pages, names, strict=True):
        take(page, name)
        answer(page, f"{name}您好，马上帮您查")
    for customer, name in zip(customers, names, strict=True):
        expect_heard(customer, [f"{name}您好，马上帮您查"])
    if locale == "en-US":
        for page, name in ((pages[0], "张三"), (pages[2], "王五")):
            page.goto(f"{hub.url}/agent?lang=en")
            expect(page.get_by_role("button", name="Next")).to_be_visible()
            page.locator(".item", has_text=name).click()
            expect(page.get_by_role("button", name="Transfer")).to_be_visible()
    ask(customers[0], "好的，麻烦您了")
    expect(pages[0].locator(".row.other .bubble", has_text="麻烦您了")).to_be_visible()
    suffix = "" if locale == "zh-CN" else "-en"
    picture(pages[0], f"agent-desktop{suffix}")
    picture(pages[2], f"agent-phone{suffix}")


def test_the_modules_of_the_page_pass_their_own_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: tests/browser/units need its test runner")
    files = sorted(str(file) for file in (Path(__file__).parents[1] / "units").glob("*.test.mjs"))
    run = subprocess.run([node, "--test", *files], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    assert "# pass 0" not in run.stdout
