"""Judgements: what one text gets."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.messages import Judgement
from hub.rules.load import load
from tests.rules.rulefiles import ABUSE, FILTERS, ROUTING, files

RULES = load(files())


def judged(text: str, *, routed: bool = False) -> Judgement:
    """The judgement without the version, for comparing."""
    judgement = RULES.judge(text, routed)
    assert judgement.rules == RULES.version
    return msgspec.structs.replace(judgement, rules="")


@pytest.mark.parametrize(
    ("text", "judgement"),
    [
        ("你好", Judgement("你好")),
        ("", Judgement("")),
        (
            "我要 退 款！订单 8812",
            Judgement("我要 退 款！订单 8812", team="aftersale", reply="请留下订单号", because=("refund",)),
        ),
        ("I want a REFUND", Judgement("I want a REFUND", team="aftersale", reply="请留下订单号", because=("refund",))),
        ("refunded", Judgement("refunded")),
        ("学C++的书", Judgement("学C++的书", team="aftersale", reply="请留下订单号", because=("refund",))),
        ("学C的书", Judgement("学C的书")),
        ("想退，款式不好", Judgement("想退，款式不好")),
        ("退款政策是什么", Judgement("退款政策是什么")),
        (
            "看了退款政策，我要退款",
            Judgement("看了退款政策，我要退款", team="aftersale", reply="请留下订单号", because=("refund",)),
        ),
        (
            "退款什么时候到账",
            Judgement(
                "退款什么时候到账",
                team="billing",
                priority=7,
                reply="请留下订单号",
                because=("refund-money", "refund"),
            ),
        ),
        ("到账了", Judgement("到账了")),
        ("早上好", Judgement("早上好", reply="早上好", because=("greeting",))),
        ("你个傻 逼客服", Judgement("你个***客服", original="你个傻 逼客服", because=("abuse",))),
        ("妈妈的快递", Judgement("妈妈的快递")),
        (
            "妈的，打我138-1234-5678",
            Judgement(
                "**，打我*************", original="妈的，打我138-1234-5678", because=("abuse", "private")
            ),
        ),
        ("我要曝光", Judgement("我要曝光", status="held", because=("threat",))),
        ("+V聊", Judgement("+V聊", status="held", because=("threat",))),
        ("法院", Judgement("法院")),
        ("法院见，我告你", Judgement("法院见，我告你", status="held", because=("threat",))),
        (
            "傻逼，不退款就曝光",
            Judgement(
                "**，不退款就曝光",
                status="held",
                original="傻逼，不退款就曝光",
                team="aftersale",
                reply="请留下订单号",
                because=("abuse", "threat", "refund"),
            ),
        ),
        ("刷⭐单，可退款，曝光", Judgement("刷⭐单，可退款，曝光", status="blocked", because=("threat", "spam"))),
        ("加急", Judgement("加急", flags=("urgent",), because=("urgent",))),
    ],
)  # fmt: skip
def test_judgement(text: str, judgement: Judgement) -> None:
    assert judged(text) == judgement


def test_keywords_only_reply_once_a_team_is_chosen() -> None:
    assert judged("退款什么时候到账", routed=True) == Judgement(
        "退款什么时候到账", reply="请留下订单号", because=("refund-money", "refund")
    )


def test_the_order_of_the_file_decides_between_rules() -> None:
    header, *rules = ROUTING.split("  - id: ")
    turned = load(files(routing="  - id: ".join([header, rules[1], rules[0], rules[2]])))
    assert turned.judge("退款什么时候到账", False).team == "aftersale"


def test_block_is_stronger_than_hold_in_either_order() -> None:
    header, *rules = FILTERS.split("  - id: ")
    turned = load(files(filters="  - id: ".join([header, *reversed(rules)])))
    assert [rules.judge("刷单，曝光", False).status for rules in (RULES, turned)] == ["blocked", "blocked"]


def test_a_lone_surrogate_is_no_accident() -> None:
    assert judged("退\ud800款").team == "aftersale"


@given(st.text(st.sampled_from("傻逼妈的刷单138 ,⭐\u200b\u0301退款aF"), max_size=40))
def test_masked_text_differs_only_by_stars(text: str) -> None:
    judgement = RULES.judge(text, False)
    assert len(judgement.text) == len(text)
    assert all(after in (before, "*") for before, after in zip(text, judgement.text, strict=True))
    assert judgement.original == (None if judgement.text == text else text)
    assert RULES.judge(judgement.text, False).original is None or "*" in text


@given(st.text(max_size=60))
def test_any_text_gets_a_judgement(text: str) -> None:
    assert RULES.judge(text, False).rules == RULES.version


def test_version_changes_with_any_file_and_with_nothing_else() -> None:
    versions = {
        RULES.version,
        load(files(routing=ROUTING + "\n")).version,
        load(files(filters=FILTERS + "\n")).version,
        load(files(abuse=ABUSE + "混蛋\n")).version,
    }
    assert len(versions) == 4
    assert load(dict(sorted(files().items(), reverse=True))).version == RULES.version


def test_lines_of_teams_yaml_are_there_by_name() -> None:
    assert RULES.default == "general"
    assert {name: (team.display, team.display_en) for name, team in RULES.roster.teams.items()} == {
        "general": ("综合", "General"),
        "aftersale": ("售后", ""),
        "billing": ("财务", ""),
    }
    li, han = RULES.roster.agents["li"], RULES.roster.agents["han"]
    assert (li.display, li.teams, li.capacity, li.addresses) == (
        "李雷", ["general", "aftersale"], 3, {"wecom": "LiLei"},
    )  # fmt: skip
    assert (han.display, han.teams, han.capacity, han.addresses) == ("韩梅梅", ["billing"], 5, {})
