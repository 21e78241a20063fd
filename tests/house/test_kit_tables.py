"""The page of each channel has the latest table of the conformance kit."""

import re
from pathlib import Path

import pytest

import hub.kit.run  # noqa: F401  (it imports all modules with checks)
from hub.kit.checks import CHECKS

CONNECTORS = Path(__file__).parent.parent.parent / "connectors"
CHANNELS = sorted(file.parent.name for file in CONNECTORS.glob("*/connector.py"))
ROW = re.compile(r"^\| `([a-z-]+)` \| (.*?) \| (\d*) \| (held|exempt because|does not apply:)", re.MULTILINE)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_table_of_a_channel_has_the_kits_checks_and_nothing_failed(channel: str) -> None:
    page = (CONNECTORS / channel / "README.md").read_text(encoding="utf-8")
    rows = [(id_, says) for id_, says, _, _ in ROW.findall(page)]
    assert rows == [(check.id, check.says) for check in CHECKS], f"hub connectors test {channel} --markdown"


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_is_tested_by_the_kit(channel: str) -> None:
    assert "(ConnectorKit):" in (CONNECTORS / channel / "test_kit.py").read_text(encoding="utf-8")
