"""The channels that the demo plays: they are found, and their visitors write and see as people do there."""

import random
import sys
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path

import httpx
import pytest

from hub.demo import channels
from hub.demo.channels import HUBS_OWN, Channel, Client, find, names
from hub.demo.channels.email import Email
from hub.demo.channels.telegram import Telegram
from hub.demo.channels.webhook import Webhook
from hub.errors import HubError

HUB = "http://127.0.0.1:1"
OURS = "From: kefu@example.com\r\nMessage-ID: <9@example.com>\r\nSubject: Re: x\r\n\r\n{}\r\n"


@pytest.fixture
async def email() -> AsyncIterator[Email]:
    async with Email() as channel:
        yield channel


def client(channel: Channel) -> Client:
    return channel.client(HUB, "顾客1", "kdtrbm", random.Random(1))


def headers(channel: Email) -> list[dict[str, str]]:
    """Of the mails that lie in our mailbox."""
    mails = [message_from_bytes(kept.data) for kept in channel.mail.office.folders["INBOX"]]
    return [dict(mail.items()) for mail in mails]


def test_each_module_is_a_channel_and_the_hubs_own_stands_first() -> None:
    modules = {file.stem for file in Path(channels.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(names()) == modules
    assert names()[0] == HUBS_OWN


def test_a_channel_whose_connector_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "carrier_pigeon.py").touch()
    monkeypatch.setattr(channels, "__path__", [*channels.__path__, str(tmp_path)])
    assert "carrier_pigeon" not in names()


def test_a_package_that_is_missing_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.startswith(("aiosmtpd", "connectors.email.sandbox"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "hub.demo.channels.email")
    monkeypatch.setitem(sys.modules, "aiosmtpd", None)
    with pytest.raises(HubError, match=r"^aiosmtpd\S* is missing, which the demo's email needs: make setup"):
        find("email")


async def test_who_writes_mail_goes_on_in_one_thread_before_and_after_an_answer(email: Email) -> None:
    visitor = client(email)
    visitor.say("在吗")
    visitor.say("订单 8812")
    email.mail.office.deliver("kdtrbm@example.net", OURS.format("hello").encode())
    visitor.say("thanks")
    first, second, third = headers(email)
    assert "References" not in first
    assert second["References"] == second["In-Reply-To"] == first["Message-ID"]
    assert third["In-Reply-To"] == "<9@example.com>"
    assert visitor.shown() == ["在吗", "订单 8812", "thanks", "hello"]
    assert visitor.taken() == [True] * 3


async def test_in_trouble_each_mail_lies_in_our_mailbox_twice(email: Email) -> None:
    email.trouble()
    visitor = client(email)
    visitor.say("在吗")
    one, other = headers(email)
    assert one == other
    assert visitor.shown() == ["在吗"]


async def test_each_person_on_telegram_has_a_chat_of_their_own() -> None:
    async with Telegram() as channel:
        one, other = client(channel), client(channel)
        one.say("在吗")
        other.say("订单 8812")
        chat = max(channel.telegram.ledger().chats)
        async with httpx.AsyncClient(base_url=channel.telegram.url, trust_env=False) as bot:
            answer = {"chat_id": chat, "text": "您好"}
            await bot.post(f"/bot{channel.settings()['token']}/sendMessage", json=answer)
        assert (one.shown(), other.shown()) == (["在吗"], ["订单 8812", "您好"])
        assert one.taken() == [True]


async def test_what_the_shop_cannot_hand_over_is_not_taken() -> None:
    async with Webhook() as channel:
        channel.join(HUB)
        visitor = client(channel)
        visitor.say("在吗")
        assert visitor.taken() == [False]
        assert visitor.shown() == ["在吗"]
