"""The kit over lines: what is right passes, and each fault that a line can have finds a connector that is wrong."""

import asyncio

import pytest

from hub.contract import Connector
from hub.kit.run import run
from hub.kit.subject import Subject
from hub.kit.suite import ConnectorKit
from tests.kit import talking
from tests.kit.talking_parrot import TalkingParrot


def parrot(connector: type[Connector]) -> Subject:
    return Subject("parrot", connector, TalkingParrot)


class TestParrotThatIsSpokenWith(ConnectorKit):
    subject = parrot(talking.Talking)


@pytest.mark.parametrize(
    ("connector", "check", "because"),
    [
        (talking.RepeatsWhatWasLost, "lost-verdicts", "was shown 2 times"),
        (talking.TakesResetsForNo, "unsent", "nobody is told"),
        (talking.TakesTheEndForYes, "unsent", "nobody is told"),
        (talking.TakesTroubleForNo, "unsent", "nobody is told"),
        (talking.ReadsOnce, "lost-verdicts", "met with 'drip': it was not understood"),
        (talking.TakesHalfAnAnswer, "lost-verdicts", "met with 'break': nobody is told"),
        (talking.TakesHalfAPage, "lost-answers", "never in the log"),
        (talking.GivesUpWhenAway, "dead", "never shown"),
        (talking.WaitsForEver, "in-time", "the hub had to break it off"),
        (talking.OneAtATime, "slow", "got nothing before"),
        (talking.QuotesAll, "secrets", "holds one"),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_a_broken_connector_is_found(connector: type[Connector], check: str, because: str) -> None:
    (result,) = asyncio.run(run(parrot(connector), [check]))
    assert result.outcome == "failed"
    assert because in result.because
