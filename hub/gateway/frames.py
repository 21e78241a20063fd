"""The frames of protocol v1 as values: what clients send (decoded, or a Fault) and what they get (encoded once)."""

import json
import re
import struct
from typing import Annotated, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from hub.gateway.codes import BAD_FIELD, BAD_VERSION, NOT_EXPECTED, NOT_JSON, Code

try:
    from websockets.speedups import apply_mask
except ImportError:  # websockets was installed without its C extension
    from websockets.utils import apply_mask

VERSION = 1
MAX_FRAME_BYTES = 65_536
MAX_TEXT_CHARS = 4_000
MAX_FILES = 9

Seq = Annotated[int, Meta(ge=0, lt=2**53)]
"""2^53 is where a JavaScript number stops being exact."""
_MESSAGE_ID = re.compile(r"^[a-z0-9]{2,16}\.[1-9][0-9]{0,14}\Z")
MessageId = Annotated[str, Meta(pattern=_MESSAGE_ID.pattern)]
"""`<tab>.<n>`: the client's own number."""


# --- from the client -------------------------------------------------------------------------------------------------


class ClientFrame(msgspec.Struct, frozen=True, gc=False, tag_field="t", tag=str.lower):
    """Base of all frames from a client; the tag is the class name in lower case."""


class Hello(ClientFrame, frozen=True, gc=False):
    """The first frame. A visitor sends `seq`, an agent `seen` (the last seq of each conversation)."""

    v: int
    token: str
    epoch: Seq = 0
    seq: Seq = 0
    seen: dict[str, Seq] = {}


class Send(ClientFrame, frozen=True, gc=False):
    """A message; `c` from an agent. `files`: the claims of what was uploaded for it; then the text may be empty.

    `seen`, from an agent: the last seq that they had before them when they wrote; without, all is answered.
    """

    id: MessageId
    text: str
    c: str = ""
    files: Annotated[tuple[str, ...], Meta(max_length=MAX_FILES)] = ()
    seen: Seq | None = None


class Range(ClientFrame, frozen=True, gc=False):
    """A question for history."""

    after: Seq
    before: Seq
    c: str = ""


class Typing(ClientFrame, frozen=True, gc=False):
    """The person is writing, or has stopped."""

    on: bool
    c: str = ""


class Read(ClientFrame, frozen=True, gc=False):
    """The person has seen everything up to `seq`."""

    seq: Seq
    c: str = ""


class Ping(ClientFrame, frozen=True, gc=False):
    """Is anybody there?"""


AnyClientFrame = Hello | Send | Range | Typing | Read | Ping
_TYPES = frozenset({"hello", "send", "range", "typing", "read", "ping"})
_decoder: msgspec.json.Decoder[AnyClientFrame] = msgspec.json.Decoder(AnyClientFrame)


class Fault(NamedTuple):
    """Why a frame cannot be taken. `id` is the message's, where the frame has one that can be echoed."""

    code: Code
    message: str
    id: str = ""


def parse(data: bytes | bytearray) -> AnyClientFrame | Fault:
    """The frame in `data`. Any bytes give a frame or a Fault."""
    try:
        return _decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _explain(data, error)


def _explain(data: bytes | bytearray, error: Exception) -> Fault:
    """What is wrong, found out with the lenient decoder of the standard library, which is off the hot path."""
    try:
        # Its decoder takes a lone surrogate (half an emoji), so that such a text is refused and not the socket.
        text = data.decode()
        value = json.loads(text, parse_constant=_refuse)
    except RecursionError:
        return Fault(NOT_JSON, "nested too deeply")
    except UnicodeDecodeError as found:
        return Fault(NOT_JSON, f"not UTF-8 at byte {found.start}")
    except json.JSONDecodeError as found:
        return Fault(NOT_JSON, f"not JSON at character {found.pos}")
    except ValueError:
        return Fault(NOT_JSON, "a number that is none, or has more than 4,300 digits")
    if not isinstance(value, dict) or not isinstance(value.get("t"), str):
        return Fault(NOT_JSON, "not an object with a text `t`")
    if value["t"] not in _TYPES:
        return Fault(NOT_EXPECTED, "unknown type; there are " + ", ".join(sorted(_TYPES)))
    if value["t"] == "hello" and isinstance(value.get("v"), int) and value["v"] != VERSION:
        return Fault(BAD_VERSION, f"this hub speaks version {VERSION}")
    id_ = value.get("id")
    echoed = id_ if isinstance(id_, str) and _MESSAGE_ID.match(id_) else ""
    if "\\ud" in text.lower():
        return Fault(BAD_FIELD, "a text holds half of a character (a lone surrogate)", echoed)
    return Fault(BAD_FIELD, str(error), echoed)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


# --- to the client ---------------------------------------------------------------------------------------------------


class ServerFrame(msgspec.Struct, tag_field="t", tag=str.lower, gc=False):
    """Base of all frames to a client but `event`, which hub.domain.views makes; the tag is the class name."""


class Welcome(ServerFrame, gc=False):
    """To a visitor, after hello."""

    v: int
    c: str
    epoch: int
    seq: int
    resumed: bool
    events: tuple[msgspec.Raw, ...]
    window: int
    tabs: dict[str, int]


class AgentWelcome(ServerFrame, tag="welcome", gc=False):
    """To an agent, after hello."""

    v: int
    agent: str
    epoch: int
    window: int
    conversations: tuple[str, ...]


class Ack(ServerFrame, omit_defaults=True, gc=False):
    """A message is on disk. Of a repeat only its `seq` is known; of one long ago not even that, then it is 0."""

    id: str
    c: str
    seq: int
    prev: int | UnsetType = UNSET
    at: int | UnsetType = UNSET
    status: str = ""
    text: str = ""


class PageFrame(ServerFrame, tag="page", omit_defaults=True, gc=False):
    """A stretch of history."""

    c: str
    after: int | UnsetType
    before: int | UnsetType
    events: tuple[msgspec.Raw, ...]
    more: bool | UnsetType
    resumed: bool = True


class Serving(ServerFrame, gc=False):
    """A conversation became the agent's, or stopped being theirs."""

    c: str
    on: bool


class TypingSignal(ServerFrame, tag="typing", gc=False):
    """The other side is writing, or has stopped."""

    c: str
    by: str
    on: bool


class ReadSignal(ServerFrame, tag="read", gc=False):
    """The other side has seen everything up to `seq`."""

    c: str
    by: str
    seq: int


class Error(ServerFrame, omit_defaults=True, rename={"from_": "from"}, gc=False):
    """Something was refused, the socket stays open."""

    code: int
    do: str
    message: str
    id: str = ""
    c: str = ""
    from_: int = 0
    seq: int = 0


encode = msgspec.json.Encoder().encode
PONG = encode({"t": "pong"})


def error(code: Code, message: str = "", *, id: str = "", c: str = "", resend_from: int = 0, seq: int = 0) -> bytes:
    """An error frame; without a `message` the code's own meaning."""
    return encode(Error(code.number, code.do, message or code.meaning, id, c, resend_from, seq))


_SHORT = [bytes((0x81, length)) for length in range(126)]
_MEDIUM = struct.Struct("!BBH").pack
_LONG = struct.Struct("!BBQ").pack


def text_frame(payload: bytes) -> bytes:
    """The bytes of one unmasked WebSocket text frame (RFC 6455, 5.2): the same for every socket it is written to."""
    length = len(payload)
    if length < 126:
        return _SHORT[length] + payload
    if length < 65_536:
        return _MEDIUM(0x81, 126, length) + payload
    return _LONG(0x81, 127, length) + payload


def whole_text(data: bytes) -> bytes | None:
    """The payload, when `data` is exactly one client's text frame below 64 KiB; None for all else."""
    if len(data) < 6 or data[0] != 0x81:
        return None
    start, length = 2, data[1] - 0x80
    if length == 126:
        start, length = 4, data[2] << 8 | data[3]
    elif length == 127:
        return None
    if len(data) != start + 4 + length:  # a frame without a mask has a negative length here
        return None
    return apply_mask(data[start + 4 :], data[start : start + 4])


def is_pong(data: bytes) -> bool:
    """Whether `data` is exactly one client's answer to an empty ping: all of them come so."""
    return len(data) == 6 and data[0] == 0x8A and data[1] == 0x80


def whole_frames(data: bytes) -> bool:
    """Whether the frames that begin with the first byte end with the last one, and no message goes on after it."""
    at = 0
    while len(data) - at >= 6 and data[at] & 0x80:
        length = data[at + 1] & 0x7F
        if length == 127:
            return False
        at += 6 + length if length < 126 else 8 + (data[at + 2] << 8 | data[at + 3])
    return at == len(data)
