"""`hub up` whose workers make checkpoints often (worker.py)."""

from functools import partial

from hub import node
from hub.cli import main

if __name__ == "__main__":
    node.Node = partial(node.Node, worker="tests.chaos_store.worker")  # type: ignore[assignment,misc]
    main(["up"])
