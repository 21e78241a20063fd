"""Both stores keep the promises of hub.bus.attachments, against a real nats-server and a real disk."""

import contextlib
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from hub.bus.attachment_folder import FolderAttachments
from hub.bus.attachment_stream import MAX_BYTES, STREAM, StreamAttachments
from hub.bus.attachments import PART_BYTES, Attachments, Digest
from hub.bus.connection import Connection, connect
from hub.bus.server import EmbeddedServer
from hub.domain.messages import Attachment
from hub.errors import AttachmentDamaged, AttachmentError, AttachmentsAway, AttachmentTooBig, NoAttachment
from tests.bus import faults
from tests.small_disk import Filler, small_disk

C, OTHER, AGENT = "c7-abc", "c7-abcd", "a3-wangfang"
LIMIT = 20 * 2**20
NOBODYS = f"{C}.{'a' * 32}"
Open = Callable[[], Attachments]


@pytest.fixture(params=["nats", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Attachments:
    if request.param == "folder":
        return FolderAttachments(tmp_path / "kept")
    connection: Connection = request.getfixturevalue("connection")
    return StreamAttachments(connection, tmp_path / "kept")


async def put(store: Attachments, content: bytes | AsyncIterator[bytes], owner: str = C, limit: int = LIMIT) -> str:
    return (await store.put(owner, content, limit, name="照片.png", type="image/png")).key


async def read(store: Attachments, key: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in await store.get(key, start, stop)])


async def chunks(content: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(content), size):
        yield content[start : start + size]


def digest_of(content: bytes) -> str:
    digest = Digest()
    digest.add(content)
    return str(digest)


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, LIMIT])
async def test_what_was_put_is_read_back(store: Attachments, size: int) -> None:
    content = random.Random(size).randbytes(size)
    put_ = await store.put(C, chunks(content), LIMIT, name="照片.png", type="image/png")
    assert put_ == Attachment(put_.key, "照片.png", "image/png", size)
    assert await store.describe(put_.key) == put_
    pieces = [chunk async for chunk in await store.get(put_.key)]
    assert b"".join(pieces) == content
    assert max(map(len, pieces), default=0) <= PART_BYTES
    assert b"" not in pieces


async def test_any_range_of_it(store: Attachments) -> None:
    content = random.Random(1).randbytes(3 * PART_BYTES + 7)
    key = await put(store, content)
    edges = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES, len(content) - 1, len(content)]
    for start in edges:
        for stop in edges:
            assert await read(store, key, start, stop) == content[start:stop], (start, stop)
    assert await read(store, key, 5, len(content) + 100) == content[5:]


async def test_the_same_upload_gets_the_same_key_and_the_last_name(store: Attachments) -> None:
    first = await put(store, b"abc")
    again = await store.put(C, chunks(b"abc", 1), LIMIT, name="b.txt", type="text/plain")
    assert again.key == first
    assert await store.describe(first) == again
    assert await read(store, first) == b"abc"


async def test_nothing_is_shared_between_owners_and_an_owner_can_be_erased(store: Attachments) -> None:
    mine, more, other, agents = [
        await put(store, content, owner)
        for content, owner in ((b"abc", C), (b"def", C), (b"abc", OTHER), (b"abc", AGENT))
    ]
    assert len({mine, more, other, agents}) == 4
    assert [key.partition(".")[0] for key in (mine, other, agents)] == [C, OTHER, AGENT]
    await store.erase(C)
    for key in (mine, more):
        with pytest.raises(NoAttachment):
            await store.describe(key)
    assert [await read(store, key) for key in (other, agents)] == [b"abc", b"abc"]
    await store.erase(C)  # there is nothing left, and that is no error


async def test_what_is_deleted_is_gone_and_may_come_again(store: Attachments) -> None:
    key, kept = await put(store, b"abc"), await put(store, b"def")
    await store.delete(key)
    await store.delete(key)
    with pytest.raises(NoAttachment):
        await store.get(key)
    assert await read(store, kept) == b"def"
    assert await put(store, b"abc") == key
    assert await read(store, key) == b"abc"


@pytest.mark.parametrize(
    "key",
    [NOBODYS, "", ".", "..", C, f"{C}.", f"{C}.>", f"{C}.*", "../../etc/passwd", f"../{NOBODYS}", f"{C}/../{NOBODYS}",
     f"{C}.{'a' * 31}/", f"..{'/' * 30}", f"{NOBODYS}.about", f"{NOBODYS}\n",
     "incoming." + "a" * 32, "\x00", "é" * 300],
)  # fmt: skip
async def test_a_key_under_which_nothing_is_kept(store: Attachments, tmp_path: Path, key: str) -> None:
    await put(store, b"abc")
    before = files(tmp_path)
    with pytest.raises(NoAttachment):
        await store.describe(key)
    with pytest.raises(NoAttachment):
        await store.get(key)
    if key != NOBODYS:
        with pytest.raises(NoAttachment):
            await store.delete(key)
    assert len(files(tmp_path)) >= len(before)


@pytest.mark.parametrize(
    "owner", ["", "..", "../c7-abc", "c7-abc/..", "c7-abc.x", "c7-*", ">", "incoming", "c7-" + "x" * 129]
)
async def test_who_is_no_entity_owns_nothing(store: Attachments, tmp_path: Path, owner: str) -> None:
    with pytest.raises(ValueError, match="can own no attachment"):
        await put(store, b"abc", owner)
    with pytest.raises(ValueError, match="can own no attachment"):
        await store.erase(owner)
    assert not (tmp_path / "kept").exists()


async def test_too_much_is_refused_as_soon_as_it_is_too_much(store: Attachments, tmp_path: Path) -> None:
    asked = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield bytes(1000)

    with pytest.raises(AttachmentTooBig, match="longer than the 9,500 bytes"):
        await put(store, endless(), limit=9_500)
    assert asked == 10
    assert files(tmp_path / "kept") == []
    assert await put(store, bytes(9_500), limit=9_500)


async def test_an_upload_that_breaks_off_leaves_nothing(store: Attachments, tmp_path: Path) -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield bytes(PART_BYTES)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await put(store, cut())
    assert files(tmp_path / "kept") == []
    await store.erase(C)


class TestNats:
    """What only NATS can do."""

    @pytest.fixture
    def store(self, connection: Connection, tmp_path: Path) -> StreamAttachments:
        return StreamAttachments(connection, tmp_path / "spool", patience_s=1)

    async def test_what_was_put_survives_a_kill(self, store: StreamAttachments, nats: EmbeddedServer) -> None:
        key = await put(store, bytes(PART_BYTES + 1))
        await faults.kill(nats)
        await nats.start()
        assert len(await read(store, key)) == PART_BYTES + 1

    async def test_an_upload_that_was_killed_between_two_parts_is_not_there(
        self, store: StreamAttachments, connection: Connection, nats: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = await put(store, b"abc")
        request, sent = connection.request, 0

        async def dying(subject: str, *args: object, **kwargs: object) -> object:
            nonlocal sent
            if subject.startswith("attachment."):
                sent += 1
                if sent == 3:
                    raise KeyboardInterrupt
            return await request(subject, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(connection, "request", dying)
        with pytest.raises(KeyboardInterrupt):
            await put(store, bytes(4 * PART_BYTES))
        monkeypatch.undo()
        state = (await connection.jetstream().stream_info(STREAM)).state
        assert (state.messages, state.last_seq) == (2, 2), "only the first one's"
        assert await read(store, first) == b"abc"
        assert len(await read(store, await put(store, bytes(4 * PART_BYTES)))) == 4 * PART_BYTES

    async def test_a_server_that_dies_while_it_stores_is_asked_again(
        self, nats: EmbeddedServer, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = StreamAttachments(connection, tmp_path / "spool")
        request, sent = connection.request, 0

        async def meeting_a_dying_server(subject: str, *args: object, **kwargs: object) -> object:
            nonlocal sent
            if subject.startswith("attachment."):
                sent += 1
                if sent == 3:
                    await faults.kill(nats)
                    await nats.start()
            return await request(subject, *args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(connection, "request", meeting_a_dying_server)
        content = random.Random(2).randbytes(4 * PART_BYTES)
        assert await read(store, await put(store, content)) == content

    async def test_a_server_that_is_away_is_waited_for_and_then_named(
        self, store: StreamAttachments, nats: EmbeddedServer
    ) -> None:
        key = await put(store, b"abc")
        with faults.frozen(nats):
            with pytest.raises(AttachmentsAway, match=r"NATS has not answered within 1 s: is there room on its disk"):
                await put(store, b"def")
            with pytest.raises(AttachmentsAway):
                await store.describe(key)
            with pytest.raises(AttachmentsAway):
                await store.erase(OTHER)
        assert await read(store, key) == b"abc"

    async def test_a_connection_that_is_closed_is_named(self, nats: EmbeddedServer, tmp_path: Path) -> None:
        connection = await connect(nats.url, "test")
        await connection.close()
        with pytest.raises(AttachmentsAway, match="is closed"):
            await put(StreamAttachments(connection, tmp_path), b"abc")

    @pytest.mark.parametrize("free_mb", [4, 12])  # too little to stage it; enough for that, too little to store it
    async def test_a_full_disk_is_named_and_leaves_no_part_that_could_be_read(
        self, tmp_path: Path, free_mb: int
    ) -> None:
        first, second = random.Random(4).randbytes(8 * 2**20), random.Random(5).randbytes(8 * 2**20)
        with small_disk(tmp_path / "disk", 64) as disk:
            nats, filler = EmbeddedServer(disk / "nats"), Filler(disk)
            await nats.start()
            connection = await connect(nats.url, "test")
            store = StreamAttachments(connection, tmp_path / "spool", patience_s=2)
            kept, refused = await put(store, first), f"{C}.{digest_of(second)}"
            filler.leave(free_mb << 20)
            with pytest.raises(AttachmentsAway, match="is there room on its disk"):
                await put(store, second)
            with pytest.raises(NoAttachment):
                await store.describe(refused)
            filler.go()
            await faults.kill(nats)
            await nats.start()
            with contextlib.suppress(NoAttachment):  # what was staged nats-server may finish
                assert await read(store, refused) == second
            assert await read(store, kept) == first
            assert await put(store, second) == refused
            assert await read(store, refused) == second
            await connection.close()
            await nats.stop()

    async def test_a_part_that_is_gone_is_noticed(self, store: StreamAttachments, connection: Connection) -> None:
        key = await put(store, bytes(2 * PART_BYTES))
        await connection.jetstream().purge_stream(STREAM, subject=f"attachment.{key}.1")
        with pytest.raises(AttachmentDamaged, match="part 1 of ATTACHMENTS is missing"):
            await read(store, key)
        assert len(await read(store, key, 0, PART_BYTES)) == PART_BYTES

    async def test_a_part_that_was_changed_is_noticed_before_its_end(
        self, store: StreamAttachments, connection: Connection
    ) -> None:
        key = await put(store, bytes(2 * PART_BYTES))
        await connection.jetstream().publish(f"attachment.{key}.1", b"\x01" + bytes(PART_BYTES - 1))
        pieces = await store.get(key)
        assert len(await anext(pieces)) == PART_BYTES
        with pytest.raises(AttachmentDamaged, match="its digest is another"):
            await anext(pieces)

    async def test_the_longest_that_fits_into_one_atomic_write(self, store: StreamAttachments) -> None:
        store = StreamAttachments(store._connection, store._spool_folder)
        key = await put(store, chunks(bytes(MAX_BYTES), 1 << 20), limit=MAX_BYTES)
        assert await read(store, key, MAX_BYTES - 1) == b"\x00"


class TestFolder:
    """What only a folder can do."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tmp_path / "deep" / "kept"

    async def test_only_the_hubs_user_may_look(self, folder: Path) -> None:
        before = os.umask(0)
        try:
            await put(FolderAttachments(folder), b"abc")
        finally:
            os.umask(before)
        found = [path for path in [folder, *folder.rglob("*")] if path.stat().st_mode & 0o077]
        assert found == []
        assert len(files(folder)) == 2

    async def test_a_content_is_a_plain_file(self, folder: Path) -> None:
        key = await put(FolderAttachments(folder), b"abc")
        assert (folder / key.replace(".", "/")).read_bytes() == b"abc"

    async def test_what_a_killed_worker_left_is_not_there_and_swept_after_a_day(self, folder: Path) -> None:
        store = FolderAttachments(folder)
        await put(store, b"abc")
        for name, age_s in (("old", 25 * 3600), ("young", 0)):
            left = folder / "incoming" / name
            left.mkdir()
            (left / "content").write_bytes(b"half")
            os.utime(left, (left.stat().st_mtime - age_s,) * 2)
        await put(store, b"def")
        assert [path.name for path in (folder / "incoming").iterdir()] == ["young"]

    async def test_a_content_without_what_is_said_of_it_is_not_there(self, folder: Path) -> None:
        store = FolderAttachments(folder)
        key = await put(store, b"abc")
        (folder / key.replace(".", "/")).with_suffix(".json").unlink()
        with pytest.raises(NoAttachment):
            await store.get(key)

    @pytest.mark.parametrize(
        ("damage", "why"),
        [
            (lambda file: file.unlink(), "its file is missing"),
            (lambda file: file.write_bytes(b"ab"), "its file ends at byte 2"),
            (lambda file: file.write_bytes(b"abd"), "its digest is another"),
            (lambda file: file.with_suffix(".json").write_bytes(b"{"), r"\.json: Input data was truncated"),
        ],
    )
    async def test_damage_is_noticed(self, folder: Path, damage: Callable[[Path], object], why: str) -> None:
        store = FolderAttachments(folder)
        key = await put(store, b"abc")
        damage(folder / key.replace(".", "/"))
        with pytest.raises(AttachmentDamaged, match=why):
            await read(store, key)

    async def test_a_full_disk_refuses_leaves_nothing_and_takes_again(self, tmp_path: Path) -> None:
        with small_disk(tmp_path / "disk", 4) as disk:
            store = FolderAttachments(disk / "kept")
            key = await put(store, b"abc")
            before = files(disk)
            with pytest.raises(AttachmentsAway, match=r"No space left on device; make room on that disk"):
                await put(store, chunks(bytes(5 * 2**20)))
            assert files(disk) == before
            filler = Filler(disk)
            filler.leave(4096)  # the content fits, what is said of it does not
            with pytest.raises(AttachmentsAway, match="No space left"):
                await put(store, b"x")
            filler.go()
            assert files(disk) == before
            assert await read(store, await put(store, bytes(1 << 20))) == bytes(1 << 20)
            assert await read(store, key) == b"abc"

    async def test_a_folder_that_cannot_be_made_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(AttachmentsAway, match=r"file/kept: Not a directory; make room"):
            await put(FolderAttachments(tmp_path / "file" / "kept"), b"abc")


async def test_nats_names_the_disk_of_its_spool_when_that_is_full(connection: Connection, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1) as disk:
        store = StreamAttachments(connection, disk)
        with pytest.raises(AttachmentError, match="No space left on device"):
            await put(store, chunks(bytes(2 << 20)))
        assert await read(store, await put(store, bytes(1000))) == bytes(1000)
