"""What a check is, and the list of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from hub.kit.bench import Bench
from hub.kit.subject import Subject

LONGEST = 100_000
Reason = str
"""Why something does not apply; empty: it does."""


@dataclasses.dataclass(frozen=True)
class Check:
    """`id` and `says` are for people; `run` raises AssertionError where it does not hold, else says how often it tried.

    `applies` says, of a channel that it cannot be asked of, why. `alone`: no other check may keep the machine busy.
    """

    id: str
    says: str
    run: Callable[[Bench], Awaitable[int]]
    applies: Callable[[Subject], Reason]
    alone: bool = False


CHECKS: list[Check] = []
"""In the order of the table; filled by `check`, when the modules with checks are imported."""


def check(id: str, says: str, *applies: Callable[[Subject], Reason], alone: bool = False) -> Callable[[Run], Run]:
    """Make a function a check."""

    def first_reason(subject: Subject) -> Reason:
        return next((reason for reason in (one(subject) for one in applies) if reason), "")

    def add(run: Run) -> Run:
        CHECKS.append(Check(id, says, run, first_reason, alone))
        return run

    return add


Run = Callable[[Bench], Awaitable[int]]


def hears(subject: Subject) -> Reason:
    """What comes in comes by callback or pull."""
    return "" if _platform(subject) else "its clients speak the hub's own protocol (docs/protocol.md)"


def is_called(subject: Subject) -> Reason:
    """The platform calls us."""
    return hears(subject) or ("" if subject.instance.routes else "the platform is asked, it does not call")


def asks(subject: Subject) -> Reason:
    """We ask the platform."""
    return hears(subject) or ("" if subject.instance.pulls else "the platform calls, it is not asked")


def delivers(subject: Subject) -> Reason:
    """Texts go out by `deliver`."""
    return "" if _platform(subject) else "nothing is delivered: answers go to the sockets of the hub's own protocol"


def recognises(subject: Subject) -> Reason:
    """The platform knows a repeat."""
    return "" if subject.can.recognises_s else "the platform cannot tell a repeat: the hub repeats nothing"


def edits(subject: Subject) -> Reason:
    """What was sent can be corrected."""
    return "" if subject.can.edits_s else "the platform does not change what was sent: edits_s is 0"


def recalls(subject: Subject) -> Reason:
    """What was sent can be taken back."""
    return "" if subject.can.recalls_s else "the platform does not take back what was sent: recalls_s is 0"


def serves_both(subject: Subject) -> Reason:
    """Agents answer on it, in threads."""
    return (
        "" if subject.can.role == "both" else "it does not serve visitors and agents alike: nobody passes for another"
    )


def takes_long(subject: Subject) -> Reason:
    """A text can be too long, and is cut."""
    return "" if subject.can.max_text <= LONGEST else f"it takes texts of more than {LONGEST}"


def has_routes(subject: Subject) -> Reason:
    """Anybody may call one of its paths."""
    return "" if subject.instance.routes else "nobody calls it"


def _platform(subject: Subject) -> bool:
    return not subject.can.socket
