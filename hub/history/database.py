"""Where the history is, and how it is opened to write and to read: a SQLite file, or a PostgreSQL database."""

import sqlite3
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from hub.settings import Settings

FILE = "history.sqlite3"
"""Inside the data folder."""
BUSY_MS = 2000
"""So long SQLite itself waits for a lock before it says that it is busy."""
CACHE_KIB, WAL_PAGES = 65_536, 10_000
"""SQLite: a page that changes again and again goes to its place once. Measured: 6 µs an event instead of 10."""
CONNECT_S, READ_S, WRITE_S = 3, 5, 60
"""PostgreSQL: whoever hears nothing for so long gives up."""
POOL = 4
"""Connections a reader may have to PostgreSQL: what is asked of the history is rare, and short."""
AWAY = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)
"""What a call raises while the database is locked, full, restarting or unreachable."""


def url(settings: Settings) -> URL:
    """Where SQLAlchemy finds the history. It may hold a password: do not log it."""
    if settings.history.url:
        return make_url(settings.history.url).set(drivername="postgresql+asyncpg")
    return URL.create("sqlite+aiosqlite", database=str(settings.data / FILE))


def describe(where: URL) -> str:
    """Where it is, in words without secrets."""
    return (
        where.database or ""
        if is_sqlite(where)
        else f"PostgreSQL {where.database} at {where.host}:{where.port or 5432}"
    )


async def answers(where: URL) -> None:
    """Return when the database lets us in; makes nothing. Raises AWAY."""
    engine = reader(where)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    finally:
        await engine.dispose()


def is_sqlite(where: URL) -> bool:
    """Whether it is a file of one machine."""
    return where.get_backend_name() == "sqlite"


def writer(where: URL) -> AsyncEngine:
    """An engine for the one process that writes. A commit is on disk when it returns; readers are not disturbed."""
    if not is_sqlite(where):
        return create_async_engine(where, pool_size=1, connect_args=_connecting(WRITE_S, synchronous_commit="on"))
    engine = create_async_engine(where)
    _at_connect(
        engine, "journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}",
        f"cache_size = -{CACHE_KIB}", f"wal_autocheckpoint = {WAL_PAGES}",
    )  # fmt: skip
    return engine


def reader(where: URL) -> AsyncEngine:
    """An engine that can only read; the tables may be made later."""
    if not is_sqlite(where):
        arguments = _connecting(READ_S, default_transaction_read_only="on")
        return create_async_engine(
            where, isolation_level="AUTOCOMMIT", pool_size=POOL, pool_timeout=READ_S, connect_args=arguments
        )
    path = Path(where.database or "").absolute().as_uri()
    engine = create_async_engine(URL.create(where.drivername, database=path, query={"mode": "ro", "uri": "true"}))

    @event.listens_for(engine.sync_engine, "do_connect")
    def see(*_: object) -> None:
        # aiosqlite's thread, where it could not open the file, speaks to the loop once more, and nobody waits for that:
        # the loop may be closed by then, and a traceback comes to the terminal. So none is begun for such a file.
        sqlite3.connect(f"{path}?mode=ro", uri=True).close()

    _at_connect(engine, f"busy_timeout = {BUSY_MS}")
    return engine


def reason(error: BaseException) -> str:
    """What the database said, without the statement and its parameters."""
    return str(getattr(error, "orig", None) or error) or type(error).__name__


def _connecting(answer_s: float, **server: str) -> dict[str, Any]:
    """What asyncpg takes to connect."""
    return {
        "timeout": CONNECT_S,
        "command_timeout": answer_s,
        "server_settings": {"application_name": "kefu-hub", **server},
    }


def _at_connect(engine: AsyncEngine, *pragmas: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
