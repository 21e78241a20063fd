"""`channels.webhook` in config/hub.yaml: where in a platform's JSON what stands, both ways.

All expressions are JMESPath (jmespath.org/specification.html), compiled when the settings are read.
"""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

import httpx
import jmespath
import pydantic
from jmespath.functions import Functions
from jmespath.parser import ParsedResult

from hub.contract import Unit

NOTHING = jmespath.compile("`null`")
"""What is not mapped."""


def check_url(url: str) -> str:
    """The same; ValueError unless nobody on the way can read along: https, or http that stays in a private network.

    Nothing of the address is shown, it may hold a secret.
    """
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("is no address; one looks like https://shop.example.com/replies") from None
    if parsed.userinfo:
        raise ValueError("must hold no user and no password: put them into a header")
    if not parsed.host or not (parsed.scheme == "https" or (parsed.scheme == "http" and _is_near(parsed.host))):
        raise ValueError("must begin with https:// (or http://, to this machine or a private network)")
    return url


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return bool(host) and "." not in host  # localhost, a service of docker compose: no public name is so short


def _compiled(value: object) -> ParsedResult:
    if not isinstance(value, str):
        raise ValueError("must be a JMESPath expression; put it into quotes")  # noqa: TRY004 (pydantic wants ValueError)
    try:
        expression = jmespath.compile(value)
    except jmespath.exceptions.JMESPathError as error:
        raise ValueError(f'"{value}" is no JMESPath expression: {str(error).splitlines()[0].rstrip(":")}') from None
    for name, given in _calls(expression.parsed):
        _check_call(name, given)
    return expression


def _calls(node: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Each function that is called, and with how many arguments: jmespath itself looks only when it gets there."""
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, dict):  # a slice has numbers
            yield from _calls(child)


def _check_call(name: str, given: int) -> None:
    if name not in Functions.FUNCTION_TABLE:
        raise ValueError(f"no function is called {name}(); there are {', '.join(sorted(Functions.FUNCTION_TABLE))}")
    taken = Functions.FUNCTION_TABLE[name]["signature"]
    if given != len(taken) and not (taken and taken[-1].get("variadic") and given > len(taken)):
        raise ValueError(f"{name}() takes {len(taken)} arguments, not {given}")


def _header_value(value: pydantic.SecretStr) -> pydantic.SecretStr:
    text = value.get_secret_value()
    if not (text.isascii() and text.isprintable()):
        raise ValueError("must be one line of ASCII")
    return value


Expression = Annotated[ParsedResult, pydantic.PlainValidator(_compiled)]
HeaderName = Annotated[str, pydantic.StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]
HeaderValue = Annotated[pydantic.SecretStr, pydantic.AfterValidator(_header_value)]


class Part(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Part of the settings."""


class Signature(Part):
    """How a request proves who sent it: HMAC-SHA256 (RFC 2104) of the body, with `timestamp_header` of `time.body`."""

    header: HeaderName = "X-Signature"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = pydantic.Field("", pattern=r"^[!-~]*$")
    """What stands before the signature in its header, such as sha256=."""
    timestamp_header: HeaderName | None = None
    """The header with the time of sending, in seconds since 1970."""
    tolerance_s: int = pydantic.Field(300, ge=1)
    """So far that time may be from the hub's."""


class Signed(Part):
    """One direction."""

    secret: pydantic.SecretStr = pydantic.Field(min_length=8)
    signature: Signature = Signature()


class In(Signed):
    """What the platform posts to /callbacks/webhook. Expressions but `messages` are looked up in one message."""

    messages: Expression = jmespath.compile("@")
    """The list of messages, or the only one."""
    identity: Expression
    """The visitor's stable id."""
    outside_id: Expression
    """The message's id: without one nobody could tell a repeat from a second message."""
    text: Expression
    sent_at: Expression = NOTHING
    """Without it: when the request came."""
    sent_at_unit: Literal["seconds", "milliseconds", "iso8601"] = "seconds"
    name: Expression = NOTHING
    language: Expression = NOTHING
    account: Expression = NOTHING
    """Which of ours they wrote to."""
    thread: Expression = NOTHING
    title: Expression = NOTHING
    edits: Expression = NOTHING
    """The id of the message that this one replaces."""
    unsupported: Expression = NOTHING
    """The kind of a message that a chat cannot show."""
    files: Expression = NOTHING
    """A list of objects with `name`, `type`, and either `url` or `base64`."""
    files_from: tuple[str, ...] = ()
    """The hosts (with a port that is not the usual one: host:port) from which files are fetched."""


class Out(Signed):
    """What the hub posts to the platform for each delivery. Expressions in `body` are looked up in the delivery."""

    url: Annotated[str, pydantic.AfterValidator(check_url)]
    headers: dict[HeaderName, HeaderValue] = {}
    body: dict[str, Expression] = pydantic.Field(min_length=1)
    """The JSON object that is posted: its names, and what stands under each."""
    receipt: Expression = NOTHING
    """The platform's id of what it took, in its answer."""
    error: Expression = NOTHING
    """For a platform that refuses with 200: anything in its answer there but null, false, 0 or emptiness refuses."""
    key_header: HeaderName = "Idempotency-Key"
    recognises_s: int = pydantic.Field(0, ge=0)
    """For so long the platform shows a repeat with the same key only once; 0: it does not look at the key."""


class Limits(Part):
    """What the platform takes (hub.contract.Capabilities)."""

    max_text: int = pydantic.Field(4000, ge=128)
    unit: Unit = "characters"
    files: dict[str, int] = {}
    """Media types (image/*: any image), and how many bytes a file of each may have."""
    choices: int = pydantic.Field(0, ge=0)
    notices: bool = False
    fold_ms: int = pydantic.Field(0, ge=0)
    per_minute: int = pydantic.Field(0, ge=0)
    per_second: float = pydantic.Field(0, ge=0)


class WebhookSettings(Part):
    """`channels.webhook` in config/hub.yaml."""

    incoming: In = pydantic.Field(alias="in")
    out: Out
    limits: Limits = Limits()
