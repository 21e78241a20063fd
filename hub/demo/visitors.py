"""The scripted demo's visitors: each writes an opener and small talk on their channel, and half lose their line."""

import asyncio
from collections.abc import Callable, Sequence

from hub.demo.channels import Break, Client
from hub.demo.ledgers import Sent, VisitorLedger
from hub.demo.sentences import Opener


class Visitor:
    """One visitor of `channel`; `ledger` is kept by `note`."""

    def __init__(
        self, channel: str, client: Client, opener: Opener, talk: Sequence[str], serials: Sequence[str]
    ) -> None:
        texts = zip(serials, (opener.text, *talk), strict=True)
        self.plan = [
            Sent(serial, f"{text} {serial}", "" if n else opener.label) for n, (serial, text) in enumerate(texts)
        ]
        self.ledger = VisitorLedger(opener.team, channel)
        self.client = client

    @property
    def waiting(self) -> int:
        """How many texts are sent and not acknowledged."""
        return self.client.taken().count(False)

    async def write(self, starts_s: float, step_s: float, broken: Break, spoken: Callable[[], None]) -> None:
        """Write all texts, `step_s` apart, the first after `starts_s`; `spoken` is called after each.

        The line breaks right after the middle one was handed to it.
        """
        clock = asyncio.get_running_loop().time
        first = clock() + starts_s
        breaking: asyncio.Task[None] | None = None
        for n, one in enumerate(self.plan):
            await asyncio.sleep(max(0.0, first + n * step_s - clock()))
            if n == 0:
                await self.client.open()
            self.client.say(one.text)
            self.ledger.sent.append(one)
            if broken and n == len(self.plan) // 2:
                breaking = asyncio.create_task(self.client.lose_line(broken))
                await asyncio.sleep(0)
            spoken()
        if breaking:
            await breaking

    def note(self) -> None:
        """Bring the ledger to what the visitor knows now."""
        taken = zip(self.ledger.sent, self.client.taken(), strict=True)
        self.ledger.acked = {one.serial for one, is_taken in taken if is_taken}
        self.ledger.shown = list(self.client.shown())
        self.ledger.latencies_ms = list(self.client.latencies_ms())
