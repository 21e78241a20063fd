"""`hub up` with stand-ins for worker and follower, in the data folder named by the argument."""

import sys
from functools import partial
from pathlib import Path

from hub import logs, node
from hub.settings import Settings

if __name__ == "__main__":
    logs.configure("supervisor")
    node.Node = partial(node.Node, worker="tests.node.child", follower="tests.node.child")  # type: ignore[assignment,misc]
    node.up(Settings(data=Path(sys.argv[1]), listen="127.0.0.1:0", workers=2, partitions=4))
