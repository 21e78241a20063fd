"""WeCom's temporary media as its documentation describes them, for the stand-in: kept for 3 days by its clock."""

from collections.abc import Callable

import msgspec

MEDIA_S = 3 * 24 * 3600
LIMITS = {"image": 10 << 20, "voice": 2 << 20, "video": 10 << 20, "file": 20 << 20}
FEWEST_BYTES = 6
_PICTURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"))


class Media(msgspec.Struct, frozen=True):
    """A file that WeCom keeps until `until` (seconds), under `id`."""

    id: str
    kind: str
    name: str
    content: bytes
    until: float

    @property
    def type(self) -> str:
        """A picture's media type; of anything else it is not known."""
        return _picture(self.content) or "application/octet-stream"


class Shelf:
    """All media of one corp. `next_id` numbers them."""

    def __init__(self, next_id: Callable[[], str]) -> None:
        self._next_id = next_id
        self._kept: dict[str, Media] = {}

    def refuses(self, kind: str, content: bytes) -> int:
        """The error code for a file that media/upload does not take as `kind`; 0: it takes it."""
        if kind not in LIMITS:
            return 40004
        if not FEWEST_BYTES <= len(content) <= LIMITS[kind]:
            return 40006
        return 0 if kind in {"file", kind_of(content)} else 40005

    def keep(self, kind: str, name: str, content: bytes, now: float) -> Media:
        """Keep a file; equal ones get different ids."""
        media = Media(f"stand-in-media-{self._next_id()}", kind, name, content, now + MEDIA_S)
        self._kept[media.id] = media
        return media

    def find(self, media_id: str, now: float) -> Media | None:
        """The file, unless it was never kept or its days are over."""
        media = self._kept.get(media_id)
        return media if media is not None and now < media.until else None


def kind_of(content: bytes) -> str:
    """As what the WeCom app would send or show a file."""
    if _picture(content):
        return "image"
    if content.startswith(b"#!AMR\n"):
        return "voice"
    return "video" if content[4:8] == b"ftyp" else "file"


def _picture(content: bytes) -> str:
    return next((type_ for beginning, type_ in _PICTURES if content.startswith(beginning)), "")
