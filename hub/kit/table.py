"""The results of a run, for a terminal, a page and a program."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from hub.kit.run import Outcome, Result

WORDS: dict[Outcome, str] = {
    "held": "held",
    "failed": "FAILED because",
    "exempt": "exempt because",
    "does not apply": "does not apply:",
}
_STYLES: dict[Outcome, str] = {"held": "green", "failed": "bold red", "exempt": "yellow", "does not apply": "dim"}


def as_table(results: Sequence[Result]) -> Table:
    """For a terminal, with how many came out in which way below it."""
    counted = ", ".join(f"{n} {outcome}" for outcome, n in Counter(result.outcome for result in results).items())
    table = Table(
        "check", "what is promised", "tried", "result",
        box=None, pad_edge=False, padding=(0, 2, 0, 0), caption=f"\n{counted}", caption_justify="left",
    )  # fmt: skip
    for result in results:
        table.add_row(result.id, result.says, _tried(result), escape(_said(result)), style=_STYLES[result.outcome])
    return table


def as_markdown(results: Sequence[Result]) -> str:
    """For a README."""
    lines = ["| check | what is promised | tried | result |", "|---|---|---|---|"]
    for result in results:
        cells = (f"`{result.id}`", result.says, _tried(result), _said(result))
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines)


def as_json(results: Sequence[Result]) -> str:
    """For a program: a list of objects with the fields of Result."""
    return json.dumps([dataclasses.asdict(result) for result in results], ensure_ascii=False, indent=2)


def _tried(result: Result) -> str:
    return str(result.tried) if result.tried else ""


def _said(result: Result) -> str:
    return f"{WORDS[result.outcome]} {result.because}".strip()
