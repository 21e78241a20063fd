"""What a connector makes of a request becomes commands; rubbish becomes something that a person can look at."""

import base64
import json
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from hub.contract import Capabilities, Connector, File, FileLimit, Inbound, Parsed, Raw, Receipt
from hub.domain import ids
from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveMessage, ReceiveText, RecordReceipt
from hub.domain.messages import Attachment, Limits, Profile, Reach
from hub.domain.outside import KEPT_MS
from hub.engine import ingest as module
from hub.engine.files import NotTaken
from hub.engine.ingest import CUT, MOST_TEXT, Ingest, decode_raw
from hub.errors import SpoolFull

NOW = 1_764_043_200_000
RAW = Raw("POST", {"n": "1"}, {"x-sign": "s", "cookie": "secret"}, b"\xff body", NOW)
CHAT = ids.platform_conversation_id(32, "parrot", "", "zhang", "")


class Parrot(Connector):
    can = Capabilities(role="visitor", max_text=4096, unit="utf16", files=(FileLimit("image/*", 10),), recognises_s=60)


class Phone(Connector):
    can = Capabilities(role="agent")


class Both(Connector):
    can = Capabilities(role="both")


class Roster:
    def agent_at(self, channel: str, identity: str) -> str | None:
        return "a1-wang" if (channel, identity) in (("phone", "WangFang"), ("both", "wang@corp")) else None

    def unparsed(self, channel: str, because: str, raw: str) -> tuple[str, AnyCommand]:
        return f"i0-{channel}", KeepUnparsed(because, raw)


class Rig:
    def __init__(self) -> None:
        self.taken: list[tuple[str, AnyCommand]] = []
        self.kept: dict[str, File] = {}
        self.known: set[tuple[str, str]] = set()
        connectors: dict[str, Connector] = {"parrot": Parrot(None), "phone": Phone(None), "both": Both(None)}  # type: ignore[arg-type]
        self.ingest = Ingest(connectors, Roster(), self.spool, self, self.knew, 32)  # type: ignore[arg-type]

    async def spool(self, channel: str, entity: str, command: AnyCommand, give_up_s: float | None) -> None:
        self.taken.append((entity, command))

    async def keep(self, entity: str, file: File) -> Attachment:
        if file.type == "text/html":
            raise NotTaken("evil.html: files of the type text/html are not taken")
        self.kept[f"{entity}.{file.name}"] = file
        return Attachment(f"{entity}.{file.name}", file.name, file.type, len(file.content or b""))

    async def keep_raw(self, entity: str, raw: str) -> str:
        self.kept[f"{entity}.raw"] = File("raw", content=raw.encode())
        return f"{entity}.raw"

    async def knew(self, entity: str, outside_id: str) -> bool:
        return (entity, outside_id) in self.known

    async def take(self, *inbounds: Any, channel: str = "parrot", raw: Raw = RAW) -> list[AnyCommand]:
        await self.ingest.take(channel, Parsed(inbounds=inbounds), raw)
        return [command for _, command in self.taken]


def inbound(text: Any = "在吗", outside_id: Any = "m1", **more: Any) -> Inbound:
    return Inbound(**{"identity": "zhang", "outside_id": outside_id, "text": text, "sent_at_ms": NOW, **more})


@pytest.mark.parametrize(("channel", "identity"), [("parrot", "zhang"), ("phone", "WangFang")])
async def test_half_a_surrogate_pair_is_replaced_wherever_it_stands(channel: str, identity: str) -> None:
    rig = Rig()
    await rig.take(inbound("a\ud83d", "m\ud83d", identity=identity, name="n\ud83d", address="b\ud83d"), channel=channel)
    named = inbound(outside_id="m2", identity=identity, files=(File("f\ud83d", "t\ud83d", source="s\ud83d"),))
    await rig.take(named, channel=channel)
    await rig.ingest.take(channel, Parsed(unparsed="what is \ud83d?"), RAW)
    for _, command in rig.taken:
        assert "\ud83d" not in msgspec.json.encode(command).decode()


async def test_a_visitors_message_says_who_they_are_and_where_they_are_reached() -> None:
    rig = Rig()
    (command,) = await rig.take(inbound(name="张三", language="zh", address="chat-7", thread="t", title="Order"))
    assert isinstance(command, ReceiveMessage)
    limits = Limits(4096, "utf16", (FileLimit("image/*", 10),), resend_ms=60_000)
    assert command.reach == Reach("parrot", "chat-7", limits, "t", "Order")
    assert command.profile == Profile("parrot", "", "张三", "zh")
    kept = json.loads(command.raw)
    assert (base64.b64decode(kept["body"]), "cookie" in kept["headers"]) == (b"\xff body", False)
    assert decode_raw(command.raw).body == b"\xff body"


async def test_one_person_has_one_conversation_an_account_and_a_thread() -> None:
    rig = Rig()
    await rig.take(
        inbound(), inbound(outside_id="m2"), inbound(outside_id="m3", identity="li"),
        inbound(outside_id="m4", account="shop"), inbound(outside_id="m5", thread="t"),
    )  # fmt: skip
    entities = [entity for entity, _ in rig.taken]
    assert entities[0] == entities[1] == CHAT
    assert len(set(entities)) == 4
    assert all(entity.split("-")[1] == "parrot" for entity in entities)


@pytest.mark.parametrize("conversation", ["c7-k3v9", "p7-telegram-k3v9", ""])
async def test_an_agent_answers_in_a_thread_where_visitors_are_too(conversation: str) -> None:
    rig = Rig()
    said = inbound(identity="wang@corp", agent=True, conversation=conversation)
    (command,) = await rig.take(said, channel="both")
    assert rig.taken[0][0] == "a1-wang"
    assert isinstance(command, ReceiveText)
    assert (command.channel, command.conversation, command.text) == ("both", conversation, "在吗")


@pytest.mark.parametrize(
    ("identity", "proven", "because"),
    [
        ("wang@corp", False, "wang@corp is an agent, and proves it only by answering"),
        ("gone@corp", True, "gone@corp is no agent of both in rules/teams.yaml"),
    ],
)
async def test_what_no_agent_has_proven_is_kept_and_is_nobodys(identity: str, proven: bool, because: str) -> None:
    (kept,) = await Rig().take(inbound(identity=identity, agent=proven, conversation="c7-x"), channel="both")
    assert isinstance(kept, KeepUnparsed)
    assert kept.because.startswith(because)


async def test_who_is_no_agent_is_a_visitor_there() -> None:
    (command,) = await Rig().take(inbound(), channel="both")
    assert isinstance(command, ReceiveMessage)


async def test_what_becomes_of_a_delivery_to_an_agent_is_told_to_them() -> None:
    rig = Rig()
    await rig.ingest.take("both", Parsed(receipts=(Receipt("a1-wang", "failed", 7),)), RAW)
    ((entity, command),) = rig.taken
    assert entity == "a1-wang"
    assert isinstance(command, RecordReceipt)


async def test_what_a_signature_has_proved_goes_to_that_conversation() -> None:
    rig = Rig()
    await rig.take(inbound(identity="alias", conversation=CHAT))
    assert rig.taken[0][0] == CHAT


async def test_what_is_left_out_is_counted_by_its_reason_and_nothing_else() -> None:
    rig = Rig()
    for n in range(30):
        await rig.ingest.take("parrot", Parsed(left_out=f"reason {min(n, 21)}"), RAW)
    assert rig.taken == []
    counts = rig.ingest.left_out["parrot"]
    assert (counts["reason 0"], counts["other reasons"], counts.total()) == (1, 10, 30)


@pytest.mark.parametrize("conversation", ["c7-abc", "a1-wang", "nonsense", "p7-other-abc"])
async def test_a_conversation_of_another_kind_or_channel_is_rubbish(conversation: str) -> None:
    rig = Rig()
    with capture_logs():
        (command,) = await rig.take(inbound(conversation=conversation))
    assert isinstance(command, KeepUnparsed)
    assert rig.ingest.stumbled == {"parrot": 1}


file: Any = File
"""As a careless connector makes one, whose types nobody checks."""


@pytest.mark.parametrize(
    "odd",
    [
        None, "text", {"identity": "x"}, inbound(outside_id=""), inbound(identity=""), inbound(outside_id=7),
        inbound(text=None), inbound(sent_at_ms="now"), inbound(sent_at_ms=True), inbound(name=5), inbound(thread=None),
        inbound(automatic="yes"), inbound(files=None), inbound(files=("cat.png",)), inbound(files=(file(None),)),
        inbound(files=(file("cat.png", content="text"),)),
    ],
)  # fmt: skip
async def test_rubbish_is_kept_whole_and_told(odd: Any) -> None:
    rig = Rig()
    with capture_logs() as lines:
        (command,) = await rig.take(inbound(), odd)
    assert isinstance(command, KeepUnparsed)
    assert command.because.startswith("the connector made rubbish of it: ")
    assert base64.b64decode(json.loads(command.raw)["body"]) == RAW.body
    assert [line["event"] for line in lines] == ["connector made rubbish of a request"]


def made(**parts: Any) -> Parsed:
    return Parsed(**parts)


def receipt(*values: Any) -> Parsed:
    return Parsed(receipts=(Receipt(*values),))


@pytest.mark.parametrize(
    "parsed",
    [
        None, [], "ok", {"answer": 1}, made(inbounds=None), made(receipts=7), made(unparsed=b"x"),
        made(receipts=(None,)), receipt(CHAT, "seen", 3), receipt(CHAT, [], 3), receipt(CHAT, "read", "3"),
        receipt(None, "read", 3),
    ],
)  # fmt: skip
async def test_what_is_no_parsed_is_rubbish(parsed: Any) -> None:
    rig = Rig()
    with capture_logs():
        await rig.ingest.take("parrot", parsed, RAW)
    assert [type(command) for _, command in rig.taken] == [KeepUnparsed]


async def test_an_agents_text_goes_to_the_agent_and_a_strangers_to_the_intake() -> None:
    rig = Rig()
    await rig.take(inbound(identity="WangFang"), inbound(identity="nobody"), channel="phone")
    (agent, text), (intake, kept) = rig.taken
    assert (agent, type(text), intake, type(kept)) == ("a1-wang", ReceiveText, "i0-phone", KeepUnparsed)


async def test_files_are_stored_before_the_message_names_them() -> None:
    rig = Rig()
    (command,) = await rig.take(inbound(files=(File("cat.png", "image/png", b"png"),)))
    assert isinstance(command, ReceiveMessage)
    assert command.files == (Attachment(f"{CHAT}.cat.png", "cat.png", "image/png", 3),)
    assert rig.kept[f"{CHAT}.cat.png"].content == b"png"


async def test_a_file_that_is_not_taken_becomes_a_line_of_the_text() -> None:
    (command,) = await Rig().take(inbound("see", files=(File("evil.html", "text/html", b"<p>"),)))
    assert isinstance(command, ReceiveMessage)
    assert (command.text, command.files) == ("see\n[evil.html: files of the type text/html are not taken]", ())


async def test_a_text_too_long_for_the_log_is_a_file_beside_its_beginning() -> None:
    rig = Rig()
    text = "好" * MOST_TEXT
    (command,) = await rig.take(inbound(text))
    assert isinstance(command, ReceiveMessage)
    assert command.text.endswith(CUT)
    assert text.startswith(command.text.removesuffix(CUT))
    assert rig.kept[f"{CHAT}.message.txt"].content == text.encode()


async def test_a_long_raw_input_is_kept_beside_the_log_and_named_there() -> None:
    rig = Rig()
    raw = Raw("POST", {}, {}, b"x" * 40_000, NOW)
    (command,) = await rig.take(inbound(), raw=raw)
    assert isinstance(command, ReceiveMessage)
    assert command.raw == "attachment i0-parrot.raw"
    assert decode_raw((rig.kept["i0-parrot.raw"].content or b"").decode()) == raw


async def test_the_raw_input_of_many_messages_is_kept_once() -> None:
    rig = Rig()
    raw = Raw("POST", {}, {}, b"x" * 1000, NOW)
    commands = await rig.take(*(inbound(outside_id=f"m{n}") for n in range(50)), raw=raw)
    assert {command.raw for command in commands} == {"attachment i0-parrot.raw"}  # type: ignore[union-attr]


async def test_lone_surrogates_are_no_text() -> None:
    (command,) = await Rig().take(inbound("a\ud800b"))
    assert isinstance(command, ReceiveMessage)
    assert command.text == "a?b"


async def test_input_older_than_a_week_is_looked_up_in_the_history() -> None:
    rig = Rig()
    old = NOW - KEPT_MS - 1
    rig.known = {(CHAT, "m1"), (CHAT, "m3")}
    await rig.take(inbound(sent_at_ms=old), inbound(outside_id="m2", sent_at_ms=old), inbound(outside_id="m3"))
    assert [getattr(command, "outside_id", "") for _, command in rig.taken] == ["m2", "m3"]


async def test_a_receipt_goes_to_its_conversation() -> None:
    rig = Rig()
    await rig.ingest.take("parrot", Parsed(receipts=(Receipt(CHAT, "failed", 3, because="full"),)), RAW)
    ((entity, command),) = rig.taken
    assert entity == CHAT
    assert isinstance(command, RecordReceipt)
    assert (command.kind, command.attempt, command.because) == ("failed", 3, "full")


async def test_a_channel_that_floods_leaves_room_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_UNDER_WAY", 2)
    rig = Rig()
    rig.ingest._under_way["parrot"] = 2
    with pytest.raises(SpoolFull, match="2 requests of parrot are under way here"):
        await rig.take(inbound())
    assert await rig.take(inbound(identity="WangFang"), channel="phone")
