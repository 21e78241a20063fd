"""The sender: hands logged attempts to their connector and brings the verdict back as a command.

An attempt is in the log, with its exact text, before the platform hears of it; what the platform said is in the log
before the next attempt. One slow or dead far side holds up nobody else: each recipient has one call under way.
"""

import asyncio
import random
from collections.abc import Callable, Mapping

import structlog

from hub.contract import Delivery, Enclosed, Refused, Retry, Sent, Unknown, Verdict
from hub.domain.commands import RecordVerdict
from hub.domain.events import Attempted, Record
from hub.domain.messages import Attachment
from hub.engine.calls import UNAVAILABLE, Outcome
from hub.engine.outlets import Outlet
from hub.engine.owner import Owner

DRAIN_S = 3.0
AGAIN_S = 0.2

logger = structlog.get_logger("sender")


class Sender:
    """Delivers what the entities of one owner attempt."""

    def __init__(self, owner: Owner, outlets: Mapping[str, Outlet], enclose: Callable[[Attachment], Enclosed]) -> None:
        self._owner, self._outlets, self._enclose = owner, outlets, enclose
        self._calls: set[asyncio.Task[None]] = set()
        self._closed = False

    def offer(self, record: Record) -> None:
        """An event is in the log; if it is an attempt, make it."""
        if isinstance(record.event, Attempted) and not self._closed:
            call = asyncio.create_task(self._attempt(record.entity, record.event), name=f"deliver-{record.entity}")
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def drain(self) -> None:
        """Begin no new calls, and give those under way a moment to come back with their verdict.

        What is abandoned then has an unknown outcome: whoever takes over repeats it, or says so.
        """
        self._closed = True
        if self._calls:
            await asyncio.wait(self._calls, timeout=DRAIN_S)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def _attempt(self, entity: str, event: Attempted) -> None:
        outlet = self._outlets.get(event.channel)
        verdict: Verdict = Refused(f"the channel {event.channel} is not configured here")
        if outlet is not None:
            verdict = await outlet.deliver(self._delivery(entity, event))
        if not isinstance(verdict, Sent):
            logger.warning("not delivered", entity=entity, attempt=event.attempt, because=verdict.because)
        await self._record(entity, as_command(event, verdict, self._owner.now_ms()))

    async def _record(self, entity: str, command: RecordVerdict) -> None:
        """Bring the verdict home: without it the entity would wait for ever.

        The owner takes nothing while its lease is in doubt, and may hold it again a moment later. Where it is the owner
        no more, the next one begins by asking itself what became of the attempt.
        """
        while not self._owner.closed:
            answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

            def done(outcome: Outcome, answered: asyncio.Future[Outcome] = answered) -> None:
                if not answered.done():
                    answered.set_result(outcome)

            self._owner.submit(entity, command, done)
            denied = (await answered).denied
            if denied is None or denied.code != UNAVAILABLE:
                return
            await asyncio.sleep(AGAIN_S)

    def _delivery(self, entity: str, event: Attempted) -> Delivery:
        key, message = f"{entity}:{event.attempt}", event.message
        if message is None:
            return Delivery(event.address, event.text, key, agent=entity)
        if not message.refs:  # an agent's
            return Delivery(
                event.address, event.text, key, message.thread, event.attempt, title=message.title, agent=entity,
                files=[self._enclose(file) for file in message.files],
            )  # fmt: skip
        return Delivery(
            event.address, event.text, key, entity, event.attempt, message.part, message.parts,
            [self._enclose(file) for file in message.files], message.choices, message.by, message.automatic,
            message.thread, message.title, message.in_reply_to, message.replaces,
        )  # fmt: skip


def as_command(event: Attempted, verdict: Verdict, now_ms: int) -> RecordVerdict:
    """The verdict, as the entity hears it. Retries are spread by up to a quarter, so that they do not come in step."""
    match verdict:
        case Sent(receipt=receipt):
            return RecordVerdict(event.attempt, "sent", receipt=receipt)
        case Retry(because=because, after_s=after_s):
            wait_s = max(after_s, min(60.0, 0.5 * 2**event.tries)) * random.uniform(1.0, 1.25)
            return RecordVerdict(event.attempt, "retry", because, retry_at_ms=now_ms + int(wait_s * 1000))
        case Refused(because=because, unreachable=unreachable):
            return RecordVerdict(event.attempt, "refused", because, unreachable=unreachable)
        case Unknown(because=because):
            return RecordVerdict(event.attempt, "unknown", because)
