"""`hub version`: which hub this is."""

import importlib.metadata


def version() -> str:
    """Print the hub's version."""
    return importlib.metadata.version("kefu-hub")
