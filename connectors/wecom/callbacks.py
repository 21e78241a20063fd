"""How the stand-in tells the hub what members did: WeCom's plaintexts, sealed and signed, in up to three attempts."""

import asyncio
import itertools
import secrets
import time
from collections import Counter, defaultdict

import httpx
import msgspec

from connectors.tencent.envelope import Envelope
from connectors.wecom.far_side import Account
from connectors.wecom.far_side_media import Media

ATTEMPTS = 3
ANSWER_S, CHECK_S = 5.0, 1.0
OVERTAKEN_S = 0.3


class CheckFailed(Exception):
    """The console would refuse to save the callback URL; the message says what the hub answered."""


class Faults(msgspec.Struct):
    """Switches; each is as good as the real thing until it is switched off again."""

    slow_s: float = 0.0
    """message/send waits so long before it does anything."""
    http_502: bool = False
    """message/send and gettoken answer HTTP 502 and have done nothing."""
    http_502_after_accepting: bool = False
    no_answer_after_accepting: bool = False
    """message/send has done its work and never answers."""
    errcode: int = 0
    """message/send answers this error code: -1, 45009, 60020 …"""
    media_slow_s: float = 0.0
    """media/upload and media/get wait so long before they do anything."""
    media_502: bool = False
    """media/upload and media/get answer HTTP 502."""
    media_errcode: int = 0
    """media/upload and media/get answer this error code."""
    duplicate_callbacks: bool = False
    """Every callback comes twice, sealed anew."""
    reordered_callbacks: bool = False
    """Every second callback is overtaken by the one after it."""


class Callback(msgspec.Struct):
    """What became of one thing that a member did; `statuses` are the HTTP answers to each attempt, 0 for none."""

    msgid: str
    user: str
    statuses: list[int] = []
    taken: bool | None = None
    """Whether the hub took it; None as long as that is open."""


class Callbacks:
    """Posts to the app's callback URL. Each member's callbacks go out in their order, one at a time."""

    def __init__(self, account: Account, faults: Faults, retry_after_s: float) -> None:
        self.url = ""
        self.ledger: list[Callback] = []
        self.untold: Counter[str] = Counter()
        """How many of each member's callbacks the hub never took."""
        self._account = account
        self._faults = faults
        self._retry_after_s = retry_after_s
        self._envelope = Envelope(account.token, account.aes_key, account.corp_id)
        self._http = httpx.AsyncClient(timeout=ANSWER_S, trust_env=False)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[bool]] = set()
        self._count = itertools.count(1)

    async def check(self, url: str) -> None:
        """Do what the console does when somebody saves the URL; CheckFailed unless the answer is the bare echo."""
        echo = secrets.token_hex(8)
        timestamp, nonce = _stamp()
        sealed = self._envelope.seal(echo, timestamp, nonce)
        query = {"msg_signature": sealed.signature, "timestamp": timestamp, "nonce": nonce, "echostr": sealed.encrypted}
        try:
            async with asyncio.timeout(CHECK_S):
                answer = await self._http.get(url, params=query)
        except (httpx.HTTPError, TimeoutError) as error:
            raise CheckFailed(f"{url}: no answer within {CHECK_S:g} s ({type(error).__name__})") from error
        if answer.status_code != 200 or answer.text != echo:
            raise CheckFailed(f"{url}: HTTP {answer.status_code}, {answer.text[:80]!r} is not the echo")
        self.url = url

    def post(self, user: str, msgid: str, plain: str) -> asyncio.Task[bool]:
        """Begin to tell the hub; the task ends when the hub has taken it (True) or WeCom gives up."""
        callback = Callback(msgid, user)
        self.ledger.append(callback)
        task = asyncio.create_task(self._post_in_turn(callback, plain, overtaken=next(self._count) % 2 == 1))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    async def _post_in_turn(self, callback: Callback, plain: str, *, overtaken: bool) -> bool:
        if self._faults.reordered_callbacks:
            await asyncio.sleep(OVERTAKEN_S if overtaken else 0)
        async with self._turns[callback.user]:
            callback.taken = await self._attempt(callback, plain)
            if self._faults.duplicate_callbacks:
                await self._attempt(callback, plain)
        self.untold[callback.user] += not callback.taken
        return callback.taken

    async def _attempt(self, callback: Callback, plain: str) -> bool:
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(self._retry_after_s)
            status = await self._post_once(plain)
            callback.statuses.append(status)
            if status == 200:
                return True
        return False

    async def _post_once(self, plain: str) -> int:
        timestamp, nonce = _stamp()
        sealed = self._envelope.seal(plain, timestamp, nonce)
        body = element(
            "xml",
            element("ToUserName", cdata(self._account.corp_id))
            + element("Encrypt", cdata(sealed.encrypted))
            + element("AgentID", cdata(str(self._account.agent_id))),
        )
        query = {"msg_signature": sealed.signature, "timestamp": timestamp, "nonce": nonce}
        try:
            async with asyncio.timeout(ANSWER_S):
                answer = await self._http.post(
                    self.url, params=query, content=body.encode(), headers={"content-type": "text/xml"}
                )
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError):
            return 0
        return answer.status_code


def _stamp() -> tuple[str, str]:
    return str(int(time.time())), str(secrets.randbelow(10**10))


# --- WeCom's plaintexts (documents 90239 and 90240) ------------------------------------------------------------------

_SAMPLES = {
    "location": {"Location_X": "23.134", "Location_Y": "113.358", "Scale": "20", "Label": "广州塔"},
    "link": {"Title": "订单", "Description": "8812", "Url": "https://example.com/8812", "PicUrl": ""},
}
_MEDIA = {
    "image": {"PicUrl": "https://wework.qpic.cn/wwpic/stand-in"},
    "voice": {"Format": "amr"},
    "video": {"ThumbMediaId": "stand-in-thumb"},
    "file": {},
}
KINDS = tuple(_SAMPLES)
"""What a member can send besides texts and files."""


def text_xml(account: Account, user: str, msgid: str, text: str, at_s: int) -> str:
    """The callback of a text."""
    return _message(account, user, "text", at_s, element("Content", cdata(text)) + element("MsgId", msgid))


def media_xml(account: Account, user: str, msgid: str, media: Media, at_s: int) -> str:
    """The callback of a picture, voice, video or file, that media/get gives."""
    fields = {"MediaId": media.id, **_MEDIA[media.kind]}
    return _message(account, user, media.kind, at_s, _elements(fields) + element("MsgId", msgid))


def other_xml(account: Account, user: str, msgid: str, kind: str, at_s: int) -> str:
    """The callback of one of KINDS, with sample content."""
    return _message(account, user, kind, at_s, _elements(_SAMPLES[kind]) + element("MsgId", msgid))


def event_xml(account: Account, user: str, event: str, key: str, at_s: int) -> str:
    """The callback of an event: enter_agent, click … It has no MsgId."""
    return _message(account, user, "event", at_s, element("Event", cdata(event)) + element("EventKey", cdata(key)))


def _message(account: Account, user: str, kind: str, at_s: int, content: str) -> str:
    return element(
        "xml",
        element("ToUserName", cdata(account.corp_id))
        + element("FromUserName", cdata(user))
        + element("CreateTime", str(at_s))
        + element("MsgType", cdata(kind))
        + content
        + element("AgentID", str(account.agent_id)),
    )


def _elements(fields: dict[str, str]) -> str:
    return "".join(element(name, cdata(value)) for name, value in fields.items())


def element(name: str, content: str) -> str:
    """An XML element around content that is already XML."""
    return f"<{name}>{content}</{name}>"


def cdata(text: str) -> str:
    """Text as XML, without the control characters that XML cannot carry."""
    clean = "".join(c for c in text if c >= " " or c in "\t\n\r")
    return "<![CDATA[" + clean.replace("]]>", "]]]]><![CDATA[>") + "]]>"
