"""Mail through the hub's real engine: in by IMAP, a conversation, out by SMTP, and what comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from connectors.email.connector import Email
from connectors.email.sandbox import MailSandbox
from connectors.email.settings import EmailSettings
from hub.bus.attachment_folder import FolderAttachments
from hub.bus.bucket import Bucket
from hub.bus.connection import connect
from hub.bus.founding import Founding
from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.bus.tokens import SharedTokens
from hub.channels import faults
from hub.clock import Clock
from hub.contract import Surroundings
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import ids
from hub.domain.batch import decode_batch
from hub.domain.commands import AnyCommand
from hub.domain.events import Record
from hub.domain.messages import Attachment, Judgement
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.calls import Outcome
from hub.engine.files import Files
from hub.engine.ingest import Ingest
from hub.engine.kinds import kinds
from hub.engine.partitions import Partitions
from hub.engine.pipeline import Pipeline
from hub.engine.pulls import BUCKET, Pulls
from hub.engine.roster import Roster
from hub.engine.router import Router
from hub.engine.spool import Spool
from hub.settings import Media
from tests.engine.rig import FOUNDING, EmptyHistory

ZHANG = "zhang@example.net"
PARTITIONS = 4
GREETING = "我们收到了，会尽快回复。"
DESK = AgentSettings(ids.agent_id(PARTITIONS, "ann"), "ann", "小安", ("all",), 100)
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
Event = TypeVar("Event")


class Greets:
    """Rules that answer everything by themselves."""

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        return Judgement(text, reply=GREETING)


class NoHistory(EmptyHistory):
    async def knows(self, entity: str, outside_id: str) -> bool:
        return False


class Hub:
    """One worker whose only channel is email, and the log that it writes."""

    def __init__(self, nats: EmbeddedServer, mail: MailSandbox, folder: Path) -> None:
        self.records: list[Record] = []
        self.mail = mail
        self._nats, self._folder = nats, folder

    async def lose_cursor(self) -> None:
        connection = await connect(self._nats.url, "test")
        await Bucket(connection, BUCKET).put("email", b"")
        await connection.close()

    async def start(self) -> None:
        self.records.clear()
        connection = self._connection = await connect(self._nats.url, "email")
        email = self.email = Email(EmailSettings.model_validate(self.mail.settings()))
        await email.start(Surroundings(SharedTokens(connection), "http://127.0.0.1", b"k" * 32))
        connectors = {"email": email}
        self.attachments = FolderAttachments(self._folder / "attachments")
        files = Files(self.attachments, connectors, Media(), lambda file: f"http://127.0.0.1/{file.key}")
        self._router = Router("w1", connection, EmptyHistory(), partitions=PARTITIONS, epoch=FOUNDING.epoch)

        async def founded() -> Founding:
            return FOUNDING

        self._partitions = Partitions(
            connection, self._router, kinds(Pipeline(Greets()).decide), connectors, files.enclose,
            count=PARTITIONS, founded=founded, log_bytes=64 << 20, clock=Clock(time.time),
        )  # fmt: skip
        await self._partitions.listen()
        await self._partitions.leases.start()
        await self._partitions.take(range(PARTITIONS))
        roster = Roster(Teams("1", "all", (Team("all", "All"),), (DESK,)), PARTITIONS)
        self._spool = Spool(self._folder / "spool", self._router, roster.unparsed, files.complete)
        ingest = Ingest(connectors, roster, self._spool.take, files, NoHistory().knows, PARTITIONS)
        await self._spool.start()
        self._pulls = Pulls(connection, connectors, self._partitions.leases, ingest)
        self._pulls.start()
        self._following = [asyncio.create_task(self._follow(partition)) for partition in range(PARTITIONS)]

    async def stop(self) -> None:
        await self._pulls.close()
        for task in self._following:
            task.cancel()
        await self._spool.close()
        await self._partitions.drain()
        await self.email.stop()
        await self._connection.close()

    async def _follow(self, partition: int) -> None:
        async for stored in PartitionLog(self._connection, partition).follow(0):
            self.records += [entry.record for entry in decode_batch(stored.data).entries]

    def events(self, kind: type[Event]) -> list[Event]:
        return [record.event for record in self.records if isinstance(record.event, kind)]

    async def submit(self, entity: str, command: AnyCommand) -> Outcome:
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._router.submit(entity, command, outcome.set_result)
        async with asyncio.timeout(20):
            return await outcome

    async def until(self, true: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not true():
                await asyncio.sleep(0.02)

    async def conversation(self, texts: int) -> str:
        """The one conversation, once so many messages of the customer are in it."""
        await self.until(lambda: len(self.events(e.MessagePosted)) >= texts)
        (entity,) = {record.entity for record in self.records if isinstance(record.event, e.MessagePosted)}
        return entity

    async def answer(self, entity: str, text: str, *files: Attachment) -> None:
        await self.submit(entity, c.Assign(DESK.id, DESK.display, 1, "all", False))
        outcome = await self.submit(entity, c.AnswerMessage(DESK.id, text, files=files))
        assert outcome.denied is None, outcome.denied


@pytest.fixture
async def hub(nats: EmbeddedServer, tmp_path: Path) -> AsyncIterator[Hub]:
    async with MailSandbox() as mail:
        hub = Hub(nats, mail, tmp_path)
        await hub.start()
        yield hub
        await hub.stop()


def got(hub: Hub) -> list[str]:
    return [letter.text for letter in hub.mail.ledger().get(ZHANG, [])]


async def test_the_hub_finds_nothing_wrong_with_the_connector(hub: Hub) -> None:
    assert list(faults("email", hub.email)) == []


async def test_a_mail_is_answered_by_mail_and_the_reply_comes_into_the_same_conversation(hub: Hub) -> None:
    first = hub.mail.say(ZHANG, "什么时候发货？", subject="订单 1234", files=[("截图.png", "image/png", PNG)])
    entity = await hub.conversation(1)
    (posted,) = hub.events(e.MessagePosted)
    assert posted.text == "订单 1234\n\n什么时候发货？"
    assert [(file.name, file.type, file.size) for file in posted.files] == [("截图.png", "image/png", len(PNG))]
    await hub.until(lambda: got(hub) == [GREETING])
    invoice = await hub.attachments.put(entity, b"%PDF-1.7\n", 100, name="发票.pdf", type="application/pdf")
    await hub.answer(entity, "今天就发。", invoice)
    await hub.until(lambda: got(hub) == [GREETING, "今天就发。"])
    greeting, letter = hub.mail.ledger()[ZHANG]
    assert (greeting.automatic, letter.automatic) == (True, False)
    assert hub.mail.senders == ["", "kefu@example.com"]
    assert letter.subject == "Re: 订单 1234"
    assert letter.references == first
    assert letter.sender == '"小安 (Kefu Hub)" <kefu@example.com>'
    assert letter.files == ["发票.pdf"]
    hub.mail.say(ZHANG, "好的，谢谢")
    assert await hub.conversation(2) == entity
    assert hub.events(e.MessagePosted)[1].text == "好的，谢谢"


async def test_mail_that_comes_twice_is_one_message(hub: Hub) -> None:
    with hub.mail.faulty(duplicate=True):
        hub.mail.say(ZHANG, "在吗", subject="问题")
    hub.mail.say(ZHANG, "还在吗", subject="另一个问题")
    await hub.until(lambda: len(hub.events(e.MessagePosted)) == 2)
    assert {posted.text for posted in hub.events(e.MessagePosted)} == {"问题\n\n在吗", "另一个问题\n\n还在吗"}


async def test_what_came_is_not_taken_again_when_the_mailbox_is_numbered_anew(hub: Hub) -> None:
    hub.mail.say(ZHANG, "在吗", subject="问题")
    await hub.conversation(1)
    hub.mail.office.renumber()
    with hub.mail.faulty(imap="drop"):
        hub.mail.say("li@example.net", "你好", subject="别的")
        await hub.until(lambda: hub._pulls.troubles)
    await hub.until(lambda: len(hub.events(e.MessagePosted)) == 2)
    assert {posted.text for posted in hub.events(e.MessagePosted)} == {"问题\n\n在吗", "别的\n\n你好"}


async def test_a_worker_goes_on_where_another_ended_and_a_lost_cursor_doubles_nothing(hub: Hub) -> None:
    hub.mail.say(ZHANG, "在吗", subject="问题")
    await hub.until(lambda: got(hub) == [GREETING])
    for cursor_is_lost in (False, True):
        await hub.stop()
        if cursor_is_lost:
            await hub.lose_cursor()
        hub.mail.say(ZHANG, "还在吗")
        await hub.start()
        await hub.until(lambda: len(hub.events(e.MessagePosted)) == len(hub.mail.office.folders["INBOX"]))
    await hub.until(lambda: got(hub) == [GREETING] * 3)
    assert [posted.text for posted in hub.events(e.MessagePosted)] == ["问题\n\n在吗", "还在吗", "还在吗"]


async def test_an_answer_that_comes_back_is_told_in_its_conversation(hub: Hub) -> None:
    hub.mail.say(ZHANG, "在吗", subject="问题")
    entity = await hub.conversation(1)
    await hub.until(lambda: got(hub) == [GREETING])
    with hub.mail.faulty(bounce=True):
        await hub.answer(entity, "在的")
        await hub.until(lambda: hub.events(e.ReceiptHad))
    (receipt,) = hub.events(e.ReceiptHad)
    assert (receipt.attempt, receipt.kind) == (2, "failed")
    assert "550 5.1.1 no such user" in receipt.because


async def test_an_absence_notice_is_shown_and_answered_by_nobody(hub: Hub) -> None:
    hub.mail.say(ZHANG, "在吗", subject="问题")
    entity = await hub.conversation(1)
    await hub.until(lambda: got(hub) == [GREETING])
    notice = hub.mail.office.write(ZHANG, "我在休假。", "")
    notice["Auto-Submitted"] = "auto-replied"
    hub.mail.office.post(notice)
    assert await hub.conversation(2) == entity
    hub.mail.say(ZHANG, "我回来了")
    await hub.conversation(3)
    await hub.until(lambda: got(hub) == [GREETING, GREETING])
    assert [posted.automatic for posted in hub.events(e.MessagePosted)] == [False, True, False]
    assert len(hub.events(e.AutoReplied)) == 2


async def test_a_program_that_hides_is_answered_no_more_than_ten_times(hub: Hub) -> None:
    for n in range(12):
        hub.mail.say(ZHANG, f"谢谢您的来信 {n}", subject=f"单号 {n}")
    await hub.until(lambda: len(hub.events(e.AttemptRefused)) == 2 and len(got(hub)) == 10)
    assert "a program, it seems" in hub.events(e.AttemptRefused)[0].because


async def test_a_greylisted_answer_waits_and_one_in_doubt_is_told_and_not_repeated(hub: Hub) -> None:
    hub.mail.say(ZHANG, "在吗", subject="问题")
    entity = await hub.conversation(1)
    await hub.until(lambda: got(hub) == [GREETING])
    with hub.mail.faulty(drop_after_data=1):
        await hub.answer(entity, "在的")
        await hub.until(lambda: hub.events(e.AttemptRefused))
    assert hub.events(e.AttemptRefused)[0].unknown
    assert got(hub) == [GREETING, "在的"]
    with hub.mail.faulty(greylist=True):
        await hub.answer(entity, "请说")
        await hub.until(lambda: hub.events(e.AttemptDelayed))
    assert "Greylisted" in hub.events(e.AttemptDelayed)[0].because


async def test_what_nobody_can_read_is_kept(hub: Hub) -> None:
    hub.mail.office.put(b"\0\0")
    await hub.until(lambda: hub.events(e.Unparsed))
    assert "without any text" in hub.events(e.Unparsed)[0].because
