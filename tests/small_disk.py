"""A small file system of its own (tmpfs), to be filled: `small_disk(folder, size_mb)`."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path]:
    """Mount one on `folder` for a while; the test that asks for it is skipped where that is not allowed."""
    folder.mkdir(parents=True)
    mount = shutil.which("mount")
    if mount is None or os.geteuid() != 0:
        pytest.skip("only root may mount a file system")
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", folder], check=False, capture_output=True
    )
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


class Filler:
    """A file that takes the room on the disk of `folder`."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "filler"

    def leave(self, free_bytes: int) -> None:
        """Grow until so much is free, or shrink."""
        disk = os.statvfs(self._file.parent)
        size = self._file.stat().st_size if self._file.exists() else 0
        size += disk.f_bavail * disk.f_frsize - free_bytes
        with contextlib.suppress(OSError), self._file.open("ab", buffering=0) as file:  # others write there too
            file.truncate(min(size, file.tell()))
            while file.tell() < size:
                file.write(bytes(min(1 << 12, size - file.tell())))

    def go(self) -> None:
        """Give all of it back."""
        self._file.unlink()
