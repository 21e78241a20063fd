"""An ASGI application on a loopback port, inside the running process: what stand-ins are served by.

And a stand-in in a process of its own, with a person at the keyboard who plays the one on the platform.
"""

import argparse
import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from typing import Any

import uvicorn
from litestar import Litestar

from hub.kit.far_side import FarSide

HOST = "127.0.0.1"
LOOK_S = 0.2


@contextlib.asynccontextmanager
async def serving(app: Litestar, port: int = 0) -> AsyncGenerator[str, None]:
    """Serve `app` until the block ends; gives its base URL. Port 0 takes a free one. OSError when `port` is taken."""
    # asyncio switches Nagle's delay off only for sockets that name their protocol; else each answer takes 40 ms
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise OSError(f"{HOST}:{port} cannot be listened on ({error.strerror}): take another port") from error
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


def run_alone(work: Coroutine[Any, Any, None], refusal: type[Exception] = OSError) -> None:
    """Run `work` until its end or Ctrl-C; an OSError or a `refusal` ends the process with its words."""
    try:
        asyncio.run(work)
    except KeyboardInterrupt:
        return
    except (OSError, refusal) as error:
        sys.exit(str(error))


def talk(stand_in: Callable[[int], FarSide], channel: str) -> None:
    """Run a stand-in on a port until the end of the input; what is typed is said by the first of its people.

    `stand_in(port)` makes it. For `python -m connectors.CHANNEL.sandbox`: it reads its options, prints the settings.
    """
    parser = argparse.ArgumentParser(description=f"A stand-in for {channel}: what you type is said by somebody there.")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--callback", default=f"http://127.0.0.1:8080/callbacks/{channel}", help="where the hub is")
    chosen = parser.parse_args()
    run_alone(_talk(stand_in(chosen.port), channel, chosen.callback))


async def _talk(far: FarSide, channel: str, callback_url: str) -> None:
    async with far:
        await far.join(callback_url)
        print(f"channels:\n  {channel}:")
        for name, value in far.settings(far.url).items():
            print(f"    {name}: {value}")
        print(f"\nwhat you type is said by {far.people[0]}; Ctrl-D ends", flush=True)
        showing = asyncio.create_task(_show(far))
        while (line := await asyncio.to_thread(_typed)) is not None:
            far.say(far.people[0], line)
        await asyncio.sleep(2 * LOOK_S)  # an answer to the last one may be on its way
        showing.cancel()


async def _show(far: FarSide) -> None:
    """Print what people see, as it comes."""
    seen = 0
    while True:
        for one in far.shown()[seen:]:
            print(f"{one.who} <- {one.text}", flush=True)
            seen += 1
        await asyncio.sleep(LOOK_S)


def _typed() -> str | None:
    """The next line; None at the end."""
    try:
        return input()
    except EOFError:
        return None
