"""The rule files on disk: in force as they are saved, and a broken one harms nobody, not even who starts after it."""

import asyncio
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Event, get_ident

import pytest

from hub.engine.rule_files import LAST_GOOD, RuleFiles, load_or_last_good, read_rule_files
from hub.errors import RulesError
from hub.rules.ruleset import RuleSet
from tests.small_disk import Filler, small_disk

SHIPPED = Path(__file__).parent.parent.parent / "rules"
BLOCK = "\n  - id: zebra\n    action: block\n    words: [斑马]\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "rules"))


def add_to_filters(folder: Path, text: str) -> None:
    file = folder / "filters.yaml"
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


async def test_a_saved_file_is_in_force(folder: Path, tmp_path: Path) -> None:
    heard: list[RuleSet] = []
    files = RuleFiles(folder, tmp_path, lambda rules: partial(heard.append, rules))
    stop = asyncio.Event()
    watching = asyncio.create_task(files.watch(stop))
    await asyncio.sleep(0.3)
    add_to_filters(folder, BLOCK)
    async with asyncio.timeout(10):
        while not heard:
            await asyncio.sleep(0.02)
    stop.set()
    await watching
    assert files.current is heard[-1]
    assert files.current.judge("一匹斑马", False).status == "blocked"


async def test_what_was_saved_while_a_worker_started_is_in_force(folder: Path, tmp_path: Path) -> None:
    heard: list[RuleSet] = []
    files = RuleFiles(folder, tmp_path, lambda rules: partial(heard.append, rules))
    add_to_filters(folder, BLOCK)  # it waits for NATS, say, before it has its files watched
    await asyncio.sleep(0.3)
    stop = asyncio.Event()
    watching = asyncio.create_task(files.watch(stop))
    async with asyncio.timeout(10):
        while not heard:
            await asyncio.sleep(0.02)
    stop.set()
    await watching
    assert files.current.judge("一匹斑马", False).status == "blocked"


async def test_a_broken_file_is_refused_and_the_last_good_rules_stay(folder: Path, tmp_path: Path) -> None:
    heard: list[RuleSet] = []
    files = RuleFiles(folder, tmp_path, lambda rules: partial(heard.append, rules))
    good = files.current
    add_to_filters(folder, "\n  - id: zebra\n    acton: block\n    words: [x]\n")
    await files.reload()
    assert files.current is good
    assert heard == []
    assert any("acton" in finding for finding in files.findings)


async def test_hours_that_cannot_be_are_refused_and_the_last_good_rules_stay(folder: Path, tmp_path: Path) -> None:
    files = RuleFiles(folder, tmp_path, lambda rules: pytest.fail("they are in force"))
    good, file = files.current, folder / "teams.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("10:00-18:00", "10:00-10:00"), encoding="utf-8")
    await files.reload()
    assert files.current is good
    assert ["ends where it begins" in finding for finding in files.findings] == [True]


async def test_a_fault_of_ours_in_reading_them_is_a_finding_and_the_last_good_rules_stay(
    folder: Path, tmp_path: Path
) -> None:
    def prepare(rules: RuleSet) -> Callable[[], None]:
        raise OverflowError("date value out of range")

    files = RuleFiles(folder, tmp_path, prepare)
    good = files.current
    add_to_filters(folder, BLOCK)
    await files.reload()
    assert files.current is good
    (finding,) = files.findings
    assert "OverflowError: date value out of range" in finding


async def test_of_two_reloads_at_once_the_later_counts(folder: Path, tmp_path: Path) -> None:
    first, later = Event(), Event()
    versions: list[str] = []

    def prepare(rules: RuleSet) -> Callable[[], None]:
        if not first.is_set():
            first.set()
            later.wait(1)
        return partial(versions.append, rules.version)

    files = RuleFiles(folder, tmp_path, prepare)
    add_to_filters(folder, BLOCK)
    earlier = asyncio.create_task(files.reload())
    await asyncio.to_thread(first.wait, 5)
    add_to_filters(folder, BLOCK.replace("zebra", "zebra2"))
    await files.reload()
    later.set()
    await earlier
    assert files.current.version == versions[-1]
    assert files.current.version == load_or_last_good(folder, tmp_path / LAST_GOOD)[0].version


async def test_what_new_rules_need_is_prepared_in_a_thread_and_put_in_force_on_the_loop(
    folder: Path, tmp_path: Path
) -> None:
    threads: list[int] = []

    def prepare(rules: RuleSet) -> Callable[[], None]:
        threads.append(get_ident())
        return lambda: threads.append(get_ident())

    files = RuleFiles(folder, tmp_path, prepare)
    (folder / "replies.yaml").write_text("replies: {稍等: 请稍等}", encoding="utf-8")
    await files.reload()
    assert [thread == get_ident() for thread in threads] == [False, True]
    (folder / "replies.yaml").unlink()
    await files.reload()
    assert files.findings == []
    assert files.current.replies.replies == {}


def test_who_starts_beside_a_broken_file_has_the_last_good_rules(folder: Path, tmp_path: Path) -> None:
    add_to_filters(folder, BLOCK)
    good, findings = load_or_last_good(folder, tmp_path / LAST_GOOD)
    assert findings == []
    (folder / "routing.yaml").write_text("defualt: [", encoding="utf-8")
    rules, findings = load_or_last_good(folder, tmp_path / LAST_GOOD)
    assert rules.version == good.version
    assert rules.judge("一匹斑马", False).status == "blocked"
    assert findings[0].startswith("routing.yaml:")


def test_rules_are_in_force_where_there_is_no_room_to_keep_them(folder: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        Filler(disk).leave(0)
        rules, findings = load_or_last_good(folder, disk / LAST_GOOD)
    assert findings == []
    assert rules.version == load_or_last_good(folder, tmp_path / LAST_GOOD)[0].version


def test_without_good_rules_from_before_a_broken_file_is_an_error(folder: Path, tmp_path: Path) -> None:
    (folder / "routing.yaml").unlink()
    with pytest.raises(RulesError):
        load_or_last_good(folder, tmp_path / LAST_GOOD)


def test_a_missing_folder_and_an_unreadable_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match="no such folder"):
        read_rule_files(tmp_path / "nowhere")
    (tmp_path / "routing.yaml").mkdir()
    with pytest.raises(RulesError, match=r"routing\.yaml: cannot be read"):
        read_rule_files(tmp_path)


def test_a_file_in_another_encoding_is_named_with_line_and_column(tmp_path: Path) -> None:
    (tmp_path / "teams.yaml").write_bytes("teams:\n  a: {display: 售后}\n".encode("gb18030"))
    with pytest.raises(RulesError, match=r"teams\.yaml:2:16 is not written in UTF-8 here: save the file as UTF-8"):
        read_rule_files(tmp_path)
