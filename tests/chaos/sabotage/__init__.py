"""Hubs that are broken on purpose, to prove that a run finds it. The product has no switch for any of this."""

import functools
import sys
from collections.abc import Callable

FOLLOWER = "hub.history.follower"


def up(worker: str, follower: str = FOLLOWER) -> None:
    """`hub up`, with these modules as its processes."""
    from hub import node
    from hub.cli import main

    node.Node = functools.partial(node.Node, worker=worker, follower=follower)  # type: ignore[misc,assignment]
    main()


def run(worker: str, follower: str, harm: Callable[[], None], main: Callable[[], None]) -> None:
    """`python -m tests.chaos.sabotage.<name> up` is a hub of these modules; else this is one process of it."""
    if sys.argv[1:2] == ["up"]:
        up(worker, follower)
    else:
        harm()
        main()
