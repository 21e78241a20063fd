"""Connections to NATS that come back by themselves, and neither send late nor wait long for the dead."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.errors import APIError, NotFoundError, ServiceUnavailableError

from hub.errors import BusError

T = TypeVar("T")

AWAY = (nats.errors.Error, OSError, TimeoutError)
"""What a call raises while the server is down, restarting or unreachable."""
PAUSE_S = 0.02


CLUSTER = 3
"""Servers that a cluster needs: of so many the log goes on when one dies; two gain nothing over one."""


class Connection(Client):
    """A NATS client; `faults` counts by kind what went wrong in the background (slow readers drop, cuts, refusals).

    `replicas` is of how many servers each stream has to be kept: whoever makes a stream says so in its configuration.
    """

    def __init__(self, replicas: int = 1) -> None:
        super().__init__()
        self.replicas = replicas
        self.faults: Counter[str] = Counter()
        self.came_back = asyncio.Event()
        """Wakes who waits for it when the connection has been made again."""

    @property
    def in_cluster(self) -> bool:
        """Whether the server that it is connected to belongs to a cluster."""
        return "cluster" in self._server_info

    async def wake(self) -> None:
        """The connection has been made again."""
        self.came_back.set()
        self.came_back.clear()

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,
        old_style: bool = False,
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """As nats-py's, but whoever is cancelled while it waits finds that out."""
        return await heeding_cancellation(super().request(subject, payload, timeout, old_style, headers))

    async def count_fault(self, error: Exception) -> None:
        # It runs for every single dropped message: a log line each would be the second disaster.
        self.faults[type(error).__name__] += 1

    async def close(self) -> None:
        """Close for good; never raises: nats-py may stumble over a socket that the dying server has closed already."""
        with contextlib.suppress(Exception):
            await apart(super().close())


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, done in a task of its own.

    When a connection closes, nats-py cancels what is under way on it, and may cancel its own closing. Where that
    surfaced in the caller's task it would look as if the caller had been cancelled, and end a loop that is meant to
    run for ever; so it is raised as BusError.
    """
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        raise BusError("the connection to NATS was closed under way")
    return task.result()


async def heeding_cancellation(work: Awaitable[T]) -> T:
    """The result of `work`, which waits by asyncio.wait_for; CancelledError if the task was cancelled meanwhile.

    Up to Python 3.11 wait_for forgets a cancellation that comes in the same moment as what it waits for, and nats-py
    waits by it: a loop that asks NATS again and again would then never end (python/cpython#86296).
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    result = await work
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
    return result


async def connect(url: str, name: str, timeout_s: float = 30) -> Connection:
    """A connection that reconnects for ever; `name` is what the server's monitoring shows.

    `url` is the address of one server, or those of a cluster with commas between them, each with the secret in it;
    with three or more each stream is kept by three of them (`Connection.replicas`).

    While it is away everything fails at once instead of being sent later: whoever gave up on a message must not see
    it stored. Raises BusError when the first connection does not succeed within `timeout_s`.
    """
    servers = url.split(",")
    connection = Connection(CLUSTER if len(servers) >= CLUSTER else 1)
    try:
        async with asyncio.timeout(timeout_s):
            await connection.connect(
                servers,
                name=name,
                error_cb=connection.count_fault,
                reconnected_cb=connection.wake,
                pending_size=0,
                connect_timeout=2,
                max_reconnect_attempts=-1,
                reconnect_time_wait=0.1,  # type: ignore[arg-type]  # seconds; fractions work
                ping_interval=1,
                max_outstanding_pings=2,
            )
    except TimeoutError:
        await connection.close()
        reasons = ", ".join(connection.faults) or "no answer"
        raise BusError(f"NATS did not let {name} in within {timeout_s:g} s ({reasons}): is the hub running?") from None
    return connection


async def insist(
    connection: Connection, ask: Callable[[], Awaitable[T]], *, may_raise: type[APIError] = NotFoundError
) -> T:
    """The answer to a question that may be asked twice, however long the server is away.

    Raises `may_raise` when that is the answer, BusError when the server refuses, or the connection was closed for good.
    """
    while True:
        try:
            return await ask()
        except may_raise:
            raise
        except APIError as error:
            if not isinstance(error, ServiceUnavailableError):
                raise BusError(f"NATS refuses: {error.description} (code {error.err_code})") from error
        except AWAY:
            raise_if_closed(connection)
        await asyncio.sleep(PAUSE_S)


def raise_if_closed(connection: Connection) -> None:
    """BusError when the connection will not come back, because we have closed it or the server has thrown us out."""
    if connection.is_closed:
        raise BusError("the connection to NATS is closed: open a new one")
