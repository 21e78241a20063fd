"""The rule files on disk: read whole, watched, and put in force only when all of them are right."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog
import watchfiles

from hub.errors import RulesError
from hub.rules.load import load
from hub.rules.ruleset import RuleSet

PATTERNS = ("*.yaml", "lexicons/*.txt")
LONGEST_BYTES = 8 * 1024 * 1024
LAST_GOOD = "rules.good.json"
"""In the data folder: the texts that were in force last."""

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
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode(errors="replace")
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            findings.append(f"{name}:{line}:{column} is not written in UTF-8 here: save the file as UTF-8")
        except (OSError, ValueError) as error:
            findings.append(f"{name}: cannot be read: {error}")
    if findings:
        raise RulesError(findings)
    return texts


def load_or_last_good(folder: Path, kept: Path) -> tuple[RuleSet, list[str]]:
    """The rules of `folder` and no findings; or, where they are wrong, the last good ones and what is wrong.

    The last good texts stand in the file `kept`, for a worker that starts while somebody has a broken file on disk.
    Raises RulesError when there are none.
    """
    try:
        texts = read_rule_files(folder)
        rules = load(texts)
    except RulesError as error:
        try:
            last_good = msgspec.json.decode(kept.read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            raise error from None
        logger.error("rules refused, the last good ones are in force", findings=error.findings)
        return load(last_good), error.findings
    _keep(texts, kept)
    return rules, []


def _keep(texts: dict[str, str], kept: Path) -> None:
    half = kept.with_name(f"{kept.name}.{os.getpid()}")
    try:
        half.write_bytes(msgspec.json.encode(texts))
        half.replace(kept)
    except OSError as error:  # a full disk: the rules are in force all the same
        logger.warning("rules not kept for a start with broken files", because=str(error))


class RuleFiles:
    """Keeps `current` at the last good set of the folder; `findings` is what is wrong with the files as they stand.

    `prepare` is called with each new set, in a thread, and returns what then puts it in force, on the event loop: with
    thousands of agents to look up, that alone is quick.
    """

    def __init__(self, folder: Path, data: Path, prepare: Callable[[RuleSet], Callable[[], None]]) -> None:
        self._folder, self._kept = folder, data / LAST_GOOD
        self._prepare = prepare
        self._reloading = asyncio.Lock()
        """One after the other, or the earlier of two versions might come into force last."""
        self.current, self.findings = load_or_last_good(folder, self._kept)

    async def watch(self, stop: asyncio.Event) -> None:
        """Put each new version in force as it is saved, until `stop`; and what was saved since they were read."""
        missed = asyncio.create_task(self.reload())  # its turn comes when the folder is watched already
        async for _ in watchfiles.awatch(
            self._folder, stop_event=stop, debounce=200, step=50, ignore_permission_denied=True
        ):
            await self.reload()
        await missed

    async def reload(self) -> None:
        """Read the files again; broken ones are refused and the last good set stays in force.

        In a thread: 10,000 words take longer than the event loop may be held.
        """
        async with self._reloading:
            try:
                await self._reload()
            except Exception as error:  # ours; what is saved next must be seen all the same
                logger.exception("rules refused, the last good ones are in force")
                fault = f"{type(error).__name__}: {error}"
                self.findings = [f"{self._folder}: could not be checked ({fault}): undo the last change, and report it"]

    async def _reload(self) -> None:
        rules, self.findings = await asyncio.to_thread(load_or_last_good, self._folder, self._kept)
        if rules.version != self.current.version:
            change = await asyncio.to_thread(self._prepare, rules)
            self.current = rules
            change()
            logger.info("rules in force", version=rules.version)
