"""Checks of what a connector must never do, whatever happens around it."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import quote

import httpx

from hub.domain import events as e
from hub.domain.batch import encode_record
from hub.kit.bench import Bench
from hub.kit.checks import check, has_routes, hears
from hub.kit.texts import LONG
from hub.kit.watch import FENCE, Pauses
from hub.kit.wire import AFTER, BEFORE, Mishap

PEOPLE, EACH = 10, 5
SHOWN_OF_A_LINE = 160
MISHAPS: tuple[Mishap, ...] = (*BEFORE, *AFTER, "answer", "answer")
"""Each happens to one call; the two answers are the platform's refusal, and that it is busy."""

NONSENSE = {
    "nothing": b"",
    "no text": bytes(range(256)),
    "deep JSON": b"[" * 200_000,
    "deep XML": b"<a>" * 80_000,
    "an XML bomb": b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;&b;</a>',
    "an outside entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://192.0.2.1/x">]><a>&x;</a>',
    "a big number": b"9" * 50_000,
    "JSON of other types": b'{"id": {}, "from": [], "text": 1e999, "at": "soon", "Encrypt": null}',
    "much": LONG.encode() * 1000,
}


@check("nonsense", "Whatever strangers send to its paths leaves no message and stops nothing", has_routes, alone=True)
async def _nonsense(bench: Bench) -> int:
    pauses = Pauses(bench.subject.connector)
    pauses.attend(bench.engine)
    tried, calls = 0, len(FENCE.called)
    async with httpx.AsyncClient(base_url=bench.in_.url, trust_env=False, timeout=20) as http:
        with pauses.looking():
            for route in bench.subject.connector.routes:
                for body in NONSENSE.values():
                    for query in ({}, {"echostr": "%00", "msg_signature": "0" * 40, "timestamp": "-1", "nonce": "é"}):
                        path = f"/callbacks/{bench.subject.name}/{route.name}"
                        for method in route.methods:
                            await http.request(method, path, params=query, content=body)
                            tried += 1
    await bench.quiet()
    assert not bench.messages(), f"a stranger's message is in the log: {bench.messages()[0][1]!r}"
    assert not FENCE.called[calls:], f"it called {FENCE.called[calls:]}"
    assert not pauses.found, f"the event loop stood still for more than 50 ms in {pauses.found}"
    return tried


@check("loop", "It never holds the event loop for more than 50 ms", hears, alone=True)
async def _loop(bench: Bench) -> int:
    pauses = Pauses(bench.subject.connector)
    pauses.attend(bench.engine)
    with pauses.looking():
        await _traffic(bench)
    assert not pauses.found, f"it stood still in {pauses.found}"
    return 2 * PEOPLE * EACH


async def _traffic(bench: Bench) -> None:
    """Much of all that is usual."""
    for _ in range(EACH):
        for person in range(PEOPLE):
            bench.say(person)
            await bench.answer(person, LONG)
    await bench.heard_all(range(PEOPLE))
    await bench.seen_all(range(PEOPLE))


@check("home", "It calls nobody but the platform", hears)
async def _home(bench: Bench) -> int:
    calls = len(FENCE.called)
    await bench.restart()  # it may call when it starts
    await _faults(bench)
    await bench.engine.run(bench.engine.connector.upkeep())
    called = sorted(set(FENCE.called[calls:]))
    assert not called, f"it called {called}"
    return len(MISHAPS)


@check("secrets", "Its secrets are in no log line and in no event, whatever goes wrong", hears)
async def _secrets(bench: Bench) -> int:
    began = len(bench.lines.lines)
    await _faults(bench)
    await bench.restart()
    with bench.out.fault("refuse"), contextlib.suppress(Exception):
        await bench.engine.run(bench.engine.connector.upkeep())
    lines = bench.lines.lines[began:]
    entries = [encode_record(record).decode(errors="replace") for record in bench.records]
    for secret in bench.far.secrets():
        for form in {secret, quote(secret, safe="")}:
            for where, texts in (("a log line", lines), ("an event", entries)):
                found = next((text for text in texts if form in text), None)
                assert found is None, f"{where} holds one: {_around(found or '', form)}"
    return len(MISHAPS)


def _around(text: str, secret: str) -> str:
    """Some of the text, with the secret blanked."""
    at = text.index(secret)
    shown = text[max(0, at - SHOWN_OF_A_LINE) : at] + "***" + text[at + len(secret) : at + len(secret) + 20]
    return repr(shown)


async def _faults(bench: Bench) -> None:
    """Each way of going wrong once; whether the hub copes with it is for other checks to say."""
    bench.say(0)
    await bench.far.garble()
    if not bench.far.brings:
        await bench.far.forge()
    persons = range(len(MISHAPS))
    for person in persons:
        await bench.answer(person)
    await asyncio.gather(*(_with_fault(bench, person) for person in persons))
    await bench.quiet()


async def _with_fault(bench: Bench, person: int) -> None:
    reply = (bench.far.refusal, bench.far.busy)[person % 2]
    to = f"{bench.far.sends} {bench.far.people[person]}"
    with bench.out.fault(MISHAPS[person], to, times=1, reply=reply) as fault, contextlib.suppress(AssertionError):
        await bench.answer(person)
        await bench.hit(fault)
        await bench.until(lambda: bool(bench.events(e.AttemptDelayed, e.AttemptRefused)), "it was told")
