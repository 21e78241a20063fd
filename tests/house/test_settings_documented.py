"""Each setting stands in docs/operating.md with its variable, and in the shipped config/hub.yaml."""

import re
from pathlib import Path

import pytest

from hub.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
SHIPPED = (ROOT / "config" / "hub.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_a_setting_is_documented(name: str) -> None:
    assert Settings.model_fields[name].description
    assert re.search(rf"^\| `{name}` \| `HUB_{name.upper()}(__…)?` \|", PAGE, re.MULTILINE)
    assert re.search(rf"^(# )?{name}:", SHIPPED, re.MULTILINE)


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    documented = re.findall(r"^\| `(\w+)` \| `HUB_", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(Settings.model_fields)
