"""Small rule files for the tests of the rules."""

from collections.abc import Mapping

ROUTING = """\
default: general
rules:
  - id: refund-money
    team: billing
    priority: 7
    words: [[退款, 到账]]
  - id: refund
    team: aftersale
    words: [退款, refund, c++]
    not_in: [退款政策]
    reply: 请留下订单号
  - id: greeting
    words: [早上好]
    reply: 早上好
"""
FILTERS = """\
rules:
  - id: abuse
    action: mask
    lexicons: [abuse]
    not_in: [妈妈的]
  - id: private
    action: mask
    detect: [phone, id_card, bank_card, email]
  - id: threat
    action: hold
    words: [曝光, [告, 法院], +v]
  - id: spam
    action: block
    words: [刷单]
  - id: urgent
    action: flag
    words: [加急]
"""
TEAMS = """\
teams:
  general: {display: 综合, display_en: General}
  aftersale: {display: 售后}
  billing: {display: 财务}
agents:
  li:
    display: 李雷
    teams: [general, aftersale]
    capacity: 3
    addresses: {wecom: LiLei}
  han: {display: 韩梅梅, teams: [billing]}
"""
ABUSE = "# insults\n傻逼\n妈的\n\nfuck\n"


def files(**changed: str) -> Mapping[str, str]:
    """The four files; `routing`, `filters`, `teams` or `abuse` replaces the text of one."""
    texts = {"routing": ROUTING, "filters": FILTERS, "teams": TEAMS, "abuse": ABUSE} | changed
    return {
        "routing.yaml": texts["routing"],
        "filters.yaml": texts["filters"],
        "teams.yaml": texts["teams"],
        "lexicons/abuse.txt": texts["abuse"],
    }
