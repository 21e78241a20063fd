"""Turns: what the workers of a machine tell each other by the names of empty files."""

import asyncio
import threading
from pathlib import Path

import pytest

from hub.engine.turns import Turn, Turns, alone

A, B = "001-1", "002-1"


def turns_on(folder: Path, *files: str) -> Turns:
    for file in files:
        (folder / f"{file}.spool").touch()
    return Turns(folder)


def test_all_see_what_one_announces_and_nothing_is_left_of_what_is_withdrawn(tmp_path: Path) -> None:
    one, other = turns_on(tmp_path, A, B), Turns(tmp_path)
    one.change("a1-w", None, Turn(5, A, 7))
    other.change("a1-w", None, Turn(6, B, 6))
    assert sorted(one.of("a1-w")) == sorted(other.of("a1-w")) == [(5, A, 7), (6, B, 6)]
    assert one.of("a2-x") == []
    one.change("a1-w", Turn(5, A, 7), Turn(7, A, 9))
    assert sorted(other.of("a1-w")) == [(6, B, 6), (7, A, 9)]
    one.change("a1-w", Turn(7, A, 9), None)
    other.change("a1-w", Turn(6, B, 6), None)
    assert one.of("a1-w") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{A}.spool", f"{B}.spool"]


def test_of_equal_numbers_the_older_file_goes_first() -> None:
    assert Turn(0, A, 9) < Turn(0, B, 1) < Turn(1, A, 1)


def test_a_spool_file_that_is_gone_has_no_turn(tmp_path: Path) -> None:
    turns = turns_on(tmp_path, A, B)
    turns.change("a1-w", None, Turn(5, A, 7))
    turns.change("a1-w", None, Turn(6, B, 6))
    (tmp_path / f"{A}.spool").unlink()
    assert turns.of("a1-w") == [(6, B, 6)]


def test_what_was_removed_by_hand_is_announced_again_and_what_is_no_announcement_is_let_be(tmp_path: Path) -> None:
    turns = turns_on(tmp_path, A)
    turns.change("a1-w", None, Turn(5, A, 5))
    (announced,) = tmp_path.glob("turns/*/*")
    announced.unlink()
    (announced.parent / ".nfs0001").touch()
    (announced.parent / "one-two-three").touch()
    turns.change("a1-w", Turn(5, A, 5), Turn(6, A, 6))
    assert turns.of("a1-w") == [(6, A, 6)]
    turns.change("a1-w", Turn(7, A, 7), None)


def test_settling_leaves_what_is_right_and_what_is_others(tmp_path: Path) -> None:
    turns = turns_on(tmp_path, A, B)
    for entity, turn in (
        ("a1-w", Turn(5, A, 5)),  # older than what the file holds
        ("a1-w", Turn(6, A, 6)),
        ("a1-w", Turn(1, B, 1)),
        ("a2-x", Turn(6, A, 6)),  # nothing of this is in the file any more
        ("a3-y", Turn(9, "000-1", 9)),  # of a file that is gone
    ):
        turns.change(entity, None, turn)
    turns.settle([("a1-w", Turn(6, A, 6))])
    assert sorted(turns.of("a1-w")) == [(1, B, 1), (6, A, 6)]
    assert len(list(tmp_path.glob("turns/*"))) == len(list(tmp_path.glob("turns/*/*"))) - 1 == 1


def test_each_look_sees_one_turn_of_a_file_while_it_goes_on(tmp_path: Path) -> None:
    turns, ended = turns_on(tmp_path, A), threading.Event()
    turns.change("a1-w", None, Turn(0, A, 0))

    def go_on() -> None:
        for n in range(2000):
            turns.change("a1-w", Turn(n, A, n), Turn(n + 1, A, n + 1))
        ended.set()

    going = threading.Thread(target=go_on)
    going.start()
    seen = [0]
    while not ended.is_set():
        (turn,) = Turns(tmp_path).of("a1-w")
        seen.append(turn.first)
    going.join()
    assert seen == sorted(seen)


def test_who_announces_does_not_lose_the_folder_to_who_tidies_it_away(tmp_path: Path) -> None:
    failures = list[Exception]()

    def come_and_go(file: str) -> None:
        turns = turns_on(tmp_path, file)
        try:
            for n in range(500):
                turns.change("a1-w", None, Turn(n, file, n))
                assert Turn(n, file, n) in turns.of("a1-w")
                turns.change("a1-w", Turn(n, file, n), None)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go, args=(file,)) for file in (A, B)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert not (tmp_path / "turns").exists()


@pytest.mark.parametrize("what", ["of", "change"])
def test_a_disk_that_fails_is_said(tmp_path: Path, what: str) -> None:
    turns = turns_on(tmp_path, A)
    (tmp_path / "turns").touch()
    with pytest.raises(OSError, match="turns"):
        turns.of("a1-w") if what == "of" else turns.change("a1-w", None, Turn(1, A, 1))


async def test_only_one_is_alone_with_the_folder(tmp_path: Path) -> None:
    events = list[str]()

    def second() -> None:
        with alone(tmp_path):
            events.append("second")

    with alone(tmp_path):
        waiting = asyncio.create_task(asyncio.to_thread(second))
        await asyncio.sleep(0.1)
        events.append("first")
    await waiting
    assert events == ["first", "second"]
