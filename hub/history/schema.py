"""How the SQLite file gets its tables, and keeps up with this version's. Apart, for only the follower needs Alembic."""

from pathlib import Path

import alembic.command
from alembic.config import Config

from hub.history import database


def migrate(data: Path) -> None:
    """Bring the tables to this version's form; makes the file if need be.

    Blocks, and runs an event loop of its own: to be called from a thread without one.
    """
    alembic.command.upgrade(migrations(data), "head")


def migrations(data: Path) -> Config:
    """What Alembic's commands take to work on the history of a data folder."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["url"] = database.url(data)
    return config
