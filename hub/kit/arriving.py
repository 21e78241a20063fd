"""Checks of the way in: whatever a platform does with what people say, each of it is in the log once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from functools import partial
from typing import cast

from hub.contract import Connector, Delivery, Parsed, Raw, Sent
from hub.domain import events as e
from hub.domain import ids
from hub.kit.bench import DESK, Bench, serials
from hub.kit.checks import asks, check, hears, is_called, serves_both
from hub.kit.engine import PARTITIONS
from hub.kit.far_side import Reply, Threads
from hub.kit.steps import Step
from hub.kit.texts import TRAPS, carried
from hub.kit.wire import Mishap, Request, Wire

PEOPLE, EACH = 20, 10
REPEATS = 20
HOUR_S, WEEK_S = 3600, 7 * 24 * 3600


@check("arrives", "What somebody says is in the log once, as they said it", hears)
async def _arrives(bench: Bench) -> int:
    bench.say(0, " 在吗  在吗")
    await bench.heard_all()
    assert any(text.endswith(" 在吗  在吗") for _, text in bench.messages()), f"it reads {bench.messages()[0][1]!r}"
    return 1


@check("bursts", f"{PEOPLE * EACH} messages of {PEOPLE} people at once: none lost, none doubled, in order", hears)
async def _bursts(bench: Bench) -> int:
    for _ in range(EACH):
        for person in range(PEOPLE):
            bench.say(person)
    await bench.heard_all(range(PEOPLE))
    return PEOPLE * EACH


@check("equal-texts", "Two equal texts shortly after each other are two", hears)
async def _equal_texts(bench: Bench) -> int:
    first = bench.say(0)
    bench.say(0, like=first)
    with contextlib.suppress(AssertionError):
        await bench.until(lambda: len(bench.heard(0)) >= 2, "both came in")
    await bench.quiet()
    assert len(bench.heard(0)) == 2, f"of two equal texts {len(bench.heard(0))} are in the log"
    return 2


@check("repeats", f"The same callback twice, {REPEATS} times, and side by side is one message", is_called)
async def _repeats(bench: Bench) -> int:
    bench.say(0)
    await bench.heard_all()
    callback = bench.in_.requests[-1]
    for _ in range(REPEATS):
        await bench.in_.again(callback)
    with _kept_back(bench) as kept:
        bench.say(0)
        await bench.until(lambda: bool(kept()), "the platform called")
    await asyncio.gather(*(bench.in_.again(kept()[0]) for _ in range(REPEATS)))
    await bench.heard_all()
    return 2 * REPEATS


@check("reordered", "Callbacks that overtake each other are all in the log, each once", is_called)
async def _reordered(bench: Bench) -> int:
    with _kept_back(bench) as kept:
        said = [bench.say(person) for person in (0, 0, 0, 1, 1)]
        await bench.until(lambda: len(kept()) >= len(said), "the platform called for each")
    for callback in [*reversed(kept()), *kept()]:
        await bench.in_.again(callback)
    with contextlib.suppress(AssertionError):
        await bench.until(lambda: len(bench.messages()) >= len(said), "all came in")
    await bench.quiet()
    assert sorted(bench.heard(0)) == [1, 2, 3], f"of the texts 1, 2, 3 these are in the log: {bench.heard(0)}"
    assert sorted(bench.heard(1)) == [1, 2], f"of the texts 1, 2 these are in the log: {bench.heard(1)}"
    return len(said)


@contextlib.contextmanager
def _kept_back(bench: Bench) -> Generator[Callable[[], list[Request]], None, None]:
    """The platform's calls are answered with 200 and do not reach the hub: `kept()` are those of the block."""
    before = len(bench.in_.requests)
    with bench.in_.fault("answer", reply=Reply(200)):
        yield lambda: bench.in_.requests[before:]


@check(
    "lost-answers", "What fails or breaks off between the platform and the hub comes again and is one message", hears
)
async def _lost_answers(bench: Bench) -> int:
    wire, path = _way_in(bench)
    lead, mishaps = bench.lead("i"), wire.before + wire.after
    for match, mishap in lead:
        async with wire.gone():  # some of it is said at a connection's beginning only
            pass
        await _in_spite_of(bench, wire, mishap, match)
    for mishap in mishaps:
        await _in_spite_of(bench, wire, mishap, path)
    return len(lead) + len(mishaps)


async def _in_spite_of(bench: Bench, wire: Wire, mishap: Mishap, match: str) -> None:
    """Two people say something, the mishap happens once, and all is in the log."""
    with wire.fault(mishap, match, times=1) as fault:
        bench.say(0)
        bench.say(1)
        await bench.hit(fault)
        await bench.heard_all((0, 1))


def _way_in(bench: Bench) -> tuple[Wire, str]:
    """The wire on which messages come in, and the path that is asked there."""
    return (bench.out, bench.far.brings) if bench.far.brings else (bench.in_, "")


@check("restart-in", "A hub that is killed at any step of the way in loses nothing and doubles nothing", hears)
async def _restart_in(bench: Bench) -> int:
    wire, path = _way_in(bench)
    with wire.fault("hold", path) as held:
        bench.say(0)
        await bench.hit(held)
        await bench.restart()
    await bench.heard_all()
    steps: tuple[Step, ...] = ("before the commit", "after the commit")
    for step in steps:
        bench.steps.arm(step)
        bench.say(0)
        await bench.restart_at(step)
        await bench.heard_all()
    # as soon as the platform has been told that it was taken, or has been asked
    answered = wire.answered
    bench.say(0)
    await bench.until(lambda: wire.answered > answered, "the platform got an answer")
    await bench.restart()
    await bench.heard_all()
    return 2 + len(steps)


@check("lost-cursor", "When the cursor is lost, what had come comes again and is not doubled", asks)
async def _lost_cursor(bench: Bench) -> int:
    for _ in range(2):  # what came in two answers comes again in one
        for person in range(3):
            bench.say(person)
        await bench.heard_all(range(3))
    await bench.restart(lose_cursor=True)
    for person in range(3):
        bench.say(person)
    await bench.heard_all(range(3))
    return 9


@check("unknown-kinds", "A message of a kind that the hub cannot show is seen to have been there", hears)
async def _unknown_kinds(bench: Bench) -> int:
    for kind in bench.far.strange:
        before = _traces(bench)
        bench.far.say(bench.far.people[0], "", kind)
        await bench.until(partial(_more_traces, bench, before), f"a {kind} left a trace in the log")
    bench.say(0)
    await bench.heard_all()
    return len(bench.far.strange)


def _traces(bench: Bench) -> int:
    """How much there is in the log of what people said, understood or not."""
    return len(bench.messages()) + len(bench.events(e.Unparsed))


def _more_traces(bench: Bench, before: int) -> bool:
    return _traces(bench) > before


@check("poison", "A callback that makes no sense is kept as it is, and what follows goes on", hears)
async def _poison(bench: Bench) -> int:
    bench.say(0)
    await bench.far.garble()
    bench.say(0)
    bench.say(1)
    await bench.heard_all((0, 1))
    with contextlib.suppress(AssertionError):
        await bench.until(lambda: bool(bench.events(e.Unparsed)), "it was kept")
    assert bench.events(e.Unparsed), "nothing of it was kept: there is no event Unparsed"
    return 1


@check("forged", "What is not signed, or is for another account, leaves nothing in the log", is_called)
async def _forged(bench: Bench) -> int:
    bench.say(0)
    await bench.heard_all()
    await bench.far.forge()
    await bench.quiet()
    left = [text for _, text in bench.messages() if not serials("i", text)]
    assert not left, f"a stranger's message is in the log: {left[0]!r}"
    assert not bench.events(e.Unparsed), f"it was kept: {bench.events(e.Unparsed)[0]}"
    bench.say(0)
    await bench.heard_all()
    return 2


@check(
    "impostors",
    "Only who was sent it answers as an agent: nobody else with the same, nor with signs changed",
    serves_both,
)
async def _impostors(bench: Bench) -> int:
    agent, stranger = bench.far.people[:2]
    about = ids.new_conversation_id(0, b"kit".ljust(16, b"."))
    delivery = Delivery(agent, "在吗", "kit:1", about, 1, title="[#1] 访客", agent=ids.agent_id(PARTITIONS, DESK))
    verdict = await bench.engine.run(bench.engine.connector.deliver(delivery))
    assert isinstance(verdict, Sent), f"what was for an agent is not sent: {verdict}"
    threads = cast("Threads", bench.far)
    with _read(bench.engine.connector) as read:
        threads.reply(agent, agent, "in my name")
        threads.reply(stranger, agent, "in another's name")
        threads.reply(agent, agent, "with another sign", spoilt=True)
        await bench.until(lambda: len(read) >= 3, "all three came in")
    heard = [one for parsed in read for one in parsed.inbounds if one.agent or one.conversation == about]
    said = [(one.identity.casefold(), one.agent, one.conversation, one.text) for one in heard]
    assert said == [(agent.casefold(), True, about, "in my name")], f"heard in their conversation: {said}"
    return 3


@contextlib.contextmanager
def _read(connector: Connector) -> Generator[list[Parsed]]:
    """All that the connector makes of what comes in."""
    parse, read = connector.parse, list[Parsed]()

    def kept(raw: Raw) -> Parsed:
        read.append(parse(raw))
        return read[-1]

    connector.parse = kept  # type: ignore[method-assign]
    try:
        yield read
    finally:
        del connector.parse


@check(
    "traps-in", "Emoji, flags, marks, bidi, halves of surrogate pairs and controls come in whole or are left out", hears
)
async def _traps_in(bench: Bench) -> int:
    said = {bench.say(0, text): text for text in TRAPS.values()}
    await bench.heard_all()
    for _, text in bench.messages():
        for _, n in serials("i", text):
            assert carried(said[n]) in carried(text), f"{said[n]!r} reads {text!r}"
    return len(said)


@check("clocks", "Clocks that jump, the platform's or ours, forward or back, cost no message", hears)
async def _clocks(bench: Bench) -> int:
    jumps = (HOUR_S, -2 * HOUR_S, 2 * WEEK_S, -3 * WEEK_S)
    for seconds in jumps:
        bench.far.step(seconds)
        bench.say(0)
        bench.say(1)
        await bench.heard_all((0, 1))
    for seconds in (HOUR_S, -2 * HOUR_S):
        bench.skew_s += seconds
        bench.say(0)
        bench.say(1)
        await bench.heard_all((0, 1))
    return 2 * len(jumps) + 4
