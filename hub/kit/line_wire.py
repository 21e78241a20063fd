"""A wire to servers of protocols in which the server speaks first and lines go to and fro: SMTP, IMAP and the like.

It knows none of them. A request is what a client says from one word of the server's to the next, be it a command or a
mail; a server that speaks has done its work.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

from hub.kit.wire import CHUNK, HOST, Caller, Fault, Request, Wire


class LineWire(Wire):
    """Carries the connections of clients to `targets`, ports on loopback.

    `trouble` is what somebody says there who is in some; they repeat what they have heard, as some servers do.
    No `spoil`: a server that takes something and says that it has not lies, and no client can cope with that.
    """

    _scheme = "tcp"

    def __init__(self, targets: Sequence[int], trouble: Sequence[bytes]) -> None:
        super().__init__(len(targets))
        self._targets, self._trouble = targets, trouble

    async def _carry(self, place: int, caller: Caller) -> None:
        reader, server = await asyncio.open_connection(HOST, self._targets[place])
        turn = Turn()
        ways = [
            asyncio.create_task(self._there(caller, server, turn, self._trouble[place])),
            asyncio.create_task(self._back(reader, caller, turn)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            server.close()
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _there(self, caller: Caller, server: asyncio.StreamWriter, turn: Turn, trouble: bytes) -> None:
        while chunk := await caller.reader.read(CHUNK):
            if turn.request is None:
                turn.request = Request()
                self.requests.append(turn.request)
            turn.request.body += chunk
            if turn.fault is None:
                turn.fault = self._met(turn.request)
                heard = turn.request.body.partition(b"\r\n")[0]
                if await caller.stopped_by(turn.fault, b"%s (%s)\r\n" % (trouble, heard)):
                    return
            server.write(chunk)
            await server.drain()

    async def _back(self, server: asyncio.StreamReader, caller: Caller, turn: Turn) -> None:
        while chunk := await server.read(CHUNK):
            asked, fault = turn.request, turn.fault
            turn.request = turn.fault = None
            if not await caller.hears(chunk, fault):
                return
            self.answered += asked is not None


@dataclasses.dataclass
class Turn:
    """What the client has said since the server spoke, and what happens to it."""

    request: Request | None = None
    fault: Fault | None = None
