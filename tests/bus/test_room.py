"""Room: when a disk is low, what a worker believes of several servers, and that it hears them."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.bus.connection import Connection
from hub.bus.room import FORGOTTEN_S, Disk, Reporter, Room, Rooms


def test_a_disk_is_low_below_the_least_and_has_room_only_well_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    disk, said = Disk(Path("/somewhere"), 10), []
    for free in (30, 10, 9.9, 10, 11.9, 12, 10, 0):
        monkeypatch.setattr(os, "statvfs", lambda _, free=free: SimpleNamespace(f_blocks=1000, f_bavail=10 * free))
        said.append(disk.look())
    assert [bool(low) for low in said] == [False, False, True, True, True, False, False, True]
    assert said[2] == "the log's disk has 9.9 % free, 10 % are needed: make room"


def test_a_disk_without_a_least_is_never_low(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_blocks=1000, f_bavail=0))
    assert Disk(Path("/somewhere"), 0).look() == ""


@pytest.mark.parametrize(
    ("lows", "refuses"),
    [([], False), ([True], True), ([True, False, False], False), ([True, True, False], True), ([True, False], True)],
)
def test_accepting_stops_when_no_majority_of_the_servers_has_room(lows: list[bool], refuses: bool) -> None:
    rooms = Rooms(lambda: 0.0)
    for keeper, low in enumerate(lows):
        rooms.hear(Room(str(keeper), "no room" if low else ""))
    assert bool(rooms.low) == refuses


def test_a_server_that_falls_silent_is_forgotten_and_a_line_is_said_once() -> None:
    now = 0.0
    rooms = Rooms(lambda: now)
    rooms.hear(Room("a", "no room", ("LOG-1 is 80 % full",)))
    now = FORGOTTEN_S
    rooms.hear(Room("b", "", ("LOG-1 is 80 % full", "LOG-2 is 71 % full")))
    assert rooms.warnings == ["no room", "LOG-1 is 80 % full", "LOG-2 is 71 % full"]
    now = FORGOTTEN_S + 0.1
    assert (rooms.low, rooms.warnings) == ("", ["LOG-1 is 80 % full", "LOG-2 is 71 % full"])


async def test_a_worker_hears_what_a_keeper_reports(connection: Connection) -> None:
    rooms, reporter = Rooms(), Reporter(connection)
    await rooms.listen(connection)
    await reporter.report("no room", ())
    async with asyncio.timeout(10):
        while not rooms.low:
            await asyncio.sleep(0.01)
    await reporter.report("", ("LOG-1 is 80 % full",))
    async with asyncio.timeout(10):
        while rooms.low:
            await asyncio.sleep(0.01)
    assert rooms.warnings == ["LOG-1 is 80 % full"]
