"""Several workers of one machine have spooled for one entity: what was acknowledged in sequence goes in sequence."""

import asyncio
import errno
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveText
from hub.engine import spool as module
from hub.engine.calls import Denied, Outcome
from hub.engine.spool import Spool, Spooled
from hub.engine.spool_file import Contents, SpoolFile
from hub.engine.turns import Turn, Turns
from hub.errors import SpoolFull
from tests.engine.rig import until
from tests.engine.test_spool import LI, WANG, Owners, kill, spool_on, text
from tests.small_disk import Filler, small_disk


def said(*numbers: int) -> list[str]:
    return [f"text {n}" for n in numbers]


def no_room(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


async def die(spool: Spool) -> None:
    """As `kill`, at any moment: what a thread writes just then is on disk, and nobody has been told."""
    keeping = [item.keeping for lane in spool._lanes.values() for item in lane.items if item.keeping]
    for task in keeping:
        task.cancel()
    spool._lanes.clear()
    while spool._own._writing is not None:
        await asyncio.sleep(0.001)
    kill(spool)


async def test_who_comes_to_another_worker_does_not_overtake_what_one_has_on_its_disk(tmp_path: Path) -> None:
    owners = Owners()
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    owners.away = {WANG}
    await a.take("phone", WANG, text(1))
    b._give_up_s = 3600  # what has to wait in any case need not be waited for
    await asyncio.wait_for(b.take("phone", WANG, text(2)), 20)
    owners.away = set()
    await b.take("phone", WANG, text(3))
    await until(lambda: len(owners.kept.get(WANG, [])) == 3)
    assert owners.kept[WANG] == said(1, 2, 3)


async def test_what_three_workers_took_by_turns_goes_in_that_order(tmp_path: Path) -> None:
    owners = Owners()
    a, b, c = [await spool_on(tmp_path, owners) for _ in range(3)]
    owners.away = {WANG}
    for n, spool in enumerate((a, b, c, b, a, b), 1):
        await spool.take("phone", WANG, text(n))
    owners.away = set()
    await until(lambda: len(owners.kept.get(WANG, [])) == 6)
    assert owners.kept[WANG] == said(1, 2, 3, 4, 5, 6)
    await until(lambda: not a.waiting + b.waiting + c.waiting)
    for spool in (a, b, c):
        await spool.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_lies_on_a_dead_worker_s_disk_is_waited_for_until_somebody_adopts_it(tmp_path: Path) -> None:
    owners = Owners()
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    owners.away = {WANG}
    await a.take("phone", WANG, text(1))
    await die(a)
    owners.away = set()
    await b.take("phone", WANG, text(2))
    assert owners.kept == {}
    successor = await spool_on(tmp_path, owners)
    await successor.take("phone", WANG, text(3))
    await until(lambda: len(owners.kept.get(WANG, [])) == 3)
    assert owners.kept[WANG] == said(1, 2, 3)


async def test_a_whole_machine_s_files_are_carried_out_in_one_order(tmp_path: Path) -> None:
    owners = Owners()
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    owners.away = {WANG}
    for n, spool in enumerate((a, b, b, a), 1):
        await spool.take("phone", WANG, text(n))
    await die(a)
    await die(b)
    owners.away = set()
    first, second = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await second.take("phone", WANG, text(5))
    await until(lambda: len(owners.kept.get(WANG, [])) == 5)
    assert owners.kept[WANG] == said(1, 2, 3, 4, 5)
    assert first.waiting + second.waiting < 5


async def test_what_nobody_succeeds_to_is_adopted_by_a_worker_that_is_there(tmp_path: Path) -> None:
    owners = Owners()
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    owners.away = {WANG}
    await a.take("phone", WANG, text(1))
    await b.take("phone", WANG, text(2))
    await a.take("phone", WANG, text(3))
    await b.adopt()
    assert b.waiting == 1  # its worker lives
    await die(a)
    owners.away = set()
    await asyncio.sleep(0.1)
    assert owners.kept == {}
    await b.adopt()
    await until(lambda: owners.kept.get(WANG) == said(1, 2, 3))
    await until(lambda: not b.waiting)
    await b.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("lost", ["all", "the later", "nothing"])
async def test_what_a_power_cut_leaves_of_the_announcements_is_made_right(tmp_path: Path, lost: str) -> None:
    owners = Owners()
    owners.away = {WANG, LI}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", LI, text(0))
    for n, spool in enumerate((a, b, a), 1):
        await spool.take("phone", WANG, text(n))
    await die(a)
    await die(b)
    turns = Turns(tmp_path)
    if lost == "all":
        shutil.rmtree(tmp_path / "turns")
    elif lost == "the later":
        turn = next(turn for turn in turns.of(WANG) if turn.file == a._own.name)
        turns.change(WANG, turn, turn._replace(last=turn.first))
        turns.change(WANG, None, Turn(1, a._own.name, 1))  # carried out long ago
    turns.change("a9-nobody", None, Turn(1, a._own.name, 1))
    first, second = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    assert turns.of("a9-nobody") == []
    await second.take("phone", WANG, text(4))
    assert len(turns.of(WANG)) == 3
    owners.away = {LI}  # what keeps a file is not in the way of anybody else
    await until(lambda: owners.kept.get(WANG) == said(1, 2, 3, 4))
    owners.away = set()
    await until(lambda: not first.waiting + second.waiting)
    assert list(tmp_path.glob("turns/*")) == []


async def test_who_starts_beside_one_that_adopts_waits_until_all_is_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a = await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await die(a)
    shutil.rmtree(tmp_path / "turns")
    read = SpoolFile.read

    def read_slowly(file: SpoolFile) -> Contents:
        time.sleep(0.2)  # in a thread
        return read(file)

    monkeypatch.setattr(SpoolFile, "read", read_slowly)
    adopting = asyncio.create_task(spool_on(tmp_path, owners))
    await asyncio.sleep(0.1)
    await spool_on(tmp_path, owners)
    assert len(Turns(tmp_path).of(WANG)) == 1
    assert (await adopting).waiting == 1


async def test_a_file_that_an_admin_has_removed_is_waited_for_by_nobody(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await die(a)
    await b.take("phone", WANG, text(2))
    a._own.path.unlink()
    owners.away = set()
    await until(lambda: owners.kept.get(WANG) == said(2))
    await b.take("phone", WANG, text(3))
    assert owners.kept[WANG] == said(2, 3)


async def test_a_file_that_cannot_be_read_is_waited_for_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await die(a)
    await b.take("phone", WANG, text(2))
    owners.away = set()

    def fail(file: SpoolFile) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken, capture_logs() as lines:
        broken.setattr(SpoolFile, "read", fail)
        await b.adopt()
    assert [line["log_level"] for line in lines] == ["error"]
    await asyncio.sleep(0.1)
    assert owners.kept == {}
    await b.adopt()
    await until(lambda: owners.kept.get(WANG) == said(1, 2))


async def test_the_order_is_kept_when_the_machine_s_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    clock = iter((900, 800, 850, 100, 500, 1))
    monkeypatch.setattr(time, "time_ns", lambda: next(clock))
    await asyncio.gather(*(a.take("phone", WANG, text(n)) for n in (1, 2)))
    for n, spool in enumerate((a, b, a, b), 3):
        await spool.take("phone", WANG, text(n))
    monkeypatch.undo()
    await die(a)
    await die(b)
    owners.away = set()
    await spool_on(tmp_path, owners)
    await until(lambda: owners.kept.get(WANG) == said(1, 2, 3, 4, 5, 6))


async def test_records_from_before_there_were_numbers_go_first(tmp_path: Path) -> None:
    owners = Owners()
    old = SpoolFile(tmp_path / "00000000000000000001-1.spool")
    for n in (1, 2):
        record = Spooled(1, "phone", WANG, text(n))
        await old.append(msgspec.msgpack.encode(list(msgspec.structs.astuple(record))[:4]))
    old.close()
    spool = await spool_on(tmp_path, owners)
    await spool.take("phone", WANG, text(3))
    await until(lambda: owners.kept.get(WANG) == said(1, 2, 3))


async def test_what_was_refused_is_in_nobody_s_way(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await b.take("phone", WANG, text(2))
    owners.refusal = Denied("refused", "not like this")
    await until(lambda: len(owners.kept.get("i0-phone", [])) == 2)
    owners.away = set()
    await until(lambda: not a.waiting + b.waiting)
    await b.take("phone", WANG, text(3))
    assert (owners.kept[WANG], b.waiting) == (said(3), 0)


async def test_others_are_not_held_up(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await b.take("phone", LI, text(2))
    assert (owners.kept, b.waiting) == ({LI: ["text 2"]}, 0)


async def test_what_is_kept_for_a_person_takes_no_turns(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {"i0-phone"}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", "i0-phone", KeepUnparsed("one", "<xml>1</xml>"))
    await die(a)
    owners.away = set()
    await b.take("phone", "i0-phone", KeepUnparsed("two", "<xml>2</xml>"))
    assert (owners.kept, b.waiting) == ({"i0-phone": ["two"]}, 0)
    await b.adopt()
    await until(lambda: owners.kept["i0-phone"] == ["two", "one"])


async def test_who_needs_no_answer_soon_waits_for_its_turn_in_memory(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    pulled = asyncio.create_task(b.take("phone", WANG, text(2), 60))
    await asyncio.sleep(0.1)
    assert (pulled.done(), b.waiting) == (False, 0)
    owners.away = set()
    await pulled
    assert owners.kept[WANG] == said(1, 2)


async def test_what_cannot_be_announced_is_not_taken_and_in_nobody_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    with monkeypatch.context() as broken:
        broken.setattr(Turns, "change", no_room)
        with pytest.raises(SpoolFull, match="No space left"):
            await b.take("phone", WANG, text(2))
    assert b.waiting == 0
    await b.take("phone", WANG, text(2))
    owners.away = set()
    await b.take("phone", WANG, text(3))
    await until(lambda: owners.kept.get(WANG) == said(1, 2, 3))
    await until(lambda: (a.waiting, b.waiting) == (0, 0))


async def test_a_worker_goes_on_alone_although_the_disk_does_not_let_it_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a = await spool_on(tmp_path, owners)
    for n in (1, 2):
        await a.take("phone", WANG, text(n))
    monkeypatch.setattr(Turns, "change", no_room)
    owners.away = set()
    await until(lambda: owners.kept.get(WANG) == said(1, 2))


async def test_while_the_disk_lets_nobody_go_on_all_wait_and_then_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_MAX_S", 0.05)
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    for n, spool in enumerate((a, b, a, b), 1):
        await spool.take("phone", WANG, text(n))
    with monkeypatch.context() as broken:
        broken.setattr(Turns, "change", no_room)
        owners.away = set()
        await until(lambda: owners.kept.get(WANG) == said(1))
        await asyncio.sleep(0.1)
        assert owners.kept[WANG] == said(1)
    await until(lambda: owners.kept[WANG] == said(1, 2, 3))
    with monkeypatch.context() as broken:
        broken.setattr(Turns, "change", no_room)
        await until(lambda: not a.waiting + b.waiting)
    await until(lambda: not list(tmp_path.glob("turns")))
    await a.take("phone", WANG, text(5))
    assert (owners.kept[WANG], a.waiting) == (said(1, 2, 3, 4, 5), 0)


async def test_a_disk_on_which_nobody_can_look_takes_nothing_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await a.take("phone", WANG, text(1))
    await b.take("phone", WANG, text(2))
    with monkeypatch.context() as broken:
        broken.setattr(Turns, "of", no_room)
        owners.away = set()
        with pytest.raises(SpoolFull, match="No space left"):
            await b.take("phone", WANG, text(3))
        await asyncio.sleep(0.1)
    await until(lambda: owners.kept.get(WANG) == said(1, 2))


async def test_on_a_disk_that_is_full_what_waits_is_carried_out_and_makes_way(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    with small_disk(tmp_path / "disk", 1) as disk:
        a, b = await spool_on(disk / "spool", owners), await spool_on(disk / "spool", owners)
        for n, spool in enumerate((a, b, a), 1):
            await spool.take("phone", WANG, text(n))
        Filler(disk).leave(0)
        for spool in (a, b):
            with pytest.raises(SpoolFull, match="No space left"):
                await spool.take("phone", WANG, ReceiveText("m9", 9000 * "x", 1009))
        owners.away = set()
        await until(lambda: owners.kept.get(WANG) == said(1, 2, 3))
        await until(lambda: not a.waiting + b.waiting)
        await b.take("phone", WANG, text(4))
        assert owners.kept[WANG] == said(1, 2, 3, 4)
        await a.close()
        await b.close()


# --- any order of events ---------------------------------------------------------------------------------------------


class SlowOwners(Owners):
    """They decide after a while, as owners in other processes do: neither in the order in which they were asked, nor
    only for workers that are alive."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    def _carry_out(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None]) -> None:
        loop, carry_out = asyncio.get_running_loop(), super()._carry_out
        loop.call_later(self._chance.uniform(0, 0.02), carry_out, entity, command, done)


class Machine:
    """Workers that share a folder, start and die, and platforms that bring each person's texts one after the other."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.owners = SlowOwners(self.chance)
        self.folder = folder
        self.calm = False
        self.workers: dict[Spool, set[asyncio.Task[None]]] = {}

    async def start_worker(self) -> None:
        self.workers[await spool_on(self.folder, self.owners)] = set()

    async def kill_worker(self) -> None:
        spool = self.chance.choice(list(self.workers))
        for taking in self.workers.pop(spool):
            taking.cancel()
        await die(spool)

    async def bring(self, entity: str, count: int) -> None:
        """Each text again and again until some worker has said that it is safe."""
        for n in range(count):
            while not await self._brought(entity, n):
                await asyncio.sleep(0.01)
            await asyncio.sleep(self.chance.uniform(0, 0.1))

    async def _brought(self, entity: str, n: int) -> bool:
        if not self.workers:
            return False
        spool = self.chance.choice(list(self.workers))
        taking = asyncio.create_task(spool.take("phone", entity, text(n)))
        self.workers[spool].add(taking)
        await asyncio.wait({taking})
        return not taking.cancelled() and taking.exception() is None

    async def go_wrong(self, entities: Sequence[str]) -> None:
        """Owners leave and come back, workers die and others start, in any order, until it is `calm`."""
        while not self.calm:
            await asyncio.sleep(self.chance.uniform(0, 0.1))
            match self.chance.choice(["away", "back", "kill", "kill", "start", "start", "adopt"]):
                case "away":
                    self.owners.away.add(self.chance.choice(entities))
                case "back":
                    self.owners.away.clear()
                case "kill" if self.workers:
                    await self.kill_worker()
                case "start" if len(self.workers) < 4:
                    await self.start_worker()
                case "adopt" if self.workers:
                    await self.chance.choice(list(self.workers)).adopt()


@pytest.mark.parametrize("seed", range(int(os.environ.get("SEEDS", "5"))))
async def test_whatever_goes_wrong_each_text_is_kept_once_and_in_order(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AGAIN_MAX_S", 0.2)
    monkeypatch.setattr(module, "LOOK_MAX_S", 0.1)
    machine, entities, count = Machine(tmp_path, seed), (WANG, LI, "a1-w"), 15
    bringing = [asyncio.create_task(machine.bring(entity, count)) for entity in entities]
    trouble = asyncio.create_task(machine.go_wrong(entities))
    await asyncio.wait(bringing, timeout=30)
    machine.calm = True
    await trouble
    machine.owners.away.clear()
    await machine.start_worker()
    await asyncio.gather(*bringing)
    await until(lambda: not sum(spool.waiting for spool in machine.workers))
    assert machine.owners.kept == {entity: said(*range(count)) for entity in entities}
    for spool in machine.workers:
        await spool.close()
    assert list(tmp_path.glob("turns")) == []
