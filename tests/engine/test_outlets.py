"""The way out of a worker: limits kept, faults contained, a far side that is away left alone."""

import asyncio
from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from hub.contract import Capabilities, Connector, Delivery, Refused, Retry, Sent, Unknown, Verdict
from hub.engine import outlets
from hub.engine.circuit import FAILURES, LONGEST_S, Circuit, Rate
from hub.engine.outlets import Outlet

DELIVERY = Delivery("chat-1", "hi", "p7-x-1:1")


class Said(Connector):
    """Answers what the test says."""

    can = Capabilities(role="visitor")

    def __init__(self, answer: Callable[[Delivery], object]) -> None:
        self.answer = answer
        self.calls = 0

    async def deliver(self, delivery: Delivery) -> Verdict:
        self.calls += 1
        return self.answer(delivery)  # type: ignore[return-value]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def outlet(connector: Connector, clock: Clock, workers: int = 1) -> Outlet:
    return Outlet("said", connector, lambda: workers, clock)


async def test_a_platform_that_never_answers_is_left_alone_and_one_call_tries_whether_it_is_back() -> None:
    clock, connector = Clock(), Said(lambda _: Unknown("no answer"))
    way = outlet(connector, clock)
    for _ in range(FAILURES):
        assert await way.deliver(DELIVERY) == Unknown("no answer")
    assert await way.deliver(DELIVERY) == Retry("no answer", 1.0)
    assert connector.calls == FAILURES
    clock.now += 1.1
    connector.answer = lambda _: Sent("r")
    assert await way.deliver(DELIVERY) == Sent("r")
    assert await way.deliver(DELIVERY) == Sent("r")
    assert way.counts().verdicts == {"unknown": FAILURES, "retry": 1, "sent": 2}


async def test_a_refusal_is_an_answer_and_closes_nothing() -> None:
    connector = Said(lambda _: Refused("blocked"))
    way = outlet(connector, Clock())
    for _ in range(3 * FAILURES):
        assert await way.deliver(DELIVERY) == Refused("blocked")
    assert way.counts().waits_because == ""


async def test_what_holds_for_everyone_is_asked_once() -> None:
    clock, connector = Clock(), Said(lambda _: Retry("wrong secret", 600, everyone=True))
    way = outlet(connector, clock)
    assert await way.deliver(DELIVERY) == Retry("wrong secret", 600, everyone=True)
    clock.now += 100
    assert await way.deliver(DELIVERY) == Retry("wrong secret", 500)
    assert (connector.calls, way.counts().waits_because) == (1, "wrong secret")


@pytest.mark.parametrize("answer", [None, "sent", True, {"errcode": 0}])
async def test_what_is_no_verdict_is_an_unknown_outcome_and_a_fault(answer: object) -> None:
    way = outlet(Said(lambda _: answer), Clock())
    with capture_logs() as lines:
        verdict = await way.deliver(DELIVERY)
    assert verdict == Unknown(f"the connector answered {type(answer).__name__} instead of a verdict")
    assert way.counts().faults == 1
    assert [line["event"] for line in lines] == ["connector gave no verdict"]


async def test_a_connector_that_raises_has_an_unknown_outcome() -> None:
    def broken(_: Delivery) -> object:
        raise KeyError("ok")

    way = outlet(Said(broken), Clock())
    with capture_logs():
        assert await way.deliver(DELIVERY) == Unknown("KeyError: 'ok'")
    assert way.counts().faults == 1


async def test_a_connector_that_never_answers_has_an_unknown_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hangs(Said):
        async def deliver(self, delivery: Delivery) -> Verdict:
            await asyncio.sleep(3600)
            return Sent()

    monkeypatch.setattr(outlets, "CALL_S", 0.05)
    verdict = await outlet(Hangs(lambda _: None), Clock()).deliver(DELIVERY)
    assert isinstance(verdict, Unknown)


async def test_a_limit_for_all_is_divided_among_the_workers() -> None:
    connector = Said(lambda _: Sent())
    connector.can = Capabilities(role="visitor", per_second=10)
    way = outlet(connector, Clock(), workers=10)  # one a second is this worker's
    assert await way.deliver(DELIVERY) == Sent()
    clocked = [way._rate.take(100.0, 10, 5.0) for _ in range(3)]
    assert clocked == [1.0, 2.0, 3.0]
    verdict = await way.deliver(DELIVERY)
    assert verdict == Retry("the limit of 10 calls a second is used up", 4.0)
    assert connector.calls == 1


async def test_what_waits_for_its_turn_when_the_hub_stops_has_not_been_sent() -> None:
    connector = Said(lambda _: Sent())
    connector.can = Capabilities(role="visitor", per_second=1)
    way = outlet(connector, Clock())
    assert await way.deliver(DELIVERY) == Sent()
    waiting = asyncio.create_task(way.deliver(DELIVERY))
    await asyncio.sleep(0.01)
    way.stop()
    assert await waiting == Retry("the hub is stopping", 0.1)
    assert connector.calls == 1


def test_pauses_grow_and_are_bounded() -> None:
    circuit, now, pauses = Circuit(), 0.0, []
    for _ in range(FAILURES - 1):
        circuit.failed("away", now)
    for _ in range(9):
        circuit.failed("away", now)
        pauses.append(circuit.wait_s(now))
        now += pauses[-1]
        assert circuit.wait_s(now) == 0.0
        assert circuit.wait_s(now) > 0, "one call tries, others wait for it"
    assert pauses[:4] == [1.0, 2.0, 4.0, 8.0]
    assert pauses[-1] == LONGEST_S


def test_a_rate_is_even_and_a_pause_saves_nothing_up() -> None:
    rate = Rate(10)
    for now_s in (50.0, 1000.0):
        waits = [rate.take(now_s, 1, 100.0) for _ in range(21)]
        assert waits == pytest.approx([n / 10 for n in range(21)])
