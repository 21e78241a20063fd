"""`python -m tests.simulation`: the queue played through; writes the tables and the picture of docs/queueing.md.

Named parts only (erlang, promises, day, told) leave the others as they are. The same seeds give the same figures on any
machine.
"""

import argparse
import time
from pathlib import Path

from tests.bench.figures import machine
from tests.simulation import day, picture, steady

DOCS = Path(__file__).parents[2] / "docs"
BEGIN, END = "<!-- made by tests.simulation: {} -->", "<!-- end -->"
DAYS = 20


def erlang(small: bool) -> dict[str, str]:
    """Waits in a steady state against the exact ones."""
    return {"erlang": steady.erlang_table({0.8: steady.SMALL} if small else steady.SIZES)}


def promises(small: bool) -> dict[str, str]:
    """What visitors are told in a steady state, against what comes true."""
    return {"promises": steady.promises_table({0.8: steady.SMALL} if small else steady.PROMISE_SIZES)}


def days(small: bool) -> dict[str, str]:
    """A day's policies compared, and the picture."""
    number = 3 if small else DAYS
    found = {policy: day.find(policy, number) for policy in dict.fromkeys(p for group in day.POLICIES for p in group)}
    if not small:
        (DOCS / "images" / "queueing.svg").write_text(picture.draw(found), encoding="utf-8")
    return {"policies": day.policies_table(found), "priorities": day.priorities_table(found)}


def told(small: bool) -> dict[str, str]:
    """What visitors are told on such days, against what comes true."""
    return {"told": day.promises_table(3 if small else DAYS // 2)}


PARTS = {"erlang": erlang, "promises": promises, "day": days, "told": told}


def filled(text: str, tables: dict[str, str]) -> str:
    """The page with these tables. Raises ValueError where a marker is missing."""
    for name, made in tables.items():
        begin = BEGIN.format(name)
        before, _, rest = text.partition(begin)
        _, end, after = rest.partition(END)
        if not end:
            raise ValueError(f'queueing.md lacks "{begin}" … "{END}"')
        text = f"{before}{begin}\n\n{made}\n\n{END}{after}"
    return text


def main() -> None:
    """Play the parts, print and keep what came of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="part", help=", ".join(PARTS))
    parser.add_argument("--small", action="store_true", help="a short look, printed only; the figures mean nothing")
    arguments = parser.parse_args()
    page = DOCS / "queueing.md"
    for part in arguments.parts or PARTS:
        begun = time.monotonic()
        tables = PARTS[part](arguments.small)
        where = f"{machine()['cpu']}, Python {machine()['python']}"
        tables[f"{part}_time"] = f"`{part}`: {time.monotonic() - begun:.0f} s, one core of {where}."
        print("\n\n".join(tables.values()), flush=True)
        if not arguments.small:
            page.write_text(filled(page.read_text(encoding="utf-8"), tables), encoding="utf-8")


if __name__ == "__main__":
    main()
