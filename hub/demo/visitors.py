"""The scripted demo's visitors: an opener, small talk, a farewell; half of them lose their line, some come back."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence

from hub.demo.channels import Break, Client
from hub.demo.ledgers import Sent, VisitorLedger
from hub.demo.sentences import Opener

FAREWELL = "没有别的问题了，再见"
"""Who reads this ends the conversation."""
GOODBYE = "不客气，再见"
"""The answer to it."""
BACK_AFTER_S, BACK_AT_LAST_S = 6.0, 30.0
"""Who comes back does so this long after the answer to their farewell, or after the farewell, if there is none."""
LOOK_S = 0.2


class Visitor:
    """One visitor of `channel`; `ledger` is kept by `note`.

    They say the opener, then `talk`, then farewell. Who `comes_back` says farewell in the middle too, and that next.
    """

    def __init__(
        self,
        channel: str,
        client: Client,
        opener: Opener,
        talk: Sequence[str],
        serials: Sequence[str],
        comes_back: Opener | None = None,
    ) -> None:
        said = [opener.text, *talk, FAREWELL]
        self._back_after = len(said) // 2 - 1 if comes_back else -1
        if comes_back:
            said[self._back_after : self._back_after + 2] = FAREWELL, comes_back.text
        texts = zip(serials, said, strict=True)
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

        The line breaks right after the middle one was handed to it. Between farewell and coming back time passes.
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
            if n == self._back_after:
                since = clock()
                await self._be_away()
                first += clock() - since
        if breaking:
            await breaking

    async def _be_away(self) -> None:
        """Until a while after an answer to the farewell, which is the first that has come since."""
        known = len(self.client.answers())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(BACK_AT_LAST_S):
                while not any(GOODBYE in text for text in self.client.answers()[known:]):
                    await asyncio.sleep(LOOK_S)
        await asyncio.sleep(BACK_AFTER_S)

    def note(self) -> None:
        """Bring the ledger to what the visitor knows now."""
        taken = zip(self.ledger.sent, self.client.taken(), strict=True)
        self.ledger.acked = {one.serial for one, is_taken in taken if is_taken}
        self.ledger.shown = list(self.client.shown())
        self.ledger.latencies_ms = list(self.client.latencies_ms())
