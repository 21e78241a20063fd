"""When the next text may go to a recipient, worked out from the moments of the ones before it (repeats included)."""

from bisect import bisect_right

from hub.domain.messages import Limits

MINUTE_MS = 60_000
HOUR_MS = 3_600_000


def earliest(tries_ms: list[int], limits: Limits, *, blocks: bool) -> int:
    """The first moment for a new text; 0: any. `blocks`: it carries visitors' messages, else only notes.

    `tries_ms` are the moments of the tries of at least the last hour, in order. A fifth of the minute is kept for
    notes, and the fold stretches for blocks only: a question must reach the agent while its text is still held.
    """
    if not tries_ms:
        return 0
    fold = _stretched(tries_ms, limits) if blocks else limits.fold_ms
    return max(tries_ms[-1] + fold, earliest_repeat(tries_ms, limits, blocks=blocks))


def earliest_repeat(tries_ms: list[int], limits: Limits, *, blocks: bool) -> int:
    """The first moment for the same bytes again: repeats are not folded, but count in the windows."""
    minute = limits.per_minute - limits.per_minute // 5 if blocks else limits.per_minute
    return max(_window(tries_ms, minute, MINUTE_MS), _window(tries_ms, limits.per_hour, HOUR_MS))


def _window(tries_ms: list[int], limit: int, length_ms: int) -> int:
    """When fewer than `limit` (0: no limit) tries lie in the window that ends then."""
    return tries_ms[-limit] + length_ms if 0 < limit <= len(tries_ms) else 0


def _stretched(tries_ms: list[int], limits: Limits) -> int:
    """The fold; below half the hour's budget, what is left of it spread over the time until half is free again."""
    last, half = tries_ms[-1], limits.per_hour // 2
    used = len(tries_ms) - bisect_right(tries_ms, last - HOUR_MS)
    left = limits.per_hour - used
    if limits.per_hour == 0 or left >= limits.per_hour - half or left <= 0:
        return limits.fold_ms
    half_free = tries_ms[-half - 1] + HOUR_MS
    return max(limits.fold_ms, (half_free - last) // left)
