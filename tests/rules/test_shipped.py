"""The rules that ship, against sentences that people labelled and against small talk that no rule may touch."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest
import yaml

from hub.demo.serials import serial
from hub.rules.load import load

ROOT = Path(__file__).parents[2]
FILES = {
    path.relative_to(ROOT / "rules").as_posix(): path.read_text(encoding="utf-8")
    for path in (ROOT / "rules").rglob("*")
    if path.is_file()
}
RULES = load(FILES)
OPENERS = [tuple(line.split("\t")) for line in (ROOT / "hub/demo/openers.tsv").read_text(encoding="utf-8").splitlines()]


def small_talk() -> list[str]:
    spec = importlib.util.find_spec("chatterbot_corpus")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "data" / "chinese"
    return [
        str(sentence)
        for file in sorted(folder.glob("*.yml"))
        for conversation in yaml.safe_load(file.read_text(encoding="utf-8"))["conversations"]
        for sentence in conversation
    ]


@pytest.mark.parametrize(("sentence", "team", "label"), OPENERS)
def test_an_opener_goes_where_a_person_would_send_it(sentence: str, team: str, label: str) -> None:
    mark = serial(len(sentence) * 7919)
    judgement = RULES.judge(f"{sentence} {mark}", False)
    assert (judgement.team or RULES.default) == team, judgement.because
    assert (judgement.status or ("masked" if judgement.original else "")) == label, judgement.because
    assert judgement.text.endswith(mark)


def test_openers_are_different_and_balanced() -> None:
    assert len(OPENERS) >= 320
    assert len({sentence for sentence, _, _ in OPENERS}) == len(OPENERS)
    teams = Counter(team for _, team, _ in OPENERS)
    assert set(teams) == set(RULES.roster.teams)
    assert all(0.08 <= count / len(OPENERS) <= 0.4 for count in teams.values()), teams
    labels = Counter(label for _, _, label in OPENERS)
    assert set(labels) == {"", "masked", "held", "blocked"}
    assert all(count / len(OPENERS) >= 0.05 for count in labels.values()), labels
    assert {team for _, team, label in OPENERS if label == "blocked"} == {RULES.default}
    english = sum(sentence.isascii() for sentence, _, _ in OPENERS)
    assert 0.1 <= english / len(OPENERS) <= 0.2


def test_small_talk_meets_no_rule() -> None:
    sentences = small_talk()
    assert len(sentences) > 800
    hits = {sentence: because for sentence in sentences if (because := RULES.judge(sentence, False).because)}
    assert hits == {}


def test_each_demo_team_has_an_agent_who_can_be_written_to() -> None:
    assert len(RULES.roster.agents) == 5
    assert all(agent.addresses["wecom"] for agent in RULES.roster.agents.values())
    assert all(team.display_en for team in RULES.roster.teams.values())


@pytest.mark.parametrize(
    "sentence",
    [
        "我妈妈的快递到了吗",
        "我妈的地址写错了",
        "他妈妈要退货",
        "有床上四件套吗",
        "垃圾桶有货吗",
        "sbx型号有吗",
        "assistant",
    ],
)
def test_decent_sentences_are_not_masked(sentence: str) -> None:
    judgement = RULES.judge(sentence, False)
    assert (judgement.text, judgement.status) == (sentence, "")


@pytest.mark.parametrize(
    "sentence",
    ["傻\u200b逼", "傻.逼", "ｆｕｃｋ", "F u C k", "ⓕⓤⓒⓚ", "他媽的", "f\u0332u\u0332ck you", "🅵🆄🅲🅺"],
)
def test_disguised_abuse_is_masked(sentence: str) -> None:
    assert RULES.judge(sentence, False).original == sentence
