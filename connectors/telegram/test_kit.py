"""Telegram's connector against the conformance kit."""

from hub.kit.subject import find
from hub.kit.suite import ConnectorKit


class TestTelegram(ConnectorKit):
    subject = find("telegram")
