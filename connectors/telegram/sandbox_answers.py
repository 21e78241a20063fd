"""What the stand-in answers, and how it reads a request's arguments, as the Bot API's own server does.

Words and order of the refusals are those of that server, github.com/tdlib/telegram-bot-api (Client.cpp, Query.cpp),
and of the library below it, github.com/tdlib/td; what Telegram's own servers add is cited where it stands.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

Args = Mapping[str, str]
"""A request's arguments; what was no text in JSON is JSON still."""
Json = dict[str, Any]


class Refusal(Exception):
    """The request is refused with that `code`, which is the HTTP status too.

    https://core.telegram.org/bots/api#making-requests and #responseparameters.
    """

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


def bad(why: str) -> Refusal:
    """HTTP 400."""
    return Refusal(400, f"Bad Request: {why}")


def forbidden(why: str) -> Refusal:
    """HTTP 403."""
    return Refusal(403, f"Forbidden: {why}")


def too_many(retry_after_s: int) -> Refusal:
    """HTTP 429; the server sends the header Retry-After as well."""
    return Refusal(429, f"Too Many Requests: retry after {retry_after_s}", retry_after=retry_after_s)


class Answer(msgspec.Struct, frozen=True):
    """What goes back over HTTP."""

    status: int
    body: Json
    headers: dict[str, str] = {}


def granted(result: Any) -> Answer:
    """HTTP 200 with the result."""
    return Answer(200, {"ok": True, "result": result})


def refused(refusal: Refusal) -> Answer:
    """The refusal as it goes back."""
    body: Json = {"ok": False, "error_code": refusal.code, "description": refusal.description}
    if not refusal.parameters:
        return Answer(refusal.code, body)
    after = refusal.parameters.get("retry_after")
    headers = {} if after is None else {"Retry-After": str(after)}
    return Answer(refusal.code, body | {"parameters": refusal.parameters}, headers)


# --- arguments (Client.cpp, get_integer_arg, to_bool; HttpReader.cpp, parse_json_parameters) --------------------------


def arguments(body: bytes) -> dict[str, str]:
    """Those of a JSON body. Raises Refusal."""
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise bad(f"can't parse JSON: {error}") from None  # its own words differ from case to case
    if not isinstance(decoded, dict):
        raise bad("JSON object expected")
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in decoded.items()
        if value is not None
    }


def integer(args: Args, name: str, preset: int = 0) -> int:
    """A number; what is none counts as 0."""
    return number(args[name]) if args.get(name) else preset


def number(text: str) -> int:
    """A 64-bit number; what is none counts as 0."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else 0


def flag(args: Args, name: str) -> bool:
    """Whether it is true, yes or 1."""
    return args.get(name, "").lower() in {"true", "yes", "1"}


def parsed(args: Args, name: str, what: str) -> Any:
    """An argument that is JSON; None where there is none. Raises Refusal, with `what` it should have been."""
    if not args.get(name):
        return None
    try:
        return msgspec.json.decode(args[name].encode())
    except (msgspec.DecodeError, UnicodeEncodeError):
        raise bad(f"can't parse {what} JSON object") from None
