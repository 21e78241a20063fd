"""What can become of a stopped nats-server's files: each damage is a function of the store and a stream's name."""

import shutil
from collections.abc import Callable
from pathlib import Path

Damage = Callable[[Path, str], None]


def folder_of(store: Path, stream: str) -> Path:
    """Where a stream's files are."""
    return next(store.glob(f"jetstream/*/streams/{stream}"))


def blocks(store: Path, stream: str) -> list[Path]:
    """Its block files, oldest first."""
    return sorted(folder_of(store, stream).glob("msgs/*.blk"), key=lambda path: int(path.stem))


def _flip(file: Path) -> None:
    """One bit in the middle of the file."""
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def _middle(store: Path, stream: str) -> Path:
    found = blocks(store, stream)
    assert len(found) > 2, f"{stream} has no middle block"
    return found[len(found) // 2]


def flip_last(store: Path, stream: str) -> None:
    """A bit of the last block, or of the only one."""
    _flip(blocks(store, stream)[-1])


def flip_middle(store: Path, stream: str) -> None:
    """A bit of a block in the middle."""
    _flip(_middle(store, stream))


def make_unreadable(store: Path, stream: str) -> None:
    """A block in the middle gives an error when it is read (as a folder does)."""
    block = _middle(store, stream)
    block.unlink()
    block.mkdir()


def remove_last(store: Path, stream: str) -> None:
    """The file of the last block is gone."""
    blocks(store, stream)[-1].unlink()


def remove_middle(store: Path, stream: str) -> None:
    """The file of a block in the middle is gone."""
    _middle(store, stream).unlink()


def flip_meta(store: Path, stream: str) -> None:
    """A bit of the file that says what the stream is."""
    _flip(folder_of(store, stream) / "meta.inf")


def remove_checksum(store: Path, stream: str) -> None:
    """The checksum of that file is gone."""
    (folder_of(store, stream) / "meta.sum").unlink()


def remove_stream(store: Path, stream: str) -> None:
    """All files of the stream are gone."""
    shutil.rmtree(folder_of(store, stream))


def remove_store(store: Path, stream: str) -> None:
    """All streams are gone."""
    shutil.rmtree(store)


IN_MANY_BLOCKS: dict[str, Damage] = {
    "1 bit in the last block": flip_last,
    "1 bit in a middle block": flip_middle,
    "a middle block cannot be read": make_unreadable,
    "the last block is gone": remove_last,
    "a middle block is gone": remove_middle,
    "1 bit in meta.inf": flip_meta,
    "meta.sum is gone": remove_checksum,
    "the stream is gone": remove_stream,
    "the whole store is gone": remove_store,
}
IN_ONE_BLOCK: dict[str, Damage] = {
    "1 bit in its block": flip_last,
    "its block is gone": remove_last,
    "1 bit in meta.inf": flip_meta,
    "the stream is gone": remove_stream,
}
