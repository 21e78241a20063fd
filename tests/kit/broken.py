"""Connectors for the parrot that are wrong in one way each, as people really write them."""

import asyncio
import contextlib
import dataclasses
import json
import time
import uuid
from collections import deque
from typing import Any

import httpx

from hub.contract import (
    Capabilities,
    Delivery,
    Forbidden,
    Inbound,
    Item,
    Parsed,
    Pulled,
    Raw,
    Refused,
    Retry,
    Sent,
    Surroundings,
    Unknown,
    Verdict,
)  # fmt: skip
from tests.kit.connectors import Asking, Called, Mixed
from tests.kit.parrot import MOST, signature

PAUSE_S, MINUTE_S = 2.0, 60.0

# --- in --------------------------------------------------------------------------------------------------------------


class KeepsItsOwnQueue(Called):
    """Acknowledges before the commit: the callback goes into a queue in memory, from which the hub pulls."""

    pulls = True

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.queue: asyncio.Queue[Item] = asyncio.Queue()

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        if raw.method == "PULL":
            return parsed
        self.queue.put_nowait(Item(raw.body, raw.headers))
        return Parsed()

    async def pull(self, cursor: str) -> Pulled:
        return Pulled(cursor, [await self.queue.get()])


class DropsQuickPairs(Called):
    """Takes a second equal text within a minute for the platform's repeat."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.last: dict[str, tuple[str, float]] = {}

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        for inbound in parsed.inbounds:
            text, at = self.last.get(inbound.identity, ("", 0.0))
            self.last[inbound.identity] = inbound.text, time.monotonic()
            if text and text == inbound.text and time.monotonic() < at + MINUTE_S:
                return Parsed()
        return parsed


class RemembersBySecond(Called):
    """Makes the outside id of person, text and second."""

    def inbound(self, item: dict[str, Any]) -> Inbound:
        known = json.dumps([item["from"], item["kind"], item["text"], item["at"] // 1000])
        return super().inbound(item | {"id": known})


class NumbersThemItself(Called):
    """Gives each callback an outside id of its own."""

    def inbound(self, item: dict[str, Any]) -> Inbound:
        return super().inbound(item | {"id": uuid.uuid4().hex})


class ConfirmsAtOnce(Asking):
    """Moves a cursor of its own, before what it has brought is committed."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.at = CURSORS.get(self.settings.base_url, "0")

    async def pull(self, cursor: str) -> Pulled:
        pulled = await super().pull(self.at)
        self.at = CURSORS[self.settings.base_url] = pulled.cursor
        return pulled


CURSORS: dict[str, str] = {}
"""Stands for a file of the connector's own."""


class SwallowsUnknownKinds(Called):
    """Knows texts, and is silent about all else."""

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        return Parsed(inbounds=[inbound for inbound in parsed.inbounds if not inbound.unsupported])


class ForgivesGarbage(Called):
    """Catches all, so that the platform never hears of an error."""

    def parse(self, raw: Raw) -> Parsed:
        try:
            return super().parse(raw)
        except (KeyError, TypeError, ValueError, AttributeError):
            return Parsed()


class TrustsAnybody(Called):
    """Leaves the signature for later."""

    def verify(self, raw: Raw) -> None:
        pass

    def parse(self, raw: Raw) -> Parsed:
        return Parsed(inbounds=[self.inbound(json.loads(raw.body))])


class SignsForNobody(Mixed):
    """Proves which conversation an answer is about, and not who was sent it."""

    def sign(self, conversation: str, agent: str) -> str:
        return signature(self.secret, conversation.encode())


class TakesImpostorsForVisitors(Mixed):
    """Lets whoever was not sent an answer's thread speak in it as the visitor does."""

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        if not parsed.unparsed:
            return parsed
        item = json.loads(raw.body)
        about = item["thread"].partition(":")[0]
        return Parsed(inbounds=[dataclasses.replace(self.inbound(item), conversation=about.removeprefix("0"))])


class IgnoresOldCallbacks(Called):
    """Drops what is older than five minutes, against replays."""

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        return Parsed(inbounds=[one for one in parsed.inbounds if abs(raw.received_at_ms - one.sent_at_ms) < 300_000])


class SpeaksThreeByteUtf8(Called):
    """Lets only the basic plane through, for an old database's sake."""

    def inbound(self, item: dict[str, Any]) -> Inbound:
        return super().inbound(item | {"text": "".join(c for c in str(item["text"]) if c < "\U00010000")})


class CollapsesSpaces(Called):
    """Tidies texts up, in and out."""

    def inbound(self, item: dict[str, Any]) -> Inbound:
        return super().inbound(item | {"text": " ".join(str(item["text"]).split())})

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        return await super().call(to, " ".join(text.split()), key)


class StopsFloods(Called):
    """Takes 100 callbacks a minute, and is silent about more."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.latest: deque[float] = deque(maxlen=100)

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        flood = len(self.latest) == self.latest.maxlen and self.latest[0] > time.monotonic() - MINUTE_S
        self.latest.append(time.monotonic())
        return Parsed() if flood else parsed


class NumbersByPage(Asking):
    """Makes the outside id of the page and the place on it."""

    async def pull(self, cursor: str) -> Pulled:
        pulled = await super().pull(cursor)
        items = [Item(item.body, {"place": f"{cursor}/{i}"}) for i, item in enumerate(pulled.items)]
        return Pulled(pulled.cursor, items)

    def parse(self, raw: Raw) -> Parsed:
        parsed = super().parse(raw)
        return Parsed(inbounds=[dataclasses.replace(one, outside_id=raw.headers["place"]) for one in parsed.inbounds])


class ReadsBeforeItChecks(Called):
    """Refuses what is nested too deep, and counts anew at each place."""

    def verify(self, raw: Raw) -> None:
        if max((raw.body[:i].count(b"<") for i in range(0, len(raw.body), 10)), default=0) > 100_000:
            raise Forbidden("it is nested too deep")
        super().verify(raw)


# --- out -------------------------------------------------------------------------------------------------------------


class CutsItself(Called):
    """Takes longer texts than the platform, cuts them itself, and sends all parts again when one fails."""

    can = Capabilities(role="visitor", max_text=4 * MOST, unit="utf16", recognises_s=3600)

    async def deliver(self, delivery: Delivery) -> Verdict:
        verdict: Verdict = Sent()
        for text in self.parts(delivery.text):
            try:
                verdict = self.verdict(await self.call(delivery.address, text, uuid.uuid4().hex))
            except httpx.HTTPError as error:
                return Retry(type(error).__name__)
            if not isinstance(verdict, Sent):
                return verdict
        return verdict

    def parts(self, text: str) -> list[str]:
        """As many as it takes."""
        return [text[i : i + MOST // 2] for i in range(0, len(text), MOST // 2)]


class CutsInside(Called):
    """Counts bytes and cuts there."""

    can = Capabilities(role="visitor", max_text=4 * MOST, unit="utf16", recognises_s=3600)

    async def deliver(self, delivery: Delivery) -> Verdict:
        data, verdict = delivery.text.encode(), None
        for number, start in enumerate(range(0, len(data), MOST)):
            text = data[start : start + MOST].decode(errors="ignore")
            part = Delivery(delivery.address, text, f"{delivery.key}/{number}")
            verdict = await super().deliver(part)
            if not isinstance(verdict, Sent):
                return verdict
        return verdict or Sent()


class SendsWhatItCannotRead(Called):
    """Looks at the HTTP status only."""

    def verdict(self, answer: httpx.Response) -> Verdict:
        verdict = super().verdict(answer)
        return Sent() if isinstance(verdict, Refused) else verdict


class GivesUpWhenBusy(Called):
    """Takes "not now" for "never"."""

    def verdict(self, answer: httpx.Response) -> Verdict:
        verdict = super().verdict(answer)
        return Refused(verdict.because) if isinstance(verdict, Retry) else verdict


class GivesUpAtOnce(Called):
    """Takes an error of somebody in between for the platform's refusal."""

    def verdict(self, answer: httpx.Response) -> Verdict:
        verdict = super().verdict(answer)
        return Refused(verdict.because) if isinstance(verdict, Unknown) else verdict


class GivesUpWhenAway(Called):
    """Takes a refused connection for a refusal."""

    async def deliver(self, delivery: Delivery) -> Verdict:
        verdict = await super().deliver(delivery)
        away = isinstance(verdict, Retry) and "not there" in verdict.because
        return Refused("the parrot is not there") if away else verdict


class WritesThreeByteUtf8(Called):
    """Lets only the basic plane through, for an old API's sake."""

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        return await super().call(to, "".join(c for c in text if c < "\U00010000"), key)


class KeysAnew(Called):
    """Says that the platform knows repeats, and gives each call another key."""

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        return await super().call(to, text, uuid.uuid4().hex)


class SendsLater(Called):
    """Tries again by itself, after it has said that all is well."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.later: deque[Delivery] = deque()
        self.sending = asyncio.create_task(self._send_on())

    async def stop(self) -> None:
        self.sending.cancel()
        await super().stop()

    async def deliver(self, delivery: Delivery) -> Verdict:
        verdict = await super().deliver(delivery)
        if isinstance(verdict, Unknown):
            self.later.append(delivery)
            return Sent()
        return verdict

    async def _send_on(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_S)
            while self.later:
                with contextlib.suppress(httpx.HTTPError):
                    delivery = self.later[0]
                    if isinstance(await super().deliver(delivery), Sent):
                        self.later.popleft()
                        continue
                break


class OneAtATime(Called):
    """Has one lock for everybody."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.turn = asyncio.Lock()

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        async with self.turn:
            return await super().call(to, text, key)


class WaitsForEver(Called):
    """Has no time-out."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.http.timeout = httpx.Timeout(None)


class TalksInstead(Called):
    """Knows one call only: what is to be changed is sent as a second message."""

    async def change(self, delivery: Delivery) -> httpx.Response:
        return await self.call(delivery.address, delivery.text, delivery.key)


class TakesItForDone(Called):
    """Takes any answer to a change for a good one."""

    def changed(self, answer: httpx.Response, delivery: Delivery) -> Verdict:
        verdict = super().changed(answer, delivery)
        return Sent() if isinstance(verdict, Refused) else verdict


class ChangesOnce(Called):
    """Takes what is gone already for a refusal, though its own first try may have done it."""

    def changed(self, answer: httpx.Response, delivery: Delivery) -> Verdict:
        return self.verdict(answer)


# --- conduct ---------------------------------------------------------------------------------------------------------


class ShowsItsSecret(Called):
    """Says in the reason with what it called."""

    def verdict(self, answer: httpx.Response) -> Verdict:
        verdict = super().verdict(answer)
        if isinstance(verdict, Unknown):
            return Unknown(f"{verdict.because}, headers {dict(answer.request.headers)}")
        return verdict


class Blocks(Called):
    """Sleeps as a thread would."""

    def verdict(self, answer: httpx.Response) -> Verdict:
        time.sleep(0.12)
        return super().verdict(answer)


class CallsHome(Called):
    """Tells its maker that it runs."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        with contextlib.suppress(OSError, httpx.HTTPError):
            await self.http.get("http://192.0.2.7/installed", timeout=0.5)
