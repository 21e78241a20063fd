"""How the history gets its tables, and keeps up with this version's. Apart, for only the follower needs Alembic."""

from pathlib import Path

import alembic.command
from alembic.config import Config
from sqlalchemy import URL


def migrate(where: URL) -> None:
    """Bring the tables to this version's form; makes them, and a SQLite file, if need be.

    Blocks, and runs an event loop of its own: to be called from a thread without one.
    """
    alembic.command.upgrade(migrations(where), "head")


def migrations(where: URL) -> Config:
    """What Alembic's commands take to work on this history."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["url"] = where
    return config
