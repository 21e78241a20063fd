"""Which sockets are the API's: uvicorn has one class for all of them, and ours (hub.gateway.socket) speaks no ASGI."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

API = b"/api/"


class ApiSocket(WebSocketsSansIOProtocol):
    """uvicorn's socket, which does not wait for a client that is gone to read what was written to it."""

    def keepalive_timeout(self) -> None:
        """As uvicorn's, whose close waits for ever where nobody reads, and keeps the page that is on its way."""
        super().keepalive_timeout()
        self.transport.abort()


class ApiProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which gives an upgrade of a path of the API to the app, and all others to the gateway."""

    def handle_websocket_upgrade(self) -> None:
        """As uvicorn's."""
        if self.url.startswith(API):
            self.ws_protocol_class: type[asyncio.Protocol] | Any = ApiSocket
        super().handle_websocket_upgrade()
