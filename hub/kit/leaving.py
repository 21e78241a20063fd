"""Checks of the way out: whatever happens to a call, people see each text once and in order, or somebody is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable

from hub.contract import Refused, Retry
from hub.domain import events as e
from hub.domain.text import SIZES
from hub.kit.bench import Bench, token
from hub.kit.checks import check, delivers, recognises, takes_long
from hub.kit.engine import Call
from hub.kit.steps import Step
from hub.kit.texts import LONG, TRAPS, carried
from hub.kit.wire import Mishap

DEAD_S = 2.5
PARTS = 3


@check("delivers", "A text is shown once, as it was written", delivers)
async def _delivers(bench: Bench) -> int:
    await bench.answer(0, " 您好，  请稍等")
    await bench.seen_all()
    assert " 您好，  请稍等" in bench.read(0), f"they read {bench.read(0)!r}"
    return 1


@check("unsent", "A text that did not get through goes again, and is shown once", delivers)
async def _unsent(bench: Bench) -> int:
    await _with_mishaps(bench, bench.out.before)
    lead, person = bench.lead("o"), len(bench.out.before)
    for match, mishap in lead:
        with bench.out.fault(mishap, match, times=1) as fault:
            await bench.answer(person)
            await bench.hit(fault)
            await bench.seen_all((person,))
    return len(bench.out.before) + len(lead)


@check("lost-verdicts", "A text that got through, but whose answer was lost, is not shown twice", delivers)
async def _lost_verdicts(bench: Bench) -> int:
    await _with_mishaps(bench, bench.out.after)
    for person, mishap in enumerate(bench.out.after):
        n = bench.numbers("o", person)[-1]
        whose = f"text {n} to {bench.far.people[person]}, whose answer met with {mishap!r}"
        if mishap == "drip":
            assert not _is_in_doubt(bench, person, n), f"{whose}: it was not understood"
        elif not bench.can.recognises_s:
            assert _is_in_doubt(bench, person, n), f"{whose}: nobody is told that it may not have arrived"
    return len(bench.out.after)


async def _with_mishaps(bench: Bench, mishaps: tuple[Mishap, ...]) -> None:
    """One each to a text for somebody else."""
    persons = range(len(mishaps))
    for person in persons:
        await bench.answer(person)
    await bench.seen_all(persons)
    for person, mishap in zip(persons, mishaps, strict=True):
        with bench.out.fault(mishap, _call(bench, person), times=1) as fault:
            await bench.answer(person)
            await bench.hit(fault)
    await _seen_or_told(bench, persons)


async def _seen_or_told(bench: Bench, persons: Iterable[int] = (0,)) -> None:
    """Each text was shown once; or, where the platform cannot tell a repeat, perhaps not, and the hub says so."""
    if bench.can.recognises_s:
        await bench.seen_all(persons)
        return
    await bench.quiet()
    for person in persons:
        seen = Counter(bench.seen(person))
        for n in bench.numbers("o", person):
            assert seen[n] <= 1, f"text {n} to {bench.far.people[person]} was shown {seen[n]} times"
            assert seen[n] or _is_in_doubt(bench, person, n), f"text {n} to {bench.far.people[person]}: nobody is told"
        assert list(seen) == sorted(seen), f"they were shown in the order {list(seen)}"


def _call(bench: Bench, person: int) -> str:
    """What marks a call that delivers to a person."""
    return f"{bench.far.sends} {bench.far.people[person]}"


def _is_in_doubt(bench: Bench, person: int, n: int) -> bool:
    """Whether the hub says of a text that nobody knows what became of it."""
    return any(one.unknown and token("o", person, n) in one.text for one in _refused(bench))


def _refused(bench: Bench) -> list[e.AttemptRefused]:
    return [event for event in bench.events(e.AttemptRefused) if isinstance(event, e.AttemptRefused)]


@check("busy", "When the platform wants no more for a while, a text waits and is shown once", delivers)
async def _busy(bench: Bench) -> int:
    with bench.out.fault("answer", _call(bench, 0), times=1, reply=bench.far.busy) as fault:
        await bench.answer(0)
        await bench.hit(fault)
        first = bench.calls_of(0, 1)[0]
        await bench.until(lambda: first.ended_at is not None, "it ended")
        verdict = first.verdict
        assert isinstance(verdict, Retry), f"the verdict on it is {verdict}"
    await bench.until(lambda: bool(bench.events(e.AttemptDelayed)), "the text waits")
    await bench.seen_all()
    return 1


@check("unknown-code", "A code that nobody knows is a refusal, in the platform's words", delivers)
async def _unknown_code(bench: Bench) -> int:
    with bench.out.fault("answer", _call(bench, 0), reply=bench.far.refusal):
        await bench.answer(0)
        await bench.until(lambda: any(call.ended_at for call in bench.calls_of(0, 1)), "there was a verdict")
        verdict = bench.calls_of(0, 1)[0].verdict
        assert isinstance(verdict, Refused), f"the verdict on it is {verdict}"
        await bench.until(lambda: bool(_refused(bench)), "it was refused")
    because = _refused(bench)[0].because
    assert bench.far.refusal_text in because, f"the person reads {because!r}, not {bench.far.refusal_text!r}"
    return 1


@check("traps-out", "Emoji, flags, marks, bidi and controls go out whole or are left out", delivers)
async def _traps_out(bench: Bench) -> int:
    sent = [text for name, text in TRAPS.items() if name not in ("half of a surrogate pair", "controls")]
    for text in sent:
        await bench.answer(0, text)
    await bench.seen_all()
    for text in sent:
        assert carried(text).split("<")[0] in carried(bench.read(0)), f"{text!r} is not in {bench.read(0)!r}"
    return len(sent)


@check(
    "long-texts", "A long text arrives in parts that fit, whole, in order, cut between characters", delivers, takes_long
)
async def _long_texts(bench: Bench) -> int:
    await bench.answer(0, _long(bench))
    await _whole(bench)
    size = SIZES[bench.can.unit]
    for shown in bench.accepted(0):
        length = size(shown.text)
        assert length <= bench.can.max_text, f"a part has {length} {bench.can.unit}, {bench.can.max_text} are allowed"
    return 1


def _long(bench: Bench) -> str:
    size = SIZES[bench.can.unit]
    return LONG * (PARTS * bench.can.max_text // size(LONG)) + "终"


async def _whole(bench: Bench) -> None:
    """The long text was shown, each character once and in its place."""
    wanted = token("o", 0, 1) + _long(bench)
    try:
        await bench.until(lambda: "终" in bench.read(0), "the end of a long text was shown")
    finally:
        if bench.calls and isinstance(bench.calls[-1].verdict, Refused):
            raise AssertionError(f"a part of a long text was refused: {bench.calls[-1].verdict.because}")
    await bench.quiet()
    got = bench.read(0)
    at = next((i for i, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b), min(len(wanted), len(got)))
    due = repr(wanted[at : at + 8]) if at < len(wanted) else "the end: a part was shown twice"
    assert got == wanted, f"at character {at} of {len(wanted)} they read {got[at : at + 8]!r}, not {due}"


@check("parts", "When a part fails, no other part goes again", delivers, takes_long, recognises)
async def _parts(bench: Bench) -> int:
    await bench.answer(1)
    await bench.seen_all((1,))
    with contextlib.ExitStack() as faults:
        with bench.out.fault("hold", _call(bench, 0)) as held:
            await bench.answer(0, _long(bench))
            await bench.hit(held)
            # Now: once the first part is let go the hub needs a few milliseconds for all others.
            lost = faults.enter_context(bench.out.fault("lose", _call(bench, 0), times=1))
            refused = faults.enter_context(bench.out.fault("refuse", _call(bench, 0), times=1))
        await bench.until(lambda: bool(bench.accepted(0)), "the first part was shown")
        await bench.hit(lost)
        await bench.hit(refused)
    await bench.restart()
    await _whole(bench)
    return 1


@check("retry-order", "A text that goes again neither overtakes nor is overtaken", delivers)
async def _retry_order(bench: Bench) -> int:
    with bench.out.fault("refuse", _call(bench, 0), times=2) as fault:
        for _ in range(4):
            await bench.answer(0)
            await asyncio.sleep(0.1)
        await bench.until(lambda: fault.hits == 2 or bench.settled(), "two tries had failed")
    await _seen_or_told(bench)
    return 4


@check("slow", "While one person's text takes for ever, the others get theirs", delivers)
async def _slow(bench: Bench) -> int:
    others = range(1, 6)
    for person in (0, *others):
        await bench.answer(person)
    await bench.seen_all((0, *others))
    with bench.out.fault("hold", _call(bench, 0)) as held:
        await bench.answer(0)
        await bench.hit(held)
        slow = bench.calls_of(0, 2)[0]
        for person in others:
            await bench.answer(person)
        await bench.until(
            lambda: slow.ended_at is not None or all(2 in bench.seen(person) for person in others), "the others had it"
        )
        # Who waited for it may have got theirs by now: it is the order in which the calls ended that tells.
        waited = [bench.far.people[person] for person in others if _ended_after(bench.calls_of(person, 2), slow)]
        assert not waited, f"{waited} got nothing before the call for {bench.far.people[0]} was given up"
    await bench.seen_all((0, *others))
    return len(others)


def _ended_after(calls: list[Call], slow: Call) -> bool:
    """Whether a text's calls ended only after the slow one, or none has been made."""
    ends = [call.ended_at for call in calls]
    return slow.ended_at is not None and not any(end is not None and end < slow.ended_at for end in ends)


@check("dead", "While nobody answers at the platform nothing is lost, and all is shown in order afterwards", delivers)
async def _dead(bench: Bench) -> int:
    persons = range(4)
    for person in persons:
        await bench.answer(person)
    await bench.seen_all(persons)
    async with bench.out.gone():
        for _ in range(3):
            for person in persons:
                await bench.answer(person)
            await asyncio.sleep(DEAD_S / 3)
    await bench.seen_all(persons)
    return 3 * len(persons)


@check(
    "restart-out",
    "A hub that is killed at any step of the way out shows nothing twice and forgets nothing",
    delivers,
)
async def _restart_out(bench: Bench) -> int:
    steps: tuple[Step, ...] = ("before the call", "before the verdict")
    for step in steps:
        bench.steps.arm(step)
        await bench.answer(0)
        await bench.restart_at(step)
        await _seen_or_told(bench)
    mishaps: tuple[Mishap, ...] = ("hold", "swallow")
    for mishap in mishaps:
        with bench.out.fault(mishap, _call(bench, 0)) as fault:
            await bench.answer(0)
            await bench.hit(fault)
            await bench.restart()
        await _seen_or_told(bench)
    await bench.answer(0)
    await bench.quiet()  # until the verdict is in the log
    await bench.restart()
    await _seen_or_told(bench)
    return len(steps) + len(mishaps) + 1


@check(
    "in-time", "When the platform takes a text and never answers, the connector itself says so within 10 s", delivers
)
async def _in_time(bench: Bench) -> int:
    with bench.out.fault("swallow", _call(bench, 0), times=1) as fault:
        await bench.answer(0)
        await bench.hit(fault)
        call = bench.calls_of(0, 1)[0]
        await bench.until(lambda: call.ended_at is not None, "it ended")
    assert not call.broken_off, "the hub had to break it off"
    await _seen_or_told(bench)
    assert bench.can.recognises_s or _is_in_doubt(bench, 0, 1), "nobody is told that it may not have arrived"
    return 1
