"""Runs the checks of one connector, several side by side, each on a bench of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
import time
import traceback
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from hub.errors import HubError
from hub.kit import arriving, changing, conduct, leaving
from hub.kit.bench import Bench
from hub.kit.checks import CHECKS, Check
from hub.kit.subject import Subject
from hub.kit.watch import FENCE, Lines, listening

AT_ONCE = 4
LIMIT_S = 90.0
_ALL = (arriving, leaving, changing, conduct)

Outcome = Literal["held", "failed", "exempt", "does not apply"]


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of a check: `because` for all but those that held; `tried` so many times."""

    id: str
    says: str
    outcome: Outcome
    tried: int = 0
    because: str = ""
    took_s: float = 0.0


async def run(subject: Subject, only: Collection[str] = ()) -> list[Result]:
    """The results of all checks, or of those named `only`, in the order of the table. Raises HubError for no check."""
    unknown = set(only) - {check.id for check in CHECKS}
    if unknown:
        raise HubError(f"no check is called {', '.join(sorted(unknown))}: {', '.join(check.id for check in CHECKS)}")
    places = asyncio.Semaphore(AT_ONCE)
    chosen = [check for check in CHECKS if not only or check.id in only]
    with listening() as lines, FENCE.standing():
        together = (_result(check, subject, places, lines) for check in chosen if not check.alone)
        results = {result.id: result for result in await asyncio.gather(*together)}
        for check in chosen:
            if check.alone:
                results[check.id] = await _result(check, subject, places, lines)
    return [results[check.id] for check in chosen]


async def _result(check: Check, subject: Subject, places: asyncio.Semaphore, lines: Lines) -> Result:
    because = check.applies(subject)
    if because:
        return Result(check.id, check.says, "does not apply", because=because)
    if check.id in subject.exempt:
        return Result(check.id, check.says, "exempt", because=subject.exempt[check.id])
    async with places:
        began = time.monotonic()
        result = await _tried(check, subject, lines)
        return dataclasses.replace(result, took_s=round(time.monotonic() - began, 1))


async def _tried(check: Check, subject: Subject, lines: Lines) -> Result:
    try:
        async with asyncio.timeout(LIMIT_S) as limit:
            with tempfile.TemporaryDirectory() as folder:
                async with Bench(subject, Path(folder), lines) as bench:
                    return Result(check.id, check.says, "held", await check.run(bench))
    except AssertionError as error:
        return Result(check.id, check.says, "failed", because=str(error))
    except Exception as error:
        if limit.expired():
            because = f"it was not done after {LIMIT_S:g} s: is the machine too busy for it?"
            return Result(check.id, check.says, "failed", because=because)
        at = traceback.extract_tb(error.__traceback__)[-1]
        because = f"{type(error).__name__}: {error} ({Path(at.filename).name}:{at.lineno})"
        return Result(check.id, check.says, "failed", because=because)
