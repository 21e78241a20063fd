"""Checks of what a connector must never do, whatever happens around it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import SupportsBytes
from urllib.parse import quote

import httpx

from hub.domain import events as e
from hub.domain.batch import encode_record
from hub.kit.bench import Bench
from hub.kit.checks import check, has_routes, hears
from hub.kit.texts import LONG
from hub.kit.watch import FENCE, Pauses
from hub.kit.wire import Mishap

PEOPLE, EACH = 10, 5
SHOWN_OF_A_LINE = 160
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
            for route in bench.subject.instance.routes:
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
    tried = await _faults(bench)
    await bench.engine.run(bench.engine.connector.upkeep())
    called = sorted(set(FENCE.called[calls:]))
    assert not called, f"it called {called}"
    return tried


@check("secrets", "Its secrets are in no log line and in no event, whatever goes wrong", hears)
async def _secrets(bench: Bench) -> int:
    began = len(bench.lines.lines)
    tried = await _faults(bench)
    with contextlib.ExitStack() as stack:
        for secret in bench.far.secrets():  # on its way there it meets somebody in trouble, who may repeat it
            stack.enter_context(bench.out.fault("refuse", secret, times=1))
        await bench.restart()
        await bench.answer(0)
        await bench.quiet()
    with bench.out.fault("refuse"), contextlib.suppress(Exception):
        await bench.engine.run(bench.engine.connector.upkeep())
    lines = bench.lines.lines[began:]
    entries = [encode_record(record).decode(errors="replace") for record in bench.records]
    for secret in bench.far.secrets():
        for form in {secret, quote(secret, safe="")}:
            for where, texts in (("a log line", lines), ("an event", entries)):
                found = next((text for text in texts if form in text), None)
                assert found is None, f"{where} holds one: {_around(found or '', form)}"
    return tried


def _around(text: str, secret: str) -> str:
    """Some of the text, with the secret blanked."""
    at = text.index(secret)
    shown = text[max(0, at - SHOWN_OF_A_LINE) : at] + "***" + text[at + len(secret) : at + len(secret) + 20]
    return repr(shown)


async def _faults(bench: Bench) -> int:
    """Each way of going wrong once; how many. Whether the hub copes with them is for other checks to say."""
    bench.say(0)
    await bench.far.garble()
    if not bench.far.brings:
        await bench.far.forge()
    mishaps: list[tuple[Mishap, SupportsBytes]] = [(mishap, b"") for mishap in bench.out.before + bench.out.after]
    mishaps += [("answer", bench.far.busy), ("answer", bench.far.refusal)]
    for person in range(len(mishaps)):
        await bench.answer(person)
    await asyncio.gather(*(_with_fault(bench, person, *mishap) for person, mishap in enumerate(mishaps)))
    await bench.quiet()
    return len(mishaps)


async def _with_fault(bench: Bench, person: int, mishap: Mishap, reply: SupportsBytes) -> None:
    to = f"{bench.far.sends} {bench.far.people[person]}"
    with bench.out.fault(mishap, to, times=1, reply=reply) as fault, contextlib.suppress(AssertionError):
        await bench.answer(person)
        await bench.hit(fault)
        await bench.until(lambda: bool(bench.events(e.AttemptDelayed, e.AttemptRefused)), "it was told")
