"""The mailbox: real IMAP servers for what they all do, the stand-in for what goes wrong."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from connectors.email import imap, inbox
from connectors.email.conftest import HOST, Certified, Server, StandIn, dovecot, pymap, stand_in
from connectors.email.imap import ImapFailed, SignInRefused
from connectors.email.inbox import Arrived, Batch, Inbox
from connectors.email.sandbox_imap import ImapSession
from connectors.email.settings import Imap

TLS = ssl.create_default_context()


def mail(n: int, text: str = "x") -> bytes:
    return f"From: a@example.net\r\nMessage-ID: <{n}@example.net>\r\nSubject: {n}\r\n\r\n{text}\r\n".encode()


@pytest.fixture(params=["pymap", "dovecot", "stand-in"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    kinds = {"pymap": pymap, "dovecot": lambda: dovecot(tmp_path), "stand-in": stand_in}
    async with kinds[request.param]() as running:
        yield running


@pytest.fixture
async def ours() -> AsyncIterator[StandIn]:
    async with stand_in() as running:
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 0.5)
    monkeypatch.setattr(inbox, "QUIET_S", 0.0)
    monkeypatch.setattr(imap, "ANSWER_S", 3.0)


def numbers(batch: Batch) -> list[int]:
    return [int(one.data.partition(b"Subject: ")[2].partition(b"\r\n")[0]) for one in batch.mails]


# --- what all servers do -------------------------------------------------------------------------------------------


async def test_mail_comes_in_its_order_and_once(server: Server) -> None:
    box = Inbox(server.imap(), TLS)
    empty = await box.pull("")
    assert empty.mails == []
    for n in (1, 2, 3):
        await server.put(mail(n, "在吗 " * n))
    batch = await box.pull(empty.cursor)
    assert numbers(batch) == [1, 2, 3]
    assert batch.mails[2].data == mail(3, "在吗 " * 3)
    assert batch.mails[2].size == len(mail(3, "在吗 " * 3))
    await server.put(mail(4))
    following = await box.pull(batch.cursor)
    assert numbers(following) == [4]
    assert (await box.pull(following.cursor)) == Batch(following.cursor, [])
    assert numbers(await box.pull(batch.cursor)) == [4], "an older cursor brings it again"
    assert box.trouble == ""
    box.close()


async def test_another_worker_goes_on_at_the_cursor(server: Server) -> None:
    one, two = Inbox(server.imap(), TLS), Inbox(server.imap(), TLS)
    await server.put(mail(1))
    batch = await one.pull("")
    await server.put(mail(2))
    assert numbers(await two.pull(batch.cursor)) == [2]
    one.close()
    two.close()


async def test_a_mail_that_arrives_meanwhile_ends_the_wait(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 60.0)
    monkeypatch.setattr(imap, "POLL_S", 0.5)
    box = Inbox(server.imap(), TLS)
    await server.put(mail(1))
    first = await box.pull("")
    pulling = asyncio.create_task(box.pull(first.cursor))
    await asyncio.sleep(0.3)
    assert not pulling.done()
    await server.put(mail(2))
    async with asyncio.timeout(10):
        assert numbers(await pulling) == [2]
    box.close()


async def test_at_the_first_start_only_the_last_days_are_read(server: Server) -> None:
    await server.put(mail(1), days_old=40)
    await server.put(mail(2), days_old=3)
    await server.put(mail(3))
    await server.put(mail(4), days_old=40)
    box = Inbox(server.imap(), TLS)
    batch = await box.pull("")
    assert numbers(batch) == [2, 3]
    assert (await box.pull(batch.cursor)).mails == [], "an old mail with a later number does not come either"
    box.close()


async def test_many_mails_come_in_batches(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "MOST_MAILS", 4)
    for n in range(10):
        await server.put(mail(n))
    box, cursor, got = Inbox(server.imap(), TLS), "", list[list[int]]()
    for _ in range(3):
        batch = await box.pull(cursor)
        cursor = batch.cursor
        got.append(numbers(batch))
    assert got == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    box.close()


async def test_a_long_mail_is_read_at_its_beginning_and_harms_no_other(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "MOST_BYTES", 1000)
    monkeypatch.setattr(inbox, "BEGINNING", 200)
    for n, text in enumerate(["a" * 600, "b" * 600, "c" * 5000, "d"]):
        await server.put(mail(n, text))
    box, cursor, got = Inbox(server.imap(), TLS), "", list[Arrived]()
    while len(got) < 4:
        batch = await box.pull(cursor)
        cursor = batch.cursor
        got += batch.mails
    assert [(one.size, len(one.data)) for one in got] == [
        (len(mail(0, "a" * 600)),) * 2, (len(mail(1, "b" * 600)),) * 2, (len(mail(2, "c" * 5000)), 200),
        (len(mail(3, "d")),) * 2,
    ]  # fmt: skip
    assert got[2].data == mail(2, "c" * 5000)[:200]
    box.close()


@pytest.mark.parametrize("after", ["seen", "Done & 已处理"])
async def test_what_the_hub_has_is_put_away_and_no_sooner(server: Server, after: str) -> None:
    if after != "seen":
        await server.create(imap._quoted(imap._mailbox(after)).decode())
    box = Inbox(server.imap(after=after), TLS)
    await server.put(mail(1))
    await server.put(mail(2))
    batch = await box.pull("")
    assert (await server.listed(), await server.listed(what="SEEN")) == (2, 0)
    await server.put(mail(3))
    assert numbers(await box.pull(batch.cursor)) == [3]
    if after == "seen":
        assert (await server.listed(), await server.listed(what="SEEN")) == (3, 2)
    else:
        folder = after if isinstance(server, StandIn) else imap._quoted(imap._mailbox(after)).decode()
        assert await server.listed(folder) == 2
        assert await server.listed(what="UNDELETED") == 1 or isinstance(server, StandIn)
    box.close()


@pytest.mark.parametrize(("without", "left"), [({b"MOVE"}, 1), ({b"MOVE", b"UIDPLUS"}, 3)])
async def test_a_server_without_move_has_it_copied_and_deletes_no_mail_of_others(
    tmp_path: Path, without: set[bytes], left: int
) -> None:
    async with dovecot(tmp_path) as server:
        await server.create("Done")
        for n in (1, 2):
            await server.put(mail(n))
        box = Inbox(server.imap(after="Done"), TLS)
        batch = await box.pull("")
        await server.put(mail(3))
        with server._client() as other:
            other.select("INBOX")
            other.store("3", "+FLAGS", r"\Deleted")
        assert box._connection is not None
        box._connection._capabilities -= without
        assert numbers(await box.pull(batch.cursor)) == [3]
        assert await server.listed("Done") == 2
        assert await server.listed() == left
        assert await server.listed(what="UNDELETED") == 0
        box.close()


async def test_a_folder_that_does_not_exist_is_named_and_stops_nothing(server: Server) -> None:
    if isinstance(server, StandIn):
        pytest.skip("it makes folders")
    box = Inbox(server.imap(after="Nowhere"), TLS)
    await server.put(mail(1))
    batch = await box.pull("")
    await server.put(mail(2))
    assert numbers(await box.pull(batch.cursor)) == [2]
    assert "check channels.email.imap.after" in box.trouble
    box.close()


async def test_a_wrong_folder_is_named(server: Server) -> None:
    box = Inbox(server.imap(folder="Nowhere"), TLS)
    with pytest.raises(ImapFailed, match=r"does not open the folder 'Nowhere' \(NO .*: check channels"):
        await box.pull("")


async def test_a_wrong_password_is_tried_once_and_said(server: Server) -> None:
    box = Inbox(server.imap(password="wrong"), TLS)
    said = []
    for _ in range(3):
        with pytest.raises(SignInRefused, match="refuses the user or the authorisation code"):
            await box.pull("")
        said.append(box.trouble)
    assert said == [said[0]] * 3
    assert not isinstance(server, StandIn) or server.mail.sign_ins == 1
    assert "check channels.email.imap (since " in said[0]
    assert "wrong" not in box.trouble


async def test_a_cancelled_pull_leaves_nothing_open(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 60.0)
    box = Inbox(server.imap(), TLS)
    await server.put(mail(1))
    batch = await box.pull("")
    pulling = asyncio.create_task(box.pull(batch.cursor))
    await asyncio.sleep(0.3)
    pulling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pulling
    assert box._connection is None
    await server.put(mail(2))
    assert numbers(await box.pull(batch.cursor)) == [2]
    box.close()


# --- what goes wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "said"), [("drop", "has broken off"), ("bye", "good-bye: [UNAVAILABLE]"), ("silent", "has not answered")]
)
@pytest.mark.parametrize("waiting", [False, True])
async def test_a_lost_line_is_noticed_and_opened_anew(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch, fault: str, said: str, waiting: bool
) -> None:
    monkeypatch.setattr(imap, "ANSWER_S", 0.5)
    box = Inbox(ours.imap(), TLS)
    await ours.put(mail(1))
    batch = await box.pull("")
    pulling = asyncio.create_task(box.pull(batch.cursor))
    if waiting:
        await asyncio.sleep(0.1)
    with ours.mail.faulty(imap=fault):
        if waiting and fault != "silent":
            await ours.put(mail(2))  # it looks at its faults when something happens
        with pytest.raises(ImapFailed) as raised:
            await pulling
        assert said in str(raised.value)
        assert said in box.trouble
        assert "(since " in box.trouble
    await ours.put(mail(3))
    assert 3 in numbers(await box.pull(batch.cursor))
    assert box.trouble == ""
    box.close()


@pytest.mark.parametrize("answer", [b"* BYE what is (%s)?\r\n", b"K1 BAD what is (%s)?\r\n"])
async def test_a_server_that_repeats_the_password_is_not_quoted_with_it(answer: bytes) -> None:
    async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        writer.write(answer % (await reader.readline()).strip())
        writer.close()

    async with await asyncio.start_server(repeating, HOST, 0) as running:
        port = running.sockets[0].getsockname()[1]
        box = Inbox(Imap(host=HOST, port=port, tls="none", user="kefu", password=SecretStr('hu"sh')), TLS)
        with pytest.raises(ImapFailed) as raised:
            await box.pull("")
    assert 'what is (K1 LOGIN "kefu" "***")?' in str(raised.value)


async def test_a_server_that_is_away_is_said_with_its_place() -> None:
    async with stand_in() as gone:
        settings = gone.imap()
    box = Inbox(settings, TLS)
    with pytest.raises(ImapFailed, match=rf"the IMAP server 127\.0\.0\.1:{settings.port} cannot be reached"):
        await box.pull("")


async def test_new_numbers_bring_the_last_days_again(ours: StandIn) -> None:
    box = Inbox(ours.imap(), TLS)
    for n in (1, 2):
        await ours.put(mail(n))
    batch = await box.pull("")
    ours.mail.office.renumber()
    box.close()
    again = await box.pull(batch.cursor)
    assert numbers(again) == [1, 2]
    assert again.cursor.partition(".")[0] != batch.cursor.partition(".")[0]
    box.close()


async def test_a_mail_that_the_server_does_not_give_is_kept_as_such_and_stops_no_other(ours: StandIn) -> None:
    box = Inbox(ours.imap(), TLS)
    for n in (1, 2):
        await ours.put(mail(n))
    with ours.mail.faulty(imap="no"):
        for _ in range(2 * inbox.TRIES):
            with pytest.raises(ImapFailed, match=r"refuses a command: NO .SERVERBUG"):
                await box.pull("")
        given_up = await box.pull("")
    assert [(one.uid, one.data) for one in given_up.mails] == [(1, b"")]
    assert "has not given the mail 1 of" in given_up.mails[0].because
    assert numbers(await box.pull(given_up.cursor)) == [2]
    box.close()


async def test_a_mail_that_comes_too_slowly_is_read_at_its_beginning(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "BEGINNING", 200)
    box = Inbox(ours.imap(), TLS)
    await ours.put(mail(1, "x" * 1000))
    box._tries[1] = inbox.TRIES  # lines that break while it is on its way
    (cut,) = (await box.pull("")).mails
    assert (len(cut.data), cut.size) == (200, len(mail(1, "x" * 1000)))
    assert box._tries == {}
    box.close()


async def test_a_cursor_that_is_none_counts_as_lost(ours: StandIn) -> None:
    box = Inbox(ours.imap(), TLS)
    await ours.put(mail(1))
    for cursor in ("x", "1.2.3", "7"):
        assert numbers(await box.pull(cursor)) == [1]
    box.close()


async def test_a_server_that_rings_for_nothing_is_not_asked_as_fast_as_it_can(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "QUIET_S", 0.2)
    box = Inbox(ours.imap(), TLS)
    batch = await box.pull("")
    loop = asyncio.get_running_loop()
    began = loop.time()
    pulling = asyncio.create_task(box.pull(batch.cursor))
    await asyncio.sleep(0.05)
    ours.mail.office.news.set()
    await pulling
    assert loop.time() - began >= 0.2
    box.close()


@pytest.mark.parametrize("says_so", [False, True])
async def test_a_mail_that_arrives_behind_the_search_is_not_waited_for(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch, says_so: bool
) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 60.0)

    class Session(ImapSession):
        def _uid(self, what: str, which: str, rest: str) -> None:
            super()._uid(what, which, rest)
            if not self._inbox:
                self._mail.office.put(mail(1))
                if says_so:
                    self._tell()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Session(ours.mail, reader, writer).run()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        box = Inbox(ours.imap(port=server.sockets[0].getsockname()[1]), TLS)
        async with asyncio.timeout(20):
            assert numbers(await box.pull(f"{ours.mail.office.validity}.0")) == [1]
        box.close()


# --- TLS -----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def encrypted(ours: StandIn, certified: Certified, tls: str) -> AsyncIterator[Imap]:
    """The stand-in behind TLS, from the first byte or after STARTTLS."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tls == "starttls":
            writer.write(b"* OK in the open\r\n")
            tag = (await reader.readline()).split()[0]
            writer.write(tag + b" OK go on\r\n")
            with contextlib.suppress(OSError):
                await writer.start_tls(certified.server)
        with contextlib.suppress(OSError):
            await ImapSession(ours.mail, reader, writer).run(greets=tls == "tls")

    server = await asyncio.start_server(serve, HOST, 0, ssl=certified.server if tls == "tls" else None)
    settings = ours.settings | {"host": "localhost", "port": server.sockets[0].getsockname()[1], "tls": tls}
    yield Imap.model_validate(settings)
    server.close()


@pytest.mark.parametrize("tls", ["tls", "starttls"])
async def test_mail_is_read_over_tls_from_who_proves_who_they_are(
    ours: StandIn, certified: Certified, tls: str
) -> None:
    await ours.put(mail(1))
    async with encrypted(ours, certified, tls) as settings:
        box = Inbox(settings, certified.client())
        assert numbers(await box.pull("")) == [1]
        box.close()
        stranger = Inbox(settings, TLS)
        with pytest.raises(ImapFailed, match="certificate verify failed"):
            await stranger.pull("")


async def test_without_starttls_no_password_is_sent(ours: StandIn) -> None:
    box = Inbox(ours.imap(host="127.0.0.1", tls="starttls"), TLS)
    with pytest.raises(ImapFailed, match="offers no STARTTLS"):
        await box.pull("")
