"""How long a conversation is let be: what its team's patience makes due, and when.

Until the first answer the agent's clocks run, from the assignment on: accept it, be reminded, the lead is told, it goes
to another. From each answer on the visitor's runs, until they write: they are asked whether they are still there, then
the conversation is closed. When they have written, it is the agent's turn once more: they are reminded, and the lead is
told; but nobody takes the conversation from them, for only they know a question from a thank-you. A hold stops all
clocks; they go on from where they stood.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from hub.domain.teams import Patience

LATE_MS = 30_000
"""What is due for so long was not seen by a hub that runs: nobody is blamed for it."""

Step = Literal["accept", "remind", "lead", "pass", "nudge", "close"]
"""What has become due, by the field of Patience that says so."""


class Clocks(msgspec.Struct, gc=False):
    """The clocks of one assignment; moments are Unix ms, 0: not yet. Only the conversation's `evolve` changes them."""

    patience: Patience
    since_ms: int
    """When it was assigned; later, by as much as it was on hold."""
    accepted: bool = False
    answered: bool = False
    reminded: bool = False
    lead_told: bool = False
    silent_ms: int = 0
    """Since when the visitor has not written after an answer."""
    nudged_ms: int = 0
    asked_ms: int = 0
    """Since when the visitor waits for another answer."""

    @property
    def times_silence(self) -> bool:
        """Whether anything follows from a visitor who does not write."""
        return bool(self.patience.nudge_s or self.patience.close_s)

    @property
    def waits_ms(self) -> int:
        """Since when the visitor has waited for an answer."""
        return self.asked_ms or self.since_ms


def begin(patience: Patience, now_ms: int, *, accepted: bool, lead: bool, nudges: bool) -> Clocks | None:
    """The clocks of an assignment that is made now; None: nothing is ever due.

    `lead`: there is one to be told. `nudges`: the visitor can be asked; else their conversation is closed as late as
    if they had been.
    """
    if not lead:
        patience = msgspec.structs.replace(patience, lead_s=0)
    if not nudges:
        close_s = patience.close_s and patience.nudge_s + patience.close_s
        patience = msgspec.structs.replace(patience, nudge_s=0, close_s=close_s)
    return None if patience == Patience() else Clocks(patience, now_ms, accepted)


def next_due(clocks: Clocks) -> int | None:
    """When the next step is due (Unix ms); None: none is."""
    if clocks.answered and not clocks.silent_ms and not clocks.asked_ms:
        return None
    return min((at_ms for _, at_ms in _steps(clocks)), default=None)


def due(clocks: Clocks, now_ms: int) -> dict[Step, int]:
    """The steps that are due, each with the moment at which it became so."""
    return {step: at_ms for step, at_ms in _steps(clocks) if at_ms <= now_ms}


def _steps(clocks: Clocks) -> Iterator[tuple[Step, int]]:
    patience, since_ms = clocks.patience, clocks.since_ms
    if not clocks.answered:
        if patience.accept_s and not clocks.accepted:
            yield "accept", since_ms + patience.accept_s * 1000
        if patience.remind_s and not clocks.reminded:
            yield "remind", since_ms + patience.remind_s * 1000
        if patience.lead_s and not clocks.lead_told:
            yield "lead", since_ms + patience.lead_s * 1000
        if patience.pass_s:
            yield "pass", since_ms + patience.pass_s * 1000
    elif clocks.silent_ms:
        if patience.nudge_s and not clocks.nudged_ms:
            yield "nudge", clocks.silent_ms + patience.nudge_s * 1000
        elif patience.close_s:
            yield "close", (clocks.nudged_ms or clocks.silent_ms) + patience.close_s * 1000
    elif clocks.asked_ms and patience.reply_s:
        if not clocks.reminded:
            yield "remind", clocks.asked_ms + patience.reply_s * 1000
        if patience.lead_s and not clocks.lead_told:
            yield "lead", clocks.asked_ms + (patience.reply_s + patience.lead_s) * 1000


def answered(clocks: Clocks, now_ms: int) -> None:
    """The agent has answered: it is the visitor's turn."""
    clocks.accepted = clocks.answered = True
    clocks.silent_ms, clocks.nudged_ms, clocks.asked_ms = now_ms, 0, 0


def wrote(clocks: Clocks, now_ms: int) -> None:
    """The visitor has written: they are there, and after an answer it is the agent's turn."""
    clocks.silent_ms = clocks.nudged_ms = 0
    if clocks.answered and not clocks.asked_ms:
        clocks.asked_ms, clocks.reminded, clocks.lead_told = now_ms, False, False


def go_on(clocks: Clocks, held_ms: int, now_ms: int) -> None:
    """The hold that began at `held_ms` is over: what was left then is left now."""

    def later(at_ms: int) -> int:
        return at_ms and at_ms + max(0, now_ms - max(at_ms, held_ms))

    clocks.since_ms = later(clocks.since_ms)
    clocks.silent_ms, clocks.nudged_ms = later(clocks.silent_ms), later(clocks.nudged_ms)
    clocks.asked_ms = later(clocks.asked_ms)
