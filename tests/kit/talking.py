"""Connectors for the parrot that is spoken with in lines: one that is right, some that are wrong in one way each."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from hub.contract import Capabilities, Delivery, Item, Pulled, Refused, Retry, Sent, Surroundings, Unknown, Verdict
from hub.kit.wire import HOST, port_of
from tests.kit.connectors import WAIT_S, Asking
from tests.kit.parrot import MOST

PATIENCE_S = 5.0


class Line:
    """A connection on which the parrot has greeted. Raises OSError or EOFError where an answer does not come whole."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, words: str) -> str:
        """What it answers."""
        self.writer.write(f"{words}\r\n".encode())
        return await self.hear()

    async def hear(self) -> str:
        """The next line."""
        return (await self.reader.readuntil(b"\r\n")).decode().strip()


class Talking(Asking):
    """Visitors who are parrots; nobody can tell a repeat."""

    can = Capabilities(role="visitor", max_text=MOST, unit="utf16")
    speaker: type[Line] = Line

    async def start(self, surroundings: Surroundings) -> None:
        self.secret, self.port = self.settings.secret.get_secret_value(), port_of(self.settings.base_url)

    async def stop(self) -> None:
        """Nothing stays open."""

    @contextlib.asynccontextmanager
    async def greeted(self, role: str) -> AsyncIterator[Line]:
        """A line on which we are known. Raises ConnectionError."""
        line = (self.speaker if role == "speaker" else Line)(*await asyncio.open_connection(HOST, self.port))
        try:
            await line.hear()
            if (said := await line.ask(f"HELLO {self.secret} {role}")) != "ok":
                raise ConnectionError(self.quoted(said))
            yield line
        finally:
            line.writer.close()

    def quoted(self, said: str) -> str:
        """What it said, for people."""
        return said.replace(self.secret, "***")

    async def pull(self, cursor: str) -> Pulled:
        async with asyncio.timeout(PATIENCE_S), self.greeted("listener") as line:
            count, after = (await line.ask(f"HEARD {cursor or 0} {WAIT_S}")).split()
            return Pulled(after, [Item((await line.hear()).encode()) for _ in range(int(count))])

    async def deliver(self, delivery: Delivery) -> Verdict:
        told = False
        try:
            async with asyncio.timeout(PATIENCE_S), self.greeted("speaker") as line:
                told = True
                return self.understood(await line.ask(f"SAY {delivery.address} {json.dumps(delivery.text)}"))
        except (OSError, EOFError) as error:
            return self.lost(error, told)

    def understood(self, said: str) -> Verdict:
        """What its answer means."""
        word, _, words = said.partition(" ")
        match word:
            case "ok":
                return Sent()
            case "no":
                return Refused(f"the parrot: {words}")
            case "later" | "sorry":
                return Retry(self.quoted(said), 2)
        return Unknown(f"the parrot answered {said!r}")

    def lost(self, error: Exception, told: bool) -> Verdict:
        """What it means that there is no answer."""
        because = f"the parrot is silent: {type(error).__name__} {error}"
        return Unknown(because) if told else Retry(because)


# --- wrong -----------------------------------------------------------------------------------------------------------


class RepeatsWhatWasLost(Talking):
    """Thinks that what was not answered was not heard."""

    def lost(self, error: Exception, told: bool) -> Verdict:
        return Retry("once more")


class TakesResetsForNo(Talking):
    """Thinks that who resets a connection refuses."""

    def lost(self, error: Exception, told: bool) -> Verdict:
        is_reset = isinstance(error, ConnectionResetError)
        return Refused("the parrot does not want it") if is_reset else super().lost(error, told)


class TakesTheEndForYes(Talking):
    """Does not look whether there was an answer at all."""

    class Line(Line):
        async def hear(self) -> str:
            return (await self.reader.readline()).decode().strip() or "ok"

    speaker = Line


class TakesTroubleForNo(Talking):
    """Takes the trouble of somebody in between for a refusal."""

    def understood(self, said: str) -> Verdict:
        return Refused("the parrot is sorry") if said.startswith("sorry") else super().understood(said)


class ReadsOnce(Talking):
    """Takes what comes in one packet for the whole answer."""

    class Line(Line):
        async def hear(self) -> str:
            if not (chunk := await self.reader.read(65_536)).endswith(b"\r\n"):
                raise EOFError
            return chunk.decode().strip()

    speaker = Line


class TakesHalfAnAnswer(Talking):
    """Is content with the beginning of an answer."""

    class Line(Line):
        async def hear(self) -> str:
            if not (chunk := await self.reader.read(65_536)):
                raise EOFError
            return chunk.decode().strip()

    speaker = Line

    def understood(self, said: str) -> Verdict:
        return Sent() if "ok".startswith(said) else super().understood(said)


class TakesHalfAPage(Talking):
    """Moves its cursor behind what the parrot has announced, however much of it came."""

    async def pull(self, cursor: str) -> Pulled:
        async with asyncio.timeout(PATIENCE_S), self.greeted("listener") as line:
            count, after = (await line.ask(f"HEARD {cursor or 0} {WAIT_S}")).split()
            items = []
            with contextlib.suppress(OSError, EOFError):
                for _ in range(int(count)):
                    items.append(Item((await line.hear()).encode()))
            return Pulled(after, items)


class GivesUpWhenAway(Talking):
    """Takes a refused connection for a refusal."""

    def lost(self, error: Exception, told: bool) -> Verdict:
        is_away = isinstance(error, ConnectionRefusedError)
        return Refused("the parrot is not there") if is_away else super().lost(error, told)


class WaitsForEver(Talking):
    """Has no time-out."""

    async def deliver(self, delivery: Delivery) -> Verdict:
        async with self.greeted("speaker") as line:
            return self.understood(await line.ask(f"SAY {delivery.address} {json.dumps(delivery.text)}"))


class OneAtATime(Talking):
    """Has one lock for everybody."""

    async def start(self, surroundings: Surroundings) -> None:
        await super().start(surroundings)
        self.turn = asyncio.Lock()

    async def deliver(self, delivery: Delivery) -> Verdict:
        async with self.turn:
            return await super().deliver(delivery)


class QuotesAll(Talking):
    """Repeats what the parrot repeats."""

    def quoted(self, said: str) -> str:
        return said
