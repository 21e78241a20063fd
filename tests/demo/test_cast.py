"""The demo's company: its rules are good ones, and one of its two shifts is always on."""

import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from hub.demo import cast
from hub.demo.stage import RunningHub
from hub.domain import hours
from hub.rules.load import check
from hub.rules.roster import Roster

RULES = Path(__file__).parents[2] / "rules"


@pytest.fixture
def teams() -> dict[str, Any]:
    teams = yaml.safe_load((RULES / "teams.yaml").read_text(encoding="utf-8"))
    cast.arrange(teams)
    return teams  # type: ignore[no-any-return]


def test_its_rules_are_in_order(teams: dict[str, Any]) -> None:
    files = {
        str(file.relative_to(RULES)): file.read_text(encoding="utf-8")
        for file in RULES.rglob("*")
        if file.suffix in (".yaml", ".txt")
    }
    assert check(files | {"teams.yaml": yaml.safe_dump(teams, allow_unicode=True)}) == []


@pytest.mark.parametrize("morning", [True, False])
def test_one_of_the_two_shifts_is_on(teams: dict[str, Any], morning: bool) -> None:
    cast.set_shifts(teams, morning=morning)
    roster = Roster.model_validate(teams)
    now_ms = int(time.time() * 1000)
    on = {name: hours.state_at(roster.hours[name].hours(roster.timezone), now_ms)[0] for name in ("early", "late")}
    assert on == {"early": morning, "late": not morning}


def test_each_team_has_somebody_all_day_but_the_one_that_overflows() -> None:
    steady = {person.team for person in cast.CAST if person.role == "steady"}
    assert steady | set(cast.OVERFLOW) == {person.team for person in cast.CAST}
    assert steady & set(cast.OVERFLOW) == set()


def test_people_of_another_company_just_answer(tmp_path: Path) -> None:
    assert cast.role_of("somebody") == "steady"
    late = next(person.name for person in cast.CAST if person.role != "steady")
    assert RunningHub(tmp_path, "http://127.0.0.1:1", 1).role_of(late) == "steady"  # whoever is called so there
