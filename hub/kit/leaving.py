"""Checks of the way out: whatever happens to a call, people see each text once and in order, or somebody is told."""

from __future__ import annotations

from hub.kit.bench import Bench
from hub.kit.checks import check, delivers


@check("delivers", "A text is shown once, as it was written", delivers)
async def _delivers(bench: Bench) -> int:
    await bench.answer(0, " 您好，请稍等")
    await bench.seen_all()
    assert " 您好，请稍等" in bench.read(0), f"they read {bench.read(0)!r}"
    return 1
