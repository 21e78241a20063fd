"""`hub agents password` before it asks the hub."""

import getpass

import pytest

from hub.cli.agents import password
from hub.errors import HubError


def test_two_different_passwords_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = iter(["correct horse", "correct house"])
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(typed))
    with pytest.raises(HubError, match="two different passwords: nothing is changed"):
        password("wangfang")
