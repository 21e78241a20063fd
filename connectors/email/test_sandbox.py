"""The stand-in: customers write and read over HTTP as robots and pages do, and its faults have names."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from connectors.email.sandbox import MailSandbox

ZHANG = "zhang@example.net"
OURS = b"From: kefu@example.com\r\nMessage-ID: <9@example.com>\r\nSubject: Re: x\r\n\r\nhello\r\n"


@pytest.fixture
async def mail() -> AsyncIterator[MailSandbox]:
    async with MailSandbox() as running:
        yield running


@pytest.fixture
async def http(mail: MailSandbox) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=mail.url, trust_env=False) as client:
        yield client


async def test_a_robot_writes_reads_and_answers(mail: MailSandbox, http: httpx.AsyncClient) -> None:
    file = {"name": "a.txt", "type": "text/plain", "content": "aGk="}
    box = f"/mailbox/{ZHANG}/letters"
    first = (await http.post(box, json={"text": "在吗", "subject": "x", "files": [file]})).raise_for_status().json()
    mail.office.deliver(ZHANG, OURS)
    letters = (await http.get(box, params={"wait": 5})).json()
    assert [(one["side"], one["text"], one["files"]) for one in letters] == [
        ("customer", "在吗", ["a.txt"]), ("us", "hello", []),
    ]  # fmt: skip
    assert letters[0]["message_id"] == first["message_id"]
    await http.post(box, json={"text": "好的"})
    (reply,) = (await http.get(box, params={"after": 2})).json()
    assert reply["references"] == "<9@example.com>"
    assert "> hello" in reply["text"]
    assert [one["message_id"] for one in (await http.get("/ledger")).json()[ZHANG]] == ["<9@example.com>"]


async def test_who_has_no_answer_yet_goes_on_in_their_own_thread(mail: MailSandbox) -> None:
    first = mail.say(ZHANG, "在吗", subject="x")
    mail.say(ZHANG, "还在吗")
    letter = (await mail.letters(ZHANG))[-1]
    assert (letter.subject, letter.references) == ("x", first)
    assert f"To: {mail.office.ours}".encode() in mail.office.folders["INBOX"][-1].data


async def test_all_servers_have_the_clock_that_is_given() -> None:
    async with MailSandbox(now=lambda: 86_400.0 * 365) as mail:
        mail.say(ZHANG, "在吗", subject="x")
        (kept,) = mail.office.folders["INBOX"]
        assert kept.at.year == 1971
        assert b"Date: Fri, 01 Jan 1971" in kept.data


async def test_who_asks_for_news_waits_for_it_but_not_beyond_the_end() -> None:
    async with MailSandbox() as mail, httpx.AsyncClient(base_url=mail.url, trust_env=False) as http:
        box = f"/mailbox/{ZHANG}/letters"
        assert (await http.get(box, params={"wait": 0.05})).json() == []
        waiting = asyncio.create_task(http.get(box))
        await asyncio.sleep(0.1)
        await mail.__aexit__(None, None, None)
        assert (await waiting).json() == []


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/mailbox/zhang/letters", {"text": "x"}),
        (f"/mailbox/{ZHANG}/letters", {"text": "x", "files": [{"name": "a", "type": "a/b", "content": "%"}]}),
    ],
)
async def test_what_cannot_be_sent_is_refused(http: httpx.AsyncClient, path: str, body: object) -> None:
    assert (await http.post(path, json=body)).status_code == 400


async def test_faults_are_switched_by_name(mail: MailSandbox, http: httpx.AsyncClient) -> None:
    assert (await http.patch("/faults", json={"greylist": True})).json()["greylist"] is True
    assert mail.faults.greylist
    for wrong in ({"gray": True}, {"greylist": "maybe"}, {"imap": "fly"}):
        assert (await http.patch("/faults", json=wrong)).status_code == 400
    validity = mail.office.validity
    await http.post("/renumber")
    assert mail.office.validity > validity


async def test_the_page_is_there_and_asks_nobody_else(http: httpx.AsyncClient) -> None:
    for path, kind in (("/", "text/html"), ("/webmail.css", "text/css"), ("/webmail.js", "text/javascript")):
        answer = await http.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(kind)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "http" not in answer.text.replace("http-equiv", "")
