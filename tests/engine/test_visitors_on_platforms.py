"""Visitors without a socket, on a real log: answers reach their platform in order, through kills and checkpoints."""

import asyncio
from collections.abc import Callable

import pytest

from hub.bus.server import EmbeddedServer
from hub.contract import Capabilities, Connector, Delivery, FileLimit, Refused, Retry, Sent, Unknown, Verdict
from hub.domain import commands as c
from hub.domain import ids
from hub.domain.messages import Attachment, Judgement, Profile, Reach
from hub.engine.calls import Outcome
from hub.engine.roster import limits_of
from tests.engine.rig import Rig

PARTITIONS = 4
CHAT = ids.platform_conversation_id(PARTITIONS, "parrot", "", "zhang", "")
OTHER = next(
    other
    for n in range(100)
    if ids.partition_of(other := ids.platform_conversation_id(PARTITIONS, "parrot", "", f"li{n}", ""))
    == ids.partition_of(CHAT)
)
ANN = "a1-ann"


class Parrot(Connector):
    """A platform that knows a repeat by its key; `says` is what it answers."""

    can = Capabilities(
        role="visitor", max_text=200, unit="characters", recognises_s=3600, files=(FileLimit("image/*", 1 << 20),)
    )

    def __init__(self) -> None:
        self.got: list[Delivery] = []
        self.shown: dict[str, list[str]] = {}
        self.says: Callable[[Delivery], Verdict] = lambda delivery: Sent(f"r-{delivery.key}")
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self._keys: set[str] = set()

    async def deliver(self, delivery: Delivery) -> Verdict:
        self.got.append(delivery)
        verdict = self.says(delivery)
        if isinstance(verdict, Sent | Unknown) and delivery.key not in self._keys:
            self._keys.add(delivery.key)
            self.shown.setdefault(delivery.address, []).append(delivery.text)
        await self.may_answer.wait()
        return verdict


class Talk(Rig):
    """A rig in which visitors write on a platform, and an agent at a desk has their conversations."""

    async def write(self, entity: str, n: int, text: str = "在吗", judgement: Judgement | None = None) -> Outcome:
        reach = Reach("parrot", f"chat of {entity}", limits_of(Parrot.can))
        profile = Profile("parrot", name="张三")
        return await self.submit(
            entity, c.ReceiveMessage(f"m{n}", text, 0, profile, reach, judgement=judgement or Judgement(text))
        )

    async def answer(self, entity: str, text: str, files: tuple[Attachment, ...] = ()) -> None:
        outcome = await self.submit(entity, c.AnswerMessage(ANN, text, files=files))
        assert outcome.denied is None, outcome.denied

    async def assign(self, entity: str) -> None:
        outcome = await self.submit(entity, c.Assign(ANN, "小安", 12, "sales", False))
        assert outcome.denied is None

    def tell_all(self, parrot: Parrot) -> list[str]:
        return parrot.shown.get(f"chat of {CHAT}", [])


async def started(nats: EmbeddedServer, parrot: Parrot) -> Talk:
    rig = await Talk.start(nats, range(PARTITIONS), {"parrot": parrot})
    assert isinstance(rig, Talk)
    return rig


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not true():
            await asyncio.sleep(0.01)


async def talking(nats: EmbeddedServer, parrot: Parrot) -> Talk:
    rig = await started(nats, parrot)
    await rig.write(CHAT, 1)
    await rig.assign(CHAT)
    return rig


async def test_answers_arrive_in_order_with_their_address_and_key(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    for n in range(20):
        await rig.answer(CHAT, f"text {n}")
    await until(lambda: len(parrot.got) == 20)
    assert rig.tell_all(parrot) == [f"text {n}" for n in range(20)]
    assert len({delivery.key for delivery in parrot.got}) == 20
    first = parrot.got[0]
    assert (first.conversation, first.number, first.by, first.in_reply_to) == (CHAT, 1, "小安", "m1")
    await rig.stop()


async def test_a_repeat_of_the_platform_is_known_after_a_kill(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    await rig.kill()
    rig = await started(nats, parrot)
    outcome = await rig.write(CHAT, 1)
    assert outcome.denied is not None
    assert (outcome.denied.code, outcome.denied.seq) == ("repeated", 3)
    await rig.stop()


@pytest.mark.parametrize("checkpoint", [False, True])
async def test_a_call_in_the_air_is_repeated_after_a_kill_and_shown_once(
    nats: EmbeddedServer, checkpoint: bool
) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    parrot.may_answer.clear()
    await rig.answer(CHAT, "one")
    await rig.answer(CHAT, "two")
    await until(lambda: len(parrot.got) == 1)
    if checkpoint:
        for owned in list(rig.partitions._owned.values()):
            await owned.checkpoints.make()
    await rig.kill()
    parrot.may_answer.set()
    rig = await started(nats, parrot)
    await until(lambda: rig.tell_all(parrot) == ["one", "two"])
    assert [delivery.text for delivery in parrot.got] == ["one", "one", "two"]
    assert parrot.got[0] == parrot.got[1]
    await rig.stop()


async def test_what_waits_is_sent_after_a_kill_though_only_an_image_tells_of_it(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    parrot.says = lambda _: Retry("away", 0.3)
    await rig.answer(CHAT, "one")
    await until(lambda: len(parrot.got) == 1)
    for owned in list(rig.partitions._owned.values()):
        await owned.checkpoints.make()
    await rig.kill()
    parrot.says = lambda _: Sent()
    rig = await started(nats, parrot)
    await until(lambda: rig.tell_all(parrot) == ["one"])
    await rig.stop()


async def test_one_dead_recipient_holds_up_nobody_else(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    await rig.write(OTHER, 1)
    await rig.assign(OTHER)
    dead = f"chat of {CHAT}"
    parrot.says = lambda delivery: Retry("slow down", 60) if delivery.address == dead else Sent()
    await rig.answer(CHAT, "never now")
    for n in range(5):
        await rig.answer(OTHER, f"text {n}")
    await until(lambda: parrot.shown.get(f"chat of {OTHER}") == [f"text {n}" for n in range(5)])
    assert dead not in parrot.shown
    await rig.stop()


async def test_a_dead_letter_is_sent_again_by_a_person_even_after_a_restart(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    parrot.says = lambda delivery: Refused("too rude") if delivery.part == 2 else Sent()
    await rig.answer(CHAT, "x" * 450)
    await until(lambda: len(parrot.got) == 2)
    await rig.answer(CHAT, "next")
    await until(lambda: len(parrot.got) == 3)
    await rig.stop()
    rig = await started(nats, parrot)
    parrot.says = lambda _: Sent()
    outcome = await rig.submit(CHAT, c.RetryDelivery(2, "admin"))
    assert outcome.denied is None
    await until(lambda: [len(text) for text in rig.tell_all(parrot)] == [200, 4, 200, 50])
    await rig.stop()


async def test_a_file_goes_out_with_its_content(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    await rig.answer(CHAT, "look", (Attachment("k", "cat.png", "image/png", 7),))
    await until(lambda: len(parrot.got) == 2)
    (enclosed,) = parrot.got[1].files
    assert (enclosed.name, enclosed.type, enclosed.url) == ("cat.png", "image/png", "http://127.0.0.1/k")
    assert b"".join([chunk async for chunk in enclosed.read()]) == b"cat.png"
    await rig.stop()


async def test_conversations_on_platforms_are_forgotten_when_idle_and_found_again(nats: EmbeddedServer) -> None:
    parrot = Parrot()
    rig = await talking(nats, parrot)
    await rig.answer(CHAT, "one")
    await until(lambda: rig.tell_all(parrot) == ["one"])
    owned = rig.partitions._owned[ids.partition_of(CHAT)]
    await owned.owner.settled()
    await owned.checkpoints.make()
    for _ in range(2):
        owned.owner.entities.drop_idle()
    assert rig.partitions.state(CHAT) is None
    await rig.answer(CHAT, "two")
    await until(lambda: rig.tell_all(parrot) == ["one", "two"])
    await rig.stop()


async def test_many_kills_lose_and_double_nothing(nats: EmbeddedServer) -> None:
    """Answers go on while the owner is killed over and over; the platform's own ledger is compared at the end."""
    parrot = Parrot()
    rig = await talking(nats, parrot)
    written = 0
    for _ in range(6):
        for _ in range(5):
            written += 1
            await rig.answer(CHAT, f"text {written}")
        await rig.kill()
        rig = await started(nats, parrot)
    await until(lambda: len(rig.tell_all(parrot)) == written)
    await asyncio.sleep(0.2)
    assert rig.tell_all(parrot) == [f"text {n}" for n in range(1, written + 1)]
    await rig.stop()
