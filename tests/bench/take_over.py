"""How long it takes to take over a partition of 1,000 to 100,000 conversations, by the length of the log's tail.

The engine's own owner in this process, on a real nats-server: reading checkpoint and tail, the fence, and then the
first message to a conversation that has only its image.
"""

import time

import uvloop

from hub.bus.connection import connect
from hub.bus.server import EmbeddedServer
from tests.bench import hub
from tests.bench.figures import Figures, Plan, note
from tests.bench.store import Store


def _words(plan: Plan) -> dict[str, str]:
    words = {}
    for tail in plan.tails:
        for count in plan.stored:
            words[figure(count, tail)] = f"ms to take over {count:,} conversations with a tail of {tail:,} events"
            words[f"{figure(count, tail)}_first"] = "  until a first message is acknowledged"
    return words


def figure(count: int, tail: int) -> str:
    """The name of the figure for so many conversations and events."""
    return f"take_over_{count}_{tail}_ms"


WORDS = _words(Plan())


def run(plan: Plan) -> Figures:
    """A nats-server for each number of conversations."""
    figures: Figures = {}
    for count in plan.stored:
        figures |= uvloop.run(_taken(plan, count))
    return figures


async def _taken(plan: Plan, count: int) -> Figures:
    figures: Figures = {}
    with hub.folder() as place:
        server = EmbeddedServer(place)
        await server.start()
        try:
            connection = await connect(server.url, "bench")
            store = Store(connection, 1)
            await store.fill(count)
            before = 0
            for tail in plan.tails:
                await store.add_tail(tail - before)
                before = tail
                for n in range(plan.repeats):
                    name, owner, begun = figure(count, tail), store.owner(), time.perf_counter()
                    await owner.take()
                    taken_s = time.perf_counter() - begun
                    await store.say(owner, [store.conversations[-1 - n]])
                    first_s = time.perf_counter() - begun
                    owner.close("measured")
                    note(figures, {name: taken_s * 1e3, f"{name}_first": first_s * 1e3})
            await connection.close()
        finally:
            await server.stop()
    return figures
