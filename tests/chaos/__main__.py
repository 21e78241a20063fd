"""`python -m tests.chaos`: the run of `make chaos`. The last line of stdout is the result as JSON."""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from tests.chaos.play import play, say
from tests.chaos.run import Crowd, Result


def show(result: Result) -> None:
    """A table, and what is wrong."""
    print(f"\n{'fault':16} {'times':>5} {'longest time without an acknowledgement':>40}")
    for name, figures in sorted(result.faults.items()):
        print(f"{name:16} {figures['times']:5} {figures['longest_gap_ms']:37} ms")
    for finding in (*result.verdict.findings, *result.toothless, result.unfinished):
        if finding:
            print(f"  {finding}")


def as_json(result: Result, seed: int, duration_s: float) -> str:
    """The last line."""
    counts = {name: value for name, value in vars(result.verdict).items() if name != "findings"}
    return json.dumps(counts | {"faults": result.faults, "seed": seed, "duration": duration_s, "good": result.good})


def main() -> int:
    """0 when all counts are zero and every planned fault has bitten."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--duration", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--visitors", type=int, default=Crowd.visitors)
    parser.add_argument("--per-second", type=float, default=Crowd.per_s)
    parser.add_argument("--single", action="store_true", help="one machine instead of three nodes")
    parser.add_argument("--only", default="", metavar="FAULT,…", help="only these faults")
    parser.add_argument("--module", default="hub", help="run `python -m MODULE up` as the hub")
    parser.add_argument("--keep", action="store_true", help="keep the folder with ledgers, logs and data")
    chosen = parser.parse_args()
    crowd = Crowd(visitors=chosen.visitors, per_s=chosen.per_second)
    only = [name for name in chosen.only.split(",") if name]
    folder = Path(tempfile.mkdtemp(prefix="hub-chaos-"))
    say(f"ledgers, logs and data are in {folder}")
    result = uvloop.run(
        play(folder, crowd, chosen.duration, chosen.seed, single=chosen.single, module=chosen.module, only=only)
    )
    show(result)
    if result.good and not chosen.keep:
        shutil.rmtree(folder)
    print(as_json(result, chosen.seed, chosen.duration))
    return 0 if result.good else 1


if __name__ == "__main__":
    sys.exit(main())
