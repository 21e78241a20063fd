"""Telegram's connector against the conformance kit, in both its modes."""

from functools import partial

from connectors.telegram.connector import WEBHOOK, Telegram
from connectors.telegram.kit import CallingTelegram
from hub.kit.engine import KEY
from hub.kit.subject import Subject, find
from hub.kit.suite import ConnectorKit


class Called(Telegram):
    """In the mode webhook; the kit looks at the class."""

    pulls, routes = False, (WEBHOOK,)


class TestTelegram(ConnectorKit):
    subject = find("telegram")


class TestCalledTelegram(ConnectorKit):
    subject = Subject("telegram", Called, partial(CallingTelegram, KEY))
