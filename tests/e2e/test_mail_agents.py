"""An agent who answers by mail, on a hub as a user runs it: real IMAP and SMTP, a visitor on the page."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.email.post_office import Letter
from hub.demo.channels.email import Email
from hub.demo.stage import Stage
from tests.e2e.conftest import unlimited
from tests.e2e.test_whole_way import answers, phone, type_on_phone, until
from tests.e2e.visitors import Visitors

WANG, PHONE = "wang@corp.example", "WangFang"


def by_mail(teams: dict[str, Any]) -> None:
    unlimited(teams)
    teams["agents"]["wangfang"]["addresses"] = {"email": WANG}


def both_ways(teams: dict[str, Any]) -> None:
    unlimited(teams)
    teams["handover_s"] = 0
    teams["agents"]["wangfang"] |= {
        "addresses": {"wecom": PHONE, "email": WANG}, "delivery": ["desk", {"email": "off_duty"}, "wecom"],
    }  # fmt: skip


@pytest.fixture
async def stage(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    async with Stage(tmp_path / "hub", request.param, channels=("h5", "email")) as stage:
        yield stage


class Mailbox:
    """The agent's mail program."""

    def __init__(self, stage: Stage) -> None:
        channel = stage.channels["email"]
        assert isinstance(channel, Email)
        self.office = channel.mail.office

    def letters(self) -> list[Letter]:
        return [one for one in self.office.letters.get(WANG, []) if one.side == "us"]

    async def got(self, text: str) -> Letter:
        """The letter with this text, once it is there."""
        await until(lambda: any(text in one.text for one in self.letters()))
        return next(one for one in reversed(self.letters()) if text in one.text)

    def reply(self, letter: Letter, text: str, *, sender: str = WANG, to: str = "", threaded: bool = True) -> None:
        """As a mail program does it, with what it answers quoted below."""
        mail = self.office.write(sender, text, f"Re: {letter.subject}")
        del mail["To"]
        mail["To"] = to or letter.reply_to
        if threaded:
            mail["In-Reply-To"], mail["References"] = letter.message_id, f"{letter.references} {letter.message_id}"
        quoted = "".join(f"> {line}\n" for line in letter.text.splitlines())
        mail.set_content(f"{text}\n\n在 2026年11月26日，{letter.sender} 写道：\n{quoted}")
        self.office.post(mail)


@pytest.mark.parametrize("stage", [by_mail], indirect=True)
async def test_a_visitor_on_the_page_is_answered_and_served_by_mail(
    stage: Stage, http: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    visitors, box = Visitors(stage, http), Mailbox(stage)
    (visitor,) = await visitors.come(1)
    box.reply(await box.got("您是客服了"), "上班")
    await box.got("已上班")
    visitor.say("这款有货吗？想买一件")
    question = await box.got("这款有货吗")
    assert question.subject == "[#1] 访客0 · 售前咨询"
    assert question.automatic
    box.reply(question, "有的，亲\n还有两件")
    await visitor.until(lambda: answers(visitor) == ["有的，亲\n还有两件"])

    visitor.say("什么时候发货？")
    second = await box.got("什么时候发货")
    assert second.references == question.references
    # without its signed address, as where a provider has no such addresses: the message ids prove it
    box.reply(second, "今天", to="kefu@example.com")
    await visitor.until(lambda: answers(visitor)[1:] == ["今天"])

    box.reply(second, "我是王芳", sender="mallory@example.net")
    box.reply(second, "我也是王芳", to="kefu@example.com", threaded=False)
    tampered = second.reply_to.replace("+a.", "+a.x")
    box.reply(second, "我还是王芳", to=tampered, threaded=False)
    await until_unparsed(stage, http, admin, 3)
    assert answers(visitor)[2:] == []

    box.reply(second, "#close 买好了\n\n王芳")
    await visitor.until(lambda: visitor.history.shown[-1]["kind"] == "closed")
    box.reply(second, "还有一件事")
    assert "未发送：这个会话已不是你的\n还有一件事" in (await box.got("还有一件事")).text
    await visitors.leave()


@pytest.mark.parametrize("stage", [both_ways], indirect=True)
async def test_an_agent_goes_from_the_phone_to_the_desk_and_home_to_mail_and_nothing_is_missing(
    stage: Stage, http: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    visitors, box = Visitors(stage, http), Mailbox(stage)
    (visitor,) = await visitors.come(1)
    await type_on_phone(stage, PHONE, "上班")
    visitor.say("这款有货吗？想买一件")
    await phone(stage, PHONE, "这款有货吗")

    minted = (await http.post(f"{stage.url}/api/v1/agents/wangfang/token", headers=admin)).json()
    page = {"authorization": f"Bearer {minted['token']}"}

    async def desk(front: bool) -> None:
        said = await http.post(f"{stage.url}/api/v1/agents/me/desk", json={"id": "tab1", "front": front}, headers=page)
        assert said.status_code == 200, said.text

    async def frames(kind: str) -> list[dict[str, Any]]:
        url = f"{stage.url}/api/v1/conversations/{visitor.conversation}/messages"
        return [one for one in (await http.get(url, headers=page)).json()["events"] if one["kind"] == kind]

    await desk(True)
    async with asyncio.timeout(30):
        while not await frames("phone"):
            await asyncio.sleep(0.05)
    visitor.say("只有黑色吗？")
    await visitor.settled()
    read = await http.post(
        f"{stage.url}/api/v1/conversations/{visitor.conversation}/read",
        json={"seq": (await frames("message"))[0]["seq"]}, headers=page,
    )  # fmt: skip
    assert read.status_code == 200, read.text
    await desk(False)
    shown = await phone(stage, PHONE, "只有黑色吗")
    assert shown.count("这款有货吗") == 1

    await type_on_phone(stage, PHONE, "下班")
    question = await box.got("只有黑色吗")
    box.reply(question, "还有白色")
    await visitor.until(lambda: answers(visitor) == ["还有白色"])
    await visitors.leave()


async def until_unparsed(stage: Stage, http: httpx.AsyncClient, admin: dict[str, str], count: int) -> None:
    """The forged mails are kept, with the reason."""
    async with asyncio.timeout(30):
        while True:
            kept = (await http.get(f"{stage.url}/api/v1/unparsed", headers=admin)).json()
            if len(kept["unparsed"]) == count:
                break
            await asyncio.sleep(0.2)
    reasons = [one["because"] for one in kept["unparsed"]]
    assert sum("not signed for" in because for because in reasons) == 2
    assert sum("is an agent, and proves it only by answering" in because for because in reasons) == 1
