"""`hub connectors new NAME`: a folder that works at once and passes the kit, to be turned into a real channel."""

import re
from pathlib import Path

from hub.errors import HubError

TEMPLATE = Path(__file__).with_name("template")
SUFFIX = ".in"
_NAME = re.compile(r"[a-z][a-z0-9_]{1,31}")


def generate(name: str, connectors: Path) -> list[Path]:
    """Write the folder `connectors`/`name`; the files that were written. Raises HubError, then nothing is written."""
    if not _NAME.fullmatch(name):
        raise HubError(f"{name!r} is no name for a channel: a word of a-z, 0-9 and _, such as carrier")
    if not (connectors / "__init__.py").is_file():
        raise HubError(f"{connectors}: no folder of connectors; run this in the project's folder")
    folder = connectors / name
    if folder.exists():
        raise HubError(f"{folder} is there already; choose another name, or remove it")
    written = []
    for file in sorted(TEMPLATE.rglob("*" + SUFFIX)):
        target = folder / file.relative_to(TEMPLATE).with_suffix("")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_named(file.read_text(encoding="utf-8"), name), encoding="utf-8")
        written.append(target)
    return written


def _named(text: str, name: str) -> str:
    """The template's text with its invented platform's name replaced."""
    words = "".join(word.title() for word in name.split("_"))
    return text.replace("CARRIER", name.upper()).replace("Carrier", words).replace("carrier", name)
