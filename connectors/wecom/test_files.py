"""Pictures and files between the connector and the stand-in, over real HTTP, with what can go wrong at each step."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest

from connectors.tencent import client
from connectors.wecom import uploads
from connectors.wecom.codec import VERDICTS
from connectors.wecom.conftest import Clock, started
from connectors.wecom.connector import WeCom
from connectors.wecom.far_side import PER_MINUTE, Bubble
from connectors.wecom.far_side_media import MEDIA_S
from connectors.wecom.media import NotGiven
from connectors.wecom.sandbox import WeComSandbox
from hub.contract import Delivery, Enclosed, NotThere, Refused, Retry, Sent, Unknown, Verdict
from hub.errors import AttachmentsAway, NoAttachment

MIB = 1 << 20
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2000
AMR, MP4, PDF = b"#!AMR\n" + bytes(3000), b"\x00\x00\x00\x18ftypmp42" + bytes(3000), b"%PDF-1.7\r\n--boundary\r\n"


async def in_chunks(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), 65_536):
        yield content[at : at + 65_536]


def enclosed(content: bytes, type_: str = "image/png", name: str = "照片.png") -> Enclosed:
    return Enclosed(name, type_, len(content), "http://127.0.0.1/unused", lambda: in_chunks(content))


async def deliver(wecom: WeCom, file: Enclosed | None = None, key: str = "a1:1", to: str = "WangFang") -> Verdict:
    return await wecom.deliver(Delivery(to, "", key, files=[file or enclosed(PNG)]))


async def shown(sandbox: WeComSandbox) -> list[Bubble]:
    return await sandbox.texts("WangFang")


def content_at(sandbox: WeComSandbox, n: int = 1) -> bytes:
    return sandbox.phone("WangFang").files[n].content


def calls(sandbox: WeComSandbox) -> tuple[int, int]:
    """How many uploads and messages WeCom was asked for."""
    made = sandbox.ledger().calls
    return made.get("media/upload", 0), made.get("message/send", 0)


async def eventually(wecom: WeCom, file: Enclosed | None = None) -> Verdict:
    """The first verdict that is not that the file is still on its way."""
    async with asyncio.timeout(20):
        while (verdict := await deliver(wecom, file)) == Retry("the file is still on its way to WeCom", 1):
            pass
    return verdict


# --- out -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "type_", "kind"),
    [
        (PNG, "image/png", "image"),
        (AMR, "audio/amr", "voice"),
        (MP4, "video/mp4", "video"),
        (PDF, "application/pdf", "file"),
        (b"GIF89a" + bytes(10), "image/gif", "file"),
        (PNG + bytes(10 * MIB), "image/png", "file"),
    ],
    ids=["picture", "voice", "video", "pdf", "gif", "too big for a picture"],
)
async def test_a_file_arrives_as_what_the_phone_shows_best(
    wecom: WeCom, sandbox: WeComSandbox, content: bytes, type_: str, kind: str
) -> None:
    verdict = await eventually(wecom, enclosed(content, type_, '张三的 "文件".x'))
    (bubble,) = await shown(sandbox)
    assert bubble.file is not None
    assert (bubble.file.kind, bubble.file.name, bubble.file.size) == (kind, '张三的 "文件".x', len(content))
    assert content_at(sandbox) == content
    assert verdict == Sent(bubble.msgid)


async def test_the_channel_says_that_it_takes_what_it_takes(wecom: WeCom) -> None:
    (limit,) = wecom.can.files
    assert (limit.type, limit.max_bytes, wecom.can.files_with_text) == ("*/*", 20 * MIB, False)


async def test_a_picture_that_wecom_takes_for_none_goes_as_a_plain_file(wecom: WeCom, sandbox: WeComSandbox) -> None:
    assert isinstance(await deliver(wecom, enclosed(b"no picture at all")), Sent)
    (bubble,) = await shown(sandbox)
    assert bubble.file is not None
    assert bubble.file.kind == "file"
    assert calls(sandbox) == (2, 1)


@pytest.mark.parametrize("size", [5, 20 * MIB + 1])
async def test_a_file_of_no_size_that_wecom_takes_is_refused_without_a_call(
    wecom: WeCom, sandbox: WeComSandbox, size: int
) -> None:
    verdict = await deliver(wecom, enclosed(bytes(size), "application/pdf", "x.pdf"))
    assert verdict == Refused(f"x.pdf has {size:,} bytes, WeCom takes 6 to 20,971,520 of a file")
    assert calls(sandbox) == (0, 0)


@pytest.mark.parametrize("spoil", ["expire_tokens", "invalidate_tokens"])
async def test_a_token_that_is_spent_before_the_upload_is_fetched_anew_and_all_of_the_file_goes_again(
    wecom: WeCom, sandbox: WeComSandbox, spoil: str
) -> None:
    await wecom.upkeep()
    getattr(sandbox.far_side, spoil)()
    assert isinstance(await deliver(wecom), Sent)
    assert content_at(sandbox) == PNG
    assert sandbox.ledger().calls == {"gettoken": 2, "media/upload": 2, "message/send": 1}


async def test_a_token_that_is_spent_between_upload_and_message_costs_no_second_upload(
    wecom: WeCom, sandbox: WeComSandbox
) -> None:
    with sandbox.faulty(errcode=45009):
        assert isinstance(await deliver(wecom), Retry)
    sandbox.far_side.expire_tokens()
    assert isinstance(await deliver(wecom), Sent)
    assert sandbox.ledger().calls == {"gettoken": 2, "media/upload": 1, "message/send": 2}


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        ({"media_502": True}, Retry("WeCom answered HTTP 502 to the file", 5)),
        ({"media_errcode": -1}, VERDICTS[-1]),
        ({"media_errcode": 45009}, VERDICTS[45009]),
        ({"media_errcode": 60020}, VERDICTS[60020]),
        ({"media_errcode": 42001}, VERDICTS[42001]),
        ({"http_502": True}, Retry("no access token: HTTP 502 instead of WeCom's answer", 5)),
        ({"media_errcode": 40006}, Refused("WeCom refused it: invalid file size (40006)")),
    ],
    ids=str,
)
async def test_nothing_has_been_sent_where_the_upload_failed_and_the_next_try_uploads_anew(
    wecom: WeCom, sandbox: WeComSandbox, fault: dict[str, object], verdict: Verdict
) -> None:
    with sandbox.faulty(**fault):
        assert await deliver(wecom) == verdict
        assert calls(sandbox)[1] == 0
    assert isinstance(await deliver(wecom), Sent)
    assert len(await shown(sandbox)) == 1


@pytest.mark.parametrize(
    ("failing", "verdict"),
    [
        (AttachmentsAway("no room"), Retry("the file cannot be read: no room", 5)),
        (NoAttachment("it is gone"), Refused("the file cannot be read: it is gone")),
    ],
)
async def test_a_file_that_the_hub_cannot_read_is_no_doubt(
    wecom: WeCom, sandbox: WeComSandbox, failing: Exception, verdict: Verdict
) -> None:
    async def read() -> AsyncIterator[bytes]:
        yield PNG[:100_000]
        raise failing

    assert await deliver(wecom, Enclosed("x.png", "image/png", len(PNG), "", read)) == verdict
    assert calls(sandbox) == (0, 0)


@pytest.mark.parametrize("size", [len(PNG) - 1, len(PNG) + 1])
async def test_a_file_of_another_size_than_it_should_have_is_not_shown(
    wecom: WeCom, sandbox: WeComSandbox, size: int
) -> None:
    verdict = await deliver(wecom, Enclosed("x.png", "image/png", size, "", lambda: in_chunks(PNG)))
    assert verdict == Refused(f"x.png has not the {size:,} bytes that it should have")
    assert calls(sandbox) == (0, 0)


async def test_a_line_that_breaks_in_the_middle_of_an_upload_has_sent_nothing(sandbox: WeComSandbox) -> None:
    async with line_to(sandbox, cut_after=200_000) as url:
        async for wecom in started({**sandbox.settings(), "base_url": url}):
            await wecom.upkeep()
            verdict = await deliver(wecom)
    assert isinstance(verdict, Retry)
    assert verdict.because.startswith("the upload to WeCom broke off (")
    assert calls(sandbox) == (0, 0)


async def test_wecom_that_cannot_be_reached_any_more_has_sent_nothing() -> None:
    async with WeComSandbox({"WangFang": "王芳"}) as sandbox:
        connectors = started(sandbox.settings())
        wecom = await anext(connectors)
        await wecom.upkeep()
    assert await deliver(wecom) == Retry("WeCom cannot be reached (ConnectError)", 1)
    await connectors.aclose()  # type: ignore[attr-defined]


async def test_an_upload_that_is_slower_than_one_try_goes_on_until_a_later_one(
    wecom: WeCom, sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WAIT_S", 0.02)
    with sandbox.faulty(media_slow_s=0.2):
        assert await deliver(wecom) == Retry("the file is still on its way to WeCom", 1)
        assert isinstance(await eventually(wecom), Sent)
    assert calls(sandbox) == (1, 1)
    assert content_at(sandbox) == PNG


async def test_an_upload_that_never_ends_does_not_hold_up_what_comes_after_it(
    wecom: WeCom, sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_S", 0.1)
    with sandbox.faulty(media_slow_s=3600):
        assert await deliver(wecom) == Refused("照片.png could not be uploaded to WeCom within 0.1 s")
    assert calls(sandbox) == (0, 0)


async def test_a_connector_that_stops_gives_up_its_uploads(
    sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "WAIT_S", 0.02)
    with sandbox.faulty(media_slow_s=3600):
        async for wecom in started(sandbox.settings()):
            assert isinstance(await deliver(wecom), Retry)
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("upload-")] == []


async def test_a_repeat_names_the_same_file_and_shows_it_once(
    sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "ANSWER_S", 0.5)
    async for wecom in started(sandbox.settings()):
        with sandbox.faulty(no_answer_after_accepting=True):
            assert await deliver(wecom) == Unknown("no answer from WeCom (ReadTimeout)")
        with sandbox.faulty(http_502_after_accepting=True):
            assert await deliver(wecom) == Unknown("WeCom answered HTTP 502")
        assert isinstance(await deliver(wecom), Sent)
    assert [send.fate for send in sandbox.ledger().sends] == ["shown", "repeated", "repeated"]
    assert calls(sandbox) == (1, 3)


async def test_the_same_picture_twice_is_two_pictures(wecom: WeCom, sandbox: WeComSandbox) -> None:
    await deliver(wecom, key="a1:1")
    await deliver(wecom, key="a1:2")
    assert [send.fate for send in sandbox.ledger().sends] == ["shown", "shown"]


async def test_a_file_whose_days_at_wecom_are_over_is_uploaded_anew(
    wecom: WeCom, sandbox: WeComSandbox, clock: Clock
) -> None:
    with sandbox.faulty(errcode=-1):
        assert isinstance(await deliver(wecom), Retry)
    clock.now += MEDIA_S
    assert await deliver(wecom) == Retry("WeCom does not know the file any more (40007)", 1)
    assert isinstance(await deliver(wecom), Sent)
    assert calls(sandbox)[0] == 2


async def test_a_file_that_wecom_denies_right_after_its_upload_is_refused(wecom: WeCom, sandbox: WeComSandbox) -> None:
    with sandbox.faulty(errcode=40007):
        assert await deliver(wecom) == Refused("WeCom refused it: invalid media_id (40007)")


async def test_only_the_latest_uploads_are_remembered_and_none_under_way_is_dropped(
    wecom: WeCom, sandbox: WeComSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "REMEMBERED", 2)
    for n in range(3):
        assert isinstance(await deliver(wecom, key=f"a1:{n}"), Sent)
    await deliver(wecom, key="a1:0")
    assert calls(sandbox)[0] == 4
    monkeypatch.setattr(uploads, "WAIT_S", 0.02)
    with sandbox.faulty(media_slow_s=3600):
        for n in range(2):
            assert isinstance(await deliver(wecom, key=f"a2:{n}"), Retry)
        assert await deliver(wecom, key="a2:2") == Retry("2 files are on their way to WeCom already", 5)


async def test_files_count_among_what_is_dropped_above_the_limit(wecom: WeCom, sandbox: WeComSandbox) -> None:
    for n in range(PER_MINUTE + 1):
        assert isinstance(await deliver(wecom, enclosed(PDF, "application/pdf", "x.pdf"), key=f"a1:{n}"), Sent)
    assert sandbox.ledger().dropped["WangFang"] == 1
    assert sandbox.ledger().sends[-1].fate == "dropped"


# --- in ------------------------------------------------------------------------------------------------------------


async def fetched(wecom: WeCom, source: str) -> bytes:
    return b"".join([chunk async for chunk in wecom.fetch(source)])


def kept(sandbox: WeComSandbox, content: bytes, name: str = "x.png") -> str:
    return sandbox.far_side.media.keep("file", name, content, 1_764_000_000.0).id


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.png", PNG),
        ("long.png", PNG + bytes(8 * MIB)),
        ("x.json", b'{"errcode": 42001, "errmsg": "mine"}'),
        ("x.txt", b"{}"),
    ],
)
async def test_what_a_member_sent_is_fetched_as_it_is(
    wecom: WeCom, sandbox: WeComSandbox, name: str, content: bytes
) -> None:
    assert await fetched(wecom, kept(sandbox, content, name)) == content


@pytest.mark.parametrize("spoil", ["expire_tokens", "invalidate_tokens"])
async def test_a_token_that_is_spent_before_the_fetch_is_renewed_once(
    wecom: WeCom, sandbox: WeComSandbox, spoil: str
) -> None:
    await wecom.upkeep()
    getattr(sandbox.far_side, spoil)()
    assert await fetched(wecom, kept(sandbox, PNG)) == PNG
    assert sandbox.ledger().calls == {"gettoken": 2, "media/get": 2}
    with sandbox.faulty(media_errcode=42001), pytest.raises(NotGiven, match="42001"):
        await fetched(wecom, kept(sandbox, PNG))
    assert sandbox.ledger().calls["gettoken"] == 3


async def test_what_wecom_does_not_know_or_not_any_more_is_not_given(
    wecom: WeCom, sandbox: WeComSandbox, clock: Clock
) -> None:
    with pytest.raises(NotThere, match=r"^WeCom refused it: invalid media_id \(40007\)$"):
        await fetched(wecom, "made-up")
    source = kept(sandbox, PNG)
    clock.now += MEDIA_S - 1
    assert await fetched(wecom, source) == PNG
    clock.now += 1
    with pytest.raises(NotThere, match="40007"):
        await fetched(wecom, source)


async def test_a_bad_gateway_is_no_file(wecom: WeCom, sandbox: WeComSandbox) -> None:
    with sandbox.faulty(media_502=True), pytest.raises(NotGiven, match=r"^HTTP 502 instead of the file$"):
        await fetched(wecom, kept(sandbox, PNG))


async def test_half_a_file_is_an_error(sandbox: WeComSandbox) -> None:
    async with line_to(sandbox, cut_after=200_000) as url:
        async for wecom in started({**sandbox.settings(), "base_url": url}):
            with pytest.raises(httpx.HTTPError):
                await fetched(wecom, kept(sandbox, PNG))


async def test_no_token_is_named_by_an_error(wecom: WeCom, sandbox: WeComSandbox, clock: Clock) -> None:
    token = str(sandbox.far_side.get_token(sandbox.account.corp_id, sandbox.account.secret, clock.now)["access_token"])
    with pytest.raises(NotThere) as raised:
        await fetched(wecom, "made-up")
    assert token not in repr(raised.value)


# --- a line that breaks --------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def line_to(sandbox: WeComSandbox, cut_after: int) -> AsyncIterator[str]:
    """Another address of the stand-in; a connection is cut when so many bytes have gone through it in one direction."""
    port = int(sandbox.url.rpartition(":")[2])

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        ways: list[Callable[[], Awaitable[None]]] = [
            lambda: pipe(reader, far_writer, cut_after),
            lambda: pipe(far_reader, writer, cut_after),
        ]
        await asyncio.wait([asyncio.ensure_future(way()) for way in ways], return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, far_writer):
            end.transport.abort()

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int) -> None:
    with contextlib.suppress(ConnectionError):
        while most > 0 and (data := await reader.read(min(65_536, most))):
            most -= len(data)
            writer.write(data)
            await writer.drain()
