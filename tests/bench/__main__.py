"""`make bench`: the table of figures, and tests/bench/results/core.json. ARGS="own latency" runs these two parts.

Named parts only print; with --write each other part keeps its figures in a file of its own, results/<part>.json.
"""

import argparse
import time
from collections.abc import Callable
from types import ModuleType

from tests.bench import (
    assignments,
    checkpoint,
    cluster,
    core,
    figures,
    growth,
    hold,
    platform,
    queue,
    reconnect,
    recovery,
    take_over,
)  # fmt: skip
from tests.bench.figures import SMALL, Figures, Plan

Part = Callable[[Plan], Figures]
CORE: dict[str, Part] = {
    "own": core.own, "crossing": core.crossing, "latency": core.latency, "handshakes": core.handshakes,
    "memory": core.memory, "stall": core.stall,
}  # fmt: skip
"""What runs when no part is named, and stands in core.json."""
FURTHER: dict[str, ModuleType] = {
    "hold": hold, "checkpoint": checkpoint, "recovery": recovery, "take_over": take_over, "growth": growth,
    "reconnect": reconnect, "platform": platform, "cluster": cluster, "queue": queue,
    "assignments": assignments,
}  # fmt: skip
"""What has to be named, for it takes long: modules with a function `run`, the `WORDS` of its figures, and a first line
that says what is measured."""


def main() -> None:
    """Run the parts and print the table."""
    arguments = _parser().parse_args()
    if arguments.write and (arguments.small or set(arguments.parts) & set(CORE)):
        raise SystemExit("--write keeps figures of full size, of parts that are not in core.json; name those alone")
    plan = SMALL if arguments.small else Plan(repeats=arguments.repeats)
    found: Figures = {}
    for name in arguments.parts or CORE:
        begun = time.monotonic()
        run = CORE[name] if name in CORE else FURTHER[name].run
        part = run(plan)
        found |= part
        print(f"{name}: {time.monotonic() - begun:.0f} s", flush=True)
        if arguments.write:
            figures.write(name, part)
    words = dict(core.WORDS)
    for module in FURTHER.values():
        words |= module.WORDS
    figures.show(found, words)
    if not arguments.parts and not arguments.small:
        figures.write("core", found)


def _parser() -> argparse.ArgumentParser:
    further = "\n".join(f"{name:11} {(module.__doc__ or '').splitlines()[0]}" for name, module in FURTHER.items())
    words = f"{__doc__}\n{(core.__doc__ or '').partition(chr(10) * 2)[2]}\nonly when named:\n{further}"
    parser = argparse.ArgumentParser(description=words, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "parts", nargs="*", choices=[*CORE, *FURTHER, []], metavar="part", help="without: the first six"
    )
    parser.add_argument("--repeats", type=int, default=Plan.repeats)
    parser.add_argument("--write", action="store_true", help="keep the figures in results/<part>.json")
    parser.add_argument(
        "--small", action="store_true", help="tiny sizes, to see that it works; the figures mean nothing"
    )
    return parser


if __name__ == "__main__":
    main()
