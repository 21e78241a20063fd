"""Files as WeCom takes and gives them: kinds and limits, the body of media/upload, and what its answers mean.

No I/O, no clock. Facts: developer.work.weixin.qq.com, documents 90253 (media/upload) and 90254 (media/get). A media id
is good for 3 days.
"""

from collections.abc import Mapping
from typing import NamedTuple

from connectors.wecom.codec import VERDICTS, Kind, NotSent, parse_reply, platform_text
from hub.contract import Enclosed, NotThere, Refused, Retry

MOST_BYTES = 20 << 20
FEWEST_BYTES = 6
"""WeCom takes nothing of 5 bytes or less."""

_SHOWN: tuple[tuple[Kind, frozenset[str], int], ...] = (
    ("image", frozenset({"image/jpeg", "image/png"}), 10 << 20),
    ("voice", frozenset({"audio/amr"}), 2 << 20),
    ("video", frozenset({"video/mp4"}), 10 << 20),
)
"""What the phone shows or plays by itself, and up to how many bytes; all else is a plain file."""


class Media(NamedTuple):
    """A file that WeCom keeps, and as what."""

    kind: Kind
    id: str


class NotGiven(Exception):
    """WeCom gave no file; the message says what it answered, and holds no secret."""


def kinds(type_: str, size: int) -> tuple[Kind, ...]:
    """As what to offer a file, the best first. Any may go as a plain file, which WeCom looks into no further."""
    shown: tuple[Kind, ...] = tuple(kind for kind, types, most in _SHOWN if type_ in types and size <= most)
    return (*shown, "file")


def frame(name: str, type_: str, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the content in the body of media/upload (RFC 7578).

    The name is plain UTF-8, as browsers send it: WeCom does not know the `filename*=` of RFC 2231.
    """
    escaped = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="media"; filename="{escaped}"\r\n'
        f"content-type: {type_}\r\n\r\n"
    )
    return head.encode(), f"\r\n--{boundary}--\r\n".encode()


def parse_upload(status: int, body: bytes) -> str:
    """The media id in an answer to media/upload. Raises NotSent: whatever it was, no member has seen anything."""
    if status >= 500:
        raise NotSent(Retry(f"WeCom answered HTTP {status} to the file", 5))
    if status != 200:
        raise NotSent(Refused(f"HTTP {status} instead of WeCom's answer to the file: is there a proxy in between?"))
    reply = parse_reply(body)
    if reply is None:
        raise NotSent(Retry("the answer to the file is not WeCom's: is there a proxy in between?", 60))
    if reply.errcode or not reply.media_id:
        known = VERDICTS.get(reply.errcode)
        raise NotSent(known if isinstance(known, Retry) else Refused(platform_text(reply)))
    return reply.media_id


def is_file(status: int, headers: Mapping[str, str]) -> bool:
    """Whether the answer to media/get is the file. `headers` finds names in any case.

    An error is JSON, with status 200 too; a file that happens to be JSON has a content-disposition, as all files do.
    """
    type_ = headers.get("content-type", "").partition(";")[0].strip().lower()
    return status == 200 and ("content-disposition" in headers or type_ not in {"application/json", "text/plain"})


NEVER = frozenset({40007, 830002})
"""Codes of media/get: WeCom has no such media (any more); the file is one that it gives only in parts."""


def not_given(status: int, body: bytes) -> NotGiven | NotThere:
    """What an answer to media/get says that is no file."""
    reply = parse_reply(body)
    if reply is None:
        return NotGiven(f"HTTP {status} instead of the file")
    return NotThere(platform_text(reply)) if reply.errcode in NEVER else NotGiven(platform_text(reply))


def check(file: Enclosed) -> None:
    """Raise NotSent for a file that WeCom would not take as anything."""
    if not FEWEST_BYTES <= file.size <= MOST_BYTES:
        raise NotSent(
            Refused(f"{file.name} has {file.size:,} bytes, WeCom takes {FEWEST_BYTES} to {MOST_BYTES:,} of a file")
        )
