"""The mailbox when something goes wrong, by the stand-in, and over TLS."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from connectors.email import imap, inbox
from connectors.email.conftest import HOST, TLS, Certified, StandIn, mail, numbers, stand_in
from connectors.email.imap import ImapFailed
from connectors.email.inbox import Inbox
from connectors.email.sandbox_imap import ImapSession
from connectors.email.settings import Imap

pytestmark = pytest.mark.usefixtures("impatient")


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


@contextlib.asynccontextmanager
async def serving(ours: StandIn, kind: type[ImapSession]) -> AsyncIterator[Inbox]:
    """A mailbox on the stand-in, whose sessions are of another kind."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await kind(ours.mail, reader, writer).run()

    async with await asyncio.start_server(serve, HOST, 0) as server:
        box = Inbox(ours.imap(port=server.sockets[0].getsockname()[1]), TLS)
        yield box
        box.close()


async def test_a_server_that_rings_for_nothing_is_not_asked_as_fast_as_it_can(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    searches = 0

    class Ringing(ImapSession):
        def _uid(self, what: str, which: str, rest: str) -> None:
            nonlocal searches
            searches += 1
            super()._uid(what, which, rest)
            self._tell()

    async with serving(ours, Ringing) as box:
        cursor = (await box.pull("")).cursor
        monkeypatch.setattr(inbox, "QUIET_S", 3600.0)
        searches = 0

        async def pull_on() -> None:
            while searches < 20:
                await box.pull(cursor)

        pulling = asyncio.create_task(pull_on())
        while searches < 2:
            await asyncio.sleep(0.01)
        await asyncio.wait([pulling], timeout=0.5)  # that it is asked no more has no moment of its own
        assert searches == 2
        pulling.cancel()
        await asyncio.wait([pulling])


@pytest.mark.parametrize("says_so", [False, True])
async def test_a_mail_that_arrives_behind_the_search_is_not_waited_for(
    ours: StandIn, monkeypatch: pytest.MonkeyPatch, says_so: bool
) -> None:
    monkeypatch.setattr(inbox, "WAIT_S", 60.0)

    class Late(ImapSession):
        def _uid(self, what: str, which: str, rest: str) -> None:
            super()._uid(what, which, rest)
            if not self._inbox:
                self._mail.office.put(mail(1))
                if says_so:
                    self._tell()

    async with serving(ours, Late) as box, asyncio.timeout(20):
        assert numbers(await box.pull(f"{ours.mail.office.validity}.0")) == [1]


# --- TLS -----------------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def encrypted(ours: StandIn, certified: Certified, tls: str, injected: bytes = b"") -> AsyncIterator[Imap]:
    """The stand-in behind TLS, from the first byte or after STARTTLS; then with what somebody slips in before it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tls == "starttls":
            writer.write(b"* OK in the open\r\n")
            tag = (await reader.readline()).split()[0]
            writer.write(tag + b" OK go on\r\n" + injected)
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


async def test_what_somebody_slips_in_before_tls_is_no_answer_of_the_server(
    ours: StandIn, certified: Certified
) -> None:
    """NO STARTTLS (https://nostarttls.secvuln.info), response injection."""
    async with encrypted(ours, certified, "starttls", b"* OK [ALERT] call me\r\n") as settings:
        box = Inbox(settings, certified.client())
        with pytest.raises(ImapFailed, match="before TLS"):
            await box.pull("")


async def test_a_server_that_breaks_off_instead_of_tls_is_told_with_its_place(ours: StandIn) -> None:
    async def breaking_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK hello\r\n")
        writer.write((await reader.readline()).split()[0] + b" OK go on\r\n")
        await reader.read(1)
        writer.transport.abort()

    async with await asyncio.start_server(breaking_off, HOST, 0) as running:
        box = Inbox(ours.imap(port=running.sockets[0].getsockname()[1], tls="starttls"), TLS)
        with pytest.raises(ImapFailed, match="no TLS"):
            await box.pull("")
        assert "no TLS" in box.trouble
