"""No file of ours names an address to download from: packages come from wherever the user's own tools are set to."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SKIPPED = {".git", ".venv", "data", "build", "dist", "node_modules", "static", "LICENSE"}
INSTALLING = ("constraints.txt", "pyproject.toml", "Makefile", ".ci/run", "Dockerfile", "docker-compose.yml",
              "docker-compose.cluster.yml")  # fmt: skip
ADDRESS = re.compile(r"(https?|git\+\w+|ssh|ftp)://(?!127\.0\.0\.1)\S+| @ ")
SOURCE = re.compile(
    r"--(extra-)?index-url|--find-links|--trusted-host|PIP_INDEX|UV_INDEX|git\+https|py" r"pi\.org|pythonhosted|"
    r"registry\.npm|npmmirror|releases/download|unpkg\.com|jsdelivr|cdnjs"
)  # fmt: skip


def ours() -> list[Path]:
    """Every file of the project, without what tools have made."""
    files = (path for path in ROOT.rglob("*") if path.is_file())
    return [path for path in files if not any(_skipped(part) for part in path.relative_to(ROOT).parts)]


def _skipped(part: str) -> bool:
    return part in SKIPPED or part == "__pycache__" or part.endswith(("_cache", ".egg-info")) or part == ".hypothesis"


@pytest.mark.parametrize("name", INSTALLING)
def test_what_installs_names_no_address(name: str) -> None:
    found = ADDRESS.search((ROOT / name).read_text(encoding="utf-8"))
    assert found is None, f"{name}: {found[0]}"


def test_no_file_names_a_source_of_packages() -> None:
    here = Path(__file__)
    named = [
        f"{path.relative_to(ROOT)}: {found[0]}"
        for path in ours()
        if path != here and (found := SOURCE.search(path.read_bytes().decode(errors="replace")))
    ]
    assert named == []


def test_every_package_is_pinned() -> None:
    pins = (ROOT / "constraints.txt").read_text().splitlines()
    assert [pin for pin in pins if not re.fullmatch(r"[\w.-]+==[\w.]+", pin)] == []
    pinned = {pin.partition("==")[0].lower().replace("_", "-") for pin in pins}
    declared = re.findall(r'^    "([a-z0-9-]+)', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(declared) - pinned == set()
