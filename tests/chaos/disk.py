"""A small disk that can be filled to the last byte. Only root may mount one."""

import contextlib
import os
import subprocess
from pathlib import Path

SIZE_MB = 512


class Disk:
    """A file system in memory, mounted at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def mount(self) -> None:
        """Put it in place. Raises CalledProcessError where this user may not."""
        self.folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m", "tmpfs", str(self.folder)]
        subprocess.run(mount, check=True, capture_output=True)

    def unmount(self) -> None:
        """Take it away."""
        subprocess.run(["umount", "-l", str(self.folder)], check=False)

    def fill(self) -> None:
        """Leave no room at all; returns when the disk has said so."""
        block = bytes(1 << 20)
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as filler:
            while True:
                filler.write(block)
        with contextlib.suppress(OSError), self._filler.open("ab", buffering=0) as filler:
            while True:
                filler.write(b"x")

    def free(self) -> int:
        """Bytes that a process could still write."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def clear(self) -> None:
        """Make room again."""
        self._filler.unlink(missing_ok=True)
