"""Whom an agent's words name: beyond doubt, or nobody."""

import pytest

from hub.domain.agent import words
from hub.domain.teams import AgentSettings, Lookup, Team, Teams
from hub.engine.names import Names
from hub.rules.roster import Replies

TEAMS = Teams(
    "1",
    "sales",
    (
        Team("sales", "售前", "Sales"),
        Team("after", "售后服务", "Same"),
        Team("bills", "财务", "Same"),
        Team("li", "小李组"),
    ),
    (
        AgentSettings("a1-li-lei", "li-lei", "小李", ("sales",), 5),
        AgentSettings("a2-wang", "wang", "Wang Fang", ("sales",), 5),
        AgentSettings("a3-wang2", "wang2", "Wang", ("sales",), 5),
        AgentSettings("a4-han", "han", "小韩", ("after",), 5),
        AgentSettings("a5-han2", "han2", "小韩", ("after",), 5),
    ),
)
REPLIES = Replies.model_validate(
    {
        "replies": {"稍等": "请稍等。", "Hi": "Hello."},
        "teams": {"after": {"稍等": "正在查。", "退货": "请寄回。"}, "bills": {"退货": "请联系售后。"}},
    }
)
NAMES = Names(TEAMS, REPLIES)
LI = Lookup(agent="a1-li-lei", display="小李")
WANG_FANG, WANG2 = Lookup(agent="a2-wang", display="Wang Fang"), Lookup(agent="a3-wang2", display="Wang")
SALES = Lookup(team="sales", display="售前")


@pytest.mark.parametrize(
    ("text", "named", "rest"),
    [
        ("小李", LI, ""),
        ("小李 请跟进退款，谢谢。", LI, "请跟进退款，谢谢。"),
        ("小李，请跟进", LI, "请跟进"),
        ("小李\n两行\n留言", LI, "两行\n留言"),
        ("LI-LEI: later", LI, "later"),
        ("Sales", SALES, ""),
        ("ｓａｌｅｓ hello", SALES, "hello"),
        ("售前", SALES, ""),
        ("wang fang knows", WANG_FANG, "knows"),
        ("wang2", WANG2, ""),
        ("li 留言", Lookup(team="li", display="小李组"), "留言"),
        ("小李组", Lookup(team="li", display="小李组"), ""),
    ],
)
def test_the_longest_name_that_the_text_begins_with_counts(text: str, named: Lookup, rest: str) -> None:
    assert NAMES.named(text) == Lookup(named.agent, named.team, named.display, rest)


def test_a_name_is_stronger_than_the_display_of_somebody_else() -> None:
    assert NAMES.named("wang") == WANG_FANG


@pytest.mark.parametrize(
    "text", ["小李子 留言", "lilei", "li-lei2", "小韩", "Same", "", "@小李", "谁 小李", "x" * 5000]
)
def test_what_is_not_clear_beyond_doubt_names_nobody(text: str) -> None:
    assert NAMES.named(text) == Lookup()


@pytest.mark.parametrize(
    ("name", "teams", "reply"),
    [
        ("稍等", ("sales",), "请稍等。"),
        ("稍等", ("sales", "after"), "正在查。"),
        ("退货", ("bills", "after"), "请联系售后。"),
        ("退货", ("sales",), ""),
        ("ｈｉ", ("after",), "Hello."),
        ("Hi there", ("after",), ""),
    ],
)
def test_a_reply_of_their_first_team_counts_before_those_for_all(name: str, teams: tuple[str, ...], reply: str) -> None:
    assert NAMES.reply(name, teams) == reply


@pytest.mark.parametrize(
    ("text", "lookup"),
    [
        ("转接 #12 @小李 老客户", Lookup("a1-li-lei", "", "小李", "老客户")),
        ("transfer @nobody", Lookup()),
        ("您好", None),
        ("#12 您好 @小李", None),
        ("结束", None),
    ],
)
def test_only_commands_that_name_somebody_are_looked_up(text: str, lookup: Lookup | None) -> None:
    assert NAMES.lookup(words.parse(text), ("sales",)) == lookup


def test_the_replies_that_are_shown_are_those_that_count() -> None:
    written = {
        "replies": {"稍等": "请稍等", "Hi": "您好"},
        "teams": {"sales": {"稍等": "售前"}, "after": {"稍等": "售后"}},
    }
    names = Names(TEAMS, Replies.model_validate(written))
    for teams in ((), ("sales",), ("after", "sales"), ("nobody",)):
        shown = names.replies(teams)
        assert shown == {name: names.reply(name, teams) for name in ("稍等", "Hi")}
