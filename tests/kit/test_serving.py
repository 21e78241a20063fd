"""Stand-ins in a process of their own."""

import socket
import subprocess
import sys

import pytest

from hub.kit.serving import HOST


@pytest.mark.parametrize("channel", ["email", "telegram", "webhook", "wecom"])
def test_a_port_that_is_taken_is_told_with_the_cure(channel: str) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", f"connectors.{channel}.sandbox", "--port", str(port)]
        ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 1
    assert ended.stderr == f"{HOST}:{port} cannot be listened on (Address already in use): take another port\n"
