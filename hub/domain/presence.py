"""Whether an agent works. The first of these that says something decides, and each ends by itself:

1. what they said: 下班 until their next shift begins (who has no shift: until they say 上班), 上班 until the end of the
   shift they are in, or for 12 hours outside one; two conversations missed in a row count as 下班, a phone that cannot
   be reached too;
2. their shift, where they have one;
3. an answer within the last 15 minutes, 60 while a desk is open in front;
4. else they do not.

An open desk alone never counts.
"""

from typing import Literal, NamedTuple

import msgspec

from hub.domain import hours
from hub.domain.teams import Hours

SAID_MS = 12 * 3_600_000
ANSWERED_MS = 15 * 60_000
DESK_MS = 60 * 60_000
FRONT_MS = 10 * 60_000
"""A desk that has said nothing for so long is not in front any more."""
MISSES = 2
"""Who misses so many conversations in a row is not there."""

Because = Literal["said", "missed", "unreachable", "shift", "answered", "silent", "removed"]
"""Why an agent is on or off duty; `removed`: rules/teams.yaml names them no more."""


class Presence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of an agent's presence, in Unix ms; the hours of their shift are kept beside it."""

    said: Literal["", "on", "off"] = ""
    because: Because = "said"
    """Why they are taken to have said it."""
    until_ms: int = 0
    """When that ends; 0: when they say something else."""
    answered_ms: int = 0
    """Their last answer."""
    front_ms: int = 0
    """When a desk of theirs was last known to be in front."""
    misses: int = 0


class Duty(NamedTuple):
    """On duty or not, and why. `until_ms`: when that may end by itself; 0: when something else changes it."""

    on: bool
    because: Because
    until_ms: int = 0


def duty(presence: Presence, shift: Hours | None, now_ms: int) -> Duty:
    """What holds at `now_ms`."""
    if presence.said and (not presence.until_ms or now_ms < presence.until_ms):
        return Duty(presence.said == "on", presence.because, presence.until_ms)
    if shift is not None:
        is_open, changes_ms = hours.state_at(shift, now_ms)
        return Duty(is_open, "shift", changes_ms or 0)
    recent_ms = _recent_until(presence)
    return Duty(True, "answered", recent_ms) if now_ms < recent_ms else Duty(False, "silent")


def said_until(shift: Hours | None, now_ms: int, *, on: bool) -> int:
    """How long 上班 or 下班 holds that is said at `now_ms`; 0: until they say something else."""
    if shift is None:
        return now_ms + SAID_MS if on else 0
    is_open, changes_ms = hours.state_at(shift, now_ms)
    if on and not is_open:  # for 12 hours, and if these end within a shift, to its end
        later_ms = now_ms + SAID_MS
        is_open, changes_ms = hours.state_at(shift, later_ms)
        return (changes_ms or 0) if is_open else later_ms
    if not on and is_open and changes_ms is not None:
        _, changes_ms = hours.state_at(shift, changes_ms)
    return changes_ms or 0


def _recent_until(presence: Presence) -> int:
    if not presence.answered_ms:
        return 0
    at_desk_ms = min(presence.answered_ms + DESK_MS, presence.front_ms + FRONT_MS)
    return max(presence.answered_ms + ANSWERED_MS, at_desk_ms)


def has_said(presence: Presence, because: Because, until_ms: int, *, on: bool) -> Presence:
    """After 上班 or 下班, or what is taken for it."""
    return msgspec.structs.replace(presence, said="on" if on else "off", because=because, until_ms=until_ms, misses=0)


def has_answered(presence: Presence, at_ms: int) -> Presence:
    """After an answer to a visitor."""
    return msgspec.structs.replace(presence, answered_ms=at_ms, misses=0)


def is_in_front(presence: Presence, at_ms: int) -> Presence:
    """While a desk of theirs is in front."""
    return msgspec.structs.replace(presence, front_ms=at_ms)


def has_missed(presence: Presence) -> Presence:
    """After a conversation that they did not accept, or not answer, in time."""
    return msgspec.structs.replace(presence, misses=presence.misses + 1)
