"""The watermark's file. (That a log which went back is noticed: test_guard.py.)"""

from pathlib import Path

import pytest

from hub.bus.watermark import Watermark
from hub.errors import LogError


def test_marks_only_rise_and_are_found_again(tmp_path: Path) -> None:
    mark = Watermark(tmp_path / "mark")
    mark.load()
    for stream, seq in (("LOG-0", 7), ("LOG-1", 3), ("LOG-0", 5)):
        mark.note(stream, seq)
    mark.save()
    again = Watermark(tmp_path / "mark")
    again.note("LOG-1", 9)
    again.load()
    assert again.marks == {"LOG-0": 7, "LOG-1": 9}


def test_a_stream_that_can_be_done_without_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / "mark").write_bytes(b'{"KV_LEASES": 9, "KV_HUB": 2}')
    mark = Watermark(tmp_path / "mark")
    mark.load()
    mark.note("KV_TOKENS", 5)
    assert mark.marks == {"KV_HUB": 2}


def test_nothing_is_written_when_nothing_is_new(tmp_path: Path) -> None:
    mark = Watermark(tmp_path / "mark")
    mark.save()
    assert not (tmp_path / "mark").exists()
    mark.note("LOG-0", 1)
    mark.save()
    (tmp_path / "mark").unlink()
    mark.save()
    assert not (tmp_path / "mark").exists()


def test_a_torn_write_leaves_the_old_file(tmp_path: Path) -> None:
    mark = Watermark(tmp_path / "mark")
    mark.note("LOG-0", 1)
    mark.save()
    (tmp_path / "mark.new").write_bytes(b"{")
    again = Watermark(tmp_path / "mark")
    again.load()
    assert again.marks == {"LOG-0": 1}


def test_damaged_file_is_refused_with_its_place_and_the_cure(tmp_path: Path) -> None:
    (tmp_path / "mark").write_bytes(b'{"LOG-0": "x"}')
    with pytest.raises(LogError, match=r"mark: .*int.*delete it"):
        Watermark(tmp_path / "mark").load()
