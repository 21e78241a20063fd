"""The comparison of the ledgers: each counter moves for its own fault and for no other."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hub.demo.comparison import compare, percentile, reasons
from hub.demo.ledgers import AgentLedger, Given, Sent, Typed, VisitorLedger
from hub.demo.routes import Frame
from hub.demo.serials import serial
from hub.domain.attempts import INTERRUPTED

ZEROS = {"lost": 0, "duplicated": 0, "reordered": 0, "misrouted": 0, "wrong_visitor": 0}


def block(no: int, seq: int, one: Sent) -> str:
    return f"【#{no}·{seq} 顾客】{one.text}"


def sent(n: int, sentence: str, label: str = "") -> Sent:
    return Sent(serial(n), f"{sentence} {serial(n)}", label)  # type: ignore[arg-type]


@dataclass
class Shop:
    """Two visitors, two agents of different teams, two answers to each visitor: a run without a fault."""

    visitors: list[VisitorLedger]
    agents: list[AgentLedger]
    log: list[Frame]


@pytest.fixture
def shop() -> Shop:
    first = [sent(1, "退款到哪了"), sent(2, "在吗"), sent(3, "你好")]
    second = [sent(4, "我的电话 13922334455", "masked"), sent(5, "刷单", "blocked"), sent(6, "投诉", "held")]
    visitors = [VisitorLedger("billing", "h5", first), VisitorLedger("presale", "email", second)]
    starred = replace(second[0], text=f"我的电话 *********** {serial(4)}")
    for visitor in visitors:
        visitor.acked = {one.serial for one in visitor.sent}
        visitor.latencies_ms = [1.0, 2.0, 3.0]
        visitor.shown = [one.text for one in visitor.sent]
    visitors[0].shown += [f"您好 {serial(101)}", f"已退 {serial(102)}"]
    visitors[1].shown += [f"您好 {serial(103)}", f"好的 {serial(104)}"]
    folded = "\n".join([block(7, 3, first[1]), block(7, 4, first[2])])
    agents = [
        AgentLedger(
            frozenset({"billing"}),
            ["新会话 #7 顾客（财务）\n" + block(7, 2, first[0]), folded],
            [Typed(serial(101), serial(1), by_number=True), Typed(serial(102), serial(3), by_number=False)],
            name="陈静",
        ),
        AgentLedger(
            frozenset({"presale"}),
            [block(8, 2, starred), "【#8·4 顾客】[待审核]"],
            [Typed(serial(103), serial(4), by_number=False), Typed(serial(104), serial(4), by_number=True)],
            name="王芳",
        ),
    ]
    log = [
        *logged("c1", "billing", "陈静", first, ("您好", 101), ("已退", 102)),
        *logged("c2", "presale", "王芳", [starred], ("您好", 103), ("好的", 104)),
    ]
    return Shop(visitors, agents, log)


def logged(c: str, team: str, agent: str, messages: list[Sent], *answers: tuple[str, int]) -> list[Frame]:
    """A conversation as the log has it: assigned, then all messages, then all answers."""
    return [
        {"c": c, "kind": "queued", "team": team},
        {"c": c, "kind": "assigned", "by": agent, "team": team, "no": 7},
        *({"c": c, "kind": "message", "text": one.text} for one in messages),
        *({"c": c, "seq": n, "kind": "answer", "by": agent, "text": f"{text} {serial(n)}"} for text, n in answers),
    ]


def judged(shop: Shop) -> tuple[dict[str, Any], list[str]]:
    result, faults = compare(shop.visitors, shop.agents, 12.34, shop.log, {"presale": "general"})
    return result.fields(), faults


def test_a_run_without_a_fault(shop: Shop) -> None:
    assert judged(shop) == (
        {
            "visitors": 2, "channels": {"h5": 1, "email": 1}, "agents": 2,
            "sent": 6, "delivered": 4, "held": 1, "blocked": 1, "answered": 2, "overlooked": 0,
            "lost": 0, "duplicated": 0, "reordered": 0, "misrouted": 0, "wrong_visitor": 0,
            "in_doubt": 0, "arrived": 0, "masked": 1,
            "transferred": 0, "handed_over": 0, "missed": 0, "overflowed": 0, "reopened": 0, "closed": 0,
            "p50_ms": 2.0, "p99_ms": 3.0, "seconds": 12.3,
        },
        [],
    )  # fmt: skip


def lose_a_block(shop: Shop) -> None:
    shop.agents[0].texts[1] = shop.agents[0].texts[1].split("\n")[1]


def lose_an_answer(shop: Shop) -> None:
    del shop.visitors[0].shown[-1]


def forget_a_text_on_the_page(shop: Shop) -> None:
    del shop.visitors[1].shown[1]


def show_a_text_twice(shop: Shop) -> None:
    shop.agents[1].texts.append(shop.agents[1].texts[0])


def show_an_answer_twice(shop: Shop) -> None:
    shop.visitors[1].shown.append(shop.visitors[1].shown[-1])


def store_a_message_twice(shop: Shop) -> None:
    shop.agents[0].texts.append(block(7, 9, shop.visitors[0].sent[2]))


def repeat_a_part(shop: Shop) -> None:
    whole = shop.visitors[0].sent[0].text
    shop.agents[0].texts[0] = f"【#7·2 1/2 顾客】{whole[:3]}"
    shop.agents[0].texts.insert(1, f"【#7·2 1/2 顾客】{whole[:3]}")
    shop.agents[0].texts.insert(2, f"【#7·2 2/2 顾客】{whole[3:]}")


def swap_blocks(shop: Shop) -> None:
    shop.agents[0].texts[1] = "\n".join(reversed(shop.agents[0].texts[1].split("\n")))


def swap_answers(shop: Shop) -> None:
    shop.visitors[0].shown[-2:] = reversed(shop.visitors[0].shown[-2:])


def show_it_to_the_other_team(shop: Shop) -> None:
    shop.agents[1].texts.append(shop.agents[0].texts.pop())


def answer_what_is_a_colleagues(shop: Shop) -> None:
    """The log has the answer behind the assignment to somebody else."""
    shop.log.insert(-1, {"c": "c2", "kind": "assigned", "by": "陈静", "team": "presale"})


def show_it_to_a_colleague_who_did_not_get_it(shop: Shop) -> None:
    texts = ["新会话 #7 顾客（财务）\n" + block(7, 2, shop.visitors[0].sent[0])]
    shop.agents.append(AgentLedger(frozenset({"billing"}), texts, name="吴平"))


def give_it_to_a_team_that_is_not_theirs(shop: Shop) -> None:
    give_it_to(shop, AgentLedger(frozenset({"logistics"}), name="韩梅梅"))


def give_it_to(shop: Shop, agent: AgentLedger) -> None:
    """The second conversation, with its messages, after what there was."""
    agent.texts.append("新会话 #8 顾客（售前）\n" + shop.agents[1].texts[0])
    shop.agents.append(agent)
    shop.log.append({"c": "c2", "kind": "assigned", "by": agent.name, "team": "presale"})


def answer_the_other_visitor(shop: Shop) -> None:
    shop.visitors[1].shown.insert(0, shop.visitors[0].shown.pop())


@pytest.mark.parametrize(
    ("harm", "counter"),
    [
        (lose_a_block, "lost"),
        (lose_an_answer, "lost"),
        (forget_a_text_on_the_page, "lost"),
        (show_a_text_twice, "duplicated"),
        (show_an_answer_twice, "duplicated"),
        (store_a_message_twice, "duplicated"),
        (repeat_a_part, "duplicated"),
        (swap_blocks, "reordered"),
        (swap_answers, "reordered"),
        (show_it_to_the_other_team, "misrouted"),
        (answer_what_is_a_colleagues, "misrouted"),
        (show_it_to_a_colleague_who_did_not_get_it, "misrouted"),
        (give_it_to_a_team_that_is_not_theirs, "misrouted"),
        (answer_the_other_visitor, "wrong_visitor"),
    ],
)
def test_a_fault_moves_its_own_counter_and_no_other(shop: Shop, harm: Callable[[Shop], None], counter: str) -> None:
    harm(shop)
    fields, faults = judged(shop)
    assert {name: fields[name] for name in ZEROS} == ZEROS | {counter: 1}
    assert f"{counter} is 1 and must be 0" in faults


def pass_it_on(shop: Shop, given: Given) -> None:
    shop.agents[1].given.append(given)
    shop.log.append({"c": "c2", "kind": "transferred", "by": "a1-wangfang"})


@pytest.mark.parametrize(
    "given", [Given("物流查询", team="logistics", of=serial(4)), Given("韩梅梅", agent="hanmeimei", of=serial(4))]
)
def test_whoever_a_colleague_has_passed_it_on_to_may_have_it(shop: Shop, given: Given) -> None:
    pass_it_on(shop, given)
    give_it_to(shop, AgentLedger(frozenset({"logistics"}), name="韩梅梅"))
    fields, faults = judged(shop)
    assert (faults, fields["transferred"]) == ([], 1)


def test_the_other_team_may_have_what_overflows_into_it(shop: Shop) -> None:
    give_it_to(shop, AgentLedger(frozenset({"general"}), name="赵敏"))
    fields, faults = judged(shop)
    assert (faults, fields["overflowed"]) == ([], 1)


def test_who_gets_a_conversation_again_is_shown_again_what_nobody_has_answered(shop: Shop) -> None:
    shop.agents[1].texts.append("新会话 #8 顾客（售前）\n" + shop.agents[1].texts[0])
    assert judged(shop)[1] == []


def test_an_answer_that_came_back_to_its_agent_need_not_arrive(shop: Shop) -> None:
    shop.agents[0].typed.append(Typed(serial(105), serial(3), by_number=True))
    assert judged(shop)[0]["lost"] == 1
    shop.agents[0].texts.append(f"未发送：#7 the conversation is with 吴平，现由 吴平 负责\n{serial(105)} 已退")
    assert judged(shop)[1] == []


def test_an_answer_that_was_written_before_the_last_message_was_read_is_none(shop: Shop) -> None:
    shop.agents[0].typed[1] = Typed(serial(102), serial(1), by_number=False)
    fields, faults = judged(shop)
    assert (fields["answered"], fields["overlooked"], faults) == (2, 1, ["overlooked is 1 and must be 0"])
    shop.log.append(shop.log.pop(next(n for n, one in enumerate(shop.log) if serial(3) in one.get("text", ""))))
    assert judged(shop)[1] == ["answered 1 of 2 visitors"]


def test_who_answers_what_the_log_has_behind_the_last_message_has_read_that_one(shop: Shop) -> None:
    shop.agents[0].typed[1] = Typed(serial(102), serial(2), by_number=False)
    assert judged(shop)[1] == ["overlooked is 1 and must be 0"]
    second, third = (next(n for n, one in enumerate(shop.log) if serial(k) in one.get("text", "")) for k in (2, 3))
    shop.log[second], shop.log[third] = shop.log[third], shop.log[second]
    shop.agents[0].texts[1] = "\n".join(reversed(shop.agents[0].texts[1].split("\n")))
    assert judged(shop)[1] == ["reordered is 1 and must be 0"]


def leave_it_in_the_line(shop: Shop) -> str:
    shop.log.append({"c": "c1", "kind": "returned", "by": "a1-chenjing", "text": "not accepted within 12 s"})
    return "1 conversations are neither with somebody nor closed"


def keep_it_out_of_the_log(shop: Shop) -> str:
    del shop.log[-1]
    return "1 texts that people saw are not in the log"


def hold_what_nobody_labelled(shop: Shop) -> str:
    shop.visitors[0].sent[2] = replace(shop.visitors[0].sent[2], label="held")
    return "delivered 4 + held 2 + blocked 1 is not sent 6"


def answer_nobody(shop: Shop) -> str:
    del shop.visitors[1].shown[-2:]
    shop.agents[1].typed = []
    return "answered 1 of 2 visitors"


def acknowledge_too_little(shop: Shop) -> str:
    shop.visitors[0].acked.pop()
    return "5 of 6 sent texts were acknowledged"


def mask_nothing(shop: Shop) -> str:
    shop.agents[1].texts[0] = block(8, 2, shop.visitors[1].sent[0])
    return f"should be masked and was not: 我的电话 13922334455 {serial(4)}"


def mask_too_much(shop: Shop) -> str:
    shop.agents[0].texts[0] = shop.agents[0].texts[0].replace("退款", "**")
    return f"was changed and should not be: 退款到哪了 {serial(1)}"


def type_numbers_only(shop: Shop) -> str:
    for agent in shop.agents:
        agent.typed = [replace(one, by_number=True) for one in agent.typed]
    return "4 of 4 answers were typed by number, which is not half"


@pytest.mark.parametrize(
    "harm",
    [
        leave_it_in_the_line, keep_it_out_of_the_log, hold_what_nobody_labelled, answer_nobody,
        acknowledge_too_little, mask_nothing, mask_too_much, type_numbers_only,
    ],
)  # fmt: skip
def test_what_does_not_fit_is_said(shop: Shop, harm: Callable[[Shop], str]) -> None:
    said = harm(shop)
    fields, faults = judged(shop)
    assert {name: fields[name] for name in ZEROS} == ZEROS
    assert faults == [said]


def test_an_answer_that_the_platform_gave_up_need_not_arrive(shop: Shop) -> None:
    shop.agents[0].typed.append(Typed(serial(105), serial(3), by_number=True, taken=False))
    assert judged(shop)[1] == []
    shop.visitors[1].shown.append(f"已退 {serial(105)}")
    assert judged(shop)[0]["wrong_visitor"] == 1


def tell(shop: Shop, quoted: str) -> None:
    """The second agent's phone says that nobody knows of a text that begins so."""
    shop.agents[1].texts.append(f"未送达 #8：{INTERRUPTED}\n「{quoted}」")


def doubts(shop: Shop) -> tuple[int, int, int]:
    fields, _ = judged(shop)
    return fields["in_doubt"], fields["arrived"], fields["lost"]


def test_an_answer_in_doubt_is_neither_lost_nor_hidden(shop: Shop) -> None:
    tell(shop, f"{serial(104)} 好的")
    assert doubts(shop) == (1, 1, 0)
    del shop.visitors[1].shown[-1]
    assert doubts(shop) == (1, 0, 0)
    assert reasons(shop.agents) == {INTERRUPTED: 1}


def test_of_an_answer_in_doubt_that_no_phone_tells_of_the_log_does(shop: Shop) -> None:
    del shop.visitors[1].shown[-1]
    assert doubts(shop) == (0, 0, 1)
    shop.log.append({"c": "c2", "kind": "undelivered", "refs": [104], "text": INTERRUPTED})
    assert doubts(shop) == (1, 0, 0)


def test_what_was_folded_into_a_text_in_doubt_shares_its_fate(shop: Shop) -> None:
    one, other = shop.visitors[1].shown[-2:]
    tell(shop, f"{serial(103)} 您好，马上…")
    shop.visitors[1].shown[-2:] = [f"{one}\n\n{other}"]
    assert doubts(shop) == (2, 2, 0)
    del shop.visitors[1].shown[-1]
    assert doubts(shop) == (2, 0, 0)


def test_a_doubt_excuses_only_the_text_that_it_quotes(shop: Shop) -> None:
    del shop.visitors[1].shown[-1]
    tell(shop, f"{serial(103)} 您好")
    assert doubts(shop) == (1, 1, 1)
    shop.agents[1].texts.pop()
    tell(shop, "人工客服稍后回复")
    assert doubts(shop) == (0, 0, 1)


def test_who_has_only_an_answer_in_doubt_is_not_answered(shop: Shop) -> None:
    del shop.visitors[1].shown[-2:]
    tell(shop, f"{serial(103)} 您好，马上…")
    fields, faults = judged(shop)
    assert (fields["answered"], faults) == (1, ["answered 1 of 2 visitors"])


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [([], 50, 0.0), ([7.0], 99, 7.0), ([1.0, 2.0], 50, 1.0), ([float(n) for n in range(1, 101)], 99, 99.0)],
)
def test_percentiles_are_values_that_occurred(values: list[float], percent: float, expected: float) -> None:
    assert percentile(values, percent) == expected
