"""Wrong teams.yaml and replies.yaml: each finding with place and cure. And what right ones mean."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import marked_yaml
from hub.domain.teams import Hours, Span
from hub.rules.load import check, load, remarks, schemas
from hub.rules.ruleset import RuleSet
from tests.rules.rulefiles import files

MEMBERS = """\
teams: {general: {display: 综}, aftersale: {display: 售}, billing: {display: 财}}
agents:
  li: {display: 李, teams: [general, aftersale, billing], capacity: 3}
"""
ALL_KEYS = """\
timezone: Asia/Shanghai
hours:
  h: {timezone: Europe/Berlin, mon-fri: 22:00-06:00, dates: {2026-10-01..2026-10-07: closed, 2026-10-09: 09:00-10:00}}
teams:
  general: {display: 综, hours: h, lead: li, overflow: {team: billing, after_s: 1}, pick: manual, max_waiting: 1}
  aftersale: {display: 售, remind_s: 1, pass_s: 2, away: a}
  billing: {display: 财}
agents:
  li: {display: 李, teams: [general, aftersale, billing], languages: [zh], shift: h, addresses: {w: a}}
weights: {email: 2}
handover_s: 9
visitors:
  - {id: v, channel: email, who: ["*@a.example"], team: general, priority: 3}
  - {id: w, who: [x], block: true}
"""


def found(teams: str) -> list[str]:
    """What is wrong with a teams.yaml, without the file's name."""
    return [line.removeprefix("teams.yaml:") for line in check(files(teams=teams))]


def calendar(*lines: str, top: str = "timezone: Asia/Shanghai") -> str:
    """A teams.yaml with the hours `h`, whose lines begin in line 4, column 5."""
    return "\n".join([top, "hours:", "  h:", *(f"    {line}" for line in lines), MEMBERS])


def general(keys: str, more: str = "") -> str:
    """A teams.yaml whose first team has these keys, from line 2, column 25 on; `more` begins in line 7."""
    teams = f"teams:\n  general: {{display: 综, {keys}}}\n  aftersale: {{display: 售}}\n  billing: {{display: 财}}\n"
    return teams + MEMBERS.partition("\n")[2] + more


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        (["mon-fri: 09:00-09:00"],
         ["4:14 h: mon-fri: 09:00-09:00 ends where it begins: a whole day is 00:00-24:00, none is closed"]),
        (["mon-fri: 9-18"],
         ['4:14 h: mon-fri: "9-18" is no time of work: write 09:00-18:00, several with a comma, or closed']),
        (["mon-fri: 900"],
         ["4:14 h: mon-fri: must be times of work like 09:00-12:00, 13:30-18:00, or closed, not 900"]),
        (["mon: 09:00-24:01", "tue: 09:60-10:00", "wed: 24:00-01:00"],
         [f'{place} "{times}" is no time of work: a day has 00:00 to 23:59, and ends at 24:00'
          for place, times in (("4:10 h: mon:", "09:00-24:01"), ("5:10 h: tue:", "09:60-10:00"),
                               ("6:10 h: wed:", "24:00-01:00"))]),
        (["mon-fri: 13:00-18:00, 09:00-14:00"],
         ["4:14 h: mon-fri: 13:00-18:00 begins before 09:00-14:00 has ended: make one of them"]),
        (["mo-fri: closed"],
         ['4:5 h: "mo-fri" names no days: write mon, tue, wed, thu, fri, sat, sun, two with - between, or daily']),
        (["mon-wed: closed", "fri: closed", "wed-fri: closed"],
         ["6:5 h: wed-fri and mon-wed have days in common: name each once, or one within the other"]),
        (["dates: {}"], ["3:3 h: no day is named: write mon-fri: 09:00-18:00"]),
        (["daily: 22:00-06:00", "sat: 05:00-12:00"],
         ["3:3 h: fri 22:00-06:00 lasts into sat 05:00-12:00: let one end where the other begins"]),
        (["timezone: Asia/Shangai", "daily: closed"],
         ['4:15 h: timezone: unknown time zone "Asia/Shangai", did you mean "Asia/Shanghai"?']),
        (["timezone: ../../etc", "daily: closed"],
         ['4:15 h: timezone: unknown time zone "../../etc", all of mainland China is Asia/Shanghai']),
        (["dates:", "  2026-02-30: closed", "  20261001: closed", "  2026-10-07..2026-10-01: closed",
          "  2026-01-01..2028-01-01: closed", "  9999-12-31: 22:00-02:00"],
         ['5:7 h: "2026-02-30" is no date: write 2026-10-01, or 2026-10-01..2026-10-07 for a range',
          '6:7 h: "20261001" is no date: write 2026-10-01, or 2026-10-01..2026-10-07 for a range',
          "7:7 h: 2026-10-07..2026-10-01 ends before it begins: write the first day, two dots, the last day",
          "8:7 h: 2026-01-01..2028-01-01 is longer than 366 days: write the first day, two dots, the last day",
          '9:7 h: "9999-12-31" is no date: write 2026-10-01, or 2026-10-01..2026-10-07 for a range']),
        (["dates:", "  2026-10-01..2026-10-07: closed", "  2026-10-05..2026-10-09: 09:00-10:00"],
         ["6:7 h: 2026-10-05..2026-10-09 and 2026-10-01..2026-10-07 have days in common:"
          " name each once, or one within the other"]),
        (["timezone: Europe/Berlin", "dates: {2026-03-29: 02:10-02:50, 2026-03-30: 02:10-02:50}"],
         ["5:25 h: the clock of Europe/Berlin jumps over 02:10-02:50 on 2026-03-29: choose other times"]),
    ],
)  # fmt: skip
def test_findings_of_hours(lines: list[str], findings: list[str]) -> None:
    assert found(calendar(*lines)) == findings


@pytest.mark.parametrize(
    ("teams", "findings"),
    [
        (calendar("daily: closed", top="weights: {}"),
         ["3:3 h: whose clock? write timezone: Asia/Shanghai at the top of the file, or here"]),
        (calendar("daily: closed", top="timezone: Asia/Beijing"),
         ['1:11 timezone: unknown time zone "Asia/Beijing", all of mainland China is Asia/Shanghai']),
        ("timezone: UTC\nhours: {h: {mon: 09:00-12:00, 13:30-18:00}}\n" + MEMBERS,
         ["2:42 h: 13:30-18:00: must be times of work like 09:00-12:00, 13:30-18:00, or closed,"
          " not nothing (in braces, times with a comma stand in quotes)"]),
        (general("hours: service"), ['2:32 general: unknown hours "service"; there are no hours yet']),
        (general("lead: lii"), ['2:31 general: unknown agent "lii", did you mean "li"?']),
        (general("lead_s: 10"), ["2:33 general: nobody is told: name the lead as well"]),
        (general("lead: li, remind_s: 700"),
         ["2:45 general: lead_s (600 where nothing is said) must be longer than remind_s (700):"
          " all count from the assignment"]),
        (general("remind_s: 0, lead: li, lead_s: 900, pass_s: 900"),
         ["2:69 general: pass_s (900) must be longer than lead_s (900): all count from the assignment"]),
        (general("overflow: {team: general}"),
         ["2:42 general: the overflow goes in a circle, general → general: end it at one of them"]),
        (general("overflow: {team: aftersal, after: 3}"),
         ['2:42 general: unknown team "aftersal", did you mean "aftersale"?',
          '2:52 general: unknown key "after", did you mean "after_s"?']),
        (general("overflow: {team: aftersale}").replace("售}", "售, overflow: {team: billing}}")
         .replace("财}", "财, overflow: {team: aftersale}}"),
         ["3:44 aftersale: the overflow goes in a circle, aftersale → billing → aftersale: end it at one of them"]),
        (general("pick: best"),
         ["2:31 general: pick: \"best\" is none of 'least_loaded', 'round_robin' or 'manual'"]),
        (general("pick: manual", "weights: {email: 4}\n"),
         ["7:18 email: nobody in general has a capacity of 4: they could never get one"]),
        (general("pick: manual", "  general: {display: x, teams: [general, general], shift: h, languages: [en]}\n"),
         ["7:3 general: a team has this name: choose another, for who is meant by @?",
          '7:42 general: "general" is named twice: once is enough',
          '7:59 general: unknown hours "h"; there are no hours yet']),
        (general("pick: manual", "  bo: {display: x, teams: [general], languages: [zh-CN]}\n"),
         ['7:50 bo: languages: "zh-CN" is no language: write two or three small letters, zh or en']),
        (general("pick: manual", "  bo: {display: x, teams: [general], addresses: {w: Bo}}\n"
                                 "  by: {display: x, teams: [general], addresses: {w: bo}}\n"),
         ['8:53 by: w bo is the agent "bo" already: one person, one agent']),
    ],
)  # fmt: skip
def test_findings_of_teams_and_agents(teams: str, findings: list[str]) -> None:
    assert found(teams) == findings


def visitors(*lines: str) -> str:
    return MEMBERS + "visitors:\n" + "".join(f"  - {line}\n" for line in lines)


@pytest.mark.parametrize(
    ("lines", "findings"),
    [
        (["{id: v, who: [a], block: true}", "{id: v, who: [b], priority: 1}"],
         ["6:10 v: the id is taken by the rule at teams.yaml:5: choose another"]),
        (["{id: abuse, who: [b], priority: 1}"],
         ["5:10 abuse: the id is taken by the rule at filters.yaml:2: choose another"]),
        (["{id: v, who: ['*'], block: true}",
          "{id: w, who: [x, '*@*'], block: true}", "{id: x, who: ['*'], team: billing}"],
         ['5:19 v: "*" blocks everybody: name whom you mean, or at least their domain (*@example.com)',
          '6:22 w: "*@*" blocks everybody: name whom you mean, or at least their domain (*@example.com)']),
        (["{id: v, who: [a]}"], ["5:5 v: the line does nothing: give it a team, a priority, or block: true"]),
        (["{id: v, who: [a], block: true, team: billing}"],
         ["5:5 v: who is blocked waits for no team: remove team and priority, or block"]),
        (["{who: [a], block: true}", "{id: v, who: [a], team: biling}"],
         ['5:5 visitor 1: the key "id" is missing', '6:29 v: unknown team "biling", did you mean "billing"?']),
    ],
)  # fmt: skip
def test_findings_of_visitors(lines: list[str], findings: list[str]) -> None:
    assert found(visitors(*lines)) == findings


@pytest.mark.parametrize(
    ("replies", "findings"),
    [
        ("replies:\n  /a: x\n",
         ['2:3 /a: "/a" is no name of a reply: 1 to 20 characters without spaces or /, no sign first']),
        ("replies: {A: x, a: y}\n", ['1:17 a: "a" is "A" again: choose another name']),
        ("teams: {bill: {x: y}}\n", ['1:9 bill: unknown team "bill", did you mean "billing"?']),
        ("teams:\n  billing: {x: 3}\n", ["2:16 billing: x: must be text, not 3: put it in quotes"]),
        ("", ["1:1 must be keys with values, not nothing"]),
    ],
)  # fmt: skip
def test_findings_of_replies(replies: str, findings: list[str]) -> None:
    wrong = check({**files(), "replies.yaml": replies})
    assert [line.removeprefix("replies.yaml:") for line in wrong] == findings


def test_replies_beside_an_unreadable_teams_file_are_checked_all_the_same() -> None:
    wrong = {**files(teams="teams: 3\n"), "replies.yaml": "replies: {A: x, a: y}\n"}
    assert [line.partition(" ")[0] for line in check(wrong)] == ["replies.yaml:1:17", "teams.yaml:1:8"]


def test_while_no_team_can_be_read_none_is_called_unknown() -> None:
    wrong = {**files(teams="teams: ["), "replies.yaml": "teams: {sales: {a: b}}\n"}
    assert [line.partition(":")[0] for line in check(wrong)] == ["teams.yaml"]


def test_hours_become_a_calendar_in_which_the_narrower_name_counts() -> None:
    lines = [
        "daily: 10:00-16:00", "mon-fri: 09：00 – 12:00，13:30-18:00", "wed: closed", "sat-sun: 22:00-06:00",
        "dates: {2026-10-01..2026-10-03: closed, 2026-10-02: 18:00-00:00}",
    ]  # fmt: skip
    office, night = (Span(540, 720), Span(810, 1080)), (Span(1320, 1800),)
    hours = load(files(teams=calendar(*lines))).roster.hours["h"].hours("Asia/Shanghai")
    assert hours == Hours(
        "Asia/Shanghai",
        (office, office, (), office, office, night, night),
        {"2026-10-01": (), "2026-10-02": (Span(1080, 1440),), "2026-10-03": ()},
    )


def test_times_that_a_clock_skips_or_shows_twice_are_named_but_not_refused() -> None:
    teams = calendar("timezone: Europe/Berlin", "daily: 01:00-02:30, 05:00-06:00")
    assert found(teams) == []
    assert remarks(files(teams=teams), 1_790_000_000_000) == [
        "teams.yaml:3:3 h: on 2026-10-25 the clock of Europe/Berlin shows 02:30 twice: the first counts",
        "teams.yaml:3:3 h: on 2027-03-28 the clock of Europe/Berlin jumps over 02:30 – the moment of the jump counts",
    ]
    assert remarks(files(teams=calendar("daily: 01:00-02:30")), 1_790_000_000_000) == []


def test_the_schemas_for_editors_are_those_of_these_models() -> None:
    folder = Path(__file__).parents[2] / "rules"
    assert {file.name: file.read_text(encoding="utf-8") for file in (folder / "schema").iterdir()} == schemas()
    for file in folder.glob("*.yaml"):
        assert file.read_text(encoding="utf-8").startswith(f"# yaml-language-server: $schema=schema/{file.stem}.json\n")


JUNK: st.SearchStrategy[Any] = st.sampled_from(
    [None, 0, -1, 10**30, 1.5, True, "", "x", "closed", "99:99-00:00", "A/B", "x" * 300, "*", [], {}, [[]], {"x": 1}]
)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_whatever_stands_in_the_file_is_named_with_its_place(data: st.DataObject) -> None:
    roster = marked_yaml.read(ALL_KEYS).value
    for _ in range(data.draw(st.integers(1, 3))):
        line, key = roster, data.draw(st.sampled_from([*roster, "x"]))
        while line.get(key) and isinstance(line[key], dict) and data.draw(st.booleans()):
            line = line[key]
            key = data.draw(st.sampled_from([*line, "daily", "fri-mon", "general", "2026-13-01"]))
        line[key] = copy.deepcopy(data.draw(JUNK))
    findings = check(files(teams=json.dumps(roster)))
    assert all(re.match(r"\w+\.yaml:\d+:\d+ \S", line) for line in findings)


# --- visitors whom the rules know -------------------------------------------------------------------------------------

KNOWN = visitors(
    "{id: staff, channel: email, who: [boss@acme.example], priority: 5}",
    "{id: big, channel: email, who: ['*@ACME.example'], team: billing, priority: 60}",
    "{id: troll, who: [p7-x, 'bot[1]*'], block: true}",
)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load(files(teams=KNOWN))


@pytest.mark.parametrize(
    ("channel", "who", "because"),
    [
        ("email", "Ann@acme.example", ("big",)),
        ("email", "boss@acme.example", ("staff",)),
        ("email", "ann@acme.example.org", ()),
        ("h5", "ann@acme.example", ()),
        ("h5", "p7-x", ("troll",)),
        ("telegram", "BOT[1]77", ("troll",)),
        ("telegram", "bot177", ()),
        ("", "", ()),
    ],
)
def test_the_first_line_that_names_a_visitor_counts(
    rules: RuleSet, channel: str, who: str, because: tuple[str, ...]
) -> None:
    assert rules.judge("在吗", False, channel, who).because == because


def test_a_visitors_team_is_stronger_than_a_keywords_and_the_higher_priority_counts(rules: RuleSet) -> None:
    judged = rules.judge("退款到账了吗", False, "email", "ann@acme.example")
    assert (judged.team, judged.priority, judged.because) == ("billing", 60, ("big", "refund-money", "refund"))
    judged = rules.judge("退款到账了吗", False, "email", "boss@acme.example")
    assert (judged.team, judged.priority) == ("billing", 7)
    judged = rules.judge("你好", False, "email", "boss@acme.example")
    assert (judged.team, judged.priority) == (None, 5)


def test_who_has_a_team_already_keeps_it(rules: RuleSet) -> None:
    judged = rules.judge("退款", True, "email", "ann@acme.example")
    assert (judged.team, judged.priority, judged.reply, judged.because) == (None, 0, "请留下订单号", ("refund",))


def test_who_is_blocked_gets_no_reply_and_no_team_and_their_text_stays_masked(rules: RuleSet) -> None:
    judged = rules.judge("傻逼，退款", True, "h5", "p7-x")
    assert (judged.status, judged.reply, judged.team, judged.original) == ("blocked", None, None, "傻逼，退款")
    assert judged.because == ("abuse", "troll")
