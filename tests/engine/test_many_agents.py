"""Thousands of agents: a message of the log holds 1 MB, and all of them know their settings in the end."""

from hub.bus.server import EmbeddedServer
from hub.domain import commands as c
from hub.domain import ids
from hub.domain.messages import FileLimit, Limits
from hub.domain.teams import AgentSettings, Team, Teams
from tests.engine.rig import Rig, conversation, until

PARTITIONS = 4
AGENTS = 4000
LIMITS = Limits(files=(FileLimit("image/*", 10 << 20), FileLimit("*/*", 20 << 20)), per_minute=30, per_hour=1000)


def settings(number: int) -> AgentSettings:
    name = f"agent-{number}"
    return AgentSettings(
        ids.agent_id(PARTITIONS, name), name, f"客服{number}", ("sales",), 5, "wecom", f"Agent{number}", LIMITS
    )


async def test_thousands_of_agents_are_configured(nats: EmbeddedServer) -> None:
    rig = await Rig.start(nats, range(PARTITIONS))
    agents = tuple(settings(number) for number in range(AGENTS))
    command, parts = c.ChangeTeams(Teams("1", "sales", (Team("sales", "售前"),), agents)), 0
    while (await rig.submit(ids.QUEUE_ID, command)).records:
        parts += 1
    assert parts > 1
    states = rig.partitions.state
    await until(lambda: all(states(agent.id) is not None and states(agent.id).settings == agent for agent in agents))
    last = agents[-1].id
    await rig.submit(last, c.SetDuty(last, on=True))
    await rig.post(conversation(1), "t1", 1)
    await until(lambda: states(conversation(1)) is not None and states(conversation(1)).agent == last)
    await rig.stop()
