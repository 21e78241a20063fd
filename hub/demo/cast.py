"""The scripted demo's company: who answers, in which teams, by which rules, and what each of them does on this day."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

Role = Literal["steady", "vanishes", "leaves", "keeps", "early", "late"]
"""What an agent does beside answering.

vanishes: goes on duty and never looks at the phone again. leaves: says 下班 with open conversations, and goes. keeps:
the same, but says 保留 and finishes them. early: has the shift that ends in mid-run, and goes home without a word.
late: has the one that begins then.
"""

By = Literal["phone", "page", "mail", "either"]
"""What an agent answers with; a page is the hub's own. either: the phone while on duty, else mail; and mail too when
something was not read for UNREAD_S."""

CAPACITY = 12
UNREAD_S = 6
HANDOVER_S = 4
"""Who went off duty loses what is open so long after."""
ACCEPT_S, PASS_S = 15, 20
"""Who has vanished loses what they were given so long after: in one team because they do not accept it, in the other
because they do not answer."""
IMPATIENT = frozenset({"aftersale", "logistics"})
"""The teams of which that is true."""


@dataclass(frozen=True)
class Person:
    """An agent of the demo: the name in teams.yaml, what people call them, their team and role."""

    name: str
    display: str
    team: str
    role: Role = "steady"
    by: By = "phone"

    @property
    def shift(self) -> str:
        """Its name in teams.yaml; empty: they say themselves when they work."""
        return self.role if self.role in ("early", "late") else ""


CAST = (
    Person("wangfang", "王芳", "presale"),
    Person("linna", "林娜", "presale", "leaves"),
    Person("majun", "马俊", "presale", by="page"),
    Person("songjia", "宋佳", "presale", by="mail"),
    Person("dengjie", "邓洁", "presale", "keeps", by="either"),
    Person("lilei", "李雷", "aftersale"),
    Person("zhouyang", "周洋", "aftersale"),
    Person("sunqi", "孙琪", "aftersale", "vanishes"),
    Person("hanmeimei", "韩梅梅", "logistics"),
    Person("gaoyuan", "高远", "logistics", "keeps"),
    Person("tangwei", "唐薇", "logistics", "vanishes"),
    Person("hejing", "何静", "logistics", by="page"),
    Person("chenjing", "陈静", "billing", "late"),
    Person("wuping", "吴平", "billing", "late"),
    Person("fengmin", "冯敏", "billing", "late", by="mail"),
    Person("zhaomin", "赵敏", "general"),
    Person("liuyang", "刘洋", "general", "early"),
    Person("caiyun", "蔡云", "general", by="either"),
    Person("guotao", "郭涛", "general", by="mail"),
    Person("xuhui", "徐慧", "general", by="page"),
)
_ROLES = {person.name: person.role for person in CAST}
OVERFLOW = {"billing": "general"}
"""Nobody of billing works before its shift begins: until then the others help out."""


def role_of(name: str) -> Role:
    """What an agent does; of another company everybody just answers."""
    return _ROLES.get(name, "steady")


def arrange(teams: dict[str, Any]) -> None:
    """Put the company into what teams.yaml says, as it is in the morning."""
    teams["agents"] = {
        person.name: {"display": person.display, "teams": [person.team], "capacity": CAPACITY}
        | _reached(person)
        | ({"shift": person.shift} if person.shift else {})
        for person in CAST
    }
    teams["handover_s"] = HANDOVER_S
    for name, line in teams["teams"].items():
        line |= {"remind_s": 0, "lead_s": 0, "pass_s": 0, "reply_s": 0}
        line["lead"] = next(person.name for person in CAST if person.team == name)
    teams["teams"]["aftersale"] |= {"accept_s": ACCEPT_S}
    teams["teams"]["logistics"] |= {"remind_s": PASS_S // 4, "lead_s": PASS_S // 2, "pass_s": PASS_S}
    for team, other in OVERFLOW.items():
        teams["teams"][team]["overflow"] = {"team": other}
    set_shifts(teams, morning=True)


def _reached(person: Person) -> dict[str, Any]:
    """Where, as teams.yaml has it."""
    phone, mail = {"wecom": person.name}, {"email": f"{person.name}@corp.example"}
    match person.by:
        case "page":
            return {}
        case "phone":
            return {"addresses": phone}
        case "mail":
            return {"addresses": mail}
    return {
        "addresses": phone | mail,
        "delivery": [{"email": "off_duty"}, {"email": {"unread_s": UNREAD_S}}, "wecom"],
    }


def set_shifts(teams: dict[str, Any], *, morning: bool) -> None:
    """Put the times of both shifts into what teams.yaml says: the early one is on in the `morning`, then the late one.

    That the rule file changes under a running hub is what moves them. The hub's clock is the machine's and the file
    knows minutes only: the change of a minute would fall anywhere into a run that takes less than two.
    """
    now = datetime.datetime.now(ZoneInfo(teams["timezone"]))
    around, later = (_times(now, *hours) for hours in ((-1, 6), (8, 10)))
    teams["hours"] |= {
        "early": {"daily": around if morning else later},
        "late": {"daily": later if morning else around},
    }


def _times(now: datetime.datetime, begin_h: int, end_h: int) -> str:
    """From so many hours after now to so many, as teams.yaml has it."""
    return "-".join(f"{now + datetime.timedelta(hours=hours):%H:%M}" for hours in (begin_h, end_h))
