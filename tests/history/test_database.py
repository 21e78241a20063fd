"""The database: its tables are those of the models, and readers stay readers."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import alembic.command
import pytest
from sqlalchemy import URL, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.history import database, schema
from hub.settings import Settings

BODY = b'{"entity":"c0-a","seq":3,"prev":2,"at_ms":5,"event":{"type":"Danced","how":"\xe5\xa5\xbd"}}'
POSITION = "INSERT INTO positions VALUES (3, 7, 1, '')"


async def do(where: URL, *statements: str, **values: Any) -> list[Any]:
    """Run the statements in a transaction; the rows of the last one."""
    engine = database.writer(where)
    async with engine.begin() as connection:
        done = [await connection.execute(text(statement), values) for statement in statements]
        rows = [tuple(row) for row in done[-1]] if done[-1].returns_rows else []
    await engine.dispose()
    return rows


def test_migrations_make_exactly_the_tables_of_the_models(where: URL) -> None:
    schema.migrate(where)
    alembic.command.check(schema.migrations(where))


async def test_migrating_twice_keeps_what_is_there(where: URL) -> None:
    await asyncio.to_thread(schema.migrate, where)
    await do(where, POSITION)
    await asyncio.to_thread(schema.migrate, where)
    assert await do(where, "SELECT * FROM positions") == [(3, 7, 1, "")]


async def test_several_nodes_may_migrate_at_once(where: URL) -> None:
    if database.is_sqlite(where):
        pytest.skip("a file belongs to one node")
    code = (
        "import sys; from sqlalchemy import make_url; from hub.history.schema import migrate;"
        " migrate(make_url(sys.argv[1]))"
    )
    command = [sys.executable, "-c", code, where.render_as_string(hide_password=False)]
    nodes = [await asyncio.create_subprocess_exec(*command) for _ in range(2)]
    assert [await node.wait() for node in nodes] == [0, 0]
    assert await do(where, "SELECT version_num FROM alembic_version") == [("0004",)]


async def test_a_migration_that_breaks_off_leaves_nothing(where: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    await asyncio.to_thread(alembic.command.upgrade, schema.migrations(where), "0001")
    with monkeypatch.context() as broken:
        broken.setattr("alembic.op.drop_table", break_off)  # the last step of 0002
        with pytest.raises(RuntimeError, match="killed"):
            await asyncio.to_thread(schema.migrate, where)
    await asyncio.to_thread(schema.migrate, where)
    assert await do(where, "SELECT version_num FROM alembic_version") == [("0004",)]


async def test_events_of_the_first_version_are_kept_on_the_way_up_and_down(where: URL) -> None:
    migrations = schema.migrations(where)
    await asyncio.to_thread(alembic.command.upgrade, migrations, "0001")
    await do(where, "INSERT INTO events VALUES ('c0-a', 3, 2, 5, 'Danced', :body)", body=BODY)
    await asyncio.to_thread(schema.migrate, where)
    assert await do(where, "SELECT * FROM events") == [("c0-a", 3, BODY)]
    await asyncio.to_thread(alembic.command.downgrade, migrations, "0001")
    assert await do(where, "SELECT * FROM events") == [("c0-a", 3, 2, 5, "Danced", BODY)]


async def test_migrations_can_be_taken_back(where: URL) -> None:
    await asyncio.to_thread(schema.migrate, where)
    await asyncio.to_thread(alembic.command.downgrade, schema.migrations(where), "base")
    engine = database.reader(where)
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert names == ["alembic_version"]
    await engine.dispose()


async def test_folder_with_odd_characters_is_no_trouble(tmp_path: Path) -> None:
    data = tmp_path / "数据 100%?#&"
    data.mkdir()
    where = database.url(Settings(data=data))
    await asyncio.to_thread(schema.migrate, where)
    assert (data / database.FILE).exists()
    for engine in (database.writer(where), database.reader(where)):
        async with engine.connect() as connection:
            assert (await connection.execute(text("SELECT * FROM events"))).all() == []
        await engine.dispose()


async def test_writer_commits_to_disk(where: URL, engine: AsyncEngine) -> None:
    shown = {"journal_mode": "wal", "synchronous": 2} if database.is_sqlite(where) else {"synchronous_commit": "on"}
    ask = "PRAGMA {}" if database.is_sqlite(where) else "SHOW {}"
    async with engine.connect() as connection:
        found = {name: (await connection.execute(text(ask.format(name)))).scalar() for name in shown}
    assert found == shown


@pytest.mark.usefixtures("engine")
async def test_reader_cannot_write(where: URL) -> None:
    reader = database.reader(where)
    with pytest.raises(DBAPIError, match=r"readonly database|read-only transaction"):
        async with reader.begin() as reading:
            await reading.execute(text(POSITION))
    await reader.dispose()


async def test_a_file_that_cannot_be_opened_begins_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin(*_: object, **__: object) -> None:
        raise AssertionError("its thread may outlive the loop that it reports to")

    monkeypatch.setattr("aiosqlite.connect", begin)
    reader = database.reader(database.url(Settings(data=tmp_path / "nowhere")))
    with pytest.raises(OperationalError, match="unable to open database file"):
        async with reader.connect():
            pass


def test_a_password_is_shown_nowhere() -> None:
    where = database.url(Settings(history={"url": "postgresql://hub:geh%40im@db:5432/hub"}))
    assert (where.password, where.get_driver_name()) == ("geh@im", "asyncpg")
    assert "geh" not in f"{where!r} {where} {Settings(history={'url': 'postgresql://hub:geheim@db/hub'})!r}"
