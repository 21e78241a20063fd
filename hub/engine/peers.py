"""The way to a partition whose owner is another worker, and that owner's way back to the gateways.

Asks are batched: one request is under way, the next one grows meanwhile. When nobody answers they are held and sent
again, at once when a new owner reports; after HOLD_S each is answered `unavailable`. All asks may be repeated: posts
carry the client's number, relayed commands their origin, the rest changes nothing the second time.
"""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from hub.bus.connection import Connection
from hub.bus.requests import publish, request
from hub.domain.views import Audience
from hub.engine.calls import UNAVAILABLE, Denied
from hub.engine.wire import (
    SCHEMA,
    Answer,
    Ask,
    Asks,
    Pushed,
    PushedList,
    Submit,
    commands_subject,
    decode_answers,
    deliver_subject,
    encode,
)
from hub.errors import BusError, NoAnswer, NoResponders

HOLD_S = 10.0
REQUEST_S = 3.0
AGAIN_S = 0.05
AT_ONCE = 512

logger = structlog.get_logger("peers")


class Waiting(NamedTuple):
    """An ask and who waits for its answer."""

    ask: Ask
    done: Callable[[Any], None] | None
    until: float


class Peer:
    """One partition that lives elsewhere."""

    def __init__(self, connection: Connection, partition: int) -> None:
        self._connection, self._partition = connection, partition
        self._waiting: list[Waiting] = []
        self._flying: asyncio.Task[None] | None = None
        self._new_owner = asyncio.Event()

    def ask(self, ask: Ask, done: Callable[[Any], None] | None) -> None:
        """Send `ask` after those before it; `done` gets the answer, or Denied(UNAVAILABLE)."""
        # A relayed command is held for ever: a later one must not be carried out when this one has been given up.
        relayed = isinstance(ask, Submit) and ask.origin is not None
        self._waiting.append(Waiting(ask, done, math.inf if relayed else time.monotonic() + HOLD_S))
        if self._flying is None:
            self._flying = asyncio.create_task(self._fly(), name=f"peer-{self._partition}")

    def owner_changed(self) -> None:
        """Somebody has taken the partition: what is under way will not be answered by the owner before."""
        self._new_owner.set()

    async def _fly(self) -> None:
        while self._waiting:
            batch = self._waiting[:AT_ONCE]
            answers = await self._request(Asks(SCHEMA, [waiting.ask for waiting in batch]))  # type: ignore[misc]
            if answers is None:
                self._give_up()
                continue
            del self._waiting[: len(batch)]
            for waiting, answer in zip(batch, answers, strict=True):
                _tell(waiting, answer)
        self._flying = None

    async def _request(self, asks: Asks) -> list[Answer | None] | None:
        """The answers, or None when the owner did not give any."""
        self._new_owner.clear()
        call = asyncio.ensure_future(
            request(self._connection, commands_subject(self._partition), encode(asks), REQUEST_S)
        )
        changed = asyncio.ensure_future(self._new_owner.wait())
        try:
            await asyncio.wait((call, changed), return_when=asyncio.FIRST_COMPLETED)
            if not call.done():
                return None
            return decode_answers(call.result())
        except (BusError, msgspec.ValidationError) as error:
            if not isinstance(error, NoAnswer | NoResponders):
                logger.error("request failed", partition=self._partition, error=str(error))
            await asyncio.wait((changed,), timeout=AGAIN_S)
            return None
        finally:
            call.cancel()
            changed.cancel()

    def _give_up(self) -> None:
        """Answer those that have been held too long."""
        now = time.monotonic()
        late = [waiting for waiting in self._waiting if waiting.until <= now]
        self._waiting = [waiting for waiting in self._waiting if waiting.until > now]
        for waiting in late:
            _tell(waiting, Denied(UNAVAILABLE, f"nobody has answered for partition {self._partition}"))


def _tell(waiting: Waiting, answer: Answer | None) -> None:
    if waiting.done is not None:
        try:
            waiting.done(answer)
        except Exception:  # one socket's fault must not stop the others' answers
            logger.exception("answer")


class RemotePushes:
    """Pushes to another worker's gateway: gathered for one turn of the loop, sent as one message."""

    def __init__(self, connection: Connection, worker: str) -> None:
        self._connection, self._worker = connection, worker
        self._gathered: list[Pushed] = []
        self._publishing: set[asyncio.Task[None]] = set()

    def push(self, entity: str, audience: Audience, seq: int, frame: bytes, but: object) -> None:
        """As hub.engine.calls.Pushes."""
        key = but[1] if isinstance(but, tuple) and but[0] == self._worker else 0
        self._gather(Pushed("event", entity, audience, seq, frame, key))

    def skip(self, entity: str, audience: Audience, seq: int, but: object) -> bool:
        """Who watches there is known there only."""
        return False

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """As hub.engine.calls.Pushes."""
        self._gather(Pushed("signal", entity, audience, frame=frame))

    def serving(self, agent: str, conversation: str, on: bool) -> None:
        """As hub.engine.calls.Pushes."""
        self._gather(Pushed("serving", agent, conversation=conversation, on=on))

    def owner_changed(self, partition: int) -> None:
        """Each worker hears of this by itself."""

    def _gather(self, pushed: Pushed) -> None:
        if not self._gathered:
            asyncio.get_running_loop().call_soon(self._flush)
        self._gathered.append(pushed)

    def _flush(self) -> None:
        payload = encode(PushedList(SCHEMA, self._gathered))
        self._gathered = []
        task = asyncio.create_task(publish(self._connection, deliver_subject(self._worker), payload))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)
