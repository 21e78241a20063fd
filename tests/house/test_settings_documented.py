"""Each setting stands in docs/operating.md with its variable, and in the shipped config/hub.yaml."""

import re
from collections.abc import Iterator
from pathlib import Path

import pydantic
import pytest
from pydantic.fields import FieldInfo

from hub.settings import Settings

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
SHIPPED = (ROOT / "config" / "hub.yaml").read_text(encoding="utf-8")


def fields(model: type[pydantic.BaseModel], above: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """All that can be set, by its name with those above it: nats.url."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            yield from fields(field.annotation, f"{above}{name}.")
        else:
            yield f"{above}{name}", field


FIELDS = dict(fields(Settings))


@pytest.mark.parametrize("name", FIELDS)
def test_a_setting_is_documented(name: str) -> None:
    assert FIELDS[name].description
    variable = name.upper().replace(".", "__")
    assert re.search(rf"^\| `{re.escape(name)}` \| `HUB_{variable}(__…)?` \|", PAGE, re.MULTILINE)
    assert re.search(rf"^(# )?( *){name.rpartition('.')[2]}:", SHIPPED, re.MULTILINE)


def test_the_page_names_no_setting_that_does_not_exist() -> None:
    documented = re.findall(r"^\| `([\w.]+)` \| `HUB_", PAGE, re.MULTILINE)
    assert sorted(documented) == sorted(FIELDS)
