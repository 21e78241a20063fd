"""`make bench-quick`: in a minute, is anything much slower than it was? Each figure against a loop run beside it.

A figure of core time is divided by that of a loop of plain Python, one of the disk by that of a loop of write and
fsync, so that another machine gives about the same ratios. They are compared with those of results/quick.json: exit
status 1 when one of them is more than 1.5 times as high. `--write` keeps this run's as the ones to compare with.

To be run by hand on a quiet machine: no loop beside it can tell what a neighbour does to the cache and the disk.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable

from tests.bench import core, hub, remote, rules
from tests.bench.figures import RESULTS, Plan, commit, machine, quantiles_ms, short

COMMITTED = RESULTS / "quick.json"
TOO_MUCH = 1.5
PLAN = Plan(visitors=400, agents_a_team=1, in_flight=256, warm_up_s=2, measure_s=3, handshakes=1_000, recent=20)
LOOPS, FSYNCS = 40, 300
BLOCK = bytes(4096)

Ratios = dict[str, float]


def cpu_us() -> float:
    """The calibration: microseconds of core time for a fixed piece of plain Python, the best of some."""
    return min(_timed(_work) for _ in range(LOOPS))


def disk_ms() -> tuple[float, float]:
    """The calibration: p50 and p99 of a write and its fsync, in milliseconds, on the disk that the bench uses."""
    took = []
    with tempfile.TemporaryFile(prefix="hub-bench-", buffering=0) as file:
        for _ in range(FSYNCS):
            begun = time.perf_counter()
            file.write(BLOCK)
            os.fsync(file.fileno())
            took.append(time.perf_counter() - begun)
    return quantiles_ms(took)


def _timed(call: Callable[[], object]) -> float:
    begun = time.process_time()
    call()
    return (time.process_time() - begun) * 1e6


def _work() -> int:
    words: dict[str, int] = {}
    for n in range(2_000):
        name = f"c{n % 37}-{n}"
        words[name] = words.get(name, 0) + len(name.encode())
    return sum(words.values())


def measure() -> Ratios:
    """All ratios: a figure is worse the higher it is."""
    ratios: Ratios = {}
    with hub.running(1, PLAN.agents_a_team) as node, remote.crowd(1, node.address) as crowd:
        core.settle(node.admin_token, crowd, PLAN)
        loop_us = cpu_us()
        _note(ratios, "message", core.whole_way(node, crowd, PLAN)["core_us_per_message"], loop_us)
        fsync_p50_ms, fsync_p99_ms = disk_ms()
        p50_ms, p99_ms = quantiles_ms(crowd.pace(PLAN.per_s, PLAN.measure_s))
        ratios["p50"], ratios["p99"] = p50_ms / fsync_p50_ms, p99_ms / fsync_p99_ms
        loop_us, before = cpu_us(), node.cores()
        crowd.shake(PLAN.handshakes)
        _note(ratios, "handshake", [node.cores().since(before).worker / PLAN.handshakes * 1e6], loop_us)
    with hub.running(2, PLAN.agents_a_team) as node, remote.crowd(2, node.address) as crowd:
        core.settle(node.admin_token, crowd, PLAN, crossing=True)
        loop_us = cpu_us()
        _note(ratios, "message_crossing", core.whole_way(node, crowd, PLAN)["core_us_per_message"], loop_us)
    loop_us = cpu_us()
    _note(ratios, "judgement", [rules.measure(2_000)["no hit, 36 Chinese characters"]], loop_us)
    return ratios


def _note(ratios: Ratios, name: str, values_us: list[float], loop_us: float) -> None:
    ratios[name] = statistics.median(values_us) / loop_us


def compare(now: Ratios, committed: Ratios) -> list[str]:
    """A line for each ratio that is too high, or that is in only one of the two."""
    found = [f"{name}: only in one of the two; run with --write" for name in sorted(now.keys() ^ committed.keys())]
    for name in sorted(now.keys() & committed.keys()):
        times = now[name] / committed[name]
        if times > TOO_MUCH:
            found.append(f"{name}: {times:.2f} times as much as in {COMMITTED.name}, allowed are {TOO_MUCH}")
    return found


def main() -> int:
    """Print the ratios; the exit status says whether they are all right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="keep the ratios as the ones to compare with")
    arguments = parser.parse_args()
    committed: Ratios = json.loads(COMMITTED.read_text())["ratios"] if COMMITTED.exists() else {}
    now = measure()
    print(f"{'':20}{'now':>10}{'committed':>12}")
    for name, ratio in now.items():
        print(f"{name:20}{short(ratio):>10}{short(committed[name]) if name in committed else '-':>12}")
    if arguments.write:
        ratios = {name: round(ratio, 4) for name, ratio in now.items()}
        COMMITTED.write_text(json.dumps({"ratios": ratios, "machine": machine(), "commit": commit()}, indent=2) + "\n")
        return 0
    found = compare(now, committed)
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
