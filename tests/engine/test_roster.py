"""rules/teams.yaml, as the queue, the agents and the conversations read it."""

from pathlib import Path

from hub.contract import Capabilities, Connector
from hub.domain import ids
from hub.domain.teams import DESK, AgentSettings, Hours, Overflow, Patience, Span, Team, Teams, Way
from hub.engine.names import Names
from hub.engine.roster import Roster, limits_of, teams_of
from hub.engine.rule_files import read_rule_files
from hub.rules.load import load
from tests.rules.rulefiles import files

WRITTEN = """\
timezone: Asia/Shanghai
hours:
  office: {mon-fri: 09:00-18:00}
  night: {daily: 22:00-06:00}
teams:
  general:
    display: 综合
    display_en: General
    pick: round_robin
    last_agent_days: 3
    hours: office
    away: 发邮件
    away_en: Mail us
    lead: li
    accept_s: 1
    remind_s: 2
    lead_s: 3
    pass_s: 4
    nudge_s: 5
    close_s: 6
    reply_s: 7
    overflow: {team: billing, after_s: 7}
    max_waiting: 8
  aftersale: {display: 售后}
  billing: {display: 财务}
agents:
  li: {display: 李雷, teams: [general, aftersale, billing], capacity: 3, languages: [zh, en], shift: night}
  han: {display: 韩梅梅, teams: [billing], addresses: {nowhere: Han}}
weights: {email: 2}
handover_s: 9
"""
WAYS = """\
teams:
  general: {display: 综合, delivery: [phone, mail]}
  aftersale: {display: 售后}
  billing: {display: 财务, lead: li}
delivery: [desk, {mail: off_duty}, phone]
agents:
  li: {display: 李雷, teams: [aftersale, general, billing], addresses: {phone: Li, mail: li@x.cn}}
  han: {display: 韩梅梅, teams: [billing], addresses: {mail: han@x.cn, phone: Han}}
  bo: {display: 博, teams: [billing], addresses: {phone: Bo, chat: bo}, delivery: [{phone: {unread_s: 60}}, chat]}
  an: {display: 安, teams: [billing]}
"""
OFFICE = Hours("Asia/Shanghai", ((Span(540, 1080),),) * 5 + ((), ()))
NIGHT = Hours("Asia/Shanghai", ((Span(1320, 1800),),) * 7)
SMALL_SHOP = Patience(remind_s=180, lead_s=600, pass_s=900, close_s=86_400, reply_s=600)


def test_all_that_is_written_is_in_force() -> None:
    rules = load(files(teams=WRITTEN))
    li = ids.agent_id(32, "li")
    assert teams_of(rules, {}, 32) == Teams(
        rules.version,
        "general",
        (
            Team("general", "综合", "General", "round_robin", 3, OFFICE, "发邮件", "Mail us", li,
                 Patience(1, 2, 3, 4, 5, 6, 7), Overflow("billing", 7), 8),
            Team("aftersale", "售后", last_agent_days=7, patience=SMALL_SHOP),
            Team("billing", "财务", last_agent_days=7, patience=SMALL_SHOP),
        ),
        (
            AgentSettings(li, "li", "李雷", ("general", "aftersale", "billing"), 3, languages=("zh", "en"),
                          shift="night"),
            AgentSettings(ids.agent_id(32, "han"), "han", "韩梅梅", ("billing",), 5),
        ),
        {"night": NIGHT},
        {"email": 2},
        9,
    )  # fmt: skip


def test_nobody_of_the_shipped_teams_has_a_shift_so_that_they_can_be_tried_at_any_time_of_day() -> None:
    rules = load(read_rule_files(Path(__file__).parents[2] / "rules"))
    teams = teams_of(rules, {}, 32)
    assert not any(agent.shift for agent in teams.agents)
    assert all(team.hours for team in teams.teams)


def test_a_change_of_the_files_changes_whom_names_name() -> None:
    rules = load(files(teams=WRITTEN))
    roster = Roster(teams_of(rules, {}, 32), 32, rules.replies)
    assert roster.names.named("李雷").agent == ids.agent_id(32, "li")
    changed = load({**files(teams=WRITTEN.replace("李雷", "李蕾")), "replies.yaml": "replies: {稍等: 请稍等}"})
    teams = teams_of(changed, {}, 32)
    roster.change(teams, Names(teams, changed.replies))
    assert [roster.names.named(name).display for name in ("李雷", "李蕾")] == ["", "李蕾"]
    assert roster.names.reply("稍等", ()) == "请稍等"
    assert roster.replies(()) == {"稍等": "请稍等"}


class Phone(Connector):
    can = Capabilities(role="agent", fold_ms=3000)


class Mail(Connector):
    can = Capabilities(role="both", fold_ms=60_000)


class Chat(Connector):
    can = Capabilities(role="visitor")


def test_an_agent_has_the_ways_of_their_own_their_team_s_or_the_file_s_list_on_the_channels_where_agents_are() -> None:
    connectors: dict[str, Connector] = {"phone": Phone(None), "mail": Mail(None), "chat": Chat(None)}  # type: ignore[arg-type]
    teams = teams_of(load(files(teams=WAYS)), connectors, 32)
    phone, mail = limits_of(Phone.can), limits_of(Mail.can)
    li, han, bo, an = teams.agents
    assert (phone.threads, mail.threads) == (False, True)
    assert (li.channel, li.address, li.limits) == ("phone", "Li", phone)
    assert li.ways == (Way("phone", "Li", phone), Way("mail", "li@x.cn", mail))
    assert (han.channel, han.ways) == (
        "phone", (Way(DESK), Way("mail", "han@x.cn", mail, off_duty=True), Way("phone", "Han", phone)),
    )  # fmt: skip
    assert (bo.channel, bo.ways) == ("phone", ())
    assert (an.channel, an.ways) == ("", ())
    assert [agent.leads for agent in teams.agents] == [(), (li.id,), (li.id,), (li.id,)]
    roster = Roster(teams, 32)
    assert [roster.agent_at("mail", "HAN@x.cn"), roster.agent_at("phone", "han"), roster.agent_at("chat", "bo")] == [
        han.id, han.id, None,
    ]  # fmt: skip
