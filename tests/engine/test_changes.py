"""What agents take back and correct, on a real log: from a phone, on a page and on a platform, through kills."""

from collections.abc import Callable

import msgspec
import pytest

from hub.bus.log import PartitionLog
from hub.bus.server import EmbeddedServer
from hub.contract import Capabilities, Connector, Delivery, Refused, Retry, Sent, Unknown, Verdict
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import ids
from hub.domain.batch import decode_batch, encode_record
from hub.domain.messages import Judgement, Limits, Profile, Reach
from hub.domain.teams import AgentSettings
from hub.domain.views import Audience
from hub.engine.calls import Page
from hub.engine.roster import limits_of
from tests.engine.rig import ZHANG, Rig, conversation, until

PARTITIONS = 4
ONE = conversation(0)
CHAT = ids.platform_conversation_id(PARTITIONS, "parrot", "", "zhang", "")
ANN = ids.agent_id(PARTITIONS, "ann")
SETTINGS = AgentSettings(ANN, "ann", "小安", ("sales",), 9, "phone", "ann", Limits(resend_ms=3_600_000))


class Parrot(Connector):
    """A platform that changes what it shows; `screen` is what the visitor sees, by receipt."""

    can = Capabilities(role="visitor", max_text=200, unit="characters", edits_s=3600, recalls_s=3600)

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.screen: dict[str, str] = {}
        self.says: Callable[[Delivery], Verdict] = lambda delivery: Sent(delivery.replaces or f"r-{delivery.key}")

    async def deliver(self, delivery: Delivery) -> Verdict:
        self.got.append(delivery)
        verdict = self.says(delivery)
        if isinstance(verdict, Sent | Unknown):
            self.screen[delivery.replaces or f"r-{delivery.key}"] = delivery.text
        return verdict

    @property
    def reads(self) -> list[str]:
        return [text for text in self.screen.values() if text]


class Phone(Connector):
    """What an agent reads."""

    can = Capabilities(role="agent", recognises="text", recognises_s=3600)

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def deliver(self, delivery: Delivery) -> Verdict:
        self.texts.append(delivery.text)
        return Sent()

    def shows(self, text: str) -> bool:
        return any(text in shown for shown in self.texts)


class Desk:
    """A hub with both, and Ann, who types on her phone."""

    def __init__(self, nats: EmbeddedServer) -> None:
        self.nats, self.parrot, self.phone = nats, Parrot(), Phone()
        self.rig: Rig
        self._typed = 0

    async def start(self) -> None:
        self.rig = await Rig.start(self.nats, range(PARTITIONS), {"parrot": self.parrot, "phone": self.phone})

    async def restart(self) -> None:
        await self.rig.kill()
        await self.start()

    async def open(self, entity: str, no: int) -> None:
        """A visitor writes, and Ann has them."""
        await self.rig.submit(ANN, c.ConfigureAgent(SETTINGS))
        if entity == CHAT:
            reach = Reach("parrot", "chat", limits_of(Parrot.can))
            first = c.ReceiveMessage(
                "m1", "在吗", 0, Profile("parrot", name="张三"), reach, judgement=Judgement("在吗")
            )
            assert (await self.rig.submit(entity, first)).denied is None
        else:
            await self.rig.post(entity, "t", 1)
        await self.rig.submit(entity, c.Assign(ANN, "小安", no, "sales", True))
        await until(lambda: self.phone.shows(f"【#{no}·"))

    async def write(self, text: str) -> None:
        self._typed += 1
        now_ms = self.rig.partitions._owned[0].owner.now_ms()
        outcome = await self.rig.submit(ANN, c.ReceiveText(f"t{self._typed}", text, now_ms))
        assert outcome.denied is None, outcome.denied

    async def events(self, entity: str, *kinds: type[e.Event]) -> list[e.Event]:
        """Those in the log."""
        return [one.event for one in await self.records(entity) if isinstance(one.event, kinds)]

    async def records(self, entity: str) -> list[e.Record]:
        log = PartitionLog(self.rig.connection, ids.partition_of(entity), max_bytes=64 << 20)
        records = [entry.record async for batch in log.read(0) for entry in decode_batch(batch.data).entries]
        return [record for record in records if record.entity == entity]


@pytest.fixture
async def desk(nats: EmbeddedServer) -> Desk:
    desk = Desk(nats)
    await desk.start()
    return desk


async def test_an_answer_is_taken_back_from_the_platform_by_a_word_on_the_phone(desk: Desk) -> None:
    await desk.open(CHAT, 12)
    await desk.write("#12 七点")
    await until(lambda: desk.parrot.reads == ["七点"])
    await until(lambda: desk.rig.partitions.state(CHAT).outbox.sent)
    await desk.write("更正 八点")
    await until(lambda: desk.phone.shows("已更正 #12：「七点」→「八点」"))
    assert desk.parrot.reads == ["八点"]
    await desk.write("#12 撤回")
    await until(lambda: desk.phone.shows("已撤回 #12：「八点」"))
    assert desk.parrot.reads == []
    first = desk.parrot.got[0]
    assert [delivery.replaces for delivery in desk.parrot.got] == ["", *2 * [f"r-{first.key}"]]
    await desk.rig.stop()


async def test_an_answer_that_waits_is_never_sent(desk: Desk) -> None:
    await desk.open(CHAT, 12)
    desk.parrot.says = lambda _: Retry("busy", 0.4)
    await desk.write("#12 一")
    await until(lambda: desk.parrot.got)
    await desk.write("二")
    await desk.write("撤回")
    await until(lambda: desk.phone.shows("已撤回 #12：「二」"))
    desk.parrot.says = lambda delivery: Sent(delivery.key)
    await desk.write("三")
    await until(lambda: "三" in desk.parrot.reads)
    assert desk.parrot.reads == ["一", "三"]
    assert {delivery.text for delivery in desk.parrot.got} == {"一", "三"}
    await desk.rig.stop()


async def test_a_platform_that_refuses_leaves_all_as_it_was_and_the_agent_hears_why(desk: Desk) -> None:
    await desk.open(CHAT, 12)
    await desk.write("#12 七点")
    await until(lambda: desk.rig.partitions.state(CHAT).outbox.sent)
    desk.parrot.says = lambda _: Refused("message is too old")
    await desk.write("撤回")
    await until(lambda: desk.phone.shows("没有撤回 #12：message is too old"))
    assert desk.parrot.reads == ["七点"]
    assert await desk.events(CHAT, e.MessageRecalled) == []
    await desk.rig.stop()


async def test_a_change_in_the_air_is_repeated_after_a_kill_and_counts_once(desk: Desk) -> None:
    await desk.open(CHAT, 12)
    await desk.write("#12 七点")
    await until(lambda: desk.rig.partitions.state(CHAT).outbox.sent)
    desk.parrot.says = lambda _: Unknown("reset")
    await desk.write("撤回")
    await until(lambda: len(desk.parrot.got) >= 2)
    await desk.restart()
    desk.parrot.says = lambda _: Sent()
    await until(lambda: desk.phone.shows("已撤回 #12：「七点」"))
    assert desk.parrot.got[1] == desk.parrot.got[2]
    assert desk.parrot.reads == []
    assert len(await desk.events(CHAT, e.MessageRecalled)) == 1
    await desk.rig.stop()


async def frames(rig: Rig, audience: Audience) -> list[dict[str, object]]:
    """What this audience gets of ONE after a reload."""
    page = await rig.watch(ONE, audience)
    assert isinstance(page, Page)
    return [msgspec.json.decode(frame) for frame in page.frames]


@pytest.mark.parametrize("killed", [False, True])
async def test_a_reload_gives_the_visitor_no_words_that_were_taken_back_and_agents_all(
    desk: Desk, killed: bool
) -> None:
    await desk.open(ONE, 3)
    for text in ("#3 一", "撤回", "二", "更正 2", "更正 two"):
        await desk.write(text)
    await until(lambda: desk.phone.shows("已更正 #3：「2」→「two」"))
    if killed:
        await desk.restart()
    mine = [(f["kind"], f.get("text", "")) for f in await frames(desk.rig, "visitor")]
    assert mine[-5:] == [("answer", ""), ("recalled", ""), ("answer", ""), ("edited", ""), ("edited", "two")]
    theirs = [(f["kind"], f.get("text", "")) for f in await frames(desk.rig, "agent")]
    assert theirs[-5:] == [("answer", "一"), ("recalled", ""), ("answer", "二"), ("edited", "2"), ("edited", "two")]
    await desk.rig.stop()


async def test_what_is_read_from_the_history_has_no_such_words_either(desk: Desk) -> None:
    await desk.open(ONE, 3)
    await desk.write("#3 secret")
    await desk.write("撤回")
    await until(lambda: desk.phone.shows("已撤回 #3：「secret」"))
    for n in range(2, 80):
        await desk.rig.submit(ONE, c.PostMessage("t", n, f"{n}", ZHANG))
    bodies = [encode_record(record) for record in await desk.records(ONE)]

    class Kept:
        async def events(self, entity: str, after: int, before: int, limit: int) -> list[bytes]:
            return bodies[after : before - 1][-limit:]

    desk.rig.router._history = Kept()
    for audience, words in (("visitor", False), ("agent", True)):
        page = await desk.rig.page(ONE, audience, 0, 20)  # type: ignore[arg-type]
        assert isinstance(page, Page)
        answer = next(frame for frame in map(bytes, page.frames) if b'"answer"' in frame)
        assert (b"secret" in answer) is words
    await desk.rig.stop()
