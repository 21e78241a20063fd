"""The data folder: one hub at a time."""

import os
from pathlib import Path

import pytest

from hub.data_folder import DataFolder, running
from hub.errors import HubError


def test_a_folder_has_one_hub_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "new" / "data"
    assert running(path) == ""
    folder = DataFolder.take(path)
    assert running(path) == f"pid {os.getpid()}"
    with pytest.raises(HubError) as refused:
        DataFolder.take(path)
    assert str(refused.value) == (
        f"data folder {path}: in use by pid {os.getpid()}; stop that hub first, or set another `data`"
    )
    folder.release()
    assert running(path) == ""
    DataFolder.take(path).release()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HubError, match="file/data: Not a directory; make it writable or set `data`"):
        DataFolder.take(tmp_path / "file" / "data")
