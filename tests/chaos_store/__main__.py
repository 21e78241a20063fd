"""`make chaos-store`: the table of all damages; the last line is JSON; exit status 1 if one of them went unnoticed."""

import argparse
import asyncio
import collections
import json
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.chaos_store.cases import Bench, Result
from tests.chaos_store.hub import new_port


async def run(only: str) -> list[Result]:
    """Every case whose stop, stream or damage contains `only`."""
    results = []
    with tempfile.TemporaryDirectory(prefix="hub-chaos-store-") as folder:
        async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
            bench = Bench(Path(folder), new_port(), http)
            await bench.prepare()
            for case in bench.cases():
                if only in f"{case.stop} {case.stream} {case.damage}":
                    started = time.monotonic()
                    result = await bench.run(case)
                    results.append(result)
                    took = time.monotonic() - started
                    line = f"{took:5.1f} s  {case.stop:<8} {case.stream:<10} {case.damage:<30} {result.verdict}"
                    print(line, file=sys.stderr, flush=True)
    return results


def show(results: list[Result]) -> None:
    """The table."""
    table = Table("after", "stream", "damage", "verdict", "what the hub says")
    for result in results:
        says = " ".join(result.says.split())
        table.add_row(result.case.stop, result.case.stream, result.case.damage, result.verdict, says[:160])
    Console(width=200).print(table)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="words of the cases to run, such as: killed LOG")
    results = asyncio.run(run(parser.parse_args().only))
    show(results)
    counts = collections.Counter(result.verdict for result in results)
    print(json.dumps({"cases": len(results), **dict(sorted(counts.items())), "silent": counts["SILENT"]}))
    sys.exit(1 if counts["SILENT"] or not results else 0)


if __name__ == "__main__":
    main()
