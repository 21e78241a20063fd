"""Several workers of one machine have spooled for one entity: what was acknowledged in sequence goes in sequence."""

from pathlib import Path

from tests.engine.rig import until
from tests.engine.test_spool import WANG, Owners, kill, spool_on, text


def said(*numbers: int) -> list[str]:
    return [f"text {n}" for n in numbers]


async def test_who_comes_to_another_worker_does_not_overtake_what_one_has_on_its_disk(tmp_path: Path) -> None:
    owners = Owners()
    a, b = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    owners.away = {WANG}
    await a.take("phone", WANG, text(1))
    owners.away = set()
    await b.take("phone", WANG, text(2))
    await until(lambda: len(owners.kept.get(WANG, [])) == 2)
    assert owners.kept[WANG] == said(1, 2)


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
    kill(a)
    owners.away = set()
    await b.take("phone", WANG, text(2))
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
    kill(a)
    kill(b)
    owners.away = set()
    first, second = await spool_on(tmp_path, owners), await spool_on(tmp_path, owners)
    await second.take("phone", WANG, text(5))
    await until(lambda: len(owners.kept.get(WANG, [])) == 5)
    assert owners.kept[WANG] == said(1, 2, 3, 4, 5)
    assert first.waiting + second.waiting < 5
