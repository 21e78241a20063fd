"""Three workers on three nodes against one, on three NATS servers, and recovery from the death of a node.

All of it shares the cores of this machine, so more nodes cannot give more messages here: what counts is the core time
of a message, and what it costs more when the conversation is on another node. `tests.cluster` starts the nodes, as
docker-compose.cluster.yml describes them.
"""

import asyncio

from tests.bench import core, hub, recovery, remote
from tests.bench.figures import Figures, Plan
from tests.bench.hub import Measured
from tests.cluster import HUBS, NATS, Cluster
from tests.cluster.cluster import PORT

CAPACITY = 3
"""The same agents serve the visitors of three runs."""
SHOWN = {
    "messages_per_s": "messages/s",
    "core_us_per_message": "  core-µs a message, workers + nats-servers",
    "core_us_worker": "    workers",
    "core_us_nats": "    nats-servers",
}
"""Of the figures of the whole way, by their names there."""
RUNS = {
    "one": "one node, log on three servers: ",
    "three": "three nodes, conversation on the socket's node: ",
    "crossing": "three nodes, conversation on another node: ",
}
WORDS = {
    f"cluster_{run}_{name}": (words if name == "messages_per_s" else "") + what
    for run, words in RUNS.items() for name, what in SHOWN.items()
} | {"cluster_recovery_ms": "ms from SIGKILL of a node until all its conversations take messages"}  # fmt: skip


class Nodes(Measured):
    """The processes of a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def processes(self) -> dict[str, list[int]]:
        """As Measured."""
        firsts = [pid for name in (*HUBS, *NATS) if (pid := self._cluster[name].pid)]
        all_pids = {pid for name in (*HUBS, *NATS) for pid in self._cluster[name].pids()}
        return hub.by_role(firsts, all_pids.difference(firsts))


def run(plan: Plan) -> Figures:
    """One cluster for all."""
    figures: Figures = {}
    with hub.folder() as place:
        hub.write_rules(place / "rules", plan.agents_a_team * CAPACITY)
        with Cluster(place / "cluster", rules=place / "rules", environment=hub.NO_LIMITS) as cluster:
            for name in HUBS[1:]:
                cluster[name].stop()
            _note(figures, "one", _peak(plan, cluster, HUBS[:1]))
            for name in HUBS[1:]:
                cluster[name].start()
            cluster.ready()
            asyncio.run(_spread(cluster))
            _note(figures, "three", _peak(plan, cluster, HUBS))
            _note(figures, "crossing", _peak(plan, cluster, HUBS, crossing=True))
            figures["cluster_recovery_ms"] = asyncio.run(_kills(plan, cluster))
    return figures


def _peak(plan: Plan, cluster: Cluster, nodes: tuple[str, ...], *, crossing: bool = False) -> Figures:
    with remote.crowd(len(nodes), *(_address(cluster, name) for name in nodes)) as crowd:
        core.settle(cluster.admin_token, crowd, plan, crossing=crossing)
        return core.whole_way(Nodes(cluster), crowd, plan)


def _note(figures: Figures, what: str, found: Figures) -> None:
    figures |= {f"cluster_{what}_{name}": found[name] for name in SHOWN}


async def _spread(cluster: Cluster) -> None:
    """Wait until every node has got its share."""
    for name in HUBS:
        others = [_address(cluster, other) for other in HUBS if other != name]
        await recovery.visitors_of(_address(cluster, name), *others)


async def _kills(plan: Plan, cluster: Cluster) -> list[float]:
    took = []
    victim, *others = (_address(cluster, name) for name in HUBS)
    for _ in range(plan.kills):
        async with recovery.probing(others[0], await recovery.visitors_of(victim, *others)) as probers:
            took.append(await recovery.kill(cluster[HUBS[0]].pids(), probers))
        cluster[HUBS[0]].start()
        await asyncio.to_thread(cluster.ready)
    return took


def _address(cluster: Cluster, name: str) -> tuple[str, int]:
    return cluster.hosts[name], PORT
