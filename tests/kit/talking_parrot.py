"""The parrot where it is spoken with in lines. It greets, wants a HELLO, and then does what it is told."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from hub.kit.far_side import Shown
from hub.kit.wire import HOST
from tests.kit.parrot import AGAIN_S, MOST, Parrot

PAGE = 50


class TalkingParrot(Parrot):
    """`HELLO <secret> speaker`, then `SAY <bird> <JSON>`; or `HELLO <secret> listener`, then `HEARD <after> <wait>`."""

    sends, brings = "SAY", "HEARD"
    busy = b"later\r\n"
    refusal = b"no the parrot is pining\r\n"
    trouble = (b"sorry",)
    before_sends, before_brings = ("HELLO speaker",), ("HELLO listener",)
    url = ""

    async def __aenter__(self) -> Self:
        self._talking: set[asyncio.Task[None]] = set()
        self._listener = await asyncio.start_server(self._accept, HOST, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    def ports(self) -> Sequence[int]:
        return [self._listener.sockets[0].getsockname()[1]]

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._talk(reader, writer))
        self._talking.add(task)
        task.add_done_callback(self._talking.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"squawk\r\n")
        with contextlib.suppress(OSError, EOFError):
            while True:
                word, *rest = (await reader.readuntil(b"\r\n")).decode().strip().split(" ", 2)
                writer.write(await self._answer(word, rest) + b"\r\n")
        writer.close()

    async def _answer(self, word: str, rest: list[str]) -> bytes:
        match word, rest:
            case "HELLO", [self.secret, _]:
                return b"ok"
            case "SAY", [to, text] if to in self.people and len(json.loads(text)) <= MOST:
                self.said.append(Shown(to, json.loads(text), fresh=True))
                return b"ok"
            case "HEARD", [after, wait]:
                return await self._heard(int(after), float(wait))
        return b"no what?"

    async def _heard(self, after: int, wait_s: float) -> bytes:
        """How many there are, the place behind them, and each in a line of its own."""
        ends_at = asyncio.get_running_loop().time() + wait_s
        while len(self.items) <= after and asyncio.get_running_loop().time() < ends_at:
            await asyncio.sleep(AGAIN_S / 5)
        items = self.items[after : after + PAGE]
        return b"\r\n".join([b"%d %d" % (len(items), after + len(items)), *(self._body(item) for item in items)])
