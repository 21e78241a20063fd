"""The SQLite file: how it is opened to write and to read."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

FILE = "history.sqlite3"
"""Inside the data folder."""
BUSY_MS = 2000
"""So long SQLite itself waits for a lock before it says that it is busy."""


def url(data: Path) -> URL:
    """Where SQLAlchemy finds the history of a data folder."""
    return URL.create("sqlite+aiosqlite", database=str(data / FILE))


def writer(data: Path) -> AsyncEngine:
    """An engine for the one process that writes. A commit is on disk when it returns; readers are not disturbed."""
    engine = create_async_engine(url(data))
    _at_connect(engine, "journal_mode = WAL", "synchronous = FULL", f"busy_timeout = {BUSY_MS}")
    return engine


def reader(data: Path) -> AsyncEngine:
    """An engine that can only read; the file may be made later."""
    path = (data / FILE).absolute().as_uri()
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=path, query={"mode": "ro", "uri": "true"}))
    _at_connect(engine, f"busy_timeout = {BUSY_MS}")
    return engine


def _at_connect(engine: AsyncEngine, *pragmas: str) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        for pragma in pragmas:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
