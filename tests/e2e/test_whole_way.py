"""The way of a message through a hub as a user runs it: rules, review, the agent's phone, wrong input."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from connectors.h5.sandbox import Robot, SentText
from hub.demo.stage import Stage
from tests.e2e.visitors import Visitors

WANG = "WangFang"
"""A userid of rules/teams.yaml, team presale."""


async def until(true: Callable[[], object], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


async def phone(stage: Stage, user: str, text: str) -> str:
    """All that the phone has shown, once `text` is among it."""
    async with asyncio.timeout(30):
        while True:
            shown = "\n".join(bubble.text for bubble in await stage.stand_in.texts(user))
            if text in shown:
                return shown
            await asyncio.sleep(0.05)


async def type_on_phone(stage: Stage, user: str, text: str) -> None:
    _, taken = stage.stand_in.say(user, "text", text)
    assert await taken


def answers(robot: Robot) -> list[str]:
    return [event["text"] for event in robot.history.shown if event["kind"] == "answer"]


async def test_an_agent_answers_from_their_phone(stage: Stage, visitors: Visitors) -> None:
    (visitor,) = await visitors.come(1)
    visitor.say("这款有货吗？想买一件")
    await visitor.settled()
    await type_on_phone(stage, WANG, "上班")
    shown = await phone(stage, WANG, "这款有货吗")
    assert "【#1·" in shown
    await type_on_phone(stage, WANG, "#1 有的，亲")
    await visitor.until(lambda: answers(visitor) == ["有的，亲"])
    visitor.say("好的谢谢")
    await phone(stage, WANG, "好的谢谢")
    await type_on_phone(stage, WANG, "不客气")
    await visitor.until(lambda: answers(visitor) == ["有的，亲", "不客气"])
    await type_on_phone(stage, WANG, "结束")
    await visitor.until(lambda: visitor.history.shown[-1]["kind"] == "closed")
    visitor.say("还有个问题，想买两件有优惠吗")
    await phone(stage, WANG, "还有个问题")


async def test_an_agent_takes_back_and_corrects_from_their_phone(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient
) -> None:
    (visitor,) = await visitors.come(1)
    await type_on_phone(stage, WANG, "上班")
    visitor.say("这款有货吗？想买一件")
    await phone(stage, WANG, "这款有货吗")
    await type_on_phone(stage, WANG, "#1 没有货了")
    await type_on_phone(stage, WANG, "更正 还有货")
    await phone(stage, WANG, "已更正 #1：「没有货了」→「还有货」")
    await type_on_phone(stage, WANG, "#1 密码是 1234")
    await type_on_phone(stage, WANG, "#1 撤回")
    await phone(stage, WANG, "已撤回 #1：「密码是 1234」")
    await visitor.until(lambda: visitor.history.shown[-1]["kind"] == "recalled")
    answered = await http.get(
        f"{stage.url}/api/v1/conversations/{visitor.conversation}/messages",
        headers={"authorization": f"Bearer {visitor._token}"},
    )
    told = [(event["kind"], event.get("text", "")) for event in answered.json()["events"]]
    assert told[-4:] == [("answer", ""), ("edited", "还有货"), ("answer", ""), ("recalled", "")]
    assert "1234" not in answered.text


async def test_a_text_that_waits_for_its_number_is_taken_back_before_anybody_has_it(
    stage: Stage, visitors: Visitors
) -> None:
    first, second = await visitors.come(2)
    await type_on_phone(stage, WANG, "上班")
    for visitor in (first, second):
        visitor.say("这款有货吗？想买一件")
        await visitor.settled()
    await phone(stage, WANG, "【#2·")
    await type_on_phone(stage, WANG, "给谁呢")
    await phone(stage, WANG, "发给谁？「给谁呢」")
    await type_on_phone(stage, WANG, "撤回")
    await phone(stage, WANG, "未发送：已取消\n给谁呢")
    await type_on_phone(stage, WANG, "#1 您好")
    await first.until(lambda: answers(first) == ["您好"])
    assert answers(second) == []


async def test_a_held_message_waits_for_a_person(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient, admin: dict[str, str]
) -> None:
    (visitor,) = await visitors.come(1)
    held = [visitor.say(opener) for opener in openers("held")[:2]]
    await visitor.settled()
    assert [text.status for text in held] == ["held", "held"]
    base = f"{stage.url}/api/v1/conversations/{visitor.conversation}/messages"
    mine = {"authorization": f"Bearer {visitor._token}"}
    assert (await http.post(f"{base}/{held[0].seq}/release", headers=mine)).status_code == 403
    assert (await http.post(f"{base}/{held[0].seq}/release", headers=admin)).status_code in (200, 201, 204)
    assert (await http.post(f"{base}/{held[1].seq}/reject", headers=admin)).status_code in (200, 201, 204)
    again = await http.post(f"{base}/{held[0].seq}/release", headers=admin)
    assert (again.status_code, again.headers["content-type"]) == (409, "application/problem+json")
    await visitor.until(lambda: {"released", "rejected"} <= {event["kind"] for event in visitor.history.shown})


async def test_rules_are_in_force_when_the_file_is_saved(stage: Stage, visitors: Visitors) -> None:
    (visitor,) = await visitors.come(1)
    filters = stage.rules / "filters.yaml"
    good = filters.read_text(encoding="utf-8")
    filters.write_text(good + "\n  - id: zebra\n    action: block\n    words: [斑马]\n", encoding="utf-8")
    await until(lambda: stage.log.read_text(encoding="utf-8").count("rules in force") == 2)
    assert (await said(visitor, "斑马线在哪")).status == "blocked"
    filters.write_text(good + "\n  - id: zebra\n    acton: block\n    words: [斑马]\n", encoding="utf-8")
    await until(lambda: "acton" in stage.log.read_text(encoding="utf-8"))
    assert (await said(visitor, "又一匹斑马")).status == "blocked", "the last good rules stay in force"
    filters.write_text(good, encoding="utf-8")
    await until(lambda: stage.log.read_text(encoding="utf-8").count("rules in force") == 4)
    assert (await said(visitor, "第三匹斑马")).status == ""


async def said(visitor: Robot, text: str) -> SentText:
    entry = visitor.say(text)
    await visitor.settled()
    return entry


async def test_a_forged_callback_is_refused_and_leaves_nothing(
    stage: Stage, visitors: Visitors, http: httpx.AsyncClient
) -> None:
    (visitor,) = await visitors.come(1)
    visitor.say("想买一件")
    await visitor.settled()
    url = f"{stage.url}/callbacks/wecom/callback"
    query = {"msg_signature": "0" * 40, "timestamp": "1", "nonce": "1"}
    body = b"<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[AAAA]]></Encrypt></xml>"
    assert (await http.post(url, params=query, content=body)).status_code == 403
    assert (await http.get(url, params=query | {"echostr": "AAAA"})).status_code == 403
    assert (await http.post(url, params=query, content=b"x" * 300_000)).status_code in (403, 413)
    assert "WangFang" not in (stage.folder / "hub.log").read_text(encoding="utf-8")


async def test_a_place_from_the_phone_is_named_to_both_sides(stage: Stage, visitors: Visitors) -> None:
    (visitor,) = await visitors.come(1)
    await type_on_phone(stage, WANG, "上班")
    visitor.say("这款有货吗？想买一件")
    await phone(stage, WANG, "这款有货吗？想买一件")
    await type_on_phone(stage, WANG, "#1 您好")
    _, taken = stage.stand_in.say(WANG, "location", "")
    assert await taken
    await visitor.until(lambda: answers(visitor)[-1:] == ["[not supported yet: location]"])
    await phone(stage, WANG, "[not supported yet: location]")


async def test_nobody_on_duty_is_said_and_the_first_who_comes_gets_it(stage: Stage, visitors: Visitors) -> None:
    (visitor,) = await visitors.come(1)
    visitor.say("这款有货吗？想买一件")
    await visitor.until(lambda: any(event["kind"] == "waiting" for event in visitor.history.shown))
    (waiting,) = [event for event in visitor.history.shown if event["kind"] == "waiting"]
    assert (waiting["position"], waiting.get("on_duty", False)) == (1, False)
    await type_on_phone(stage, WANG, "上班")
    await phone(stage, WANG, "这款有货吗")


def openers(label: str) -> list[str]:
    """Sentences of the demo with that label."""
    import hub.demo

    rows = (Path(hub.demo.__file__).with_name("openers.tsv")).read_text(encoding="utf-8").splitlines()
    return [row.split("\t")[0] for row in rows if row.split("\t")[2] == label]
