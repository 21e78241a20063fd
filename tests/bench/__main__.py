"""`make bench`: the table of figures, and tests/bench/results/core.json. `make bench ARGS="own latency"` runs two.

own         messages/s and core time a message; the visitor's socket is on the conversation's worker (1 worker)
crossing    the same where every conversation is owned by the other one of 2 workers
latency     send to ack at 500 messages/s, beside a bare fsynced publish
handshakes  TCP, upgrade, hello, welcome
memory      of the workers for an online visitor
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench import floor, hub, remote
from tests.bench.hub import Cores, Hub
from tests.bench.remote import Remote

RESULTS = Path(__file__).parent / "results" / "core.json"
VISITORS, AGENTS_A_TEAM, IN_FLIGHT = 1_000, 2, 512
WARM_UP_S, MEASURE_S = 3, 5
PER_S, LATENCY_S = 500, 5
HANDSHAKES = 2_000
ONLINE, RECENT, MEMORY_AGENTS = 5_000, 50, 6

Figures = dict[str, list[float]]
"""By name, a value for each repeat."""
UNITS = {
    "messages_per_s": "messages/s held, conversation on the socket's worker",
    "core_us_per_message": "  core-µs a message, worker + nats-server",
    "core_us_worker": "    worker",
    "core_us_nats": "    nats-server",
    "core_us_history": "  history, core-µs a message",
    "core_us_client": "  the bench's client, core-µs a message",
    "messages_per_s_core": "  messages/s a core of worker",
    "messages_per_s_crossing": "messages/s held, conversation on another worker",
    "core_us_per_message_crossing": "  core-µs a message, 2 workers + nats-server",
    "core_us_worker_crossing": "    workers",
    "core_us_nats_crossing": "    nats-server",
    "core_us_history_crossing": "  history, core-µs a message",
    "core_us_client_crossing": "  the bench's client, core-µs a message",
    "messages_per_s_core_crossing": "  messages/s a core of worker",
    "p50_ms": f"ms from send to ack at {PER_S} messages/s, p50",
    "p99_ms": "  p99",
    "fsync_p50_ms": "  bare fsynced publish, p50",
    "fsync_p99_ms": "  p99",
    "handshakes_per_s": "handshakes/s",
    "handshakes_per_s_core": "  a core of worker",
    "bytes_per_socket": f"bytes an online visitor without messages, {ONLINE} sockets",
    "bytes_per_visitor": f"  with {RECENT} recent messages each",
}


# --- the parts -------------------------------------------------------------------------------------------------------


def own(repeats: int) -> Figures:
    """The whole way, on one worker."""
    with hub.running(1, AGENTS_A_TEAM) as node, remote.crowd(node.port, 1) as crowd:
        _settle(node, crowd, crossing=False)
        return _whole_way(node, crowd, repeats)


def crossing(repeats: int) -> Figures:
    """The whole way, over two workers."""
    with hub.running(2, AGENTS_A_TEAM) as node, remote.crowd(node.port, 2) as crowd:
        _settle(node, crowd, crossing=True)
        return {f"{name}_crossing": values for name, values in _whole_way(node, crowd, repeats).items()}


def latency(repeats: int) -> Figures:
    """The hub and the bare publish by turns, on the same disk."""
    figures: Figures = {}
    with hub.running(1, AGENTS_A_TEAM) as node, remote.crowd(node.port, 1) as crowd:
        _settle(node, crowd, crossing=False)
        crowd.call("pace", PER_S, WARM_UP_S)
        for _ in range(repeats):
            bare, whole = floor.measure(PER_S, LATENCY_S), crowd.call("pace", PER_S, LATENCY_S)
            for name, took in (("fsync_", bare), ("", whole)):
                cuts_ms = [cut * 1e3 for cut in statistics.quantiles(took, n=100)]
                _note(figures, {f"{name}p50_ms": cuts_ms[49], f"{name}p99_ms": cuts_ms[98]})
    return figures


def handshakes(repeats: int) -> Figures:
    """Visitors who come back."""
    figures: Figures = {}
    with hub.running(1, AGENTS_A_TEAM) as node, remote.crowd(node.port, 1) as crowd:
        crowd.call("arrive", VISITORS)
        crowd.call("shake", HANDSHAKES // 2)
        for _ in range(repeats):
            before = node.cores()
            took_s = crowd.call("shake", HANDSHAKES)
            used = node.cores().since(before)
            _note(figures, {"handshakes_per_s": HANDSHAKES / took_s, "handshakes_per_s_core": HANDSHAKES / used.worker})
            time.sleep(1)
    return figures


def memory(repeats: int) -> Figures:
    """A hub for each repeat: what a process has grown to it does not give back."""
    figures: Figures = {}
    for _ in range(repeats):
        with hub.running(1, MEMORY_AGENTS) as node, remote.crowd(node.port, 1) as crowd:
            crowd.call("employ", node.admin_token, MEMORY_AGENTS)
            crowd.call("dismiss")
            before = node.worker_bytes()
            crowd.call("arrive", ONLINE)
            idle = node.worker_bytes()
            crowd.call("each_sends", RECENT)
            full = node.worker_bytes()
        _note(figures, {"bytes_per_socket": (idle - before) / ONLINE, "bytes_per_visitor": (full - before) / ONLINE})
    return figures


PARTS: dict[str, Callable[[int], Figures]] = {
    "own": own, "crossing": crossing, "latency": latency, "handshakes": handshakes, "memory": memory,
}  # fmt: skip


def _settle(node: Hub, crowd: Remote, crossing: bool) -> None:
    """All have come, and every conversation has its agent."""
    crowd.call("employ", node.admin_token, AGENTS_A_TEAM)
    crowd.call("arrive", VISITORS, crossing)
    crowd.call("open")


def _whole_way(node: Hub, crowd: Remote, repeats: int) -> Figures:
    figures: Figures = {}
    begun, begun_at = node.cores(), crowd.call("counts")[0]
    crowd.call("flow", IN_FLIGHT)
    time.sleep(WARM_UP_S)
    for _ in range(repeats):
        cores, client_s, (acked, received), at = node.cores(), crowd.core_s, crowd.call("counts"), time.monotonic()
        time.sleep(MEASURE_S)
        used, client_s = node.cores().since(cores), crowd.core_s - client_s
        took_s = time.monotonic() - at
        now_acked, now_received = crowd.call("counts")
        count = min(now_acked - acked, now_received - received)
        _note(figures, {
            "messages_per_s": count / took_s,
            "core_us_per_message": (used.worker + used.nats) / count * 1e6,
            "core_us_worker": used.worker / count * 1e6,
            "core_us_nats": used.nats / count * 1e6,
            "core_us_client": client_s / count * 1e6,
            "messages_per_s_core": count / used.worker,
        })  # fmt: skip
    crowd.call("drain")  # raises when one message is missing
    count = crowd.call("counts")[0] - begun_at
    _note(figures, {"core_us_history": _when_quiet(node).since(begun).follower / count * 1e6})
    return figures


def _when_quiet(node: Hub) -> Cores:
    """The core time used when the history has caught up."""
    before = node.cores()
    while True:
        time.sleep(1)
        now = node.cores()
        if now.since(before).follower < 0.05:
            return now
        before = now


def _note(figures: Figures, values: dict[str, float]) -> None:
    for name, value in values.items():
        figures.setdefault(name, []).append(value)


# --- what is said ----------------------------------------------------------------------------------------------------


def _machine() -> dict[str, Any]:
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def _commit() -> str:
    """Which code was measured; a + says that it was changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
    )
    return described.stdout.strip()


def _print(figures: Figures) -> None:
    print(f"\n{'':64}{'median':>10}   range")
    for name, words in UNITS.items():
        if name in figures:
            values = figures[name]
            print(f"{words:64}{_short(statistics.median(values)):>10}   {_short(min(values))} – {_short(max(values))}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def main() -> None:
    """Run the parts, print the table; the JSON file is written when all of them ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help="all of them when none is named")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    figures: Figures = {}
    for name in arguments.parts or PARTS:
        begun = time.monotonic()
        figures |= PARTS[name](arguments.repeats)
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
    _print(figures)
    if not arguments.parts:
        RESULTS.parent.mkdir(exist_ok=True)
        results: dict[str, Any] = {name: round(statistics.median(values), 3) for name, values in figures.items()}
        results["range"] = {name: [round(min(values), 3), round(max(values), 3)] for name, values in figures.items()}
        results |= {"machine": _machine(), "commit": _commit()}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
