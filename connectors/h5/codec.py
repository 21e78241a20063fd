"""What a visitor's page says of itself → values of ours. Pure; every field here is text that a stranger chose."""

import re
import unicodedata
from urllib.parse import urlsplit

import msgspec

from hub.domain.messages import Profile

CHANNEL = "h5"
MAX_NAME, MAX_LANGUAGE, MAX_URL, MAX_DEVICE = 64, 35, 2048, 64
"""Characters that are kept. 35 is the longest language tag that RFC 5646 (4.4.1) asks to be ready for."""

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Marks that can turn the text around them: a name with these could make a line of an agent's phone lie."""

SYSTEMS = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("HarmonyOS", "HarmonyOS"), ("OpenHarmony", "HarmonyOS"),
    ("Android", "Android"), ("Windows", "Windows"), ("Mac OS X", "Mac"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
BROWSERS = (
    ("wxwork/", "WeCom"), ("MicroMessenger/", "WeChat"), ("AlipayClient/", "Alipay"), ("DingTalk/", "DingTalk"),
    ("QQ/", "QQ"), ("Edg", "Edge"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"), ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
"""What a User-Agent header contains, and what an agent reads; the first that fits counts."""


class MintRequest(msgspec.Struct):
    """The JSON body of POST /api/v1/visitors (docs/protocol.md); unknown fields are ignored."""

    page: str = ""
    referrer: str = ""
    language: str = ""
    name: str = ""


DECODER: msgspec.json.Decoder[MintRequest] = msgspec.json.Decoder(MintRequest)


def read_profile(body: bytes, user_agent: str) -> Profile:
    """The visitor's profile from a mint request; an empty body is a visitor who says nothing of themselves.

    Too long fields are cut, never refused. Raises ValueError, with a sentence that names the field, for what is not a
    JSON object of strings.
    """
    try:
        request = DECODER.decode(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"the body is not the JSON object that docs/protocol.md describes: {error}") from error
    return Profile(
        channel=CHANNEL,
        name=clean_text(request.name, MAX_NAME),
        language=clean_language(request.language),
        page=clean_url(request.page),
        referrer=clean_url(request.referrer),
        device=device(user_agent),
    )


def clean_text(text: str, limit: int) -> str:
    """One line of at most `limit` characters without control characters and marks that turn text around."""
    kept = (char for char in text[: 4 * limit] if char not in BIDI)
    line = "".join(" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in kept)
    return " ".join(line.split())[:limit].rstrip()


def clean_language(tag: str) -> str:
    """A language tag as in RFC 5646, or nothing."""
    return tag if re.fullmatch(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*", tag) and len(tag) <= MAX_LANGUAGE else ""


def clean_url(url: str) -> str:
    """An http(s) address of at most MAX_URL characters, or nothing: agents get to see it as a link."""
    text = clean_text(url, MAX_URL)
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    return text if parts.scheme in {"http", "https"} and parts.hostname else ""


def device(user_agent: str) -> str:
    """What the visitor holds in their hand, as "iPhone, WeChat"; nothing that is known: the header's beginning."""
    system = next((name for mark, name in SYSTEMS if mark in user_agent), "")
    browser = next((name for mark, name in BROWSERS if mark in user_agent), "")
    known = ", ".join(part for part in (system, browser) if part)
    return known or clean_text(user_agent, MAX_DEVICE)


def allows(origins: tuple[str, ...], origin: str, own: str) -> bool:
    """Whether a page of `origin` (the Origin header) may talk to the hub, whose own origin is `own`.

    A request without that header does not come from a browser's page, and is allowed.
    """
    return not origin or origin == own or "*" in origins or origin.lower() in origins


def clean_origin(origin: str) -> str:
    """An allowed origin as browsers write it: "*", or scheme://host[:port]. Raises ValueError with the cure."""
    parts = urlsplit(origin.strip().lower())
    if origin.strip() == "*":
        return "*"
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError(f'{origin!r} is no origin: write it like "https://shop.example.com", without a path, or "*"')
    return f"{parts.scheme}://{parts.netloc}"
