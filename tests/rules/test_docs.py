"""docs/rules.md names all that a rule file can say."""

import re
from pathlib import Path
from typing import get_args

import pytest

from hub.rules.detect import Detector
from hub.rules.load import FILTERS, REPLIES, ROUTING, TEAMS, load
from hub.rules.model import FilterRule, Lines, RoutingRule
from hub.rules.roster import AgentLine, CalendarLine, OverflowLine, Replies, Roster, TeamLine, VisitorLine

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "rules.md").read_text(encoding="utf-8")
PAGES = [PAGE, (DOCS / "rules.zh-CN.md").read_text(encoding="utf-8")]


def examples(page: str) -> dict[str, str]:
    return dict(re.findall(r"^## (\w+\.yaml)\n\n```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize(
    "line",
    [RoutingRule, FilterRule, TeamLine, AgentLine, CalendarLine, OverflowLine, VisitorLine, Roster, Replies],
)
def test_each_key_is_in_an_example(line: type[Lines]) -> None:
    shown = "".join(examples(PAGE).values()) + PAGE[PAGE.index("## Words") : PAGE.index("## filters.yaml")]
    assert [key for key in line.model_fields if not re.search(rf"\b{key}:", shown)] == []


@pytest.mark.parametrize("name", [*get_args(Detector), *get_args(FilterRule.model_fields["action"].annotation)])
def test_each_detector_and_action_has_its_row(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE


@pytest.mark.parametrize("page", PAGES)
def test_the_policies_of_a_team_have_their_rows_with_what_counts_without_them(page: str) -> None:
    said = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", page, re.MULTILINE))
    fields = TeamLine.model_fields.items()
    policies = {
        key: str(field.default) for key, field in fields if field.default not in (None, "") and not field.is_required()
    }
    assert {key: said[key] for key in policies} == policies


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_are_right_rule_files(page: str) -> None:
    shown = examples(page)
    rules = load({**{name: shown[name] for name in (ROUTING, FILTERS, TEAMS, REPLIES)}, "lexicons/abuse.txt": "妈的"})
    assert rules.judge("妈妈的退款到账了吗", False).team == "billing"
    assert rules.judge("你好", False, "email", "Ann@acme.example").priority == 90
    assert rules.judge("你好", False, "h5", "c3-mfrggzdfmztwq2lk").status == "blocked"
