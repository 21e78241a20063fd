"""What a bench run finds: figures by name, in the words of the table, and the files in which they are kept."""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"

Figures = dict[str, list[float]]
"""By name, a value for each repeat."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How much a run does. The figures of `SMALL` mean nothing: it shows that everything works."""

    repeats: int = 3
    visitors: int = 1_000
    agents_a_team: int = 2
    """Each may have 1,000 conversations at a time."""
    in_flight: int = 512
    warm_up_s: float = 3
    measure_s: float = 5
    per_s: int = 500
    """Messages, where latency is measured."""
    handshakes: int = 2_000
    online: int = 5_000
    recent: int = 50
    """Messages of each conversation in memory: the hub keeps no more."""
    hold_s: float = 60
    snapshots: int = 10_000
    """Conversations of which images are made while latency is measured."""
    kills: int = 5
    stored: tuple[int, ...] = (1_000, 10_000, 100_000)
    """Conversations in one partition that is taken over."""
    tails: tuple[int, ...] = (1_000, 50_000)
    """Events after the checkpoint."""
    sockets: tuple[int, ...] = (100, 1_000, 10_000)
    grown: tuple[int, ...] = (1_000, 100_000)
    """Conversations in the store."""
    growth_per_s: int = 4_000
    """Of 100 sockets each may send 50 messages/s."""
    waiting: int = 10_000
    staff: int = 1_000
    """Agents on duty,"""
    groups: int = 50
    """and teams, where the queue's decisions are measured."""
    decisions: int = 2_000
    """Of each kind."""


SMALL = Plan(
    repeats=1, visitors=600, in_flight=20, warm_up_s=1, measure_s=1, per_s=100, handshakes=100, online=100, recent=5,
    hold_s=3, snapshots=2_000, kills=2, stored=(50, 200), tails=(100, 500), sockets=(20, 100), grown=(20, 200),
    growth_per_s=400, waiting=200, staff=20, groups=4, decisions=100,
)  # fmt: skip


def note(figures: Figures, values: Mapping[str, float]) -> None:
    """Add one repeat's values."""
    for name, value in values.items():
        figures.setdefault(name, []).append(value)


def quantiles_ms(took_s: Sequence[float]) -> tuple[float, float]:
    """The 50th and the 99th percentile, in milliseconds."""
    cuts = statistics.quantiles(took_s, n=100, method="inclusive")
    return cuts[49] * 1e3, cuts[98] * 1e3


def show(figures: Figures, words: Mapping[str, str]) -> None:
    """Print the table, in the order of `words`; what they do not name comes last."""
    print(f"\n{'':72}{'median':>10}   range")
    for name in [*(name for name in words if name in figures), *(name for name in figures if name not in words)]:
        what, values = words.get(name, name), figures[name]
        print(f"{what:72}{short(statistics.median(values)):>10}   {short(min(values))} – {short(max(values))}")


def short(value: float) -> str:
    """A figure as people read it."""
    if value == 0:
        return "0"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def write(name: str, figures: Figures) -> None:
    """Keep the medians and ranges in results/<name>.json, with what machine and which code they are of."""
    results: dict[str, Any] = {key: round(statistics.median(values), 3) for key, values in figures.items()}
    results["range"] = {key: [round(min(values), 3), round(max(values), 3)] for key, values in figures.items()}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(
        json.dumps(results | {"machine": machine(), "commit": commit()}, indent=2) + "\n"
    )


def machine() -> dict[str, Any]:
    """What it was measured on."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())  # fmt: skip
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def commit() -> str:
    """Which code was measured; a + says that it was changed since."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
    )
    return described.stdout.strip()
