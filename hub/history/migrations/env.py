"""What Alembic runs for every command: connects as the config's `url` says and hands over our tables."""

import asyncio
from typing import Any

from alembic import context
from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from hub.history import models  # noqa: F401  (fills SQLModel.metadata)

LOCK = 0x6B656675
"""Any number that nobody else in the database uses."""


def migrate(connection: Connection) -> None:
    """Run the command in one transaction. SQLite cannot alter much of a table: there it is copied ("batch")."""
    context.configure(
        connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True, transactional_ddl=True
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":  # another node may be about to do the same
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        context.run_migrations()


def begin_before_tables(engine: Engine) -> None:
    """Python's driver makes tables outside of any transaction, unless it is told nothing of one.

    Killed half-way, a migration would leave tables that the next one stumbles over.
    """

    @event.listens_for(engine, "connect")
    def leave_it_to_us(connection: Any, _: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


async def connect() -> None:
    """Open a connection for `migrate`, and close it."""
    engine = create_async_engine(context.config.attributes["url"])
    if engine.dialect.name == "sqlite":
        begin_before_tables(engine.sync_engine)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(connect())
