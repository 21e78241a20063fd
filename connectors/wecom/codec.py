"""Bytes to values and back for a self-built WeCom app: callbacks in, message/send out, and what its answers mean.

No I/O, no clock. Facts: developer.work.weixin.qq.com, documents 90238 to 90241 (callbacks), 90236 (message/send),
90313 (error codes). Files: media.py.
"""

import re
from collections.abc import Mapping
from typing import Literal, get_args

import msgspec
from wechatpy.enterprise import parse_message  # type: ignore[import-untyped]

from connectors.tencent.envelope import Envelope, NotGenuine, Unreadable, encrypted_part
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
    Token,
    Unknown,
    Verdict,
)

DUPLICATE_CHECK_S = 14_400
"""WeCom's longest: for 4 hours a second request with the same JSON is not delivered."""

SPENT_TOKEN = frozenset({40014, 42001})
"""The access token is invalid or has expired: fetch another and ask once more. 40001 is not among them: at WeCom it is
a wrong secret, and asking again gets the hub's address banned for an hour."""

MEDIA_GONE = 40007

MENU = {"LIST": "列表", "WAITING": "排队", "NEXT": "下一位", "ON": "上班", "OFF": "下班"}
"""The keys of the app's menu and the command that a click on each stands for."""

Kind = Literal["image", "voice", "video", "file"]
"""Of a file: the MsgType of the callback that brings it, the `type` of media/upload, the msgtype of message/send. A
callback of type `file` is not among those documented, but is what others report."""

_MEMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_\-@.]{0,63}")
_ANCHOR = re.compile(r"<(?=\s*/?\s*a[\s>/])", re.IGNORECASE)


# --- callbacks in --------------------------------------------------------------------------------------------------


def verify(raw: Raw, envelope: Envelope) -> None:
    """Raise Forbidden unless WeCom has signed what it sealed."""
    try:
        envelope.check(_sealed(raw), _param(raw, "msg_signature"), _param(raw, "timestamp"), _param(raw, "nonce"))
    except NotGenuine as error:
        raise Forbidden(str(error)) from None


def _sealed(raw: Raw) -> str:
    """The ciphertext of a request. Raises NotGenuine where there is none."""
    if raw.method != "GET":
        return encrypted_part(raw.body)
    # a proxy that decodes the query twice turns + into a space, and base64 knows no spaces
    return _param(raw, "echostr").replace(" ", "+")


def parse_check(raw: Raw, envelope: Envelope) -> Parsed:
    """The console checks the URL with a GET: the answer is the bare echostr. Raises Forbidden."""
    try:
        return Parsed(Answer(body=envelope.open(_sealed(raw))))
    except (NotGenuine, Unreadable) as error:
        raise Forbidden(f"echostr: {error}") from None


def parse_callback(raw: Raw, envelope: Envelope, agent_id: int) -> Parsed:
    """What a member did. Raises Forbidden for what is not for this corp or not for this app."""
    taken = Answer()
    try:
        plain = envelope.open(_sealed(raw))
    except NotGenuine as error:
        raise Forbidden(str(error)) from None
    except Unreadable as error:
        return Parsed(taken, unparsed=f"callback {error}")
    try:
        message = parse_message(plain)
        fields: Mapping[str, object] = message._data  # the only place where wechatpy keeps a kind it does not know
        addressee = int(str(fields.get("AgentID") or agent_id))  # events of the whole corp name no app
        inbound = _inbound(fields)
    except Exception as error:  # wechatpy's parser answers odd input with any exception
        return Parsed(taken, unparsed=f"callback cannot be parsed: {type(error).__name__}: {error}")
    if addressee != agent_id:
        raise Forbidden(f"the callback is for app {addressee}, this is app {agent_id}")
    return Parsed(taken, () if inbound is None else (inbound,))


def _param(raw: Raw, name: str) -> str:
    value = raw.query.get(name)
    if not value:
        raise Forbidden(f"the query has no {name}")
    return value


def _inbound(fields: Mapping[str, object]) -> Inbound | None:
    """None: authentic, and it means nothing to the hub."""
    kind = str(fields["MsgType"]).lower()
    created = int(str(fields["CreateTime"]))
    event, key = str(fields.get("Event") or ""), str(fields.get("EventKey") or "")
    text, unsupported, files = "", "", tuple[File, ...]()
    if kind == "event":
        if event.lower() != "click" or key not in MENU:
            return None
        text = MENU[key]
    elif kind == "text":
        text = str(fields["Content"] or "")
        if not text:
            return None  # nothing but spaces
    elif kind in get_args(Kind) and (media_id := str(fields.get("MediaId") or "")):
        # it has no name of its own; the type of anything but a voice is only known when it has been fetched
        type_ = "audio/amr" if str(fields.get("Format") or "").lower() == "amr" else ""
        files = (File(kind, type_, source=media_id),)
    else:
        unsupported = kind
    member = fields.get("FromUserName")
    if not member:
        raise ValueError(f"a {kind} without FromUserName")
    # an event has no MsgId, and two different clicks in one second are two events
    outside_id = str(fields.get("MsgId") or f"{member}:{created}:{event}:{key}")
    return Inbound(str(member), outside_id, text, created * 1000, unsupported, files)


# --- message/send out ----------------------------------------------------------------------------------------------


def is_member(address: str) -> bool:
    """Whether `address` is one member's userid, not a list ("a|b") and not "@all"."""
    return _MEMBER.fullmatch(address) is not None


def compose_text(delivery: Delivery, agent_id: int) -> bytes:
    """The request body for a text; the same bytes for the same delivery, or the duplicate check would miss a repeat.

    WeCom makes links of <a href>: what a visitor typed must not, and no byte may be added to a text cut to size.
    """
    return _compose(delivery.address, agent_id, "text", {"content": _ANCHOR.sub("(", delivery.text)})


def compose_file(delivery: Delivery, agent_id: int, kind: Kind, media_id: str) -> bytes:
    """The request body for a file that WeCom has already; the same bytes for the same media id."""
    return _compose(delivery.address, agent_id, kind, {"media_id": media_id})


def _compose(address: str, agent_id: int, kind: str, content: dict[str, str]) -> bytes:
    return msgspec.json.encode(
        {
            "touser": address,
            "msgtype": kind,
            "agentid": agent_id,
            kind: content,
            "enable_duplicate_check": 1,
            "duplicate_check_interval": DUPLICATE_CHECK_S,
        }
    )


# --- what the answers mean -----------------------------------------------------------------------------------------


class Reply(msgspec.Struct, frozen=True):
    """The fields of WeCom's answers that the hub reads; the others are ignored, as the documentation asks."""

    errcode: int
    errmsg: str = ""
    invaliduser: str = ""
    unlicenseduser: str = ""
    msgid: str = ""
    access_token: str = ""
    expires_in: int = 0
    media_id: str = ""


class NotSent(Exception):
    """Nothing has been sent, and why: `verdict`."""

    def __init__(self, verdict: Retry | Refused) -> None:
        super().__init__(verdict.because)
        self.verdict = verdict


VERDICTS: dict[int, Retry | Refused] = {
    # WeCom's moment
    -1: Retry("WeCom is busy (-1)", 2),
    40014: Retry("WeCom refuses a new access token (40014)", 5),
    42001: Retry("WeCom refuses a new access token (42001)", 5),
    45009: Retry("WeCom's limit for this app is reached (45009)", 60),
    45033: Retry("too many requests to WeCom at a time (45033)", 5),
    45035: Retry("WeCom is busy with the same (45035)", 2),
    # the set-up: every text would fail, and goes out when a person has put it right
    40001: Retry("WeCom refuses the secret (40001): set channels.wecom.secret to the app's", 600),
    40013: Retry("WeCom does not know the corp (40013): check channels.wecom.corp_id", 600),
    40056: Retry("WeCom does not know the app (40056): check channels.wecom.agent_id", 600),
    48002: Retry("the app may not send (48002): check its rights in the WeCom console", 600),
    48006: Retry("WeCom has switched the app off, it was unused for long (48006): enable it in the console", 600),
    50003: Retry("the app is disabled (50003): enable it in the WeCom console", 600),
    60020: Retry("the hub's address is not among the app's trusted IPs (60020): add it in the WeCom console", 60),
    301002: Retry("secret and agent id belong to different apps (301002): check channels.wecom", 600),
    # the person
    40003: Refused("WeCom does not know this member (40003)", unreachable=True),
    50002: Refused("the member may not use the app (50002)", unreachable=True),
    60011: Refused("the member is outside the app's visible range (60011)", unreachable=True),
    60021: Refused("the member is outside the app's visible range (60021)", unreachable=True),
    60111: Refused("WeCom does not know this member (60111)", unreachable=True),
    81013: Refused("WeCom does not know this member, or they may not use the app (81013)", unreachable=True),
}


def parse_reply(body: bytes) -> Reply | None:
    """WeCom's answer; None when somebody else answered (a proxy, a sign-in page)."""
    try:
        return msgspec.json.decode(body, type=Reply)
    except msgspec.MsgspecError:
        return None


def is_token_spent(body: bytes) -> bool:
    """Whether WeCom did nothing but refuse the access token."""
    reply = parse_reply(body)
    return reply is not None and reply.errcode in SPENT_TOKEN


def is_media_gone(body: bytes) -> bool:
    """Whether WeCom sent nothing because it does not know the media id, or not any more."""
    reply = parse_reply(body)
    return reply is not None and reply.errcode == MEDIA_GONE


def verdict(status: int, body: bytes, address: str) -> Verdict:
    """What an answer to message/send means for what was to go to `address`. The HTTP status is 200 even for errors."""
    if status >= 500:
        return Unknown(f"WeCom answered HTTP {status}")
    if status != 200:
        return Refused(f"HTTP {status} instead of WeCom's answer: is channels.wecom.base_url right?")
    reply = parse_reply(body)
    if reply is None:
        return Unknown("the answer is not WeCom's: is there a proxy in between?")
    if reply.errcode:
        return VERDICTS.get(reply.errcode) or Refused(platform_text(reply))
    # userids come back in lower case
    if address.casefold() in reply.invaliduser.casefold().split("|"):
        return Refused("WeCom does not know this member, or they may not use the app", unreachable=True)
    if address.casefold() in reply.unlicenseduser.casefold().split("|"):
        return Refused("the member has no licence for the app's interface", unreachable=True)
    return Sent(reply.msgid)


def parse_token(status: int, body: bytes) -> Token:
    """The access token in an answer to gettoken. Raises NotSent."""
    reply = parse_reply(body)
    if status != 200 or reply is None:
        raise NotSent(Retry(f"no access token: HTTP {status} instead of WeCom's answer", 5))
    if reply.errcode:
        known = VERDICTS.get(reply.errcode)
        raise NotSent(known if isinstance(known, Retry) else Retry(platform_text(reply), 60))
    return Token(reply.access_token, reply.expires_in)


def platform_text(reply: Reply) -> str:
    """WeCom's own words for an error."""
    # what follows is a hint for Tencent's own support, with the caller's address
    said = reply.errmsg.split(", hint:")[0][:200]
    return f"WeCom refused it: {said} ({reply.errcode})"
