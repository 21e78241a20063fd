"""Send to ack at 500 messages/s while a checkpoint is being made of 10,000 conversations with 50 messages each.

All of them have changed since the last checkpoint, so images of all are written. The bare fsynced publish beside it is
measured just before, on a disk that nobody else uses.
"""

import time

from tests.bench import floor, hub, remote
from tests.bench.core import agents_for
from tests.bench.figures import Figures, Plan, note, quantiles_ms
from tests.bench.hub import Hub

STILL_S = 1.0
"""When no image has been written for so long, no checkpoint is being made."""

WORDS = {
    "checkpoint_p50_ms": "ms from send to ack at 500 messages/s during a checkpoint, p50",
    "checkpoint_p99_ms": "  p99",
    "checkpoint_fsync_p50_ms": "  bare fsynced publish, p50",
    "checkpoint_fsync_p99_ms": "  p99",
}


def run(plan: Plan) -> Figures:
    """Raises RuntimeError where a checkpoint had ended before the measurement."""
    figures: Figures = {}
    agents = agents_for(plan.snapshots)
    with hub.running(1, agents) as node, remote.crowd(1, node.address) as crowd:
        crowd.employ(node.admin_token, agents)
        crowd.arrive(plan.snapshots)
        crowd.open()
        crowd.each_sends(plan.recent - 1)
        node.until_quiet("follower")
        for _ in range(plan.repeats):
            _until(node, writing=False)
            bare = floor.measure(plan.per_s, plan.measure_s)
            while not _writes_images(node):
                crowd.each_sends(1)
            whole = crowd.pace(plan.per_s, plan.measure_s)
            if not _writes_images(node):
                raise RuntimeError("the checkpoint had ended: take more conversations, or measure for a shorter time")
            for name, took in (("fsync_", bare), ("", whole)):
                p50, p99 = quantiles_ms(took)
                note(figures, {f"checkpoint_{name}p50_ms": p50, f"checkpoint_{name}p99_ms": p99})
    return figures


def _until(node: Hub, *, writing: bool) -> None:
    while _writes_images(node) != writing:
        time.sleep(STILL_S / 4)


def _writes_images(node: Hub) -> bool:
    """Whether files of the snapshots' streams are being written."""
    files = (node.data / "nats").glob("**/SNAP-*/msgs/*.blk")
    return any(time.time() - file.stat().st_mtime < STILL_S for file in files)
