"""Which sockets are the API's: uvicorn has one class for all of them, and ours (hub.gateway.socket) speaks no ASGI."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

API = b"/api/"


class ApiProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which gives an upgrade of a path of the API to the app, and all others to the gateway."""

    def handle_websocket_upgrade(self) -> None:
        """As uvicorn's."""
        if self.url.startswith(API):
            self.ws_protocol_class: type[asyncio.Protocol] | Any = WebSocketsSansIOProtocol
        super().handle_websocket_upgrade()
