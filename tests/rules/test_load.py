"""Wrong rule files: each finding with place and cure, all of them at once."""

import pytest

from hub.errors import RulesError
from hub.rules.load import check, load
from tests.rules.rulefiles import ABUSE, FILTERS, ROUTING, TEAMS, files


def routing(rule: str) -> dict[str, str]:
    return {"routing": f"default: general\nrules:\n  - {rule}\n"}


def filters(rule: str) -> dict[str, str]:
    return {"filters": f"rules:\n  - {rule}\n"}


def agents(*lines: str) -> dict[str, str]:
    teams = "teams: {general: {display: 综}, aftersale: {display: 售}, billing: {display: 财}}\nagents:\n"
    return {"teams": teams + "".join(f"  {line}\n" for line in lines)}


AT_WECOM = "{display: 博, teams: [general], addresses: {wecom: Bo}}"
EVERYWHERE = "li: {display: 李, teams: [general, aftersale, billing]}"


@pytest.mark.parametrize(
    ("changed", "findings"),
    [
        (routing("{id: r, words: [x], team: biling}"),
         ['routing.yaml:3:31 r: unknown team "biling", did you mean "billing"?']),
        ({"routing": "default: nobody\n"},
         ['routing.yaml:1:10 unknown team "nobody"; there are aftersale, billing, general']),
        ({"routing": "rules: []\n"}, ['routing.yaml:1:1 the key "default" is missing']),
        ({"routing": "default: general\nrule: []\n"},
         ['routing.yaml:2:1 unknown key "rule", did you mean "rules"?']),
        ({"routing": "default: general\ndefault: billing\n"},
         ['routing.yaml:2:1 duplicate key "default", first in line 1']),
        ({"routing": ""}, ["routing.yaml:1:1 must be keys with values, not nothing"]),
        ({"routing": "default: [general\n"},
         ["routing.yaml:2:1 while parsing a flow sequence, did not find expected ',' or ']'"]),
        (routing("{id: r, words: [x], team: general, prioirty: 3}"),
         ['routing.yaml:3:40 r: unknown key "prioirty", did you mean "priority"?']),
        (routing("{words: [x], team: general}"), ['routing.yaml:3:5 rule 1: the key "id" is missing']),
        (routing("退款"), ['routing.yaml:3:5 rule 1: must be keys with values, not "退款"']),
        (routing("{id: R 1, words: [x], team: general}"),
         ['routing.yaml:3:10 R 1: id: "R 1" must be 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit']),
        (routing("{id: r, words: [12315], team: general}"),
         ["routing.yaml:3:21 r: words: a word must be text, not the int 12315: put it in quotes"]),
        (routing("{id: r, words: [[a, ~]], team: general}"),
         ["routing.yaml:3:21 r: words: a word must be text, not nothing: put it in quotes"]),
        (routing("{id: r, words: [[]], team: general}"),
         ["routing.yaml:3:21 r: words: an empty list: name the words that must all occur, or remove it"]),
        (routing("{id: r, words: 退款, team: general}"), ['routing.yaml:3:20 r: words: must be a list, not "退款"']),
        (routing("{id: r, words: [x, ''], team: general}"), ["routing.yaml:3:24 r: an empty word: remove it"]),
        (routing("{id: r, words: [\"\\u200b\"], team: general}"),
         ['routing.yaml:3:21 r: the word "\u200b" folds to nothing, it could never be found: remove it']),
        (routing("{id: r, words: [x], not_in: [' '], team: general}"),
         ["routing.yaml:3:34 r: an empty word: remove it"]),
        (routing("{id: r, words: [], team: general}"),
         ["routing.yaml:3:5 r: the rule can never match: give it words"]),
        (routing("{id: r, words: [x]}"), ["routing.yaml:3:5 r: the rule does nothing: give it a team or a reply"]),
        (routing("{id: r, words: [x], reply: y, priority: 3}"),
         ["routing.yaml:3:45 r: a priority counts only with a team: add one or remove it"]),
        (routing("{id: r, words: [x], team: general, priority: 101}"),
         ["routing.yaml:3:50 r: priority: input should be less than or equal to 100"]),
        (routing("{id: r, words: [x], team: general, priority: high}"),
         ['routing.yaml:3:50 r: priority: must be a whole number, not "high"']),
        (routing("{id: abuse, words: [x], team: general}"),
         ["routing.yaml:3:10 abuse: the id is taken by the rule at filters.yaml:2: choose another"]),
        (filters("{id: f, action: maks, words: [x]}"),
         ["filters.yaml:2:21 f: action: \"maks\" is none of 'mask', 'hold', 'block' or 'flag'"]),
        (filters("{id: f, action: mask}"),
         ["filters.yaml:2:5 f: the rule can never match: give it words, lexicons or detect"]),
        (filters("{id: f, action: mask, lexicons: [abus]}"),
         ['filters.yaml:2:38 f: there is no lexicons/abus.txt, did you mean "abuse"?']),
        (filters("{id: f, action: mask, detect: [fax]}"),
         ["filters.yaml:2:36 f: detect: \"fax\" is none of 'phone', 'id_card', 'bank_card' or 'email'"]),
        ({"abuse": "fuck\n # no\n\u200b\u200d\n"},
         ['lexicons/abuse.txt:3:1 the word "\u200b\u200d" folds to nothing, it could never be found: remove it']),
        (agents("li: {display: 李, teams: [general, aftersale]}"),
         ["teams.yaml:1:57 billing: nobody is in this team: name it in the teams of an agent"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [sales]}"),
         ['teams.yaml:4:28 bo: unknown team "sales"; there are aftersale, billing, general']),
        (agents(EVERYWHERE, "bo: {display: 博, teams: []}"),
         ["teams.yaml:4:27 bo: teams: is empty: name at least one"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], capacity: '5'}"),
         ['teams.yaml:4:48 bo: capacity: must be a whole number, not "5"']),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], delivery: [desk, wecom]}"),
         ["teams.yaml:4:55 bo: there is no address of wecom: write addresses: {wecom: …}"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], addresses: {wecom: Bo}, delivery: [desk]}"),
         ["teams.yaml:4:50 bo: no way leads there: name it in delivery"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], addresses: {w: B, email: b@x.cn},"
                            " delivery: [w, {email: off_duty}]}"),
         ["teams.yaml:4:86 bo: it is never asked whether this holds, for w before it always does: put it before w"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], delivery: [{desk: off_duty}]}"),
         ["teams.yaml:4:49 bo: delivery: a way is desk, a channel, {email: off_duty} or {email: {unread_s: 600}}"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], addresses: {w: B}, delivery: [{w: {unread_s: yes}}]}",
                "by: {display: 本, teams: [general], addresses: {w: C}, delivery: [{w: {unread_s: true}}, w]}"),
         [f"teams.yaml:{at} delivery: a way is desk, a channel, {{email: off_duty}} or {{email: {{unread_s: 600}}}}"
          for at in ("4:68 bo:", "5:68 by:")]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], addresses: {w: B}, delivery: [w, desk]}"),
         ["teams.yaml:4:71 bo: it is never asked whether this holds, for w before it always does: put it before w"]),
        (agents(EVERYWHERE, "bo: {display: 博, teams: [general], addresses: {w: B, x: C}, delivery: [w, x, w]}"),
         ["teams.yaml:4:80 bo: this way is named twice: once is enough"]),
        ({"teams": TEAMS + "delivery: [desk, wecm, wecom]\n"},
         ['teams.yaml:12:18 delivery 2: nobody has an address of wecm, did you mean "wecom"?']),
        (agents(EVERYWHERE, f"bo: {AT_WECOM}", f"by: {AT_WECOM}"),
         ['teams.yaml:5:57 by: wecom Bo is the agent "bo" already: one person, one agent']),
        (agents(EVERYWHERE, "Bo Li: {display: 博, teams: [general]}"),
         ['teams.yaml:4:3 Bo Li: "Bo Li" must be 1 to 32 of a-z, 0-9, - and _, and begin with a letter or digit']),
        ({"teams": TEAMS + "  li: {display: 李, teams: [general]}\n"},
         ['teams.yaml:12:3 duplicate key "li", first in line 6']),
    ],
)  # fmt: skip
def test_findings(changed: dict[str, str], findings: list[str]) -> None:
    assert check(files(**changed)) == findings


def test_all_findings_come_at_once_with_those_of_the_same_rule() -> None:
    wrong = files(
        routing=ROUTING.replace("team: billing", "team: biling")
        .replace("priority", "prioirty")
        .replace("words: [早上好]", "words: 早上好"),
        filters=FILTERS.replace("[abuse]", "[abuze]").replace("action: hold", "action: hodl"),
        teams=TEAMS.replace("teams: [billing]", "teams: [biling]"),
        abuse=ABUSE + "\u200b\n",
    )
    assert check(wrong) == [
        'filters.yaml:4:16 abuse: there is no lexicons/abuze.txt, did you mean "abuse"?',
        "filters.yaml:10:13 threat: action: \"hodl\" is none of 'mask', 'hold', 'block' or 'flag'",
        'lexicons/abuse.txt:6:1 the word "\u200b" folds to nothing, it could never be found: remove it',
        'routing.yaml:4:11 refund-money: unknown team "biling", did you mean "billing"?',
        'routing.yaml:5:5 refund-money: unknown key "prioirty", did you mean "priority"?',
        'routing.yaml:13:12 greeting: words: must be a list, not "早上好"',
        "teams.yaml:4:3 billing: nobody is in this team: name it in the teams of an agent",
        'teams.yaml:11:31 han: unknown team "biling", did you mean "billing"?',
    ]


def test_a_missing_file_is_named() -> None:
    without = {name: text for name, text in files().items() if name != "filters.yaml"}
    assert check(without) == ["filters.yaml:1:1 the file is missing: add it to the folder with the rules"]


def test_an_unreadable_agent_does_not_empty_their_team() -> None:
    assert check(files(teams=TEAMS.replace("{display: 韩梅梅, teams", "{teams"))) == [
        'teams.yaml:11:8 han: the key "display" is missing'
    ]


def test_load_raises_what_check_lists() -> None:
    wrong = files(routing="default: nobody\n")
    with pytest.raises(RulesError) as error:
        load(wrong)
    assert error.value.findings == check(wrong) != []


def test_right_files_have_no_findings_and_others_are_left_alone() -> None:
    assert check({**files(), "README.md": "{", "examples.yaml": "a: [", "lexicons/deep/x.txt": "\u200b"}) == []


def test_yaml_1_2_words_are_words() -> None:
    rules = load(files(**routing("{id: r, words: [on, no, 18:00], team: billing}")))
    assert [rules.judge(text, False).team for text in ("on", "no", "18:00", "true", "1080")] == [
        "billing", "billing", "billing", None, None,
    ]  # fmt: skip
