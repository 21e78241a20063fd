"""`hub log`: what the durable log holds, and what a person may do about one that is damaged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import cyclopts
from cyclopts import Parameter

from hub.cli.config import DEFAULT, Config
from hub.errors import HubError

if TYPE_CHECKING:
    from hub.settings import Settings


class Row(NamedTuple):
    """A stream's line in `hub log status`; empty: not known, or not of this kind of stream."""

    stream: str
    first: str = ""
    last: str = ""
    missing: str = ""
    size: str = ""
    mark: str = ""
    history: str = ""


log = cyclopts.App(name="log", help="Look at the durable log, and mend one that is damaged.")


@log.command
def status(*, config: Config = DEFAULT) -> None:
    """Say how far each stream and the history are; of a hub that stands still, what is known of them.

    Parameters
    ----------
    config
        File with the settings.
    """
    import asyncio

    from rich.console import Console
    from rich.table import Column, Table

    from hub import settings

    numbers = ("first", "last", "missing", "size", "watermark", "history")
    table = Table("stream", *(Column(name, justify="right") for name in numbers))
    set_up = settings.load(config)
    for row in asyncio.run(_rows(set_up)) if running_url(set_up) else _still_rows(set_up):
        table.add_row(*row)
    Console().print(table)


@log.command
def restore(
    *,
    generation: Literal[1, 2] = 1,
    config: Config = DEFAULT,
    server: Annotated[Path | None, Parameter(name="--data")] = None,
) -> None:
    """Put the store back as it was before the last start of nats-server. The hub must not run.

    Parameters
    ----------
    generation
        1: as before the last start; 2: as before the start before.
    config
        File with the settings.
    server
        Folder of a server that `hub nats run` keeps; without it that of the hub's own.
    """
    from hub import settings
    from hub.bus import guard
    from hub.bus.server import standing_still
    from hub.data_folder import running

    if server is None:
        data = settings.load(config).data
        if who := running(data):
            raise HubError(f"data folder {data}: in use by {who}; stop that hub first")
        server = data / "nats"
    with standing_still(server):
        aside = guard.restore(server / "store", server / "guard", generation)
    print(f"{server / 'store'} is as generation {generation} has it.")
    if aside is not None:
        print(f"What was there is now {aside}; remove it when all is well.")
    print("Start the hub. It compares the store with the watermark, which stays as it is. If it refuses because")
    print("messages are missing still, these files were damaged before they were copied, and a backup is needed.")


@log.command
def skip(partition: int, sequence: int, /, *, yes: bool = False, config: Config = DEFAULT) -> None:
    """Put a record aside that nobody can read, so that its partition can be taken again. The hub must run.

    Its bytes are kept in the data folder. What it said is not delivered; all pages load their conversations anew.

    Parameters
    ----------
    partition
        Whose log it is in: 3 for LOG-3.
    sequence
        Where it stands in that log.
    yes
        Do it.
    config
        File with the settings.
    """
    import asyncio

    from hub import settings

    set_up = settings.load(config)
    url = running_url(set_up)
    if not url:
        raise HubError(f"no hub runs on {set_up.data}: start it; the partition's other records and the rest are served")
    if not yes:
        raise HubError(
            f"what LOG-{partition} holds at sequence {sequence} will reach nobody: say --yes if that is meant"
        )
    asyncio.run(_skip(set_up, url, partition, sequence))


async def _skip(set_up: Settings, url: str, partition: int, sequence: int) -> None:
    from hub.bus.connection import connect
    from hub.bus.positions import Positions
    from hub.bus.skip import skip

    connection = await connect(url, "hub log skip", timeout_s=5)
    try:
        if await Positions(connection).of(partition) >= sequence:
            raise HubError(
                f"the history has what LOG-{partition} holds at sequence {sequence}, so this hub is too old to read it:"
                " run the version that wrote it"
            )
        done = await skip(connection, partition, sequence, set_up.data)
    finally:
        await connection.close()
    print(f"LOG-{partition}, sequence {sequence}: {done.why}")
    print(f"Its bytes are in {done.file}. The log's epoch is now {done.epoch}.")
    print("Stop the hub (on all machines) and start it again: then the partition is taken without this record.")


def running_url(set_up: Settings) -> str:
    """Where clients find the log's servers, with the secret in it; empty when no hub runs on the data folder."""
    from hub.bus.server import address
    from hub.data_folder import running

    if set_up.nats.url:
        return set_up.nats.url
    return address(set_up.data / "nats") if running(set_up.data) else ""


async def _rows(set_up: Settings) -> list[Row]:
    """A line for each stream, as the servers have it."""
    from hub.bus.connection import connect
    from hub.bus.positions import Positions
    from hub.bus.watermark import streams

    marks = _marks(set_up)
    connection = await connect(running_url(set_up), "hub log status", timeout_s=5)
    try:
        positions, rows = Positions(connection), []
        for stream in sorted(await streams(connection), key=lambda stream: _by_number(str(stream.config.name))):
            name, state, limit = str(stream.config.name), stream.state, stream.config.max_bytes or -1
            row = Row(
                name, str(state.first_seq), str(state.last_seq), size=f"{state.bytes:,}", mark=marks.get(name, "")
            )
            kind, _, partition = name.partition("-")
            if kind == "LOG":
                missing = state.last_seq - state.first_seq + 1 - state.messages
                size = f"{state.bytes:,} ({state.bytes / limit:.0%})"
                row = row._replace(missing=str(missing), size=size, history=str(await positions.of(int(partition))))
            rows.append(row)
        return rows
    finally:
        await connection.close()


def _still_rows(set_up: Settings) -> list[Row]:
    """The same as far as it can be known while no server runs."""
    print("no hub runs: what follows is from its files", file=sys.stderr)
    marks = _marks(set_up)
    folders = {folder.name: folder for folder in (set_up.data / "nats/store").glob("jetstream/*/streams/*")}
    return [
        Row(name, size=f"{_size(folders[name]):,}" if name in folders else "gone", mark=marks.get(name, ""))
        for name in sorted({*marks, *folders}, key=_by_number)
    ]


def _marks(set_up: Settings) -> dict[str, str]:
    from hub.bus.watermark import Watermark
    from hub.kept_nats import WATERMARK

    watermark = Watermark(set_up.data / WATERMARK)
    watermark.load()
    return {stream: str(seq) for stream, seq in watermark.marks.items()}


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _by_number(name: str) -> tuple[str, int, str]:
    """LOG-2 before LOG-10."""
    return name.partition("-")[0], len(name), name
