"""The follower of the hub without a fence: it has to know under which name the expected sequence travels."""

import uvloop

from hub import logs
from hub.history import follower
from hub.process import Supervised
from tests.chaos.sabotage import run
from tests.chaos.sabotage.unfenced import harm


def main() -> None:
    """As the product's."""
    logs.configure("history")
    uvloop.run(follower.main(Supervised.attach()))


if __name__ == "__main__":
    run("", "", harm, main)
