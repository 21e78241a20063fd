"""`hub connectors`: begin a channel's connector, and put it to the test."""

from pathlib import Path
from typing import Annotated

import cyclopts

connectors = cyclopts.App(name="connectors", help="Begin a channel's connector, and put it to the test.")


@connectors.command
def new(channel: str, /) -> None:
    """Write connectors/CHANNEL/: a small platform's connector with its stand-in, which passes every test as it is.

    Parameters
    ----------
    channel
        Its name: a word of a-z, 0-9 and _.
    """
    from hub.kit.generate import generate

    for file in generate(channel, Path("connectors")):
        print(file)
    print(f"\nnow: hub connectors test {channel}, then docs/writing-a-connector.md")


@connectors.command(name="test")
def try_out(
    channel: str,
    /,
    *,
    only: Annotated[tuple[str, ...], cyclopts.Parameter(negative=())] = (),
    json: Path | None = None,
    markdown: bool = False,
) -> int:
    """Run a connector and its stand-in through every fault that the conformance kit knows; takes about a minute.

    Exit status 1: something does not hold.

    Parameters
    ----------
    channel
        Folder below connectors/.
    only
        Just the check with this id; may be repeated.
    json
        File that gets the results.
    markdown
        Print the table as the channel's README has it.
    """
    import asyncio

    from rich.console import Console

    from hub.kit import table
    from hub.kit.run import run
    from hub.kit.subject import find

    results = asyncio.run(run(find(channel), only))
    if json is not None:
        json.write_text(table.as_json(results) + "\n", encoding="utf-8")
    if markdown:
        print(table.as_markdown(results))
    else:
        Console().print(table.as_table(results))
    return int(any(result.outcome == "failed" for result in results))
