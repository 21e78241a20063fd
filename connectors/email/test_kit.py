"""Email against the conformance kit."""

from hub.kit.subject import find
from hub.kit.suite import ConnectorKit


class TestEmail(ConnectorKit):
    subject = find("email")
