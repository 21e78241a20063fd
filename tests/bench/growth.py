"""What a message costs at 100, 1,000 and 10,000 sockets, and with 1,000 and 100,000 conversations in the store.

At a steady rate, for a batch that waits longer is cheaper: the same rate makes the same batches.
"""

import asyncio
from pathlib import Path

from hub.bus.connection import connect
from hub.bus.founding import found
from hub.bus.server import EmbeddedServer
from hub.settings import Settings
from tests.bench import hub, remote
from tests.bench.core import agents_for
from tests.bench.figures import Figures, Plan, note
from tests.bench.hub import Hub
from tests.bench.remote import Crowd
from tests.bench.store import PARTITION, Store


def _words(plan: Plan) -> dict[str, str]:
    sockets = {sockets_figure(count): f"core-µs a message at {count:,} sockets" for count in plan.sockets}
    return sockets | {stored_figure(count): f"  with {count:,} conversations in the store" for count in plan.grown}


def sockets_figure(count: int) -> str:
    """The name of the figure at so many sockets."""
    return f"growth_{count}_sockets_us"


def stored_figure(count: int) -> str:
    """The name of the figure with so many conversations in the store."""
    return f"growth_{count}_stored_us"


WORDS = _words(Plan())


def run(plan: Plan) -> Figures:
    """A hub for each size."""
    figures: Figures = {}
    for count in plan.sockets:
        with hub.running(1, agents_for(count)) as node, remote.crowd(1, node.address) as crowd:
            figures[sockets_figure(count)] = _costs(plan, node, crowd, count)
    for count in plan.grown:
        with hub.folder() as place:
            asyncio.run(_fill(place / "data" / "nats", count))
            with hub.running(1, plan.agents_a_team, place=place) as node, remote.crowd(1, node.address) as crowd:
                if crowd.homes != [PARTITION]:
                    raise RuntimeError(f"new conversations are opened in {crowd.homes}, not where the old ones are")
                figures[stored_figure(count)] = _costs(plan, node, crowd, plan.visitors)
    return figures


def _costs(plan: Plan, node: Hub, crowd: Crowd, visitors: int) -> list[float]:
    figures: Figures = {}
    crowd.employ(node.admin_token, agents_for(visitors))
    crowd.arrive(visitors)
    crowd.open()
    crowd.pace(plan.growth_per_s, plan.warm_up_s)
    for _ in range(plan.repeats):
        before, begun = node.cores(), crowd.counts()
        crowd.pace(plan.growth_per_s, plan.measure_s)
        used = node.cores().since(before)
        count = crowd.counts().acked - begun.acked
        note(figures, {"us": (used.worker + used.nats) / count * 1e6})
    return figures["us"]


async def _fill(nats: Path, count: int) -> None:
    """The store of a hub that is to be started."""
    nats.mkdir(parents=True)
    server = EmbeddedServer(nats)
    await server.start()
    try:
        connection = await connect(server.url, "bench")
        founding = await found(connection, Settings().partitions)
        await Store(connection, founding.epoch).fill(count)
        await connection.close()
    finally:
        await server.stop()
