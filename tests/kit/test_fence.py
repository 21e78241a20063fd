"""Whatever a connector calls by, it gets no further than this machine."""

import socket
from collections.abc import Callable
from typing import Any

import pytest

from hub.kit.watch import FENCE

ELSEWHERE = ("192.0.2.1", 25)


def udp() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    "call",
    [
        lambda: socket.create_connection(ELSEWHERE, timeout=0.1),
        lambda: udp().sendto(b"", ELSEWHERE),
        lambda: udp().sendmsg([b""], [], 0, ELSEWHERE),
        lambda: socket.getaddrinfo("mx.example.net", 25),
        lambda: socket.gethostbyname("mx.example.net"),
        lambda: socket.gethostbyaddr("192.0.2.1"),
    ],
    ids=["connect", "sendto", "sendmsg", "getaddrinfo", "gethostbyname", "gethostbyaddr"],
)
def test_nothing_outside_is_called_while_the_fence_stands(call: Callable[[], Any]) -> None:
    before = len(FENCE.called)
    with FENCE.standing(), pytest.raises(PermissionError, match="calls its stand-in only"):
        call()
    assert len(FENCE.called) == before + 1


def test_this_machine_may_be_called() -> None:
    with FENCE.standing(), socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
        udp().sendto(b"", server.getsockname())
        socket.getaddrinfo(socket.gethostname(), None)
