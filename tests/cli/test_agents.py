"""`hub agents password` and `hub tokens create` before they ask the hub."""

import getpass
import io

import pytest

from hub.cli.agents import password
from hub.cli.tokens import create
from hub.errors import HubError


def test_a_short_password_is_refused_with_how_long_it_must_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("seven77\n"))
    with pytest.raises(HubError, match="8 characters or more, this one 7: nothing is changed"):
        password("wangfang", stdin=True)


def test_an_unknown_scope_is_refused_with_those_there_are() -> None:
    with pytest.raises(HubError, match=r"--scope read:queu: there is no such scope; there are .*read:queue"):
        create("robot", scope=("read:queu",))


def test_two_different_passwords_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["correct horse", "correct house"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(typed))
    with pytest.raises(HubError, match="two different passwords: nothing is changed"):
        password("wangfang")
