"""A worker that makes a checkpoint each second, so that a short life leaves snapshots and a trimmed log."""

from hub import worker
from hub.engine import checkpoints

if __name__ == "__main__":
    checkpoints.INTERVAL_S = 1.0
    worker.main()
