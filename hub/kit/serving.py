"""An ASGI application on a loopback port, inside the running process: what stand-ins are served by."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Generator

import uvicorn
from litestar import Litestar

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def serving(app: Litestar, port: int = 0) -> AsyncGenerator[str, None]:
    """Serve `app` until the block ends; gives its base URL. Port 0 takes a free one. OSError when `port` is taken."""
    # asyncio switches Nagle's delay off only for sockets that name their protocol; else each answer takes 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(1024)  # now, so that who comes before the server has started waits and is not refused
        # its log of accesses would show the secrets that platforms want in a query
        server = _Server(uvicorn.Config(app, log_config=None, log_level="warning", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to whoever runs the loop."""
        yield
