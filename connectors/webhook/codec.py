"""A platform's JSON to values and back, by the expressions of the settings; signatures; what its answers mean.

No I/O, no clock. Which status means what: RFC 9110 section 15, RFC 6585 (429), RFC 8470 (425),
draft-ietf-httpapi-idempotency-key-header-07 (409).
"""

import base64
import email.utils
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
import msgspec
from jmespath.parser import ParsedResult
from jmespath.visitor import TreeInterpreter

from connectors.webhook.settings import In, Out, Signature, Signed, check_url
from hub.contract import (
    Answer,
    Delivery,
    File,
    Forbidden,
    Inbound,
    Parsed,
    Raw,
    Refused,
    Retry,
    Sent,
    Unknown,
    Verdict,
)

MOST_MESSAGES, MOST_FAULTS = 500, 20
"""So many may come in one request, more would hold up everybody else; so many faults of one are named."""
EARLIEST_MS, EARLY_MS = 946_684_800_000, 86_400_000
"""A time before 2000, or a day after the request, is in another unit than the settings say."""
AGAIN_S, LONGEST_AGAIN_S, SET_UP_S = 5.0, 600.0, 60.0
SAID = 200
"""So many characters of a platform's own words are shown."""
_INTERPRETER = TreeInterpreter()
"""jmespath's own `search` makes one for each call, which costs more than most expressions."""


# --- signatures ----------------------------------------------------------------------------------------------------


def sign(body: bytes, signed: Signed, now_s: int) -> dict[str, str]:
    """The headers that prove who sends `body` at `now_s` (Unix seconds)."""
    signature = signed.signature
    if signature.timestamp_header is None:
        return {signature.header: _signature(signed, body)}
    return {
        signature.timestamp_header: str(now_s),
        signature.header: _signature(signed, b"%d.%s" % (now_s, body)),
    }


def check_signature(raw: Raw, signed: Signed) -> None:
    """Raise Forbidden unless the request bears the signature of who knows the secret, and is not an old one."""
    signature, body = signed.signature, raw.body
    if signature.timestamp_header is not None:
        time = _header(raw, signature.timestamp_header)
        _check_time(time, raw.received_at_ms, signature)
        body = time.encode() + b"." + body
    given, right = _header(raw, signature.header), _signature(signed, body)
    if not hmac.compare_digest(given.encode(), right.encode()):
        raise Forbidden(f"the signature in {signature.header} is not that of channels.webhook.in.secret")


def _signature(signed: Signed, content: bytes) -> str:
    digest = hmac.digest(signed.secret.get_secret_value().encode(), content, hashlib.sha256)
    encoded = digest.hex() if signed.signature.encoding == "hex" else base64.b64encode(digest).decode()
    return signed.signature.prefix + encoded


def _check_time(time: str, received_at_ms: int, signature: Signature) -> None:
    if not (time.isascii() and time.isdigit() and len(time) <= 12):
        raise Forbidden(f"{signature.timestamp_header} is not in seconds since 1970")
    if abs(received_at_ms / 1000 - int(time)) > signature.tolerance_s:
        raise Forbidden(f"{signature.timestamp_header} is more than {signature.tolerance_s} s from the hub's clock")


def _header(raw: Raw, name: str) -> str:
    value = raw.headers.get(name.lower())
    if not value:
        raise Forbidden(f"the request has no header {name}")
    return value


# --- messages in ---------------------------------------------------------------------------------------------------


def parse(raw: Raw, settings: In) -> Parsed:
    """What the request brings; messages that cannot be read are named in `unparsed`, the others come.

    A file that may not be fetched is named there too, its message says that there was one.
    """
    try:
        found = _search(settings.messages, msgspec.json.decode(raw.body), "in.messages")
    except (ValueError, RecursionError) as error:
        return Parsed(unparsed=f"the request cannot be read: {error}")
    messages = [found] if isinstance(found, dict) else found
    if not isinstance(messages, list):
        return Parsed(unparsed=f"in.messages gives {_kind(found)}, not a list or an object")
    if len(messages) > MOST_MESSAGES:
        refusal = f"{len(messages)} messages exceed the limit of {MOST_MESSAGES} in one request"
        return Parsed(Answer(413, refusal), unparsed=refusal)
    inbounds, faults = [], []
    for number, message in enumerate(messages, 1):
        try:
            inbound, missing = _inbound(message, settings, raw.received_at_ms)
        except ValueError as error:
            faults.append(f"message {number}: {error}")
        else:
            inbounds.append(inbound)
            faults += [f"message {number}: {fault}" for fault in missing]
    if len(faults) > MOST_FAULTS:
        faults[MOST_FAULTS:] = [f"and {len(faults) - MOST_FAULTS} more"]
    return Parsed(inbounds=inbounds, unparsed="; ".join(faults))


def _inbound(message: object, settings: In, received_at_ms: int) -> tuple[Inbound, list[str]]:
    """The message, and why files of it are missing. Raises ValueError where nothing can be made of it."""

    def text(name: str) -> str:
        return _text(_search(getattr(settings, name), message, f"in.{name}"), f"in.{name}")

    identity, outside_id = text("identity"), text("outside_id")
    for name, value in (("identity", identity), ("outside_id", outside_id)):
        if not value:
            raise ValueError(f"in.{name} gives nothing")
    sent_at = _search(settings.sent_at, message, "in.sent_at")
    files, missing = _files(_search(settings.files, message, "in.files"), settings.files_from)
    inbound = Inbound(
        identity,
        outside_id,
        text("text"),
        _sent_at_ms(sent_at, settings.sent_at_unit, received_at_ms),
        unsupported=text("unsupported") or ("file" if missing else ""),
        files=tuple(files),
        account=text("account"),
        name=text("name"),
        language=text("language"),
        thread=text("thread"),
        title=text("title"),
        edits=text("edits"),
    )
    if not (inbound.text.strip() or inbound.files or inbound.unsupported):
        raise ValueError("in.text gives nothing, and there is no file")
    return inbound, missing


def _files(found: object, hosts: tuple[str, ...]) -> tuple[list[File], list[str]]:
    """The files, and why others are missing."""
    listed = found if isinstance(found, list) else [found]
    files, missing = [], []
    for number, one in enumerate([] if found is None else listed, 1):
        try:
            files.append(_file(one if isinstance(one, dict) else {}, hosts))
        except ValueError as error:
            missing.append(f"file {number}: {error}")
    return files, missing


def _file(one: Mapping[str, object], hosts: tuple[str, ...]) -> File:
    name, media_type, url, content = (_text(one.get(key), key) for key in ("name", "type", "url", "base64"))
    if url:
        check_source(url, hosts)
        return File(name, media_type, source=url)
    if not content:
        raise ValueError("in.files gives neither url nor base64")
    try:
        return File(name, media_type, base64.b64decode(content, validate=True))
    except ValueError as error:
        raise ValueError(f"base64: {error}") from None


def check_source(source: str, hosts: tuple[str, ...]) -> None:
    """Raise ValueError unless a file may be fetched there: strangers must not make the hub call whom they like."""
    check_url(source)
    host = httpx.URL(source).netloc.decode()
    if host not in hosts:
        raise ValueError(f"{host} is not listed in channels.webhook.in.files_from")


def _sent_at_ms(value: object, unit: str, received_at_ms: int) -> int:
    if value is None:
        return received_at_ms
    try:
        if unit == "iso8601":
            moment = datetime.fromisoformat(_text(value, "in.sent_at"))
            # without an offset it cannot be told whose time it is
            sent_at_ms = round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
        else:
            number = value if isinstance(value, float) else float(_text(value, "in.sent_at"))
            sent_at_ms = round(number * (1000 if unit == "seconds" else 1))
    except (ValueError, OverflowError):
        raise ValueError(f"in.sent_at gives {_line(str(value))}, no time in {unit}") from None
    if not EARLIEST_MS <= sent_at_ms <= received_at_ms + EARLY_MS:
        raise ValueError(f"in.sent_at gives {_line(str(value))}: is channels.webhook.in.sent_at_unit right?")
    return sent_at_ms


def _search(expression: ParsedResult, document: object, where: str) -> object:
    try:
        return _INTERPRETER.visit(expression.parsed, document)
    except Exception as error:  # jmespath's functions answer odd input with any exception
        raise ValueError(f"{where}: {_line(str(error))}") from None


def _text(value: object, where: str) -> str:
    """Ids may be numbers; a number with a fraction is none, it may have lost digits."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"{where} gives {_kind(value)}, not a text")


def _kind(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "nothing"}
    return kinds.get(type(value), "a number")


# --- deliveries out ------------------------------------------------------------------------------------------------


def compose(delivery: Delivery, out: Out) -> bytes:
    """The request body. Raises ValueError where an expression fails on this delivery."""
    fields = ("address", "text", "key", "conversation", "number", "part", "parts", "by", "automatic", "thread", "title")
    document: dict[str, object] = {name: getattr(delivery, name) for name in (*fields, "in_reply_to")}
    document["choices"] = list(delivery.choices)
    document["files"] = [
        {"name": file.name, "type": file.type, "size": file.size, "url": file.url} for file in delivery.files
    ]
    return msgspec.json.encode({name: _search(value, document, f"out.body.{name}") for name, value in out.body.items()})


NOT_NOW = {408: False, 425: False, 429: True, 503: True}
"""The platform has done nothing: statuses after which the same goes again; True: nobody else has a chance either."""


def verdict(status: int, headers: Mapping[str, str], body: bytes, out: Out, now_s: float) -> Verdict:
    """What an answer means. `headers` are looked up in lower case; of `body` the beginning is enough for a refusal."""
    said = _line(body.decode(errors="replace"))
    what = f"HTTP {status}: {said}" if said else f"HTTP {status}"
    if 200 <= status < 300:
        return _taken(body, out)
    if status in NOT_NOW:
        return Retry(what, _retry_after_s(headers.get("retry-after", ""), now_s), everyone=NOT_NOW[status])
    if status == 401:
        return Retry(f"{what} (check channels.webhook.out: secret, signature, headers)", SET_UP_S, everyone=True)
    if status >= 500 or (status == 409 and out.recognises_s):  # 409: the first try may still be at work
        return Unknown(what)
    if 300 <= status < 400:
        return Refused(
            f"HTTP {status}: redirects are not followed, set channels.webhook.out.url to where this one leads"
        )
    return Refused(what, unreachable=status in (404, 410))


def _taken(body: bytes, out: Out) -> Verdict:
    try:
        answer = msgspec.json.decode(body) if body.strip() else None
        error = _search(out.error, answer, "out.error")
    except (ValueError, RecursionError) as fault:
        if "error" in out.model_fields_set:
            return Unknown(f"whether it was refused cannot be told: {fault}")
        return Sent()
    if error:
        return Refused(_line(error if isinstance(error, str) else msgspec.json.encode(error).decode()))
    try:
        return Sent(_text(_search(out.receipt, answer, "out.receipt"), "out.receipt"))
    except ValueError:  # sent it is, receipt or not
        return Sent()


def _retry_after_s(value: str, now_s: float) -> float:
    """RFC 9110 10.2.3: seconds, or a date."""
    try:
        wait_s = float(value) if value.isdigit() else email.utils.parsedate_to_datetime(value).timestamp() - now_s
    except ValueError:
        return AGAIN_S
    return min(max(wait_s, 1.0), LONGEST_AGAIN_S)


def _line(text: str) -> str:
    return " ".join(text[: 4 * SAID].split())[:SAID]
