"""The file: its tables are those of the models, and readers stay readers."""

import asyncio
from pathlib import Path

import alembic.command
import pytest
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.history import database, schema


def test_migrations_make_exactly_the_tables_of_the_models(tmp_path: Path) -> None:
    schema.migrate(tmp_path)
    alembic.command.check(schema.migrations(tmp_path))


def test_migrating_twice_keeps_what_is_there(tmp_path: Path) -> None:
    schema.migrate(tmp_path)
    engine = create_engine(f"sqlite:///{tmp_path / database.FILE}")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO positions VALUES (3, 7, 1, '')"))
    schema.migrate(tmp_path)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM positions")).all() == [(3, 7, 1, "")]
    engine.dispose()


def test_migrations_can_be_taken_back(tmp_path: Path) -> None:
    schema.migrate(tmp_path)
    alembic.command.downgrade(schema.migrations(tmp_path), "base")
    engine = create_engine(f"sqlite:///{tmp_path / database.FILE}")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    engine.dispose()


async def test_folder_with_odd_characters_is_no_trouble(tmp_path: Path) -> None:
    data = tmp_path / "数据 100%?#&"
    data.mkdir()
    await asyncio.to_thread(schema.migrate, data)
    assert (data / database.FILE).exists()
    for engine in (database.writer(data), database.reader(data)):
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT * FROM events"))).all() == []
        await engine.dispose()


async def test_writer_commits_to_disk_and_reader_cannot_write(tmp_path: Path, engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        pragmas = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar() for name in ("journal_mode", "synchronous")
        ]
    assert pragmas == ["wal", 2]
    reader = database.reader(tmp_path)
    with pytest.raises(OperationalError, match="readonly database"):
        async with reader.begin() as reading:
            await reading.execute(text("INSERT INTO positions VALUES (3, 7, 1, '')"))
    await reader.dispose()
