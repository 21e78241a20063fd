"""`hub demo`: both sides of a conversation to try, or robots that play it and count."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def demo(
    *,
    script: bool = False,
    visitors: int = 200,
    messages: int = 10,
    sabotage: str = "",
    kills: int = 0,
    seed: int | None = None,
    url: str = "",
    port: int = 8088,
    folder: Annotated[Path, Parameter(name="--data")] = Path("data/demo"),
) -> None:
    """Talk to yourself: a visitor's page beside an agent's phone. Needs no WeCom account; Ctrl-C ends it.

    With --script robots play both sides and compare their ledgers; the last line of stdout is JSON, the exit status is
    1 if anything was lost, doubled, out of order or with the wrong person.

    Parameters
    ----------
    script
        Let robots play both sides, in a temporary folder.
    visitors
        With --script: how many visitors.
    messages
        With --script: how many messages each of them writes.
    sabotage
        With --script: drop, double, swap, misroute or cross damages what an agent's robot reads or types; drop-answer,
        double-answer, swap-answers or stray-answer what visitors' robots see, once on each channel. The run must fail.
    kills
        With --script: kill a worker so many times with SIGKILL, and nats-server as often, with messages under way.
    seed
        With --script: repeats the random choices of an earlier run.
    url
        With --script: play at the hub that runs there, set up for the stand-in for WeCom (`make cluster` starts one).
        Visitors write on its page only. Its log is compared too where HUB_ADMIN_TOKEN is its admin token.
    port
        Of the page; the hub and the stand-in for WeCom take the next two, other stand-ins take free ones.
    folder
        Folder of the page's hub; it keeps what was said.
    """
    if script:
        sys.exit(_play(visitors, messages, sabotage, kills, seed, url, port + 2))
    from hub.demo.page import show

    show(folder, port)


def _play(
    visitors: int, messages: int, sabotage: str, kills: int, seed: int | None, url: str, stand_in_port: int
) -> int:
    """Run the script; the exit status."""
    import asyncio
    import json
    import random
    import tempfile

    from hub.demo.cast import arrange
    from hub.demo.channels import names
    from hub.demo.sabotage import kind_of
    from hub.demo.script import Plan, run
    from hub.demo.stage import RunningHub, Stage
    from hub.errors import HubError

    if url and kills:
        raise HubError("--kills: only the processes of a hub that the demo starts itself are killed; leave out --url")
    kind = kind_of(sabotage) if sabotage else None
    plan = Plan(visitors, messages, kills, kind, random.randrange(1_000_000) if seed is None else seed)

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    async def play() -> int:
        with tempfile.TemporaryDirectory(prefix="hub-demo-") as folder:
            stage = (
                RunningHub(Path(folder), url, stand_in_port) if url else Stage(Path(folder), arrange, channels=names())
            )
            async with stage:
                result, faults = await run(stage, plan, say)
        for fault in faults:
            say(f"WRONG: {fault}")
        print(json.dumps(result.fields()), flush=True)
        return 1 if faults else 0

    return asyncio.run(play())
