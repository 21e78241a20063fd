"""The demo's agents who answer by mail: which mail they answer, and what they overlook on their phone."""

import asyncio
import itertools
from email.message import EmailMessage
from typing import cast

import pytest

from connectors.email.sandbox import MailSandbox
from connectors.wecom.sandbox import WeComSandbox
from hub.demo.ledgers import AgentLedger
from hub.demo.lines import Phone
from hub.demo.mail import Either, Mail
from hub.demo.reading import Began, Block, Found, Moved
from hub.demo.sabotage import Sabotage
from hub.demo.stage import PostOffice, StandIn

SONG = "songjia@corp.example"


class Box:
    """A mailbox of the stand-in's and its owner; `shown` is what they have read."""

    def __init__(self) -> None:
        self.sandbox = MailSandbox()
        self.mail = Mail(SONG, cast(PostOffice, self.sandbox))
        self.shown: list[Found] = []
        self._ids = itertools.count()

    def come(self, subject: str, text: str, id_: str = "") -> str:
        """A mail of the hub arrives; its Message-ID."""
        letter = EmailMessage()
        letter["Message-ID"] = id_ or f"<{next(self._ids)}@example.com>"
        letter["Subject"], letter["From"], letter["Reply-To"] = subject, "kefu@example.com", "kefu+tag@example.com"
        letter.set_content(text)
        self.sandbox.office.deliver(SONG, letter.as_bytes())
        return str(letter["Message-ID"])

    async def read(self, line: Mail | Either) -> None:
        following = asyncio.create_task(line.follow(lambda _, found, way: self.shown.extend(found)))
        for _ in range(20):
            await asyncio.sleep(0)
        following.cancel()

    def written(self) -> list[tuple[str, str]]:
        """What the owner has written: the mail that it answers, and its first line."""
        own = (one for one in self.sandbox.office.letters[SONG] if one.side == "customer")
        return [(one.references.split()[-1], one.text.splitlines()[0]) for one in own]


@pytest.fixture
async def box() -> Box:
    return Box()


async def test_each_conversation_is_answered_in_its_thread_and_the_rest_by_any_mail(box: Box) -> None:
    twelve = box.come("[#12] 张三 · 售前咨询", "新会话 #12 张三（售前咨询）\n【#12·1 张三】在吗")
    fifteen = box.come("[#15] 李四 · 售前咨询", "新会话 #15 李四（售前咨询）")
    await box.read(box.mail)
    assert box.shown == [Began(12), Block(12, 1, "在吗"), Began(15)]
    assert (await box.mail.answer(12, "有货")).taken
    await box.mail.note(12, "老客户")
    await box.mail.set_duty(on=True)
    assert box.written() == [(twelve, "有货"), (twelve, "#note 老客户"), (fifteen, "#上班")]


async def test_a_mail_that_comes_once_more_is_shown_once(box: Box) -> None:
    again = box.come("[#12] 张三 · 售前咨询", "【#12·1 张三】在吗")
    box.come("[#12] 张三 · 售前咨询", "【#12·1 张三】在吗", again)
    await box.read(box.mail)
    assert box.shown == [Block(12, 1, "在吗")]


async def test_what_is_overlooked_on_the_phone_is_read_when_it_comes_by_mail(box: Box) -> None:
    either = Either(Phone("caiyun", cast(StandIn, WeComSandbox({"caiyun": "蔡云"})), Sabotage(None, ())), box.mail)
    heads = "新会话 #11 张三（综合客服）\n【#11·1 张三】在吗\n新会话 #12 李四（综合客服）\n【#12·1 李四】你好"
    assert either.read_phone(heads) == [Began(11), Block(11, 1, "在吗"), Began(12)]
    mail = box.come("[#12] 李四 · 综合客服", "【#12·1 李四】你好")
    await box.read(either)
    assert box.shown == [Block(12, 1, "你好")]
    await either.answer(12, "您好")
    assert box.written() == [(mail, "您好")]


def test_what_is_shown_again_on_another_way_is_told_apart() -> None:
    ledger = AgentLedger(frozenset())
    for text, way in (("【#12·1 张三】在吗", ""), ("【#12·1 张三】在吗", "mail"), ("【#12·2 张三】喂", "mail")):
        ledger.add(text, way)
    assert ledger.read() == ([Block(12, 1, "在吗"), Moved(), Block(12, 1, "在吗"), Block(12, 2, "喂")], 0)
