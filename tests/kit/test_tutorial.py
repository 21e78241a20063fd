"""docs/writing-a-connector.md is true: whoever does what it says, from the first command to the last, has a channel.

**`FILE`** above a block makes that file of it; with `, at the end`, `, below LINE` or `, in place of NAMES` the block
goes there; with `, where it stands` it is only shown. Commands (`sh`) are run in that order; what is quoted below one
(`text`) must stand in what it printed.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "writing-a-connector.md").read_text(encoding="utf-8")
COPIED = ("hub", "connectors", "config", "rules", "tests/house", "pyproject.toml", ".importlinter")
BLOCK = re.compile(
    r"(?:^\*\*`(?P<file>[^`\n]+)`\*\*(?P<place>[^\n]*)\n\n)?^(?P<fence>```+)(?P<kind>\w+)\n(?P<body>.*?)^(?P=fence)$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A block of the page: `file` and `place` say where it goes, `quoted` what its commands print."""

    file: str
    place: str
    kind: str
    body: str
    quoted: str = ""


def blocks() -> list[Block]:
    """Those that a reader types, in order; an output stands with its commands."""
    found: list[Block] = []
    for match in BLOCK.finditer(PAGE):
        block = Block(match["file"] or "", match["place"] or "", match["kind"], match["body"])
        if block.kind == "text":
            if found and found[-1].kind == "sh":
                found[-1] = found[-1]._replace(quoted=block.body)
        else:
            found.append(block)
    return found


def put(folder: Path, block: Block) -> None:
    """Do with a file what the page says."""
    file = folder / block.file
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    names = re.findall(r"`([^`]+)`", block.place)
    match block.place.split("`")[0].strip(", "):
        case "":
            text = block.body
        case "at the end":
            text = f"{before.rstrip()}\n\n\n{block.body}"
        case "below":
            (line,) = names
            assert before.count(f"{line}\n") == 1
            text = before.replace(f"{line}\n", f"{line}\n{block.body}")
        case "in place of":
            text = replaced(before, names, block.body)
        case "where it stands":
            assert block.body in before, f"{block.file} has no such lines"
            return
        case other:
            raise AssertionError(f"the page puts a block {other!r}")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


def replaced(source: str, names: list[str], by: str) -> str:
    """The module with `by` where the first of the functions, classes or variables `names` stood, without the others."""
    lines: list[str] = source.splitlines(keepends=True)
    spans = sorted(span for node in ast.walk(ast.parse(source)) for span in _spans(node, names))
    assert len(spans) == len(names), f"of {names} there are {len(spans)}"
    for first, last in reversed(spans[1:]):
        while lines[last : last + 1] == ["\n"]:
            last += 1
        del lines[first:last]
    first, last = spans[0]
    lines[first:last] = [by]
    return "".join(lines)


def _spans(node: ast.AST, names: list[str]) -> list[tuple[int, int]]:
    """The lines of a definition, if it is of one of these names."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef() if node.name in names:
            return [(min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1, node.end_lineno or 0)]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name in names:
            return [(node.lineno - 1, node.end_lineno or 0)]
    return []


def run(folder: Path, block: Block) -> None:
    """Type the commands; they succeed, unless a failure is what the page shows, and print what it quotes."""
    environment = os.environ | {
        "PYTHONPATH": str(folder), "COLUMNS": "200", "HUB_DATA": str(folder / "data"), "HUB_LISTEN": "127.0.0.1:0",
    }  # fmt: skip
    shell = ["sh", "-eu", "-c", block.body]
    done = subprocess.run(shell, check=False, cwd=folder, env=environment, capture_output=True, text=True)
    said = done.stdout + done.stderr
    assert (done.returncode != 0) == ("FAILED" in block.quoted), block.body + said
    at = 0
    for line in block.quoted.splitlines():
        found = re.compile(_pattern(line)).search(said, at)
        assert found, f"{block.body}printed no {line!r} but\n{said}"
        at = found.end()


def _pattern(line: str) -> str:
    """What matches a quoted line: … stands for anything, and white space is as wide as a terminal wants."""
    words = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return r"[^\n]*".join(words)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout to work in, with the environment of this one."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture(scope="module")
def followed(checkout: Path) -> Path:
    """The checkout of somebody who has done all that the page says."""
    for block in blocks():
        if block.kind == "sh":
            run(checkout, block)
        elif block.file:
            put(checkout, block)
    return checkout


def test_whoever_follows_the_page_has_a_channel(followed: Path) -> None:
    table = (followed / "connectors" / "line" / "README.md").read_text(encoding="utf-8")
    assert table.count(" | held |") > 25


def test_it_is_found_as_a_package_too(followed: Path) -> None:
    package = followed / "hub-line"
    shutil.move(followed / "connectors" / "line", package / "hub_line")
    for file in package.rglob("*.py"):
        file.write_text(file.read_text(encoding="utf-8").replace("connectors.line", "hub_line"), encoding="utf-8")
    install = ".venv/bin/python -m pip install --quiet --no-build-isolation --no-deps --target . ./hub-line"
    run(followed, Block("", "", "sh", install))
    run(followed, Block("", "", "sh", ".venv/bin/hub doctor | grep channels", "ok channels h5, line"))
    run(followed, Block("", "", "sh", ".venv/bin/hub connectors test line --only arrives", "arrives … held"))
