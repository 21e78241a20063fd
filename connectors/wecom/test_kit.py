"""WeCom's connector against the conformance kit."""

from hub.kit.subject import find
from hub.kit.suite import ConnectorKit


class TestWeCom(ConnectorKit):
    subject = find("wecom")
