"""H5 against what of the conformance kit applies to a channel with sockets."""

from hub.kit.subject import find
from hub.kit.suite import ConnectorKit


class TestH5(ConnectorKit):
    subject = find("h5")
