"""Each command of `hub` stands in docs/operating.md."""

from collections.abc import Iterator
from pathlib import Path

import cyclopts
import pytest

from hub.cli import app

PAGE = (Path(__file__).parent.parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")


def commands(group: cyclopts.App, before: str = "hub") -> Iterator[str]:
    """All that can be typed, as words."""
    for name in group:
        if not name.startswith("-"):
            below = list(commands(group[name], f"{before} {name}"))
            yield from below or [f"{before} {name}"]


@pytest.mark.parametrize("command", [*commands(app)])
def test_a_command_is_documented(command: str) -> None:
    assert f"\n{command} " in PAGE
