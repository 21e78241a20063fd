"""What a cluster on this machine needs besides Python."""

import os
import shutil

from tests.cluster.postgres import programs


def missing() -> str:
    """Why no cluster can be run here; empty: it can. Where CI is set nothing may be missing: AssertionError."""
    wanted = {"haproxy": bool(shutil.which("haproxy", path=f"/usr/sbin:{os.environ.get('PATH', '')}"))}
    wanted["postgresql-15"] = programs() is not None
    absent = [name for name, found in wanted.items() if not found]
    assert not absent or "CI" not in os.environ, f"not installed: {', '.join(absent)}"
    return f"not installed: apt-get install {' '.join(absent)}" if absent else ""
