"""Files of both sides, over real HTTP against the stand-in."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.telegram import codec
from connectors.telegram import connector as module
from connectors.telegram.conftest import ZHANG, deliver, fetched, pulled
from connectors.telegram.connector import Telegram
from connectors.telegram.sandbox import TelegramSandbox
from hub.contract import Enclosed, File, NotThere, Refused, Retry, Sent
from hub.errors import AttachmentsAway, NoAttachment

# --- files that come in ----------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_by_its_id(telegram: TelegramSandbox, connector: Telegram) -> None:
    telegram.send_file(ZHANG, "document", b"%PDF", "发票.pdf", type="application/pdf", caption="发票")
    (parsed,) = (await pulled(connector))[1]
    (file,) = parsed.inbounds[0].files
    assert (parsed.inbounds[0].text, file.name, file.type) == ("发票", "发票.pdf", "application/pdf")
    assert await fetched(connector, file) == b"%PDF"


async def test_a_file_that_will_never_be_had_is_told_apart_from_one_that_may(
    telegram: TelegramSandbox, connector: Telegram
) -> None:
    telegram.send_file(ZHANG, "video", bytes((20 << 20) + 1), "a.mp4")
    telegram.send_file(ZHANG, "photo", b"\x89PNG", "a.png")
    video, photo = (parsed.inbounds[0].files[0] for parsed in (await pulled(connector))[1])
    with pytest.raises(NotThere, match="file is too big"):
        await fetched(connector, video)
    with pytest.raises(NotThere, match="invalid file_id"):
        await fetched(connector, File("a", source="never"))
    with telegram.faulty(retry_after_s=3), pytest.raises(codec.NotGiven, match="Too Many Requests"):
        await fetched(connector, photo)
    with telegram.faulty(files_status=502), pytest.raises(codec.NotGiven, match="HTTP 502"):
        await fetched(connector, photo)
    assert await fetched(connector, photo) == b"\x89PNG"


# --- files that go out -----------------------------------------------------------------------------------------------


def enclosed(name: str, type_: str, content: bytes) -> Enclosed:
    async def read() -> AsyncIterator[bytes]:
        for at in range(0, len(content), 65_536):
            yield content[at : at + 65_536]

    return Enclosed(name, type_, len(content), "http://127.0.0.1/unused", read)


@pytest.mark.parametrize(
    ("name", "type_", "content", "kind"),
    [
        ("照片.png", "image/png", b"\x89PNG" + bytes(200_000), "photo"),
        ('合同 "终".pdf', "application/pdf", b"%PDF", "document"),
        ("大.jpg", "image/jpeg", bytes(codec.PHOTO_BYTES + 1), "document"),
    ],
)
async def test_a_file_arrives_whole_and_by_its_name(
    telegram: TelegramSandbox, connector: Telegram, name: str, type_: str, content: bytes, kind: str
) -> None:
    telegram.say(ZHANG, "发我")
    assert isinstance(await deliver(connector, "", files=[enclosed(name, type_, content)]), Sent)
    shown = telegram.shown(ZHANG)[-1]
    assert (shown.kind, shown.file.replace("%22", '"')) == (kind, name)
    kept = telegram.api.chats.all[ZHANG].messages[shown.n].file
    assert kept
    assert kept.content == content


async def test_a_file_that_cannot_be_read_is_told(
    telegram: TelegramSandbox, connector: Telegram, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> AsyncIterator[bytes]:
        raise AttachmentsAway("no quorum")
        yield b""

    async def gone() -> AsyncIterator[bytes]:
        raise NoAttachment("gone")
        yield b""

    async def stuck() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    monkeypatch.setattr(module, "DEADLINE_S", 1.0)
    telegram.say(ZHANG, "发我")
    files = [Enclosed("a", "text/plain", 1, "", read) for read in (away, gone, stuck)]
    assert [await deliver(connector, "", files=[file]) for file in files] == [
        Retry("the file cannot be read: no quorum", 5),
        Refused("the file cannot be read: gone"),
        Retry("the file cannot be read: it takes too long", 5),
    ]
