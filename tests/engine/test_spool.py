"""The spool: what no owner commits in time is on disk before the platform is answered, and leaves it in order."""

import asyncio
import contextlib
import errno
import fcntl
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from hub.domain import agent, intake
from hub.domain.commands import AnyCommand, KeepUnparsed, ReceiveText
from hub.domain.events import Record, TextReceived, Unparsed
from hub.domain.ids import kind_of
from hub.domain.messages import Attachment
from hub.domain.refusals import Refusal
from hub.engine import spool as module
from hub.engine.calls import UNAVAILABLE, Denied, Outcome
from hub.engine.files import Message
from hub.engine.spool import Spool
from hub.engine.spool_file import SpoolFile
from hub.errors import SpoolFull
from tests.engine.rig import until

WANG, LI = "a3-wangfang", "a5-lili"
GIVE_UP_S = 0.05


class Owners:
    """Real agents and intakes whose owners can be away, keep silent, or say no. What they keep outlives a spool."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        """Entities whose owner cannot be reached."""
        self.silent = False
        """Commands are taken, and nothing is said until `speak`."""
        self.refusal = Denied(UNAVAILABLE, "no owner")
        self.kept: dict[str, list[str]] = {}
        self._states: dict[str, agent.Agent | intake.Intake] = {}
        self._unsaid: list[Callable[[], None]] = []

    def submit(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None], sender: object = None) -> None:
        if self.silent:
            self._unsaid.append(lambda: self._carry_out(entity, command, done))
        else:
            self._carry_out(entity, command, done)

    def speak(self) -> None:
        self.silent = False
        unsaid, self._unsaid = self._unsaid, []
        for carry_out in unsaid:
            carry_out()

    def _carry_out(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None]) -> None:
        if entity in self.away:
            done(Outcome(denied=self.refusal))
            return
        kind = agent if kind_of(entity) == "a" else intake
        state = self._states.setdefault(entity, kind.new(entity))
        state.seq = max(state.seq, 1)
        try:
            events = kind.decide(state, command, None, 1000)
        except Refusal as refusal:
            done(Outcome(denied=Denied(refusal.code, str(refusal))))
            return
        for event in events:
            kind.evolve(state, Record(entity, state.seq + 1, 0, 1000, event))
            if isinstance(event, TextReceived | Unparsed):
                said = event.text if isinstance(event, TextReceived) else event.because
                self.kept.setdefault(entity, []).append(said)
        done(Outcome())

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the spool must not ask for {name}")


def unparsed(channel: str, because: str, raw: str) -> tuple[str, AnyCommand]:
    return f"i0-{channel}", KeepUnparsed(because, raw)


def text(n: int) -> ReceiveText:
    return ReceiveText(f"m{n}", f"text {n}", 1000 + n, raw=f"<xml>{n}</xml>")


async def as_it_is(channel: str, entity: str, command: Message) -> Message:
    return command


async def spool_on(
    folder: Path,
    owners: Owners,
    max_bytes: int = 1 << 20,
    complete: Callable[[str, str, Message], Awaitable[Message]] = as_it_is,
) -> Spool:
    """What a worker has when it has just started."""
    spool = Spool(folder, owners, unparsed, complete, give_up_s=GIVE_UP_S, max_bytes=max_bytes)  # type: ignore[arg-type]
    await spool.start()
    return spool


def kill(spool: Spool) -> None:
    """End it as SIGKILL would: nothing is finished, only the kernel's lock goes."""
    for task in spool._running.values():
        task.cancel()
    for file in [*spool._adopted, *([spool._own] if spool._own else [])]:
        file.close()


async def test_what_is_committed_in_time_never_touches_the_disk(tmp_path: Path) -> None:
    owners = Owners()
    spool = await spool_on(tmp_path / "spool", owners)
    await asyncio.gather(*(spool.take("phone", WANG, text(n)) for n in range(5)))
    assert owners.kept == {WANG: [f"text {n}" for n in range(5)]}
    assert not (tmp_path / "spool").exists()


async def test_while_the_owner_is_away_the_platform_is_answered_from_the_disk(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    spool = await spool_on(tmp_path, owners)
    for n in range(3):
        await spool.take("phone", WANG, text(n))
    await spool.take("phone", LI, text(9))  # another's owner is there: nothing holds it up
    assert (spool.waiting, owners.kept) == (3, {LI: ["text 9"]})
    owners.away = set()
    await until(lambda: spool.waiting == 0)
    assert owners.kept[WANG] == ["text 0", "text 1", "text 2"]
    assert [file.stat().st_size for file in tmp_path.iterdir()] == [0]
    await spool.close()
    assert list(tmp_path.iterdir()) == []


async def test_who_needs_no_answer_soon_waits_for_the_log_and_leaves_nothing_on_a_dead_worker_s_disk(
    tmp_path: Path,
) -> None:
    owners = Owners()
    owners.away = {WANG}
    dead = await spool_on(tmp_path, owners)
    pulled = asyncio.create_task(dead.take("phone", WANG, text(1), 60))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.shield(pulled), 5 * GIVE_UP_S)
    assert (pulled.done(), list(tmp_path.iterdir())) == (False, [])
    pulled.cancel()
    kill(dead)
    owners.away = set()
    next_one = await spool_on(tmp_path, owners)
    for n in (1, 2):  # it pulls from where the cursor was
        await next_one.take("phone", WANG, text(n), 60)
    assert owners.kept == {WANG: ["text 1", "text 2"]}


async def test_a_later_one_waits_behind_what_is_spooled_although_the_owner_is_back(tmp_path: Path) -> None:
    owners = Owners()
    owners.silent = True
    spool = await spool_on(tmp_path, owners)
    await spool.take("phone", WANG, text(1))
    owners.silent = False  # the next one would be carried out at once, if it were not for the first
    await spool.take("phone", WANG, text(2))
    assert (spool.waiting, owners.kept) == (2, {})
    owners.speak()
    await until(lambda: spool.waiting == 0)
    assert owners.kept == {WANG: ["text 1", "text 2"]}


async def test_a_killed_worker_s_successor_carries_out_each_once_and_in_order(tmp_path: Path) -> None:
    owners = Owners()
    owners.silent = True
    first = await spool_on(tmp_path, owners)
    for n in range(20):
        await first.take("phone", WANG, text(n))
    await first.take("phone", "i0-phone", KeepUnparsed("odd", "<xml>odd</xml>"))
    kill(first)
    owners.speak()  # what was given up is committed after all: the copies must be known as repeats
    second = await spool_on(tmp_path, owners)
    await second.take("phone", WANG, text(20))
    await until(lambda: second.waiting == 0)
    assert owners.kept == {WANG: [f"text {n}" for n in range(21)], "i0-phone": ["odd"]}
    await second.close()
    assert list(tmp_path.iterdir()) == []


async def test_what_a_successor_gets_no_answer_to_is_submitted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = Owners()
    owners.away = {WANG}
    dead = await spool_on(tmp_path, owners)
    await dead.take("phone", WANG, text(1))
    kill(dead)
    monkeypatch.setattr(module, "ATTEMPT_S", 0.01)
    owners.away, owners.silent = set(), True
    successor = await spool_on(tmp_path, owners)
    await until(lambda: len(owners._unsaid) > 0)
    owners._unsaid.clear()  # whoever was asked will never answer
    owners.silent = False
    await until(lambda: owners.kept == {WANG: ["text 1"]})
    await successor.close()


async def test_all_of_a_lane_goes_to_the_disk_in_its_order(tmp_path: Path) -> None:
    owners = Owners()
    owners.silent = True
    first = await spool_on(tmp_path, owners)
    await asyncio.gather(*(first.take("phone", WANG, text(n)) for n in range(10)))
    kill(first)
    owners.silent = False
    second = await spool_on(tmp_path, owners)
    await until(lambda: second.waiting == 0)
    assert owners.kept == {WANG: [f"text {n}" for n in range(10)]}


async def test_two_living_workers_leave_each_other_s_files_alone(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    first = await spool_on(tmp_path, owners)
    await first.take("phone", WANG, text(1))
    second = await spool_on(tmp_path, owners)
    assert second.waiting == 0
    kill(first)
    third = await spool_on(tmp_path, owners)
    assert third.waiting == 1
    await second.close()
    await third.close()
    assert len(list(tmp_path.glob("*.spool"))) == 1


@pytest.mark.parametrize("lost", [1, 7, 30])
async def test_a_torn_end_is_left_out_and_said(tmp_path: Path, lost: int) -> None:
    owners = Owners()
    owners.away = {WANG}
    first = await spool_on(tmp_path, owners)
    await first.take("phone", WANG, text(1))
    await first.take("phone", WANG, text(2))
    kill(first)
    (file,) = tmp_path.glob("*.spool")
    os.truncate(file, file.stat().st_size - lost)
    with capture_logs() as lines:
        second = await spool_on(tmp_path, owners)
    assert [line["log_level"] for line in lines] == ["warning"]
    assert second.waiting == 1
    owners.away = set()
    await until(lambda: second.waiting == 0)
    assert owners.kept == {WANG: ["text 1"]}
    assert list(tmp_path.iterdir()) == []


async def test_damage_in_the_middle_is_an_error_and_the_file_is_kept(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    first = await spool_on(tmp_path, owners)
    for n in range(3):
        await first.take("phone", WANG, text(n))
    kill(first)
    (file,) = tmp_path.glob("*.spool")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    owners.away = set()
    with capture_logs() as lines:
        second = await spool_on(tmp_path, owners)
    assert [line["log_level"] for line in lines] == ["error"]
    await until(lambda: second.waiting == 0)
    assert owners.kept == {WANG: ["text 0"]}
    assert [kept.suffix for kept in tmp_path.iterdir()] == [".damaged"]


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
async def test_a_disk_that_fails_gets_no_yes_and_leaves_no_half_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    owners = Owners()
    owners.away = {WANG}
    spool = await spool_on(tmp_path, owners)
    await spool.take("phone", WANG, text(1))
    (file,) = tmp_path.glob("*.spool")
    sound = file.read_bytes()

    def fail(*arguments: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, call, fail)
        with pytest.raises(SpoolFull, match="No space left"):
            await spool.take("phone", WANG, text(2))
    assert file.read_bytes() == sound
    await spool.take("phone", WANG, text(2))
    owners.away = set()
    await until(lambda: spool.waiting == 0)
    assert owners.kept == {WANG: ["text 1", "text 2"]}


async def test_what_waits_is_bounded(tmp_path: Path) -> None:
    owners = Owners()
    owners.away = {WANG}
    spool = await spool_on(tmp_path, owners, max_bytes=1000)
    taken = 0
    with contextlib.suppress(SpoolFull):
        while True:
            await spool.take("phone", WANG, text(taken))
            taken += 1
    assert 3 < taken < 20
    assert sum(file.stat().st_size for file in tmp_path.glob("*.spool")) <= 1000 + 20 * taken
    owners.away = set()
    await until(lambda: spool.waiting == 0)
    await spool.take("phone", WANG, text(taken))
    assert owners.kept == {WANG: [f"text {n}" for n in range(taken + 1)]}


@pytest.mark.parametrize("spooled", [False, True])
async def test_a_refusal_is_kept_for_a_person_whether_spooled_or_not(tmp_path: Path, spooled: bool) -> None:
    owners = Owners()
    spool = await spool_on(tmp_path, owners)
    owners.away = {WANG}
    if spooled:
        await spool.take("phone", WANG, text(1))
    owners.refusal = Denied("refused", "not like this")
    if not spooled:
        await spool.take("phone", WANG, text(1))
    await until(lambda: owners.kept == {"i0-phone": ["refused: not like this"]})


async def test_an_entity_that_has_stopped_holds_up_only_itself(tmp_path: Path) -> None:
    owners = Owners()
    owners.away, owners.refusal = {WANG}, Denied("stopped", "decide failed")
    spool = await spool_on(tmp_path, owners)
    await spool.take("phone", WANG, text(1))
    await spool.take("phone", LI, text(2))
    assert (owners.kept, spool.waiting) == ({LI: ["text 2"]}, 1)
    await spool.close()


async def test_several_share_an_fsync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owners, syncs = Owners(), 0
    fdatasync = os.fdatasync

    def count(fd: int) -> None:
        nonlocal syncs
        syncs += 1
        fdatasync(fd)

    monkeypatch.setattr(os, "fdatasync", count)
    names = [f"a1-agent{n}" for n in range(50)]
    owners.away = set(names)
    spool = await spool_on(tmp_path, owners)
    await asyncio.gather(*(spool.take("phone", name, text(n)) for n, name in enumerate(names)))
    assert (spool.waiting, syncs) == (50, syncs)
    assert syncs < 10
    await spool.close()


async def test_a_file_whose_worker_lives_cannot_be_adopted(tmp_path: Path) -> None:
    path = tmp_path / "1.spool"
    file = SpoolFile(path)
    await file.append(b"\x01")
    assert SpoolFile.adopt(path) is None
    file.close()
    adopted = SpoolFile.adopt(path)
    assert adopted is not None
    assert adopted.read().groups == [b"\x91\x01"]
    assert SpoolFile.adopt(tmp_path / "none.spool") is None


async def test_a_file_that_its_worker_removes_just_now_is_not_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "1.spool"
    path.touch()
    monkeypatch.setattr(fcntl, "flock", lambda fd, how: path.unlink())
    assert SpoolFile.adopt(path) is None


# --- files that have to be fetched -----------------------------------------------------------------------------------


def picture(n: int) -> ReceiveText:
    return ReceiveText(f"m{n}", f"text {n}", 1000 + n, files=(Attachment("", "cat.png", source="media-7"),))


async def test_what_waits_for_its_file_waits_on_disk_and_what_follows_does_not_overtake(tmp_path: Path) -> None:
    owners, may_fetch = Owners(), asyncio.Event()

    async def complete(channel: str, entity: str, command: Message) -> Message:
        if command.files:
            await may_fetch.wait()
        return msgspec.structs.replace(command, files=())

    spool = await spool_on(tmp_path, owners, complete=complete)
    await spool.take("wecom", "a1-w", picture(1))
    await spool.take("wecom", "a1-w", text(2))
    assert (owners.kept, spool.waiting) == ({}, 2)
    kill(spool)
    spool = await spool_on(tmp_path, owners, complete=complete)
    may_fetch.set()
    await until(lambda: owners.kept == {"a1-w": ["text 1", "text 2"]})
    await spool.close()


async def test_a_file_that_cannot_be_had_is_said_in_the_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FETCH_TRIES", 3)
    monkeypatch.setattr(module, "AGAIN_S", 0.001)
    owners, tries = Owners(), 0

    async def complete(channel: str, entity: str, command: Message) -> Message:
        nonlocal tries
        tries += 1
        raise LookupError("media-7 has expired")

    spool = await spool_on(tmp_path, owners, complete=complete)
    with capture_logs():
        await spool.take("wecom", "a1-w", picture(1))
    said = "text 1\n[cat.png could not be fetched]"
    assert (owners.kept, tries) == ({"a1-w": [said]}, 3)
    await spool.close()
