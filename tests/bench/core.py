"""The parts of every run: what a message costs, what a visitor costs, how long an acknowledgement takes.

own         messages/s and core time a message; the visitor's socket is on the conversation's worker (1 worker)
crossing    the same where every conversation is owned by the other one of 2 workers
latency     send to ack at 500 messages/s, beside a bare fsynced publish
handshakes  TCP, upgrade, hello, welcome
memory      of the workers for an online visitor
stall       the longest time between two turns of the worker's event loop, at the peak, with a core of its own
"""

import time

from tests.bench import floor, hub, remote, watched
from tests.bench.figures import Figures, Plan, note, quantiles_ms
from tests.bench.hub import Measured
from tests.bench.remote import Crowd

WORDS = {
    "messages_per_s": "messages/s, conversation on the socket's worker",
    "core_us_per_message": "  core-µs a message, worker + nats-server",
    "core_us_worker": "    worker",
    "core_us_nats": "    nats-server",
    "core_us_history": "  history, core-µs a message",
    "core_us_client": "  the bench's client, core-µs a message",
    "messages_per_s_core": "  messages/s a core of worker",
    "messages_per_s_crossing": "messages/s, conversation on another worker",
    "core_us_per_message_crossing": "  core-µs a message, 2 workers + nats-server",
    "core_us_worker_crossing": "    workers",
    "core_us_nats_crossing": "    nats-server",
    "core_us_history_crossing": "  history, core-µs a message",
    "core_us_client_crossing": "  the bench's client, core-µs a message",
    "messages_per_s_core_crossing": "  messages/s a core of worker",
    "p50_ms": "ms from send to ack at 500 messages/s, p50",
    "p99_ms": "  p99",
    "fsync_p50_ms": "  bare fsynced publish, p50",
    "fsync_p99_ms": "  p99",
    "handshakes_per_s": "handshakes/s",
    "handshakes_per_s_core": "  a core of worker",
    "bytes_per_socket": "bytes an online visitor without messages",
    "bytes_per_visitor": "  with 50 recent messages each",
    "stall_ms": "ms, the longest turn of the worker's event loop at the peak",
    "stall_messages_per_s": "  messages/s meanwhile",
    "stall_floor_ms": "  the same of a process that only looks at the clock, on that core",
}


def own(plan: Plan) -> Figures:
    """The whole way, on one worker."""
    with hub.running(1, plan.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        settle(node.admin_token, crowd, plan)
        return whole_way(node, crowd, plan)


def crossing(plan: Plan) -> Figures:
    """The whole way, over two workers."""
    with hub.running(2, plan.agents_a_team) as node, remote.crowd(2, node.address) as crowd:
        settle(node.admin_token, crowd, plan, crossing=True)
        return {f"{name}_crossing": values for name, values in whole_way(node, crowd, plan).items()}


def latency(plan: Plan) -> Figures:
    """The hub and the bare publish by turns, on the same disk."""
    figures: Figures = {}
    with hub.running(1, plan.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        settle(node.admin_token, crowd, plan)
        crowd.pace(plan.per_s, plan.warm_up_s)
        for _ in range(plan.repeats):
            bare, whole = floor.measure(plan.per_s, plan.measure_s), crowd.pace(plan.per_s, plan.measure_s)
            for name, took in (("fsync_", bare), ("", whole)):
                p50, p99 = quantiles_ms(took)
                note(figures, {f"{name}p50_ms": p50, f"{name}p99_ms": p99})
    return figures


def handshakes(plan: Plan) -> Figures:
    """Visitors who come back."""
    figures: Figures = {}
    with hub.running(1, plan.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        crowd.arrive(plan.visitors)
        crowd.shake(plan.handshakes // 2)
        for _ in range(plan.repeats):
            before = node.cores()
            took_s = crowd.shake(plan.handshakes)
            used = node.cores().since(before)
            note(figures, {
                "handshakes_per_s": plan.handshakes / took_s,
                "handshakes_per_s_core": plan.handshakes / used.worker,
            })  # fmt: skip
            time.sleep(1)
    return figures


def memory(plan: Plan) -> Figures:
    """A hub for each repeat: what a process has grown to it does not give back."""
    figures: Figures = {}
    agents = agents_for(plan.online)
    for _ in range(plan.repeats):
        with hub.running(1, agents) as node, remote.crowd(1, node.address) as crowd:
            crowd.employ(node.admin_token, agents)
            crowd.dismiss()
            before = node.worker_bytes()
            crowd.arrive(plan.online)
            idle = node.worker_bytes()
            crowd.each_sends(plan.recent)
            full = node.worker_bytes()
        note(figures, {
            "bytes_per_socket": (idle - before) / plan.online,
            "bytes_per_visitor": (full - before) / plan.online,
        })  # fmt: skip
    return figures


def stall(plan: Plan) -> Figures:
    """As `own`, with a watch on the loop, and with nothing else on the worker's core.

    Before that, what is there anyway, while the hub works at its peak on the other cores.
    """
    figures: Figures = {}
    with watched.running(plan.agents_a_team) as (node, watch), remote.crowd(1, node.address) as crowd:
        settle(node.admin_token, crowd, plan)
        cleared = hub.clear_a_core(node, crowd.pids)
        crowd.flow(plan.in_flight)
        time.sleep(plan.warm_up_s)
        for _ in range(plan.repeats):
            note(figures, {"stall_floor_ms": watched.longest_pause_s(cleared, plan.measure_s) * 1e3})
        hub.give_a_core(node, crowd.pids)
        time.sleep(plan.warm_up_s)
        for _ in range(plan.repeats):
            watch.begin()
            before, at = crowd.counts(), time.monotonic()
            time.sleep(plan.measure_s)
            longest_s, took_s = watch.longest_s, time.monotonic() - at
            rate = (crowd.counts().acked - before.acked) / took_s
            note(figures, {"stall_ms": longest_s * 1e3, "stall_messages_per_s": rate})
        crowd.drain()
    return figures


def agents_for(visitors: int) -> int:
    """So many agents a team can have all of them, with some room."""
    return visitors // 1_000 + 1


def settle(admin_token: str, crowd: Crowd, plan: Plan, *, crossing: bool = False) -> None:
    """All have come, and every conversation has its agent."""
    crowd.employ(admin_token, plan.agents_a_team)
    crowd.arrive(plan.visitors, crossing)
    crowd.open()


def whole_way(node: Measured, crowd: Crowd, plan: Plan) -> Figures:
    """Messages/s and core time at the peak; raises RuntimeError when one message is missing at the end."""
    figures: Figures = {}
    begun, begun_at = node.cores(), crowd.counts()
    crowd.flow(plan.in_flight)
    time.sleep(plan.warm_up_s)
    for _ in range(plan.repeats):
        cores, client_s, before, at = node.cores(), crowd.core_s, crowd.counts(), time.monotonic()
        time.sleep(plan.measure_s)
        used, client_s = node.cores().since(cores), crowd.core_s - client_s
        took_s, now = time.monotonic() - at, crowd.counts()
        count = min(now.acked - before.acked, now.received - before.received)
        note(figures, {
            "messages_per_s": count / took_s,
            "core_us_per_message": (used.worker + used.nats) / count * 1e6,
            "core_us_worker": used.worker / count * 1e6,
            "core_us_nats": used.nats / count * 1e6,
            "core_us_client": client_s / count * 1e6,
            "messages_per_s_core": count / used.worker,
        })  # fmt: skip
    crowd.drain()
    count = crowd.counts().acked - begun_at.acked
    note(figures, {"core_us_history": node.until_quiet("follower").since(begun).follower / count * 1e6})
    return figures
