"""A channel's folder is complete: connector, codec, stand-in, tests and a page for whoever sets it up."""

import importlib
from pathlib import Path

import pytest

from hub.contract import Connector

CONNECTORS = Path(__file__).parent.parent.parent / "connectors"
CHANNELS = sorted(file.parent.name for file in CONNECTORS.glob("*/connector.py"))


def test_there_are_channels() -> None:
    assert {"h5", "wecom"} <= set(CHANNELS)


@pytest.mark.parametrize("name", ["__init__.py", "codec.py", "sandbox.py", "README.md"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_has_all_its_files(channel: str, name: str) -> None:
    assert (CONNECTORS / channel / name).is_file()


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_has_tests_of_its_own(channel: str) -> None:
    assert list((CONNECTORS / channel).rglob("test_*.py"))


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_channel_names_its_connector(channel: str) -> None:
    connector = importlib.import_module(f"connectors.{channel}.connector").CONNECTOR
    assert issubclass(connector, Connector)
    assert connector.can.role in ("visitor", "agent", "both")


@pytest.mark.parametrize("channel", CHANNELS)
def test_each_setting_of_a_channel_is_on_its_page(channel: str) -> None:
    page = (CONNECTORS / channel / "README.md").read_text(encoding="utf-8")
    settings = importlib.import_module(f"connectors.{channel}.connector").CONNECTOR.Settings
    assert [name for name in settings.model_fields if f"`{name}`" not in page and f"{name}:" not in page] == []
