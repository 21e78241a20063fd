"""A shop's app for the stand-in: takes replies as strictly as such a platform may. No I/O, the clock is an argument.

It has its own reckoning of the signatures, so that it would find a mistake in the connector's.
"""

import base64
import hashlib
import hmac
from collections import deque
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

MOST_TEXT = 500
PER_SECOND = 20
TOLERANCE_S = 300
KEY_S = 86_400
TELL_SECRET, REPLY_SECRET = "stand-in-tells-the-hub", "stand-in-hears-the-hub"
"""They open nothing but a stand-in."""


class Reply(msgspec.Struct, frozen=True):
    """One request for a customer's chat, and what became of it."""

    at_ms: int
    customer: str
    text: str
    key: str
    receipt: str
    fate: Literal["shown", "repeated", "refused"]
    request: dict[str, Any] = {}
    """The JSON as it came."""


class Answered(msgspec.Struct, frozen=True):
    """What the shop answers over HTTP."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str] = {}


class Shop:
    """Its customers' chats, and who may write there."""

    def __init__(self) -> None:
        self.customers: set[str] = set()
        self.replies: list[Reply] = []
        self.blocked_by: set[str] = set()
        """Customers who want no replies: refused, with HTTP 200."""
        self._known: dict[str, tuple[float, bytes, Answered]] = {}
        self._shown_at: deque[float] = deque(maxlen=PER_SECOND)

    def take(self, headers: Mapping[str, str], body: bytes, now: float) -> Answered:
        """POST /replies, with header names in lower case."""
        if not self._is_signed(headers, body, now):
            return Answered(401, {"error": "bad signature"})
        try:
            request = msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError as error:
            return Answered(400, {"error": str(error)})
        key = headers.get("idempotency-key", "")
        if not key:
            return Answered(400, {"error": "no Idempotency-Key"})
        at, first_body, answered = self._known.get(key, (0.0, b"", None))
        if answered is not None and now < at + KEY_S:
            # draft-ietf-httpapi-idempotency-key-header-07 2.7: not for another request
            answered = answered if body == first_body else Answered(422, {"error": "key used for another reply"})
            self._note(request, key, answered, now, repeated=body == first_body)
            return answered
        answered = self._answer(request, now)
        if answered.status == 200:
            self._known[key] = (now, body, answered)
        self._note(request, key, answered, now, repeated=False)
        return answered

    def _answer(self, request: Mapping[str, Any], now: float) -> Answered:
        if request.get("customer") not in self.customers:
            return Answered(404, {"error": "no such customer"})
        if len(request.get("text", "")) > MOST_TEXT:
            return Answered(413, {"error": f"a text has at most {MOST_TEXT} characters"})
        if request["customer"] in self.blocked_by:
            return Answered(200, {"error": "the customer wants no replies"})
        if len(self._shown_at) == PER_SECOND and self._shown_at[0] > now - 1:
            return Answered(429, {"error": "too many replies"}, {"Retry-After": "1"})
        self._shown_at.append(now)
        return Answered(200, {"id": f"r-{len(self._known) + 1}"})

    def _note(self, request: Mapping[str, Any], key: str, answered: Answered, now: float, *, repeated: bool) -> None:
        receipt = str(answered.body.get("id", ""))
        fate: Literal["shown", "repeated", "refused"] = "refused"
        if receipt:
            fate = "repeated" if repeated else "shown"
        customer, text = str(request.get("customer", "")), str(request.get("text", ""))
        self.replies.append(Reply(int(now * 1000), customer, text, key, receipt, fate, dict(request)))

    def _is_signed(self, headers: Mapping[str, str], body: bytes, now: float) -> bool:
        time = headers.get("x-hub-time", "")
        if not time.isdecimal() or abs(now - int(time)) > TOLERANCE_S:
            return False
        right = base64.b64encode(_hmac(REPLY_SECRET, time, body))
        return hmac.compare_digest(headers.get("x-hub-signature", "").encode(), right)


def signed(body: bytes, now: float) -> dict[str, str]:
    """The headers with which the shop tells the hub what a customer wrote."""
    time = str(int(now))
    return {"X-Shop-Time": time, "X-Shop-Signature": "sha256=" + _hmac(TELL_SECRET, time, body).hex()}


def _hmac(secret: str, time: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), time.encode() + b"." + body, hashlib.sha256).digest()
