"""What the admin reads of what came and went: no secret, no whole address, and message texts only on demand. Pure."""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pydantic

from hub.contract import Connector

HIDDEN = "•••"
BEGINNING = 10
"""So many characters of a message are shown where its text is not."""
LEAST_SECRET = 4
"""A shorter value is no secret, and would be found in everything."""
SECRET_NAMES = re.compile(r"token|secret|sign|password|key|authorization|cookie", re.IGNORECASE)
TEXTS = frozenset({"text", "original", "instead", "title", "choices", "note"})
"""Fields of events that hold what people wrote."""
AS_THEY_ARE = frozenset({"outside_id", "in_reply_to", "receipt", "conversation", "refs", "carries"})
"""Names that say which message is meant; some look like addresses of mail."""

# Bounded, and ASCII: what came is a stranger's, may be long, and Chinese has no space before a number.
_PHONE = re.compile(r"(?<![\w+-])(?:\+\d{7,15}|1[3-9]\d{9}|0\d{2,3}-?\d{7,8})(?![\w-])", re.ASCII)
_MAIL = re.compile(r"(?<![\w.+%-])[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+", re.ASCII)
_WORD = rf"(?<![\w.-])[\w.-]{{0,40}}(?:{SECRET_NAMES.pattern})[\w.-]{{0,40}}"
_NAMED = (
    re.compile(
        rf"""(?P<before>{_WORD}["']?\s{{0,9}}[:=]\s{{0,9}})(?:"(?:[^"\\]|\\.)*"?|[^"&<>\s,;}}]+)""", re.IGNORECASE
    ),
    re.compile(rf"(?P<before><{_WORD}>(?:<!\[CDATA\[)?)[^<\]]+", re.IGNORECASE),
)
"""A secret by its name, in a form or in JSON, and in XML."""


class Mask:
    """Hides the values in `secrets` wherever they stand. `texts`: message texts are shown, else only how they begin."""

    def __init__(self, secrets: Iterable[str] = (), texts: bool = False) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= LEAST_SECRET}, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known)) or r"(?!)")
        self._texts = texts

    def line(self, text: str) -> str:
        """Any text without secrets, of a phone number or mail address only both ends."""
        hidden = self._secrets.sub(HIDDEN, text)
        return _MAIL.sub(_ends, _PHONE.sub(_ends, hidden))

    def message(self, text: str) -> str:
        """What somebody wrote: masked, or only its length and how it begins."""
        masked = self.line(text)
        if self._texts or not text:
            return masked
        return f"{masked[:BEGINNING]}… ({len(text)} characters)"

    def fields(self, value: Any, name: str = "") -> Any:
        """An event's field called `name`, as builtins, with all that lies in it."""
        match value:
            case str() if name in TEXTS:
                return self.message(value)
            case str() if name in AS_THEY_ARE:
                return value
            case str():
                return self.line(value)
            case Mapping():
                return {key: self.fields(inner, key) for key, inner in value.items()}
            case list() | tuple():
                return [self.fields(inner, name) for inner in value]
        return value

    def raw(self, kept: str) -> dict[str, Any]:
        """A raw input as it is kept beside an event (hub.engine.ingest), in words."""
        try:
            request = msgspec.json.decode(kept, type=dict[str, Any])
        except msgspec.MsgspecError:  # not in the log: "attachment KEY"
            return {"kept_as": self.line(kept)}
        named = {name: self._named(values) for name in ("query", "headers") if (values := request.get(name))}
        return request | named | {"body": self._body(str(request.get("body") or ""))}

    def _named(self, values: Mapping[str, Any]) -> dict[str, str]:
        return {name: HIDDEN if SECRET_NAMES.search(name) else self.line(str(value)) for name, value in values.items()}

    def _body(self, encoded: str) -> str:
        try:
            body = base64.b64decode(encoded, validate=True)
            text = body.decode()
        except binascii.Error:
            return self.message(encoded)
        except UnicodeDecodeError:
            return f"{len(body)} bytes that are no text"
        for named in _NAMED:
            text = named.sub(rf"\g<before>{HIDDEN}", text)
        return self.message(text)


def _ends(found: re.Match[str]) -> str:
    return f"{found[0][0]}{HIDDEN}{found[0][-1]}"


def mask_for(connectors: Mapping[str, Connector], texts: bool = False) -> Mask:
    """The mask that hides the secrets of all channels."""
    return Mask((secret for each in connectors.values() for secret in secrets_of(each.settings)), texts)


def secrets_of(settings: object) -> Iterator[str]:
    """The values of a connector's settings that are secrets, however deep they lie."""
    match settings:
        case pydantic.SecretStr():
            yield settings.get_secret_value()
        case pydantic.BaseModel():
            for name in type(settings).model_fields:
                yield from secrets_of(getattr(settings, name))
        case Mapping():
            for value in settings.values():
                yield from secrets_of(value)
        case list() | tuple() | set() | frozenset():
            for value in settings:
                yield from secrets_of(value)
