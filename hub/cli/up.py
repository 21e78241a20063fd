"""`hub up`: run a whole hub on this machine."""

from hub.cli.config import DEFAULT, Config


def up(*, config: Config = DEFAULT, new_admin_token: bool = False) -> None:
    """Start the hub and keep it running until Ctrl-C.

    Parameters
    ----------
    config
        File with the settings.
    new_admin_token
        Make a new admin token and show it; the one before is no longer valid.
    """
    from hub import logs, node, settings
    from hub.cli.rules import read

    logs.configure("supervisor")
    loaded = settings.load(config)
    read(loaded.rules)  # a worker that found them broken could only die
    node.up(loaded, new_admin_token=new_admin_token)
