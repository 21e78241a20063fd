"""Copies of the store made before each start, because a nats-server that cannot read a block deletes its stream."""

import contextlib
import os
import shutil
from pathlib import Path

from hub.errors import BusError

EXPENDABLE = frozenset({"KV_LEASES", "KV_TOKENS", "KV_POSITIONS", "KV_IDEMPOTENCY"})
"""Streams of which nothing is worth a refusal: leases run out, tokens are fetched again, positions are told again, and
answers to requests that may come again are kept for a day."""
CHECKED = "checked"
"""The file in a generation whose start was found to be good."""


def needs(store: Path) -> int:
    """So many bytes `keep` would copy; what it links takes nothing."""
    full = _full_blocks(store)
    return sum(file.stat().st_size for file in store.rglob("*") if file.is_file() and str(file) not in full)


def keep(store: Path, kept: Path) -> None:
    """Keep the store's files as they are now, before a start, under `kept`; the server must not run.

    Two generations are kept. As long as the start that followed the newest one has not been `confirm`ed, that
    generation stays the newest: a second start after a bad one copies no damage over it. Blocks that are full are
    hard-linked (milliseconds for a log of 1 GB), the one still written to and the small files are copied. Raises
    OSError when there is no room for that.
    """
    newest = kept / "1"
    if not store.is_dir() or (newest.exists() and not (newest / CHECKED).exists()):
        return
    fresh = kept / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    full = _full_blocks(store)
    try:
        shutil.copytree(
            store, fresh / "store", copy_function=lambda file, target: _keep_file(file, target, file in full)
        )
    except OSError:
        shutil.rmtree(fresh, ignore_errors=True)  # on a full disk each byte counts
        raise
    shutil.rmtree(kept / "2", ignore_errors=True)
    if newest.exists():
        newest.rename(kept / "2")
    fresh.rename(newest)


def drop_half_made(store: Path) -> list[str]:
    """Remove streams whose making was cut short, and name them; the server must not run.

    Killed between a new stream's first files, nats-server leaves one without checksum that it refuses at every later
    start. Such a stream has never held a message: it has no block with content and no index.
    """
    dropped = []
    for stream in store.glob("jetstream/*/streams/*"):
        messages = [file for file in stream.glob("msgs/*") if file.name == "index.db" or file.stat().st_size]
        if not (stream / "meta.sum").exists() and not messages:
            shutil.rmtree(stream)
            dropped.append(stream.name)
    return dropped


def confirm(kept: Path) -> None:
    """Say that the last start lost nothing (watermark.check): the next start may make a new generation."""
    with contextlib.suppress(FileNotFoundError):  # nothing was there to keep before the very first start
        (kept / "1" / CHECKED).touch()


def restore(store: Path, kept: Path, generation: int = 1) -> Path | None:
    """Put a generation back (1: as before the last start, 2: the one before); the server must not run.

    The store that was there is moved aside, never deleted; its new place is returned (None: there was none).
    Raises BusError when that generation does not exist.
    """
    source = kept / str(generation) / "store"
    if not source.exists():
        raise BusError(f"{source}: no such generation was kept; {kept} holds {sorted(p.name for p in kept.glob('*'))}")
    aside = None
    if store.exists():
        aside = _put_aside(store, store.parent)
    shutil.copytree(source, store)  # real copies: the server writes into them
    return aside


def put_stream_aside(store: Path, stream: str) -> Path:
    """Move a stream's files out of the store and return their new place; the server must not run."""
    return _put_aside(next(store.glob(f"jetstream/*/streams/{stream}")), store.parent)


def _put_aside(path: Path, folder: Path) -> Path:
    number = 1 + len(list(folder.glob(f"{path.name}.aside-*")))
    return path.rename(folder / f"{path.name}.aside-{number}")


def _full_blocks(store: Path) -> set[str]:
    """The block files that do not change any more: of each stream all but the newest."""
    full = set()
    for folder, _, names in os.walk(store):
        blocks = sorted((name for name in names if name.endswith(".blk")), key=lambda name: int(name[: -len(".blk")]))
        full |= {str(Path(folder, name)) for name in blocks[:-1]}
    return full


def _keep_file(source: str, target: str, may_link: bool) -> None:
    if may_link:
        with contextlib.suppress(OSError):  # a file system without hard links
            os.link(source, target)
            return
    shutil.copy2(source, target)
