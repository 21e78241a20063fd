"""The data folder: one hub at a time, secrets made once."""

import os
import stat
from pathlib import Path

import pytest

from hub.data_folder import ADMIN_HASH, SECRET_KEY, DataFolder, hash_token, running
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


def test_secrets_are_made_once_and_are_nobody_elses_to_read(tmp_path: Path) -> None:
    folder = DataFolder.take(tmp_path)
    token = folder.make_secrets()
    key, kept = (tmp_path / SECRET_KEY).read_bytes(), (tmp_path / ADMIN_HASH).read_text()
    assert len(key) == 32
    assert kept == hash_token(token)
    assert token not in kept
    assert folder.make_secrets() == ""
    assert (tmp_path / SECRET_KEY).read_bytes() == key
    for name in (SECRET_KEY, ADMIN_HASH):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    folder.release()


def test_a_deleted_hash_gets_a_new_token(tmp_path: Path) -> None:
    folder = DataFolder.take(tmp_path)
    first = folder.make_secrets()
    (tmp_path / ADMIN_HASH).unlink()
    second = folder.make_secrets()
    assert second not in ("", first)
    assert (tmp_path / ADMIN_HASH).read_text() == hash_token(second)
    folder.release()


def test_a_half_written_secret_of_a_crash_does_not_stand_in_the_way(tmp_path: Path) -> None:
    (tmp_path / f"{SECRET_KEY}.new").write_bytes(b"half")
    folder = DataFolder.take(tmp_path)
    folder.make_secrets()
    assert len((tmp_path / SECRET_KEY).read_bytes()) == 32
    folder.release()
