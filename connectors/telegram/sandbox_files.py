"""Files that people and the bot have sent, behind their ids and, for an hour each time, paths. No I/O."""

import hashlib

import msgspec

from connectors.telegram.sandbox_answers import Json, bad

MOST_DOWNLOAD = 20 << 20
"""https://core.telegram.org/bots/api#getfile; Client.cpp, MAX_DOWNLOAD_FILE_SIZE."""
MOST_PHOTO, MOST_UPLOAD = 10 << 20, 50 << 20
"""https://core.telegram.org/bots/api#sending-files; td, FileLoaderUtils.cpp, MAX_PHOTO_SIZE."""
PATH_S = 3600
"""https://core.telegram.org/bots/api#getfile: a path is good for at least an hour. Here not longer."""
_FOLDERS = {"photo": "photos", "document": "documents", "voice": "voice", "video": "videos"}


class Upload(msgspec.Struct, frozen=True):
    """A file of a request: a part of multipart/form-data, or what a URL gave."""

    name: str
    type: str
    content: bytes


class Kept(msgspec.Struct, frozen=True):
    """A file that Telegram keeps. `id` opens it, `unique_id` is that of its content."""

    id: str
    unique_id: str
    kind: str
    name: str
    type: str
    content: bytes
    path: str


class Shelf:
    """All files of one bot."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._open_until: dict[str, float] = {}

    def keep(self, kind: str, file: Upload) -> Kept:
        """Keep a file as a photo, document, voice or video. Raises Refusal for what Telegram does not take."""
        if not file.content:
            raise bad("file must be non-empty")
        if kind == "photo" and len(file.content) > MOST_PHOTO:
            raise bad(
                f"file of size {len(file.content)} bytes is too big for a photo; the maximum size is {MOST_PHOTO} bytes"
            )
        number = len(self._kept) + 1
        suffix = file.name.rpartition(".")[2] if "." in file.name else {"photo": "jpg", "voice": "oga"}.get(kind, "")
        path = f"{_FOLDERS[kind]}/file_{number}" + (f".{suffix}" if suffix.isalnum() and suffix.isascii() else "")
        digest = hashlib.sha256(file.content).hexdigest()
        kept = Kept(f"stand-in-file-{number}", digest[:16], kind, file.name, file.type, file.content, path)
        self._kept[kept.id] = kept
        return kept

    def find(self, file_id: str) -> Kept | None:
        """The file of that id."""
        return self._kept.get(file_id)

    def prepare(self, file_id: str, now: float) -> Json:
        """getFile: from now on its path is good for an hour. Raises Refusal."""
        if not file_id:
            raise bad("file_id not specified")
        kept = self._kept.get(file_id)
        if kept is None:
            raise bad("invalid file_id")
        if len(kept.content) > MOST_DOWNLOAD:
            raise bad("file is too big")
        self._open_until[kept.path] = now + PATH_S
        return described(kept) | {"file_path": kept.path}

    def fetch(self, path: str, now: float) -> Kept | None:
        """What lies at a path; None where there is nothing, or no longer."""
        if now > self._open_until.get(path, 0.0):
            return None
        return next(kept for kept in self._kept.values() if kept.path == path)


def described(kept: Kept) -> Json:
    """What all kinds of files have in a message."""
    return {"file_id": kept.id, "file_unique_id": kept.unique_id, "file_size": len(kept.content)}


def media_of(kept: Kept) -> Json:
    """The field of a message that shows it (https://core.telegram.org/bots/api#message).

    Nothing is decoded: a photo has one size, of 800 by 600, and what plays lasts 3 seconds.
    """
    match kept.kind:
        case "photo":
            return {"photo": [described(kept) | {"width": 800, "height": 600}]}
        case "voice":
            return {"voice": described(kept) | {"duration": 3, "mime_type": kept.type or "audio/ogg"}}
        case "video":
            size = {"width": 640, "height": 480, "duration": 3}
            return {"video": described(kept) | size | {"file_name": kept.name, "mime_type": kept.type or "video/mp4"}}
    named = {"file_name": kept.name, "mime_type": kept.type or "application/octet-stream"}
    return {"document": described(kept) | named}
