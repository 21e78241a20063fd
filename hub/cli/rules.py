"""`hub rules`: look at the rule files before the hub does."""

from pathlib import Path

import cyclopts

from hub.cli.config import DEFAULT, Config

rules = cyclopts.App(name="rules", help="Look at the rule files before the hub does.")


@rules.command
def check(folder: Path | None = None, /, *, config: Config = DEFAULT) -> None:
    """Say everything that is wrong with the rule files, each with file, line and column.

    Parameters
    ----------
    folder
        Folder with the rule files; without it the one that the settings name.
    config
        File with the settings.
    """
    if folder is None:
        from hub import settings

        folder = settings.load(config).rules
    print(read(folder))
    for line in remarks(folder):
        print(f"to know: {line}")


@rules.command
def schema(folder: Path, /) -> None:
    """Write the JSON schemas with which an editor checks rule files and completes their keys while they are written.

    Parameters
    ----------
    folder
        Where they go: a file for each rule file, which names it in its first line (rules/schema).
    """
    from hub.rules.load import schemas

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)


def remarks(folder: Path) -> list[str]:
    """What may surprise in a folder of right rule files within a year, a line each."""
    import time

    from hub.engine.rule_files import read_rule_files
    from hub.rules import load

    return load.remarks(read_rule_files(folder), round(time.time() * 1000))


def read(folder: Path) -> str:
    """What is in a folder of rule files, in a few words. Raises RulesError with all that is wrong."""
    from hub.engine.rule_files import read_rule_files
    from hub.rules.load import load

    files = read_rule_files(folder)
    found = load(files)
    return (
        f"{folder}: {len(files)} files are right, {len(found.roster.teams)} teams, {len(found.roster.agents)} agents,"
        f" version {found.version}"
    )
