"""The kit lets what is right pass, and names what is wrong."""

import asyncio
import dataclasses
import os

import pytest

from hub.contract import Connector
from hub.kit import bench
from hub.kit import run as kit_run
from hub.kit.checks import CHECKS
from hub.kit.run import run
from hub.kit.subject import Subject
from hub.kit.suite import ConnectorKit
from tests.kit import broken
from tests.kit.connectors import Asking, Called, Forgetful, Mixed, Patient, Staff
from tests.kit.parrot import AskedParrot, Parrot


def parrot(connector: type[Connector]) -> Subject:
    return Subject("parrot", connector, AskedParrot if issubclass(connector, Asking) else Parrot)


class TestParrotThatCalls(ConnectorKit):
    subject = parrot(Called)


class TestParrotThatIsAsked(ConnectorKit):
    subject = parrot(Asking)


class TestParrotThatForgets(ConnectorKit):
    subject = parrot(Forgetful)


class TestParrotsThatAnswer(ConnectorKit):
    subject = parrot(Staff)


FAULTS: dict[type[Connector], set[str]] = {
    broken.KeepsItsOwnQueue: {"restart-in"},
    broken.DropsQuickPairs: {"equal-texts"},
    broken.RemembersBySecond: {"equal-texts"},
    broken.NumbersThemItself: {"repeats", "reordered", "lost-answers", "restart-in"},
    broken.ConfirmsAtOnce: {"restart-in"},
    broken.SwallowsUnknownKinds: {"unknown-kinds"},
    broken.ForgivesGarbage: {"poison"},
    broken.TrustsAnybody: {"forged"},
    broken.SignsForNobody: {"impostors"},
    broken.TakesImpostorsForVisitors: {"impostors"},
    broken.IgnoresOldCallbacks: {"clocks"},
    broken.SpeaksThreeByteUtf8: {"traps-in"},
    broken.CollapsesSpaces: {"arrives", "delivers"},
    broken.StopsFloods: {"bursts"},
    broken.NumbersByPage: {"lost-cursor"},
    broken.ReadsBeforeItChecks: {"nonsense"},
    broken.GivesUpAtOnce: {"unsent", "retry-order", "parts", "lost-changes"},
    broken.GivesUpWhenAway: {"dead"},
    broken.WritesThreeByteUtf8: {"traps-out", "long-texts", "parts"},
    broken.CutsItself: {"parts", "lost-verdicts", "restart-out", "in-time"},
    broken.CutsInside: {"long-texts", "parts"},
    broken.SendsWhatItCannotRead: {"unknown-code", "refused-change"},
    broken.GivesUpWhenBusy: {"busy"},
    broken.KeysAnew: {"parts", "lost-verdicts", "restart-out", "in-time"},
    broken.SendsLater: {"retry-order", "parts"},
    broken.OneAtATime: {"slow"},
    broken.WaitsForEver: {"in-time"},
    broken.TalksInstead: {"edit", "recall", "refused-change", "lost-changes"},
    broken.TakesItForDone: {"refused-change"},
    broken.ChangesOnce: {"lost-changes"},
    broken.ShowsItsSecret: {"secrets"},
    broken.Blocks: {"loop"},
    broken.CallsHome: {"home"},
}


@pytest.mark.parametrize("connector", FAULTS, ids=lambda connector: connector.__name__)
def test_a_broken_connector_is_found_by_a_check_that_is_meant_for_it_and_by_no_other(
    connector: type[Connector],
) -> None:
    """Whether all of them find it is a matter of milliseconds for some. With KIT=whole all checks there are are run,
    a quarter of an hour for all connectors: no other one may fail.
    """
    only = () if os.environ.get("KIT") == "whole" else sorted(FAULTS[connector])
    results = asyncio.run(run(parrot(connector), only))
    failed = {result.id: result.because for result in results if result.outcome == "failed"}
    assert failed
    assert failed.keys() <= FAULTS[connector], failed


def test_each_check_has_a_broken_connector_that_it_finds() -> None:
    assert set[str]().union(*FAULTS.values()) == {check.id for check in CHECKS}


async def test_agents_beside_visitors_are_told_from_impostors() -> None:
    (result,) = await run(parrot(Mixed), ["impostors"])
    assert (result.outcome, result.tried, result.because) == ("held", 3, "")


async def test_a_text_that_has_not_set_out_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, that is: here it waits to be folded, for longer than nothing else happens."""
    monkeypatch.setattr(bench, "FOLD_MS", int(3000 * bench.QUIET_S))
    results = await run(parrot(Patient), ["lost-verdicts", "restart-out", "retry-order"])
    assert [result.because for result in results if result.outcome != "held"] == []


async def test_a_check_that_takes_too_long_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit_run, "LIMIT_S", 0.01)
    (result,) = await run(parrot(Called), ["arrives"])
    assert (result.outcome, result.because) == (
        "failed", "it was not done after 0.01 s: is the machine too busy for it?"
    )  # fmt: skip


async def test_an_exemption_is_shown_with_its_reason_and_nothing_is_tried() -> None:
    subject = dataclasses.replace(parrot(Called), exempt={"arrives": "it is deaf"})
    (result,) = await run(subject, ["arrives"])
    assert (result.outcome, result.tried, result.because) == ("exempt", 0, "it is deaf")
