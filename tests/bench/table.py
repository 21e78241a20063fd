"""The tables in docs/performance.md and docs/scaling.md, made of results/*.json: `python -m tests.bench.table`.

A house test compares them, so that no figure in the documents is anybody's memory.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench import cluster, growth, take_over
from tests.bench.figures import RESULTS, Plan, short

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- made by tests.bench.table: {} -->", "<!-- end -->"
NOT_YET = "not measured yet"

Results = Mapping[str, Any]
"""All figures by name, medians; `range` and the parts' machines and commits apart."""


class Row(NamedTuple):
    """A line of the budget. `figures` stand in the cell in this order; `reached` judges them (None: no target)."""

    what: str
    target: str
    figures: tuple[str, ...]
    unit: str
    reached: Callable[..., bool] | None
    go: str = "–"


def _most(limit: float) -> Callable[..., bool]:
    return lambda value: value <= limit


def _least(limit: float) -> Callable[..., bool]:
    return lambda value: value >= limit


def _each(limit: float) -> Callable[..., bool]:
    return lambda *values: max(values) <= limit


def _twice(p50: float, p99: float, fsync_p50: float, fsync_p99: float) -> bool:
    return p50 <= 2 * fsync_p50 and p99 <= 2 * fsync_p99


def _flat(*values: float) -> bool:
    return max(values) <= 1.5 * min(values)


PLAN = Plan()
STORED = (PLAN.stored[0], PLAN.stored[-1])
BUDGET = [
    Row("core time a delivered message", "≤ 30 µs", ("core_us_per_message",), "µs", _most(30), "50 µs"),
    Row("– conversation on another worker", "≤ 40 µs", ("core_us_per_message_crossing",), "µs", _most(40)),
    Row("– history, apart", "≤ 10 µs", ("core_us_history",), "µs", _most(10)),
    Row("messages/s on one worker, for 60 s", "≥ 30,000", ("hold_messages_per_s",), "", _least(30_000),
        "20,000 a core"),
    Row("– history caught up after", "≤ 60 s", ("hold_history_s",), "s", _most(60)),
    Row("bytes an online visitor with 50 messages", "≤ 20 KB", ("bytes_per_visitor",), "", _most(20_000), "120 KB"),
    Row("handshakes/s a core", "≥ 1,500", ("handshakes_per_s_core",), "", _least(1_500), "300"),
    Row("send to ack at 500/s: p50, p99; bare fsync: p50, p99", "≤ 2 × the bare ones",
        ("p50_ms", "p99_ms", "fsync_p50_ms", "fsync_p99_ms"), "ms", _twice),
    Row("– during a checkpoint", "≤ 2 × the bare ones",
        ("checkpoint_p50_ms", "checkpoint_p99_ms", "checkpoint_fsync_p50_ms", "checkpoint_fsync_p99_ms"), "ms", _twice),
    Row("core time of a platform's message in, with its commit", "≤ 150 µs", ("core_us_in",), "µs", _most(150)),
    Row("– of an answer out, with its commits", "≤ 150 µs", ("core_us_out",), "µs", _most(150)),
    Row("– webhooks/s a core", "≥ 2,000", ("webhooks_per_s_core",), "", _least(2_000)),
    Row("longest turn of the event loop at the peak", "≤ 5 ms", ("stall_ms",), "ms", _most(5), "GC ≤ 5 ms"),
    Row("– longest pause of a process that does nothing there", "–", ("stall_floor_ms",), "ms", None),
    Row("SIGKILL of the only worker until it takes messages", "≤ 1 s", ("recovery_one_worker_ms",), "ms", _most(1_000)),
    Row("– of one of two workers", "≤ 1 s", ("recovery_two_workers_ms",), "ms", _most(1_000)),
    Row("– of a node that nobody sees die", "≤ 6 s", ("recovery_other_node_ms",), "ms", _most(6_000)),
    Row("– of a node of a cluster", "≤ 11 s", ("cluster_recovery_ms",), "ms", _most(11_000)),
    *(
        Row(f"taking over {STORED[0]:,} and {STORED[1]:,} conversations, tail of {tail:,}", "the same",
            tuple(take_over.figure(count, tail) for count in STORED), "ms", _flat)
        for tail in PLAN.tails
    ),
    Row("core time at 100, 1,000, 10,000 sockets", "within 1.5 ×",
        tuple(growth.sockets_figure(count) for count in PLAN.sockets), "µs", _flat),
    Row("– with 1,000, 100,000 conversations in the store", "within 1.5 ×",
        tuple(growth.stored_figure(count) for count in PLAN.grown), "µs", _flat),
    Row("assignments/s, end to end, 10,000 waiting for 1,000 agents in 50 teams", "≥ 500", ("assignments_per_s",), "",
        _least(500)),
    Row("– p99 of a decision: an agent goes, comes, is freed", "≤ 1 ms",
        ("queue_off_p99_ms", "queue_on_p99_ms", "queue_leave_p99_ms"), "ms", _each(1)),
    Row("– of a part of new teams: more room, other weights, agents gone, a team gone, all changed", "≤ 1 ms",
        tuple(f"queue_{kind}_p99_ms" for kind in ("reload", "weigh", "lose", "close", "pick")), "ms", _each(1)),
    Row("– longest turn of the event loop while the queue's image is made, is read", "≤ 1 ms",
        ("queue_image_turn_ms", "queue_image_read_turn_ms"), "ms", _each(1)),
]  # fmt: skip


def results() -> Results:
    """What the files hold."""
    found: dict[str, Any] = {"range": {}, "made": {}}
    for file in sorted(RESULTS.glob("*.json")):
        values = json.loads(file.read_text(encoding="utf-8"))
        if "range" in values:
            found["range"] |= values.pop("range")
            found["made"][file.stem] = values.pop("machine"), values.pop("commit")
            found |= values
    return found


def budget(found: Results) -> str:
    """The table of targets."""
    lines = ["| | target | measured: median (range) | reached | the Go system |", "|---|---|---|---|---|"]
    for row in BUDGET:
        if all(name in found for name in row.figures):
            cells = ", ".join(_with_range(found, name) for name in row.figures)
            reached = ""
            if row.reached is not None:
                reached = "yes" if row.reached(*(found[name] for name in row.figures)) else "**no**"
            measured = f"{cells} {row.unit}".rstrip()
        else:
            measured, reached = NOT_YET, ""
        lines.append(f"| {row.what} | {row.target} | {measured} | {reached} | {row.go} |")
    return "\n".join(lines)


def nodes(found: Results) -> str:
    """The table of three nodes against one."""
    shown = {"one": "one node", "three": "three nodes", "crossing": "three nodes, all crossing"}
    lines = ["| | messages/s | core-µs a message | worker | nats-servers |", "|---|---|---|---|---|"]
    for kind, words in shown.items():
        names = [f"cluster_{kind}_{name}" for name in cluster.SHOWN]
        cells = [short(found[name]) if name in found else NOT_YET for name in names]
        lines.append(f"| {' | '.join([words, *cells])} |")
    return "\n".join(lines)


def made(found: Results) -> str:
    """Which machine and which code the figures are of."""
    parts: dict[str, list[str]] = {}
    for part, (machine, commit) in found["made"].items():
        words = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, Linux {machine['kernel']}"
        parts.setdefault(f"commit `{commit}` on {words}", []).append(f"`{part}`")
    return "\n".join(f"* {', '.join(names)}: {words}" for words, names in parts.items())


def _cores(us: float) -> str:
    """So many cores a million messages/s keep busy: each microsecond of a message is one."""
    return f"{us:,.0f}"


NEEDS: list[tuple[str, str, Callable[[float], str]]] = [
    ("worker cores, conversation on the socket's worker", "core_us_worker", _cores),
    ("worker cores, conversation on another worker", "core_us_worker_crossing", _cores),
    ("nats-server cores, one copy of the log", "core_us_nats", _cores),
    ("nats-server cores, three copies", "cluster_one_core_us_nats", _cores),
    ("follower cores", "core_us_history", _cores),
    ("memory of the workers", "bytes_per_visitor", lambda size: f"{size * 1e6 / 2**30:,.0f} GiB"),
    ("core seconds for all to come back", "handshakes_per_s_core", lambda per_s: f"{1e6 / per_s:,.0f}"),
]


def needs(found: Results) -> str:
    """What 1 M visitors and 1 M messages/s would take, by the figures of one machine."""
    lines = ["| what | from the figure | how much |", "|---|---|---|"]
    for what, name, much in NEEDS:
        lines.append(f"| {what} | `{name}` | {much(found[name]) if name in found else NOT_YET} |")
    return "\n".join(lines)


def _with_range(found: Results, name: str) -> str:
    low, high = found["range"][name]
    alone = short(found[name])
    return alone if low == high else f"{alone} ({short(low)} – {short(high)})"


PAGES: dict[str, dict[str, Callable[[Results], str]]] = {
    "performance.md": {"budget": budget, "nodes": nodes, "made": made},
    "scaling.md": {"needs": needs},
}
"""By page, the tables in it."""


def filled(page: str, text: str) -> str:
    """The page's text with the tables of today. Raises ValueError where a marker is missing."""
    found = results()
    for name, make in PAGES[page].items():
        begin = BEGIN.format(name)
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f'{page}: lacks "{begin}" … "{END}"')
        text = f"{before}{begin}\n\n{make(found)}\n\n{END}{after}"
    return text


def main() -> None:
    """Write the tables into the documents."""
    for page in PAGES:
        file = DOCS / page
        file.write_text(filled(page, file.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
