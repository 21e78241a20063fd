"""A minute at the peak on one worker with a core of its own; all is acknowledged and received; the history's lag."""

import sqlite3
import time

from hub.history.database import FILE
from tests.bench import core, hub, remote
from tests.bench.figures import Figures, Plan
from tests.bench.hub import Hub

WORDS = {
    "hold_s": "seconds at the peak, one worker pinned to its core",
    "hold_messages_per_s": "  messages/s, all acknowledged and received",
    "hold_core_us_per_message": "  core-µs a message, worker + nats-server",
    "hold_worker_share": "  part of its core that the worker used",
    "hold_client_share": "  part of a core that the bench's client used",
    "hold_history_lag": "  events that the history was behind at the end",
    "hold_history_s": "  seconds until it had caught up",
}


def run(plan: Plan) -> Figures:
    """One run: it is long enough."""
    with hub.running(1, plan.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        core.settle(node.admin_token, crowd, plan)
        hub.give_a_core(node, crowd.pids)
        crowd.flow(plan.in_flight)
        time.sleep(plan.warm_up_s)
        cores, client_s, before, at = node.cores(), crowd.core_s, crowd.counts(), time.monotonic()
        time.sleep(plan.hold_s)
        used, client_s = node.cores().since(cores), crowd.core_s - client_s
        took_s, now = time.monotonic() - at, crowd.counts()
        crowd.drain()  # raises when one message is missing
        ended, written = time.monotonic(), _in_history(node)
        node.until_quiet("follower")
        caught_up_s = time.monotonic() - ended
        count = min(now.acked - before.acked, now.received - before.received)
        return {
            "hold_s": [took_s],
            "hold_messages_per_s": [count / took_s],
            "hold_core_us_per_message": [(used.worker + used.nats) / count * 1e6],
            "hold_worker_share": [used.worker / took_s],
            "hold_client_share": [client_s / took_s],
            "hold_history_lag": [_in_history(node) - written],
            "hold_history_s": [caught_up_s],
        }


def _in_history(node: Hub) -> int:
    """So many events of conversations are in the history."""
    database = sqlite3.connect(f"file:{node.data / FILE}?mode=ro", uri=True)
    try:
        (events,) = database.execute("SELECT sum(seq) FROM conversations").fetchone()
    finally:
        database.close()
    return int(events or 0)
