"""The intake of a channel: what nobody could read is kept once."""

import pytest

from hub.domain import commands as c
from hub.domain import intake
from hub.domain.events import Record
from hub.domain.refusals import NotFound, Repeated

ID = "i3-wecom"


def keep(state: intake.Intake, raw: str, because: str = "odd") -> None:
    for event in intake.decide(state, c.KeepUnparsed(because, raw), None, 0):
        intake.evolve(state, Record(ID, state.seq + 1, 0, 0, event))


def test_the_very_same_input_is_kept_once() -> None:
    state = intake.new(ID)
    for raw in ("<a/>", "<b/>"):
        keep(state, raw)
    for raw in ("<a/>", "<b/>"):
        with pytest.raises(Repeated):
            keep(state, raw)
    keep(state, "<a/>", because="refused by its agent")
    assert (state.unparsed, state.seq) == (3, 3)


def test_what_is_remembered_is_bounded() -> None:
    state = intake.new(ID)
    for n in range(intake.LATEST + 1):
        keep(state, f"<{n}/>")
    assert len(state.latest) == intake.LATEST
    with pytest.raises(Repeated):
        keep(state, "<1/>")
    keep(state, "<0/>")


def test_another_s_command_is_refused() -> None:
    with pytest.raises(NotFound):
        intake.decide(intake.new(ID), c.SetDuty("a1-wang", on=True), None, 0)
