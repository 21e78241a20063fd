"""The way to a partition whose owner is another worker, and that owner's way back to the gateways.

Asks are batched: one request is under way, the next one grows meanwhile. It goes to the owner of a certain term; when
nobody answers, asks are held, and sent again at once to the owner of the next one. After HOLD_S each is answered
`unavailable`. All asks may be repeated: posts carry the client's number, relayed commands their origin, and the rest
changes nothing the second time.
"""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import structlog

from hub.bus.connection import Connection
from hub.bus.requests import publish, request
from hub.domain.views import Audience
from hub.engine.calls import UNAVAILABLE, Denied, Outcome
from hub.engine.wire import (
    SCHEMA,
    Answer,
    Ask,
    Pushed,
    PushedList,
    Submit,
    commands_subject,
    decode_answers,
    deliver_subject,
    encode,
    encode_asks,
    fitting,
)
from hub.errors import BusError, NoAnswer, NoResponders

HOLD_S = 10.0
HELD = 4096
"""So many may wait for one partition; what comes then is answered at once."""
REQUEST_S = 3.0
AGAIN_S = 0.05
AT_ONCE = 512
PUSH_BYTES = 160
"""What a push takes beside its frame."""

logger = structlog.get_logger("peers")


class Waiting(NamedTuple):
    """An encoded ask and who waits for its answer."""

    ask: bytes
    done: Callable[[Any], None] | None
    until: float


class Peer:
    """One partition that lives elsewhere, or nowhere at this moment."""

    def __init__(self, connection: Connection, partition: int, term: int) -> None:
        self._connection, self._partition, self._term = connection, partition, term
        self._waiting: list[Waiting] = []
        self._flying: asyncio.Task[None] | None = None
        self._moved = asyncio.get_running_loop().create_future()
        self._awake = asyncio.Event()

    def ask(self, ask: Ask, done: Callable[[Any], None] | None) -> None:
        """Send `ask` after those before it; `done` gets the answer, or Denied(UNAVAILABLE)."""
        # A relayed command is held for ever: a later one must not be carried out when this one has been given up.
        relayed = isinstance(ask, Submit) and ask.origin is not None
        waiting = Waiting(encode(ask), done, math.inf if relayed else time.monotonic() + HOLD_S)
        if len(self._waiting) >= HELD and not relayed:
            _tell(waiting, Denied(UNAVAILABLE, f"too many wait for partition {self._partition}"))
            return
        self._waiting.append(waiting)
        if self._flying is None:
            self._flying = asyncio.create_task(self._fly(), name=f"peer-{self._partition}")

    def owned(self, term: int) -> None:
        """Somebody holds the partition in `term`: what is under way in an earlier one will not be answered."""
        if term > self._term:
            self._term = term
            moved, self._moved = self._moved, asyncio.get_running_loop().create_future()
            moved.set_result(None)
            self._awake.set()

    def served(self, term: int) -> None:
        """The owner in `term` answers from now on."""
        self.owned(term)
        if term == self._term:
            self._awake.set()

    async def _fly(self) -> None:
        while self._waiting:
            batch = self._waiting[:AT_ONCE]
            batch = batch[: fitting(len(waiting.ask) for waiting in batch)]
            self._awake.clear()
            answers = await self._request(encode_asks(waiting.ask for waiting in batch))
            if answers:
                batch = batch[: len(answers)]
                held = [waiting for waiting, answer in zip(batch, answers, strict=True) if _is_unavailable(answer)]
                self._waiting[: len(batch)] = held
                for waiting, answer in zip(batch, answers, strict=True):
                    if not _is_unavailable(answer):
                        _tell(waiting, answer)
                if not held:
                    continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._awake.wait()
            self._give_up()
        self._flying = None

    async def _request(self, payload: bytes) -> list[Answer | None]:
        """The answers; none when the owner did not give any, or when there is no owner."""
        if not self._term:
            return []
        subject = commands_subject(self._partition, self._term)
        call = asyncio.ensure_future(request(self._connection, subject, payload, REQUEST_S))
        try:
            await asyncio.wait((call, self._moved), return_when=asyncio.FIRST_COMPLETED)
            return decode_answers(call.result()) if call.done() else []
        except (BusError, msgspec.ValidationError) as error:
            if not isinstance(error, NoAnswer | NoResponders):
                logger.error("request failed", partition=self._partition, error=str(error))
            return []
        finally:
            call.cancel()

    def _give_up(self) -> None:
        """Answer those that have been held too long."""
        now = time.monotonic()
        late = [waiting for waiting in self._waiting if waiting.until <= now]
        self._waiting = [waiting for waiting in self._waiting if waiting.until > now]
        for waiting in late:
            _tell(waiting, Denied(UNAVAILABLE, f"nobody has answered for partition {self._partition}"))


def _is_unavailable(answer: Answer | None) -> bool:
    denied = answer.denied if isinstance(answer, Outcome) else answer
    return isinstance(denied, Denied) and denied.code == UNAVAILABLE


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
        gathered, self._gathered = self._gathered, []
        task = asyncio.create_task(self._publish(gathered))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self, pushes: list[Pushed]) -> None:
        while pushes:
            count = fitting(len(pushed.frame) + PUSH_BYTES for pushed in pushes)
            payload = encode(PushedList(SCHEMA, pushes[:count]))
            pushes = pushes[count:]
            await publish(self._connection, deliver_subject(self._worker), payload)
