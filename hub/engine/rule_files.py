"""The rule files on disk: read whole, watched, and put in force only when all of them are right."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
import watchfiles

from hub.errors import RulesError
from hub.rules.load import load
from hub.rules.ruleset import RuleSet

PATTERNS = ("*.yaml", "lexicons/*.txt")
LONGEST_BYTES = 8 * 1024 * 1024

logger = structlog.get_logger("rules")


def read_rule_files(folder: Path) -> dict[str, str]:
    """Names relative to `folder` → texts. Raises RulesError for a folder or file that cannot be read."""
    if not folder.is_dir():
        raise RulesError([f"{folder}: no such folder; `rules` in config/hub.yaml names the folder of the rule files"])
    texts: dict[str, str] = {}
    findings: list[str] = []
    for path in sorted(path for pattern in PATTERNS for path in folder.glob(pattern)):
        name = path.relative_to(folder).as_posix()
        try:
            if path.stat().st_size > LONGEST_BYTES:
                raise ValueError(f"longer than {LONGEST_BYTES} bytes; split it")
            texts[name] = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            findings.append(f"{name}: cannot be read: {error}")
    if findings:
        raise RulesError(findings)
    return texts


class RuleFiles:
    """Keeps `current` at the last good set of the folder."""

    def __init__(self, folder: Path, changed: Callable[[RuleSet], None]) -> None:
        self.folder = folder
        self.current = load(read_rule_files(folder))
        self.findings: list[str] = []
        """What is wrong with the files as they stand; empty when they are in force."""
        self._changed = changed

    async def watch(self, stop: asyncio.Event) -> None:
        """Put each new version in force as it is saved, until `stop`."""
        async for _ in watchfiles.awatch(
            self.folder, stop_event=stop, debounce=200, step=50, ignore_permission_denied=True
        ):
            await self.reload()

    async def reload(self) -> None:
        """Read the files again; a broken one is refused and the last good set stays in force.

        In a thread: 10,000 words take longer than the event loop may be held.
        """
        try:
            rules = await asyncio.to_thread(lambda: load(read_rule_files(self.folder)))
        except RulesError as error:
            self.findings = error.findings
            logger.error("rules refused, the last good ones stay in force", findings=error.findings)
            return
        self.findings = []
        if rules.version != self.current.version:
            self.current = rules
            logger.info("rules in force", version=rules.version)
            self._changed(rules)
