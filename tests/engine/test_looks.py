"""How an entity stands is answered from any worker, as of what is on disk."""

import asyncio
from typing import Any

import msgspec

from hub.bus.server import EmbeddedServer
from hub.domain.commands import ChangeTeams
from hub.domain.ids import QUEUE_ID
from hub.domain.looks import AskLines, AskLoads, AskPresence, AskStanding, AskWaiting, Question, Standing
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.calls import Denied, Seen
from tests.engine.rig import Rig, conversation, until

TEAMS = Teams("1", "sales", (Team("sales", "售前"),), (AgentSettings("a1-wang", "wang", "王芳", ("sales",), 5),))
C = conversation(3)


async def look(rig: Rig, entity: str, question: Question) -> Any:
    """The answer as JSON, or the refusal's code."""
    future: asyncio.Future[Seen | Denied] = asyncio.get_running_loop().create_future()
    rig.router.look(entity, question, future.set_result)
    answer = await asyncio.wait_for(future, 20)
    return msgspec.json.decode(answer.data) if isinstance(answer, Seen) else answer.code


async def test_every_worker_sees_the_same(nats: EmbeddedServer) -> None:
    near, far = await Rig.start(nats, [0, 3]), await Rig.start(nats, [1])
    await near.submit(QUEUE_ID, ChangeTeams(TEAMS))
    await near.post(C, "t", 1)
    await until(lambda: near.partitions.state(QUEUE_ID).places)
    for rig in (near, far):
        standing = msgspec.convert(await look(rig, C, AskStanding()), Standing)
        assert (standing.stage, standing.name, standing.channel) == ("waiting", "张三", "h5")
        (line,) = await look(rig, QUEUE_ID, AskLines())
        assert (line["name"], line["waiting"], line["on_duty"]) == ("sales", 1, 0)
        (waiter,) = await look(rig, QUEUE_ID, AskWaiting("sales"))
        assert (waiter["conversation"], waiter["position"]) == (C, 1)
        assert await look(rig, QUEUE_ID, AskWaiting("sales", after=1)) == []
        (load,) = await look(rig, QUEUE_ID, AskLoads())
        assert (load["name"], load["on_duty"], load["open"], load["capacity"]) == ("wang", False, 0, 5)
        assert await look(rig, QUEUE_ID, AskLoads(after="wang")) == []
    await near.stop()
    await far.stop()


async def test_what_is_not_there_is_not_found(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, [0, 1, 3])
    asked: list[tuple[str, Question]] = [
        (C, AskStanding()), (C, AskLines()), (QUEUE_ID, AskStanding()), (QUEUE_ID, AskWaiting("nobody")),
        ("a1-wang", AskStanding()), ("a1-wang", AskLines()),
    ]  # fmt: skip
    for entity, question in asked:
        assert await look(rig, entity, question) == "not_found"
    assert rig.partitions.state(C) is None, "a question makes nothing"
    assert await look(rig, "a1-wang", AskPresence()) == {"on_duty": False, "because": "removed"}
    await rig.stop()


async def test_only_who_has_something_on_its_way_to_the_log_is_waited_for(nats: EmbeddedServer) -> None:
    rig, other = await Rig.start(nats, [0, 3]), conversation(3, "other")
    await rig.post(C, "t", 1)
    await rig.post(other, "t", 1)
    await until(lambda: not any(owned.relay.lag for owned in rig.partitions._owned.values()))
    posting = asyncio.ensure_future(rig.post(other, "t", 2))
    await asyncio.sleep(0)
    answers: list[str] = []
    rig.router.look(other, AskStanding(), lambda _: answers.append("other, whose message is on its way"))
    rig.router.look(C, AskStanding(), lambda _: answers.append("the one that stands still"))
    assert answers == ["the one that stands still"]
    await posting
    await until(lambda: len(answers) == 2)
    await rig.stop()
