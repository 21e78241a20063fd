"""`hub up`: run a whole hub on this machine."""

from hub.cli.config import DEFAULT, Config


def up(*, config: Config = DEFAULT) -> None:
    """Start the hub and keep it running until Ctrl-C.

    Parameters
    ----------
    config
        File with the settings.
    """
    from hub import logs, node, settings
    from hub.cli.rules import read

    logs.configure("supervisor")
    loaded = settings.load(config)
    read(loaded.rules)  # a worker that found them broken could only die
    node.up(loaded)
