"""How `hub deliveries` shows what the hub has answered."""

import pytest

from hub.cli.deliveries import _print_list

SENT = {"entity": "p7-email-k3v9", "attempt": 3, "state": "sent", "at": 1_764_000_000_000, "tries": 1, "text": "one"}
QUEUED = {
    "entity": "p7-email-k3v9", "state": "queued", "at": 1_764_000_001_000, "because": "attempt 4 is under way",
    "text": "two",
}  # fmt: skip


def test_what_is_queued_has_the_name_of_its_recipient_and_no_number(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _print_list({"deliveries": [QUEUED, SENT], "cursor": ""})
    queued, sent = (line for line in capsys.readouterr().out.splitlines() if "p7-email-k3v9" in line)
    assert [cell.strip() for cell in queued.split("│")][1:-1] == [
        "p7-email-k3v9", "2025-11-24 16:00:01", "queued", "", "", "", "attempt 4 is under way", "two",
    ]  # fmt: skip
    assert sent.split("│")[1].strip() == "p7-email-k3v9/3"
