"""Every close and error code of protocol v1, in ranges that say whether to come back; docs/protocol.md prints them.

4000-4099  close: come back and resume         4400-4499  close: renew the token, then resume
4100-4199  an error frame; the socket stays    4500-4999  close: coming back will not help
"""

from typing import Literal, NamedTuple

Do = Literal["resume", "retry", "resend", "new_tab", "drop", "renew", "stop"]
"""What the client should do."""


class Code(NamedTuple):
    """One code: its number, what the client should do, whether it closes the socket, and what it means."""

    number: int
    do: Do
    way: Literal["frame", "close"]
    meaning: str


RESTART = Code(1012, "resume", "close", "the hub stops or restarts")
LET_GO = Code(4000, "resume", "close", "the hub must let go of the socket")
TOO_SLOW = Code(4001, "resume", "close", "too slow: too much waits to be read (1 MiB, less where many are slow)")
NO_PONG = Code(4002, "resume", "close", "a ping was not answered in 3 s")
NO_HELLO = Code(4003, "resume", "close", "no hello within 10 s")
TOO_FAST = Code(
    4008,
    "resume",
    "close",
    "more than 50 frames a second, with 200 in reserve, or too many from one address: wait 5 s first",
)

UNAVAILABLE = Code(
    4100, "retry", "frame", "the hub cannot commit at this moment: keep the message, send it again after 1 s"
)
HOLE = Code(4111, "resend", "frame", "a hole in the client's numbers: send again from `from`")
FORGOTTEN_TAB = Code(4112, "new_tab", "frame", "a forgotten tab id")
BAD_TEXT = Code(4113, "drop", "frame", "the text is empty or too long: tell the person")
NOT_YOURS = Code(4114, "drop", "frame", "not yours: the conversation is not (or no longer) served by this agent")
BAD_FIELD = Code(4115, "drop", "frame", "a field is missing or has a wrong value; `message` names it")
NO_HISTORY = Code(4121, "retry", "frame", "the history cannot be had at this moment")

TOKEN_EXPIRED = Code(4401, "renew", "close", "the token has expired: renew it over HTTP, then resume")

NOT_JSON = Code(4500, "stop", "close", "not text, not JSON, or not an object with `t`")
NOT_EXPECTED = Code(4501, "stop", "close", "an unknown type, another frame before hello, or a second hello")
BAD_TOKEN = Code(4503, "stop", "close", "the token is not valid here")
BAD_VERSION = Code(4505, "stop", "close", "an unknown protocol version")

# RFC 6455's own, sent by the WebSocket layer.
BROKEN = Code(1002, "stop", "close", "what came is no WebSocket (RFC 6455)")
NOT_UTF8 = Code(1007, "stop", "close", "a close reason that is not UTF-8")
TOO_BIG = Code(1009, "stop", "close", "a frame of more than 64 KiB")

CODES = (
    RESTART, LET_GO, TOO_SLOW, NO_PONG, NO_HELLO, TOO_FAST,
    UNAVAILABLE, HOLE, FORGOTTEN_TAB, BAD_TEXT, NOT_YOURS, BAD_FIELD, NO_HISTORY,
    TOKEN_EXPIRED,
    NOT_JSON, NOT_EXPECTED, BAD_TOKEN, BAD_VERSION,
    BROKEN, NOT_UTF8, TOO_BIG,
)  # fmt: skip
"""All of them, in the order of the page."""
