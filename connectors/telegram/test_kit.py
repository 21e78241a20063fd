"""Telegram's connector against the conformance kit, in both its modes."""

from functools import partial

from connectors.telegram.connector import Telegram
from connectors.telegram.kit import CallingTelegram
from hub.kit.engine import KEY
from hub.kit.subject import Subject, find
from hub.kit.suite import ConnectorKit


class TestTelegram(ConnectorKit):
    subject = find("telegram")


class TestCalledTelegram(ConnectorKit):
    subject = Subject("telegram", Telegram, partial(CallingTelegram, KEY))
