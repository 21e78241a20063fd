"""The pages for users are true: their commands work, their links lead somewhere, both languages say the same."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli import app
from tests.house.test_commands_documented import commands

ROOT = Path(__file__).parents[2]
READMES = ("README.md", "README.zh-CN.md")
PAGES = sorted(
    str(page.relative_to(ROOT))
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("connectors/*/README.md")]
)
PAIRS = sorted((page.replace(".zh-CN", ""), page) for page in PAGES if page.endswith(".zh-CN.md"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
HUB = set(commands(app))
CHEAP = {"hub doctor", "hub rules check"}
"""What is run: nothing that needs minutes, or stays."""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def typed(page: str) -> list[str]:
    """The lines of its `sh` blocks."""
    blocks = re.findall(r"^```sh\n(.*?)^```", read(page), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def prose(page: str) -> str:
    """Its text without the blocks of code."""
    return re.sub(r"^```.*?^```", "", read(page), flags=re.MULTILINE | re.DOTALL)


def headings(page: str) -> list[int]:
    """The depth of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", prose(page), re.MULTILINE)]


def code(page: str) -> set[str]:
    """The words in code type that are the same in every language: settings, fields, commands, files."""
    return {word for word in re.findall(r"`([^`\n]+)`", prose(page)) if word.isascii()}


def numbers(page: str) -> set[str]:
    """Limits, sizes and defaults."""
    return set(re.findall(r"\d+(?:[.,:]\d+)*", prose(page)))


def hub_command(line: str) -> tuple[str, list[str]]:
    """The command that a line types, such as `hub rules check`, and what stands behind it."""
    words = shlex.split(line)
    options = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    named = [" ".join(["hub", *words[1:end]]) for end in range(2, options + 1)]
    known = [n for n, name in enumerate(named, start=2) if name in HUB]
    end = known[-1] if known else options
    return " ".join(["hub", *words[1:end]]), words[end:]


def test_a_readme_shows_commands() -> None:
    assert {"make demo", "make test"} <= set(typed("README.md"))


@pytest.mark.parametrize("line", typed("README.md"))
def test_a_command_of_the_readme_exists(line: str) -> None:
    if line.startswith("make "):
        assert line.split()[1] in TARGETS
        return
    assert line.startswith(".venv/bin/hub "), "a command that nobody checks"
    command, options = hub_command(line)
    assert command in HUB
    described = run(command, "--help").stdout
    assert [option for option in options if option.startswith("--") and option not in described] == []


@pytest.mark.parametrize("command", sorted(CHEAP & {hub_command(line)[0] for line in typed("README.md")}))
def test_a_command_of_the_readme_works_in_a_fresh_clone(command: str, tmp_path: Path) -> None:
    assert run(command, data=tmp_path / "data").returncode == 0


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    text = prose(page)
    links = [*re.findall(r"\]\(([^)#\s]+)[^)]*\)", text), *re.findall(r'src="([^"]+)"', text)]
    missing = [link for link in links if "://" not in link and not ((ROOT / page).parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", READMES)
def test_each_make_target_named_in_the_text_exists(page: str) -> None:
    assert set(re.findall(r"`make ([\w-]+)", read(page))) <= TARGETS


def test_there_are_pairs_of_pages() -> None:
    assert {english for english, _ in PAIRS} >= {"README.md", "docs/agents.md", "docs/operating.md", "docs/rules.md"}


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_both_languages_say_the_same(english: str, chinese: str) -> None:
    assert typed(chinese) == typed(english)
    assert headings(chinese) == headings(english)
    assert code(chinese) == code(english)
    assert numbers(chinese) == numbers(english)


def run(command: str, *options: str, data: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Type it in the project's folder; with `data`, on a free port and with a data folder that is not there yet."""
    environ = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    if data is not None:
        environ |= {"HUB_DATA": str(data), "HUB_LISTEN": "127.0.0.1:0"}
    words = [sys.executable, "-m", "hub", *command.split()[1:], *options]
    return subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=60)


def test_how_it_works_names_what_exists() -> None:
    page = read("docs/how-it-works.md")
    source = "\n".join(module.read_text(encoding="utf-8") for module in ROOT.glob("hub/**/*.py"))
    named = set(re.findall(r"`([A-Z]\w+)(?:\.\w+)?`", page))
    assert {name for name in named if not re.search(rf"^class {name}\b", source, re.MULTILINE)} == set()
    modules = set(re.findall(r"`([\w/]+\.py)`", page))
    assert {name for name in modules if not [*ROOT.glob(name), *ROOT.glob(f"hub/**/{name}")]} == set()
    assert len(named) > 10
    assert len(modules) > 10
