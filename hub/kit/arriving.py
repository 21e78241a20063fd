"""Checks of the way in: whatever a platform does with what people say, each of it is in the log once."""

from __future__ import annotations

import asyncio

from hub.kit.bench import Bench
from hub.kit.checks import asks, check, hears, is_called

PEOPLE = 20
EACH = 10


@check("arrives", "What somebody says is in the log once, as they said it", hears)
async def _arrives(bench: Bench) -> int:
    bench.say(0, " 在吗")
    await bench.heard_all()
    assert any(text.endswith(" 在吗") for _, text in bench.messages()), f"it reads {bench.messages()[0][1]!r}"
    return 1


@check("bursts", f"{PEOPLE * EACH} messages of {PEOPLE} people at once: none lost, none doubled, in order", hears)
async def _bursts(bench: Bench) -> int:
    for _ in range(EACH):
        for person in range(PEOPLE):
            bench.say(person)
    await bench.heard_all(range(PEOPLE))
    return PEOPLE * EACH
