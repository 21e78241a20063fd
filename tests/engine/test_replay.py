"""What nobody could read, read again."""

import dataclasses
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from hub.contract import Capabilities, Connector, File, Forbidden, Inbound, Parsed, Raw, Receipt, Route
from hub.domain import ids
from hub.domain.commands import AnyCommand, KeepUnparsed
from hub.domain.messages import Attachment
from hub.engine import replay as module
from hub.engine.calls import Replayed, Reread
from hub.engine.files import Message
from hub.engine.ingest import IN_A_THREAD, Ingest, encode_raw
from hub.engine.replay import Replay
from hub.errors import HubError, NoAttachment
from tests.gateway.fakes import FakeCalls

RAW = Raw("POST", {"n": "1"}, {"x-sign": "s"}, b"body", 1_764_000_000_000, "second")
PULLED = Raw("PULL", {}, {"size": "4"}, b"mail", 1_764_000_000_000)
CHAT = ids.platform_conversation_id(32, "parrot", "", "zhang", "")


class Parrot(Connector):
    can = Capabilities(role="visitor")
    routes = (Route("first", ("POST",)), Route("second", ("POST", "GET")))
    pulls = True
    understand: Callable[[Raw], Parsed] = staticmethod(lambda raw: Parsed())

    def parse(self, raw: Raw) -> Parsed:
        return self.understand(raw)


class Phone(Connector):
    can = Capabilities(role="agent")
    routes = (Route("", ("POST",)),)

    def parse(self, raw: Raw) -> Parsed:
        return Parsed(inbounds=(Inbound("stranger", "m1", "hi", 1),))


class Roster:
    def agent_at(self, channel: str, identity: str) -> str | None:
        return None

    def unparsed(self, channel: str, because: str, raw: str) -> tuple[str, AnyCommand]:
        return f"i0-{channel}", KeepUnparsed(because, raw)


class Rig:
    """A replay over real conversations in memory."""

    def __init__(self) -> None:
        self.parrot = Parrot(None)  # type: ignore[arg-type]
        self.calls = FakeCalls()
        self.known: set[tuple[str, str]] = set()
        connectors: dict[str, Connector] = {"parrot": self.parrot, "phone": Phone(None)}  # type: ignore[arg-type]
        self.kept = {"i0-parrot.raw": encode_raw(RAW)}
        ingest = Ingest(connectors, Roster(), self.spool, self, self.knew, 32)  # type: ignore[arg-type]
        self.run = Replay(connectors, ingest.prepare, self, self.calls, self.knew).run  # type: ignore[arg-type]

    async def spool(self, channel: str, entity: str, command: AnyCommand, give_up_s: float | None) -> None:
        raise AssertionError("whoever asks wants to hear what became of it")

    async def keep(self, entity: str, file: File) -> Attachment:
        if file.content is None:
            return Attachment("", file.name, source=file.source)
        raise HubError("attachments: no room")

    async def complete(self, channel: str, entity: str, command: Message) -> Message:
        if any(file.source == "gone" for file in command.files):
            raise LookupError("gone has expired")
        return msgspec.structs.replace(command, files=())

    async def raw(self, key: str) -> str:
        if key not in self.kept:
            raise NoAttachment(f"nothing is kept under {key}")
        return self.kept[key]

    async def knew(self, entity: str, outside_id: str) -> bool:
        return (entity, outside_id) in self.known


def inbound(outside_id: str = "m1", **more: Any) -> Inbound:
    return Inbound("zhang", outside_id, "在吗", 1_764_000_000_000, **more)


async def test_each_thing_in_it_is_taken_and_its_place_told() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound("m1"), inbound("m2")))
    assert await rig.run("parrot", encode_raw(RAW)) == Replayed("", (Reread(CHAT, 3), Reread(CHAT, 5)))
    frames = [frame for _, frame in rig.calls._frames(CHAT, "visitor")]
    assert [b"message" in frame for frame in frames] == [True, True]


async def test_a_second_replay_finds_all_of_it_taken() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound("m1"), inbound("m2")))
    await rig.run("parrot", encode_raw(RAW))
    rig.known.add((CHAT, "m2"))  # a week later only the history knows
    again = await rig.run("parrot", encode_raw(RAW))
    assert again == Replayed("", (Reread(CHAT, 3, known=True), Reread(CHAT, known=True)))


async def test_it_is_read_as_what_it_came_as() -> None:
    rig = Rig()
    read: list[Raw] = []

    def understand(raw: Raw) -> Parsed:
        read.append(raw)
        return Parsed()

    rig.parrot.understand = understand
    await rig.run("parrot", encode_raw(RAW))
    assert read == [RAW]


async def test_what_was_pulled_is_read_again() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound(),))
    assert (await rig.run("parrot", encode_raw(PULLED))).taken == (Reread(CHAT, 3),)


@pytest.mark.parametrize("size", [10, IN_A_THREAD])
async def test_what_is_large_is_read_beside_the_loop(size: int) -> None:
    rig = Rig()
    threads: list[threading.Thread] = []

    def understand(raw: Raw) -> Parsed:
        threads.append(threading.current_thread())
        return Parsed()

    rig.parrot.understand = understand
    await rig.run("parrot", encode_raw(dataclasses.replace(PULLED, body=b"x" * size)))
    assert [thread is threading.main_thread() for thread in threads] == [size < IN_A_THREAD]


async def test_why_it_cannot_be_read_is_told() -> None:
    rig = Rig()

    def understand(raw: Raw) -> Parsed:
        raise Forbidden("no signature")

    rig.parrot.understand = understand
    assert await rig.run("parrot", encode_raw(RAW)) == Replayed("the connector refuses it: no signature")
    rig.parrot.understand = lambda raw: Parsed(unparsed="an event of type 7")
    assert await rig.run("parrot", encode_raw(RAW)) == Replayed("an event of type 7")


async def test_a_part_that_still_cannot_be_read_is_told_and_kept_no_second_time() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound(),), unparsed="message 2 has no id")
    assert await rig.run("parrot", encode_raw(RAW)) == Replayed("message 2 has no id", (Reread(CHAT, 3),))
    assert not any(isinstance(command, KeepUnparsed) for _, command in rig.calls.commands)


async def test_what_means_nothing_to_the_hub_is_read() -> None:
    assert await Rig().run("parrot", encode_raw(RAW)) == Replayed()


async def test_a_stranger_is_no_agent_still() -> None:
    raw = dataclasses.replace(RAW, route="")
    assert await Rig().run("phone", encode_raw(raw)) == Replayed("stranger is no agent of phone in rules/teams.yaml")


async def test_a_refusal_is_told() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(receipts=(Receipt(CHAT, "read", number=9),))
    (one,) = (await rig.run("parrot", encode_raw(RAW))).taken
    assert "has a socket: nothing is delivered to them" in one.refused


async def test_an_owner_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound(),))
    rig.calls.away = True
    assert (await rig.run("parrot", encode_raw(RAW))).taken[0].refused == "no owner answers"
    monkeypatch.setattr(module, "ANSWER_S", 0.01)
    monkeypatch.setattr(rig.calls, "submit", lambda *_: None)
    assert (await rig.run("parrot", encode_raw(RAW))).taken[0].refused == "no answer in 0.01 s: replay it again"


async def test_what_was_too_long_for_the_log_is_read_where_it_lies() -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound("m1"),))
    assert await rig.run("parrot", "attachment i0-parrot.raw") == Replayed("", (Reread(CHAT, 3),))


@pytest.mark.parametrize(
    ("source", "refused"), [("there", ""), ("gone", "its file cannot be fetched: LookupError: gone has expired")]
)
async def test_a_file_is_fetched_again(source: str, refused: str) -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: Parsed(inbounds=(inbound(files=(File("cat.png", source=source),)),))
    (reread,) = (await rig.run("parrot", encode_raw(RAW))).taken
    assert reread.refused == refused


@pytest.mark.parametrize(
    ("channel", "kept", "because"),
    [
        ("fax", encode_raw(RAW), "the channel fax is off: switch it on in config/hub.yaml"),
        ("parrot", "attachment i0-parrot.lost", "nothing is kept under i0-parrot.lost"),
        ("parrot", "nonsense", "what was kept is no request: "),
        ("phone", encode_raw(PULLED), "it was pulled, and phone does not pull any more"),
        ("parrot", encode_raw(dataclasses.replace(RAW, route="third")), "it came to /callbacks/parrot/third, which is"),
    ],
)
async def test_what_cannot_be_replayed_says_why(channel: str, kept: str, because: str) -> None:
    replayed = await Rig().run(channel, kept)
    assert replayed.because.startswith(because)
    assert replayed.taken == ()


@pytest.mark.parametrize("made", [None, Parsed(inbounds=("x",)), Parsed(inbounds=(Inbound("", "m", "t", 1),))])  # type: ignore[arg-type]
async def test_a_connector_that_makes_rubbish_is_named(made: Any) -> None:
    rig = Rig()
    rig.parrot.understand = lambda raw: made
    assert (await rig.run("parrot", encode_raw(RAW))).because.startswith("the connector made rubbish of it: ")


async def test_a_file_that_cannot_be_kept_is_told() -> None:
    rig = Rig()
    long = Inbound("zhang", "m1", "长" * 20_000, 1_764_000_000_000)
    rig.parrot.understand = lambda raw: Parsed(inbounds=(long,))
    assert await rig.run("parrot", encode_raw(RAW)) == Replayed("attachments: no room")
