"""A connector's code that blocks is ended where it is; nobody else's is."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from hub.contract import Capabilities, Connector, Delivery, Sent, Unknown, Verdict
from hub.engine import stalls
from hub.engine.outlets import Outlet
from hub.engine.stalls import Stalled, Stalls


class Blocks(Connector):
    """A developer who has not heard of await."""

    can = Capabilities(role="visitor")

    def __init__(self) -> None:
        pass

    async def deliver(self, delivery: Delivery) -> Verdict:
        time.sleep(30)  # noqa: ASYNC251
        return Sent()

    def spin(self) -> None:
        while True:
            pass


@pytest.fixture
async def watched(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stalls]:
    monkeypatch.setattr(stalls, "PATIENCE_S", 0.2)
    monkeypatch.setattr(stalls, "BEAT_S", 0.02)
    found = Stalls({"blocks": Blocks()})
    found.start()
    yield found
    found.stop()


async def test_a_call_that_blocks_is_an_unknown_outcome_and_the_loop_goes_on(watched: Stalls) -> None:
    outlet = Outlet("blocks", Blocks(), lambda: 1)
    with capture_logs() as lines:
        verdict = await outlet.deliver(Delivery("a", "b", "c"))
    assert isinstance(verdict, Unknown)
    assert verdict.because.startswith("Stalled: Blocks.deliver held up the worker")
    assert watched.counts == {"blocks": 1}
    assert lines[0]["function"] == "Blocks.deliver"


async def test_a_loop_without_end_is_ended(watched: Stalls) -> None:
    with capture_logs(), pytest.raises(Stalled):
        Blocks().spin()


async def test_what_the_hub_itself_does_is_left_alone(watched: Stalls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "_channels", {"connectors.nobody": "nobody"})
    time.sleep(0.5)  # noqa: ASYNC251
    await asyncio.sleep(0)
    assert watched.counts == {}
