"""The hub never asks which channel it is: it reads what the channel can."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHANNELS = {file.parent.name for file in (ROOT / "connectors").glob("*/connector.py")}
STAGES = {"demo", "kit"}
"""Rooms that play with channels by name: they choose what to put on the stage, and decide nothing in the hub."""
SOURCES = [
    path for path in sorted((ROOT / "hub").rglob("*.py")) if path.relative_to(ROOT / "hub").parts[0] not in STAGES
]


def compared(tree: ast.AST) -> set[str]:
    """Texts that something is compared with, matched against, or looked up by."""
    found: set[str] = set()
    for node in ast.walk(tree):
        inside: list[ast.AST] = []
        if isinstance(node, ast.Compare):
            inside = [node.left, *node.comparators]
        elif isinstance(node, ast.MatchValue) or (isinstance(node, ast.Subscript) and not _is_type(node)):
            inside = [node]
        for part in inside:
            found |= {n.value for n in ast.walk(part) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return found


def _is_type(node: ast.Subscript) -> bool:
    """Whether it is a type that names its values: Literal["phone", "email"] decides nothing."""
    return isinstance(node.value, ast.Name) and node.value.id == "Literal"


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_decision_is_made_by_a_channels_name(source: Path) -> None:
    named = compared(ast.parse(source.read_text(encoding="utf-8"))) & CHANNELS
    assert not named, f"{source} decides by {named}: let Capabilities say what the channel can"


def test_the_test_sees_such_a_decision() -> None:
    for line in (
        'if channel == "wecom": pass',
        'x = limits["h5"]',
        'match c:\n  case "wecom": pass',
        'c in ("h5", "x")',
    ):
        assert compared(ast.parse(line)) & CHANNELS
