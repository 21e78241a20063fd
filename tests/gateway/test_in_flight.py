"""What waits for one partition: bounded in bytes, and refused when its owner has been silent for long."""

from hub.gateway.in_flight import COMMAND_BYTES, MAX_BYTES, SILENT_S, Flow


def test_what_waits_is_bounded_until_it_is_answered() -> None:
    flow, costs = Flow(), list[int]()
    while not flow.refusal():
        costs.append(flow.add(3000))
    assert MAX_BYTES <= sum(costs) == flow.bytes < MAX_BYTES + 3000 + COMMAND_BYTES
    flow.done(costs[0], given_up=False)
    assert not flow.refusal()


def test_after_a_long_silence_only_a_probe_is_let_through() -> None:
    flow = Flow()
    cost = flow.add(100)
    flow.pass_s(SILENT_S - 1)
    assert not flow.refusal()
    flow.pass_s(0.5)
    flow.pass_s(0.5)
    assert not flow.refusal()  # the probe
    assert flow.refusal() == f"nothing has been committed for {SILENT_S:.0f} s: send it again"
    flow.pass_s(1)
    assert [bool(flow.refusal()) for _ in range(3)] == [False, True, True]
    flow.done(cost, given_up=False)
    assert not flow.refusal()


def test_what_was_given_up_is_no_sign_of_life() -> None:
    flow = Flow()
    costs = [flow.add(100), flow.add(100)]
    flow.pass_s(SILENT_S)
    flow.refusal()
    flow.done(costs[0], given_up=True)
    assert flow.refusal()
    flow.done(costs[1], given_up=True)
    flow.pass_s(0.25)
    assert not flow.refusal()  # nobody waits: whoever comes may try


def test_where_nothing_waits_silence_says_nothing() -> None:
    flow = Flow()
    flow.pass_s(60)
    assert not flow.refusal()
