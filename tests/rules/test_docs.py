"""docs/rules.md names all that a rule file can say."""

import re
from pathlib import Path
from typing import get_args

import pytest

from hub.rules.detect import Detector
from hub.rules.load import FILTERS, ROUTING, TEAMS, load
from hub.rules.model import FilterRule, Lines, RoutingRule
from hub.rules.roster import AgentLine, TeamLine

PAGE = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^## (\w+\.yaml)\n\n```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("line", [RoutingRule, FilterRule, TeamLine, AgentLine])
def test_each_key_is_in_an_example(line: type[Lines]) -> None:
    shown = "".join(EXAMPLES.values()) + PAGE[PAGE.index("## Words") : PAGE.index("## filters.yaml")]
    assert [key for key in line.model_fields if not re.search(rf"\b{key}:", shown)] == []


@pytest.mark.parametrize("name", [*get_args(Detector), *get_args(FilterRule.model_fields["action"].annotation)])
def test_each_detector_and_action_has_its_row(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE


def test_the_examples_are_right_rule_files() -> None:
    more_teams = "teams:\n  aftersale: {display: 售后}\n  billing: {display: 财务}\n"
    rules = load(
        {
            ROUTING: EXAMPLES["routing.yaml"],
            FILTERS: EXAMPLES["filters.yaml"],
            TEAMS: EXAMPLES["teams.yaml"]
            .replace("teams:\n", more_teams, 1)
            .replace("[general]", "[general, aftersale, billing]"),
            "lexicons/abuse.txt": "妈的",
        }
    )
    assert rules.judge("妈妈的退款到账了吗", False).team == "billing"
