"""What workers tell and ask each other while they live: requests with an answer, and messages that may get lost."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import nats.errors
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from hub.bus.connection import AWAY, Connection
from hub.errors import NoAnswer, NoResponders, RequestFailed

PENDING_BYTES = 4 << 20
"""What may wait in front of a handler; the rest is dropped and counted in Connection.faults."""
AT_ONCE = 256
FAILED = "Kefu-Error"
log = logging.getLogger(__name__)


class Service:
    """A subject being served; `stop` ends it after the requests in hand."""

    def __init__(self, handler: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._handler = handler
        self._room = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None

    async def start(self, connection: Connection, subject: str) -> None:
        """Begin to answer. After a restart of the server it goes on by itself."""
        self._subscription = await connection.subscribe(subject, cb=self._take, pending_bytes_limit=PENDING_BYTES)

    async def stop(self) -> None:
        """Take no more requests and wait for the answers to those taken."""
        await self._unsubscribe()
        await asyncio.gather(*self._tasks)

    async def abandon(self) -> None:
        """Take no more requests, and answer none of those taken: who asked gets NoAnswer."""
        await self._unsubscribe()
        for task in self._tasks:
            task.cancel()

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            with contextlib.suppress(*AWAY):  # a closed connection brings nothing more
                await self._subscription.unsubscribe()

    async def _take(self, message: Msg) -> None:
        await self._room.acquire()
        task = asyncio.create_task(self._answer(message))
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._room.release()

    async def _answer(self, message: Msg) -> None:
        headers = None
        try:
            payload = await self._handler(message.data)
        except Exception as error:
            log.exception("%s: a request failed", message.subject)
            payload, headers = b"", {FAILED: f"{type(error).__name__}: {error}"}
        try:
            await message._client.publish(message.reply, payload, headers=headers)
        except AWAY:
            return  # who asked has been cut off as well, and gets NoAnswer


async def serve(connection: Connection, subject: str, handler: Callable[[bytes], Awaitable[bytes]]) -> Service:
    """Answer requests on `subject`. `handler` starts on them in order and may work on many at once.

    An exception of the handler reaches whoever asked as RequestFailed.
    """
    service = Service(handler)
    await service.start(connection, subject)
    return service


async def request(connection: Connection, subject: str, payload: bytes, timeout_s: float) -> bytes:
    """The answer of whoever serves `subject`. Raises NoResponders, NoAnswer or RequestFailed."""
    try:
        reply = await connection.request(subject, payload, timeout=timeout_s)
    except (nats.errors.NoRespondersError, nats.errors.OutboundBufferLimitError):
        raise NoResponders(f"{subject}: nobody serves it at this moment, or NATS is away: try again") from None
    except AWAY as error:
        raise NoAnswer(f"{subject}: no answer within {timeout_s:g} s ({type(error).__name__})") from None
    if reply.headers and FAILED in reply.headers:
        raise RequestFailed(f"{subject}: {reply.headers[FAILED]}")
    return reply.data


async def ask_all(connection: Connection, subject: str, within_s: float) -> list[bytes]:
    """The answers of all who serve `subject`, as far as they come in time. Raises NoResponders while NATS is away."""
    inbox, answers = connection.new_inbox(), list[bytes]()
    subscription = await subscribe(connection, inbox, answers.append)
    try:
        await connection.publish(subject, b"", reply=inbox)
        await asyncio.sleep(within_s)
        await subscription.unsubscribe()
    except AWAY:
        raise NoResponders(f"{subject}: NATS is away: try again") from None
    return [answer for answer in answers if answer]  # the server itself answers, with nothing, where nobody serves


async def subscribe(connection: Connection, subject: str, handler: Callable[[bytes], None]) -> Subscription:
    """Call `handler` for each message on `subject`, in order; end it with `unsubscribe()`."""

    async def hear(message: Msg) -> None:
        try:
            handler(message.data)
        except Exception:
            log.exception("%s: a message was not understood", subject)

    return await connection.subscribe(subject, cb=hear, pending_bytes_limit=PENDING_BYTES)


async def publish(connection: Connection, subject: str, payload: bytes) -> None:
    """Tell all who hear `subject` now; while NATS is away it is lost, and counted."""
    try:
        await connection.publish(subject, payload)
    except AWAY as error:
        await connection.count_fault(error)
