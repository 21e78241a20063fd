"""The webhook's connector against the conformance kit."""

from hub.kit.subject import find
from hub.kit.suite import ConnectorKit


class TestWebhook(ConnectorKit):
    subject = find("webhook")
