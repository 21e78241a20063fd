"""`hub connectors new`: what it writes works before the first edit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hub.errors import HubError
from hub.kit.generate import generate

ROOT = Path(__file__).parents[2]
NAME = "pigeon_post"


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a new channel in it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("hub", "connectors"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", ".importlinter"):
        shutil.copy(ROOT / name, folder / name)
    run(folder, "-m", "hub", "connectors", "new", NAME)
    return folder


def run(folder: Path, *words: str) -> str:
    """What a command of the checkout's prints; it must succeed."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    command = [sys.executable, *words]
    done = subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, text=True, input="")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_passes_the_whole_kit(checkout: Path) -> None:
    assert "FAILED" not in run(checkout, "-m", "hub", "connectors", "test", NAME)


@pytest.mark.parametrize(
    "words",
    [
        ("-m", "ruff", "check", f"connectors/{NAME}"),
        ("-m", "ruff", "format", "--check", f"connectors/{NAME}"),
        ("-m", "mypy", f"connectors/{NAME}"),
        ("-m", "pytest", "-q", f"connectors/{NAME}/test_codec.py"),
    ],
    ids=lambda words: " ".join(words[1:3]),
)
def test_it_passes_what_every_channel_must(checkout: Path, words: tuple[str, ...]) -> None:
    run(checkout, *words)


def test_its_stand_in_runs_by_itself_and_prints_settings_that_the_hub_takes(checkout: Path) -> None:
    said = run(checkout, "-m", f"connectors.{NAME}.sandbox", "--port", "0")
    (checkout / "hub.yaml").write_text(said.partition("\n\n")[0], encoding="utf-8")
    load = (
        "from pathlib import Path; from hub import channels, settings;"
        "print(*channels.load_connectors(settings.load(Path('hub.yaml'))))"
    )
    assert run(checkout, "-c", load) == f"{NAME}\n"


def test_it_has_what_a_channel_needs_and_names_no_other(checkout: Path) -> None:
    folder = checkout / "connectors" / NAME
    for name in ("__init__.py", "codec.py", "connector.py", "far_side.py", "sandbox.py", "kit.py", "README.md"):
        assert (folder / name).is_file()
    for file in folder.rglob("*.*"):
        if file.suffix in (".py", ".md", ".json"):
            assert "carrier" not in file.read_text(encoding="utf-8").lower()


@pytest.mark.parametrize("name", ["Pigeon", "pigeon-post", "", "9lives", "x" * 40])
def test_a_name_that_no_channel_can_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(HubError, match="is no name for a channel"):
        generate(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    (tmp_path / "pigeon").mkdir()
    with pytest.raises(HubError, match="is there already"):
        generate("pigeon", tmp_path)
    with pytest.raises(HubError, match="run this in the project's folder"):
        generate("pigeon", tmp_path / "elsewhere")
