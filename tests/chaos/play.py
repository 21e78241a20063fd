"""Starts a set-up, lets a run be played on it, and ends it."""

import contextlib
import random
import time
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.cluster_site import ClusterSite
from tests.chaos.phones import StandIn, members
from tests.chaos.processes import free_port
from tests.chaos.run import DRAIN_S, Crowd, Result, Run
from tests.chaos.schedule import PAIRS, Step, plan
from tests.chaos.site import Single


def say(line: str) -> None:
    """To a person who waits."""
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


async def play(
    folder: Path,
    crowd: Crowd,
    duration_s: float,
    seed: int,
    *,
    single: bool = True,
    module: str = "hub",
    only: Sequence[str] = (),
    pairs: int = PAIRS,
    drain_s: float = DRAIN_S,
) -> Result:
    """A run on a `single` machine, where `module` runs `up`, or on the cluster. `only`: with these faults."""
    async with contextlib.AsyncExitStack() as stack:
        stand_in: StandIn | None = None
        names = members(crowd.phones)
        if crowd.phones:
            stand_in = await stack.enter_async_context(StandIn(names, free_port(), folder / "wecom.log"))
        rng = random.Random(f"proxy {seed}")
        site = Single(folder, rng, module) if single else ClusterSite(folder, rng)
        site.configure(crowd.desks, stand_in.settings if stand_in else {}, names)
        await stack.enter_async_context(site)
        if stand_in is not None:
            await stand_in.save(f"http://127.0.0.1:{site.port}/callbacks/wecom/callback")
        run = Run(site, crowd, folder, seed, stand_in, say)
        steps = plan(seed, duration_s, [name for name in run.striker.names if not only or name in only], pairs)
        show_plan(steps)
        return await run.play(duration_s, steps, drain_s)


def show_plan(steps: Sequence[Step]) -> None:
    """The schedule, as the seed gives it."""
    for step in steps:
        strikes = " + ".join(f"{one.name}({one.target}) for {one.hold_s:g} s" for one in step.strikes)
        say(f"at {step.at_s:5.1f} s  {strikes}")
