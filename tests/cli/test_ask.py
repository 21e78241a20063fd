"""What commands that ask a hub do without one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.cli.ask import cell


def test_what_a_stranger_wrote_moves_no_cursor() -> None:
    assert cell("a\x1b[2Jb\r\nc\u202e").plain == "a�[2Jb�\nc�"


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "0.0.0.0:0"])
def test_a_port_that_was_found_free_must_be_named(tmp_path: Path, listen: str) -> None:
    file = tmp_path / "hub.yaml"
    file.write_text(f"listen: {listen}\n")
    words = [sys.executable, "-m", "hub", "unparsed", "list", "--config", str(file), "--token", "x"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"hub: listen {listen}: the hub has taken a free port; name its address with --url\n"
