"""What Alembic runs for every command: connects as the config's `url` says and hands over our tables."""

import asyncio

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

from hub.history import models  # noqa: F401  (fills SQLModel.metadata)


def migrate(connection: Connection) -> None:
    """Run the command in one transaction. SQLite cannot alter much of a table: there it is copied ("batch")."""
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


async def connect() -> None:
    """Open a connection for `migrate`, and close it."""
    engine = create_async_engine(context.config.attributes["url"])
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


asyncio.run(connect())
