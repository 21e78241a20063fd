"""WeCom's side as its documentation describes it, for the stand-in: tokens, message/send, media, limits, a ledger.

No I/O, and the clock is an argument (`now`, seconds), so that hours pass in a test at once. What the documentation
leaves open is decided here against the hub: see README.md.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Mapping
from typing import Literal

import msgspec

from connectors.wecom.far_side_media import Media, Shelf

TOKEN_S = 7200
TEXT_BYTES = 2048
PER_MINUTE, PER_HOUR = 30, 1000
BAD_SECRETS, BAN_S = 5, 3600
"""How many wrong secrets WeCom takes before it bans the address is not documented; the hour is."""
DUPLICATE_S, DUPLICATE_LONGEST_S = 1800, 14_400


class NoMember(LookupError):
    """No member of the corp has that userid."""


class Account(msgspec.Struct, frozen=True):
    """What the console would show for the app. The preset values open nothing but a stand-in."""

    corp_id: str = "ww5eaf00dbe7a11e5a"
    agent_id: int = 1000002
    secret: str = "not-a-secret-of-any-real-corp"
    token: str = "StandInToken"
    aes_key: str = "StandInForWeComOpensNothingRealAtAll0123456"
    app_name: str = "客服台"


class ShownFile(msgspec.Struct, frozen=True):
    """A picture or file on a phone; `sha256` is of its content, in hexadecimal."""

    kind: str
    name: str
    size: int
    sha256: str

    @classmethod
    def of(cls, media: Media) -> "ShownFile":
        """As the phone shows it."""
        return cls(media.kind, media.name, len(media.content), hashlib.sha256(media.content).hexdigest())


class Bubble(msgspec.Struct, frozen=True):
    """What is seen at place `n` (1, 2, 3 …) of a phone's chat: a text or file, of the app or of the member."""

    n: int
    at_ms: int
    side: Literal["app", "member"]
    text: str
    msgid: str
    file: ShownFile | None = None


class Send(msgspec.Struct, frozen=True):
    """A text or file that message/send accepted for one member, and what became of it."""

    at_ms: int
    user: str
    text: str
    msgid: str
    fate: Literal["shown", "dropped", "repeated"]
    """On the phone; over the member's limit, dropped in silence; or known to the duplicate check."""
    file: ShownFile | None = None


class Phone:
    """One member's chat with the app."""

    def __init__(self, user: str, name: str) -> None:
        self.user = user
        self.name = name
        self.chat: list[Bubble] = []
        self.files: dict[int, Media] = {}
        """By the place of their bubble."""
        self.dropped = 0
        self._shown_at: deque[float] = deque(maxlen=PER_HOUR)

    def add(
        self, side: Literal["app", "member"], text: str, msgid: str, now: float, media: Media | None = None
    ) -> Bubble:
        """One more bubble; what it shows of a file stays on the phone for good."""
        shown = ShownFile.of(media) if media else None
        bubble = Bubble(len(self.chat) + 1, int(now * 1000), side, text, msgid, shown)
        self.chat.append(bubble)
        if media:
            self.files[bubble.n] = media
        return bubble

    def show(self, text: str, msgid: str, now: float, media: Media | None = None) -> bool:
        """False: over a limit, dropped."""
        shown = self._shown_at
        over_minute = len(shown) >= PER_MINUTE and shown[-PER_MINUTE] > now - 60
        over_hour = len(shown) == PER_HOUR and shown[0] > now - 3600
        if over_minute or over_hour:
            self.dropped += 1
            return False
        shown.append(now)
        self.add("app", text, msgid, now, media)
        return True


class FarSide:
    """WeCom for one corp with one app. Answers are what goes into the body, as values."""

    def __init__(self, account: Account, members: Mapping[str, str], *, first_id: int) -> None:
        self.account = account
        self.phones = {user.casefold(): Phone(user, name) for user, name in members.items()}
        self.sends: list[Send] = []
        self.calls: Counter[str] = Counter()
        self.media = Shelf(self.next_id)
        self._last_id = first_id
        self._tokens: dict[str, float] = {}
        self._bad_secrets = 0
        self._banned_until = 0.0
        self._seen: dict[bytes, tuple[float, str]] = {}

    def next_id(self) -> str:
        """A message id; none comes twice, provided `first_id` lies above every earlier run's ids."""
        self._last_id += 1
        return str(self._last_id)

    # --- tokens ----------------------------------------------------------------------------------------------------

    def get_token(self, corp_id: str, secret: str, now: float) -> dict[str, object]:
        """/cgi-bin/gettoken: the same token as long as it lives."""
        self.calls["gettoken"] += 1
        if not corp_id:
            return refusal(41002)
        if not secret:
            return refusal(41004)
        if now < self._banned_until:
            return refusal(45009)
        if corp_id != self.account.corp_id:
            return refusal(40013)
        if secret != self.account.secret:
            self._bad_secrets += 1
            if self._bad_secrets >= BAD_SECRETS:
                self._bad_secrets, self._banned_until = 0, now + BAN_S
            return refusal(40001)
        token = next((value for value, until in self._tokens.items() if now < until), "")
        if not token:
            token = f"stand-in-token-{self.next_id()}"
            self._tokens[token] = now + TOKEN_S
        return {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": int(self._tokens[token] - now)}

    def expire_tokens(self) -> None:
        """All tokens are past their time: 42001."""
        self._tokens = dict.fromkeys(self._tokens, 0.0)

    def invalidate_tokens(self) -> None:
        """WeCom has forgotten all tokens before their time: 40014."""
        self._tokens.clear()

    def _token_error(self, token: str, now: float) -> int:
        if not token:
            return 41001
        if token not in self._tokens:
            return 40014
        return 0 if now < self._tokens[token] else 42001

    # --- media -----------------------------------------------------------------------------------------------------

    def upload(self, token: str, kind: str, name: str, content: bytes | None, now: float) -> dict[str, object]:
        """/cgi-bin/media/upload; `content` is None where the form has no file called `media`."""
        self.calls["media/upload"] += 1
        if error := self._token_error(token, now):
            return refusal(error)
        if content is None:
            return refusal(41005)
        if error := self.media.refuses(kind, content):
            return refusal(error)
        media = self.media.keep(kind, name, content, now)
        return {"errcode": 0, "errmsg": "", "type": kind, "media_id": media.id, "created_at": str(int(now))}

    def download(self, token: str, media_id: str, now: float) -> Media | dict[str, object]:
        """/cgi-bin/media/get: the file, or the answer that refuses it."""
        self.calls["media/get"] += 1
        if error := self._token_error(token, now):
            return refusal(error)
        return self.media.find(media_id, now) or refusal(40007 if media_id else 41006)

    # --- message/send ----------------------------------------------------------------------------------------------

    def send(self, token: str, body: bytes, now: float) -> dict[str, object]:
        """/cgi-bin/message/send, for texts and files; `token` is that of the query, one in the body does not count."""
        self.calls["message/send"] += 1
        if error := self._token_error(token, now):
            return refusal(error)
        try:
            request = msgspec.json.decode(body, type=_SendRequest)
        except msgspec.MsgspecError:
            return refusal(40035)
        if error := self._request_error(request):
            return refusal(error)
        media = self.media.find(request.media_id, now)
        if request.msgtype != "text" and (media is None or media.kind != request.msgtype):
            return refusal(40007)
        named = [user for user in request.touser.split("|") if user]
        if request.touser == "@all":
            named = [phone.user for phone in self.phones.values()]
        known = [phone for user in named if (phone := self.phones.get(user.casefold()))]
        invalid = "|".join(user.lower() for user in named if user.casefold() not in self.phones)
        if not known:
            return refusal(81013) | {"invaliduser": invalid}
        msgid, repeated = self._duplicate(request, body, now)
        for phone in known:
            self._show(phone, request, media, msgid, now, repeated=repeated)
        return {"errcode": 0, "errmsg": "ok", "invaliduser": invalid, "msgid": msgid}

    def _show(
        self, phone: Phone, request: "_SendRequest", media: Media | None, msgid: str, now: float, *, repeated: bool
    ) -> None:
        # WeCom cuts a longer text; a character cut in half is not shown
        text = "" if media else request.text.content.encode()[:TEXT_BYTES].decode(errors="ignore")
        fate: Literal["shown", "dropped", "repeated"] = "repeated"
        if not repeated:
            fate = "shown" if phone.show(text, msgid, now, media) else "dropped"
        file = ShownFile.of(media) if media else None
        self.sends.append(Send(int(now * 1000), phone.user, text, msgid, fate, file))

    def _request_error(self, request: "_SendRequest") -> int:
        if request.agentid is None:
            return 40056
        if request.agentid != self.account.agent_id:
            return 301002
        if not request.touser.strip("|"):
            return 82001
        if request.msgtype not in {"text", "image", "voice", "video", "file"}:
            return 40008
        return 44004 if request.msgtype == "text" and not request.text.content else 0

    def _duplicate(self, request: "_SendRequest", body: bytes, now: float) -> tuple[str, bool]:
        """The message's id, and whether the same request was accepted before, within its own interval."""
        if not request.enable_duplicate_check:
            return self.next_id(), False
        at, msgid = self._seen.get(body, (float("-inf"), ""))
        if now - at < min(request.duplicate_check_interval, DUPLICATE_LONGEST_S):
            return msgid, True
        msgid = self.next_id()
        self._seen[body] = (now, msgid)
        return msgid, False


class _Text(msgspec.Struct):
    content: str = ""


class _MediaId(msgspec.Struct):
    media_id: str = ""


class _SendRequest(msgspec.Struct):
    touser: str = ""
    msgtype: str = ""
    agentid: int | None = None
    text: _Text = msgspec.field(default_factory=_Text)
    image: _MediaId = msgspec.field(default_factory=_MediaId)
    voice: _MediaId = msgspec.field(default_factory=_MediaId)
    video: _MediaId = msgspec.field(default_factory=_MediaId)
    file: _MediaId = msgspec.field(default_factory=_MediaId)
    enable_duplicate_check: int = 0
    duplicate_check_interval: int = DUPLICATE_S

    @property
    def media_id(self) -> str:
        """Of the file that is to be shown; empty for a text."""
        return "" if self.msgtype == "text" else str(getattr(self, self.msgtype).media_id)


_ERRMSG = {
    -1: "system busy",
    40001: "invalid credential",
    40004: "invalid media type",
    40005: "invalid file type",
    40006: "invalid file size",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40035: "invalid parameter",
    40056: "invalid agentid",
    41001: "access_token missing",
    41002: "corpid missing",
    41004: "corpsecret missing",
    41005: "media data missing",
    41006: "media_id missing",
    42001: "access_token expired",
    44004: "empty content",
    45009: "api freq out of limit",
    81013: "user & party & tag all invalid",
    82001: "user & party & tag all empty",
    301002: "not allow operate another agent with this accesstoken",
}


def refusal(errcode: int) -> dict[str, object]:
    """An answer with that error code, in the form that WeCom gives it."""
    said = _ERRMSG.get(errcode, "refused by a switch of the stand-in")
    more = f"https://open.work.weixin.qq.com/devtool/query?e={errcode}"
    return {"errcode": errcode, "errmsg": f"{said}, hint: [stand-in], from ip: 127.0.0.1, more info at {more}"}
