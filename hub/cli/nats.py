"""`hub nats`: a nats-server of a cluster, as the hub wants one to be run."""

from pathlib import Path
from typing import Annotated

import cyclopts
from cyclopts import Parameter

nats = cyclopts.App(name="nats", help="A nats-server of a cluster, as the hub wants one to be run.")


@nats.command
def run(
    *,
    config: Annotated[Path, Parameter(name="--config")] = Path("config/nats/cluster.conf"),
    folder: Annotated[Path, Parameter(name="--data")] = Path("data/nats"),
    url: Annotated[str, Parameter(env_var="HUB_NATS__URL")],
) -> None:
    """Run one server of a cluster until Ctrl-C: its files are copied before each start, and it is started again if
    it dies. It is stopped if its log is found to have lost its end.

    Parameters
    ----------
    config
        The server's own configuration: its name, addresses, token and routes.
    folder
        Folder of all that the server keeps.
    url
        All servers of the cluster, as the hub's nodes have them in `nats.url`: they are told how much room there is.
    """
    from hub import kept_nats, logs
    from hub.settings import check_nats_url

    logs.configure("nats")
    kept_nats.run(config, folder, check_nats_url(url))
