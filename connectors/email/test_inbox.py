"""The mailbox: what all IMAP servers do, real ones and the stand-in."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connectors.email import imap, inbox
from connectors.email.conftest import TLS, Server, StandIn, dovecot, mail, numbers, pymap, stand_in
from connectors.email.imap import ImapFailed, SignInRefused
from connectors.email.inbox import Arrived, Batch, Inbox

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.fixture(params=["pymap", "dovecot", "stand-in"])
async def server(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Server]:
    kinds = {"pymap": pymap, "dovecot": lambda: dovecot(tmp_path), "stand-in": stand_in}
    async with kinds[request.param]() as running:
        yield running


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
