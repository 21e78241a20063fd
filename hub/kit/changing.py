"""Checks of changes to what people have: a text is replaced or taken back in its place, or somebody is told why not."""

from __future__ import annotations

from typing import cast

from hub.contract import Refused
from hub.domain import events as e
from hub.domain.commands import ChangeMessage
from hub.kit.bench import Bench, token
from hub.kit.checks import check, delivers, edits, recalls
from hub.kit.far_side import Board

CORRECTED = "更正后的文字 👍🏽"


async def _answered(bench: Bench, person: int = 0) -> None:
    """Somebody has a text that can be changed, and one before it that is not to be."""
    for _ in range(2):
        await bench.answer(person)
    await bench.seen_all((person,))


async def _change(bench: Bench, person: int, text: str = "") -> None:
    command = ChangeMessage(bench.teams.agents[0].id, text)
    outcome = await bench.engine.submit(bench.conversation_of(person), command)
    assert outcome.denied is None, f"the hub refuses the change: {outcome.denied}"


def _screen(bench: Bench, person: int) -> list[str]:
    """The texts that somebody has before their eyes."""
    return list(cast(Board, bench.far).screen(bench.far.people[person]))


def _call(bench: Bench, person: int) -> str:
    return f"{cast(Board, bench.far).changes} {bench.far.people[person]}"


async def _done(bench: Bench, *kinds: type[e.Event], times: int = 1) -> None:
    await bench.until(lambda: len(bench.events(*kinds)) >= times, "the hub says that it is done")
    await bench.quiet()


@check("edit", "A corrected text stands in the place of the first one, and nothing else is shown", delivers, edits)
async def _edit(bench: Bench) -> int:
    await _answered(bench)
    await _change(bench, 0, CORRECTED)
    await _done(bench, e.MessageCorrected)
    first, *others = _screen(bench, 0)
    assert token("o", 0, 1) in first, f"another text was changed: they read {first!r}"
    assert others == [CORRECTED], f"instead of the corrected text they read {others!r}"
    return 1


@check("recall", "A text that is taken back is not there any more, and all others are", delivers, recalls)
async def _recall(bench: Bench) -> int:
    await _answered(bench)
    before = len(bench.accepted(0))
    await _change(bench, 0)
    await _done(bench, e.MessageRecalled)
    shown = _screen(bench, 0)
    assert [token("o", 0, 1) in text for text in shown] == [True], f"they read {shown!r}"
    assert len(bench.accepted(0)) == before, f"something else was sent: {bench.accepted(0)[-1].text!r}"
    return 1


@check(
    "refused-change", "A change that the platform refuses is none, and somebody is told in its words", delivers, recalls
)
async def _refused_change(bench: Bench) -> int:
    await _answered(bench)
    with bench.out.fault("answer", _call(bench, 0), reply=bench.far.refusal):
        await _change(bench, 0)
        await bench.until(lambda: bool(bench.calls[-1].delivery.replaces and bench.calls[-1].verdict), "it was tried")
        verdict = bench.calls[-1].verdict
        assert isinstance(verdict, Refused), f"the verdict on it is {verdict}"
        await bench.until(lambda: bool(bench.events(e.AttemptRefused)), "it was refused")
    because = [event.because for event in bench.events(e.AttemptRefused) if isinstance(event, e.AttemptRefused)]
    assert bench.far.refusal_text in because[0], f"the person reads {because[0]!r}, not {bench.far.refusal_text!r}"
    assert not bench.events(e.MessageRecalled), "the hub says that it is gone"
    assert len(_screen(bench, 0)) == 2, "it is gone all the same"
    return 1


@check(
    "lost-changes",
    "A change that did not get through, or whose answer was lost, is made, and made once",
    delivers,
    recalls,
)
async def _lost_changes(bench: Bench) -> int:
    mishaps = (*bench.out.before, *bench.out.after)
    for person, mishap in enumerate(mishaps):
        await _answered(bench, person)
        with bench.out.fault(mishap, _call(bench, person), times=1) as fault:
            await _change(bench, person)
            await bench.hit(fault)
    await _done(bench, e.MessageRecalled, times=len(mishaps))
    for person in range(len(mishaps)):
        shown = _screen(bench, person)
        assert [token("o", person, 1) in text for text in shown] == [True], f"they read {shown!r}"
    return len(mishaps)
