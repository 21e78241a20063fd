"""How the stand-in tells a webhook: setWebhook and its kin, and the calls (https://core.telegram.org/bots/api#setwebhook).

As the server does it (WebhookActor.cpp): the updates of one chat one after the other, others side by side up to
max_connections; what is not answered with 2xx comes again at once, then after pauses that double up to a minute, or
when Retry-After says so, until it is a day old.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec

from connectors.telegram.sandbox_answers import (
    Answer,
    Args,
    Json,
    Refusal,
    bad,
    flag,
    granted,
    integer,
    parsed,
    too_many,
)
from connectors.telegram.sandbox_updates import KINDS, Update, Updates
from hub.kit.stand_in import StandIn

if TYPE_CHECKING:
    from connectors.telegram.sandbox_phones import Faults

HEADER = "X-Telegram-Bot-Api-Secret-Token"
MOST_CONNECTIONS, CONNECTIONS = 100, 40
FIRST_PAUSE_S, LONGEST_PAUSES = 2.0, 30
"""The pause doubles up to 30 first ones, a minute; Telegram adds up to as much again by chance (WebhookActor.h)."""
LONGEST_RETRY_AFTER_S = 3600
MOST_SECRET = 256
SET_AGAIN_S = 1
"""A second setWebhook within it is told to wait (Client.cpp, next_allowed_set_webhook_time_)."""
ANSWER_S = 60.0
"""How long Telegram waits for an answer is not documented."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Told(msgspec.Struct):
    """An update on its way to the hub; `statuses` are the HTTP answers to each attempt, 0 for none."""

    update_id: int
    chat: int
    statuses: list[int] = []
    taken: bool = False


class Webhook:
    """The webhook of one bot, none at first. `first_pause_s` is the pause that doubles."""

    def __init__(
        self,
        stand_in: "StandIn[Faults]",
        http: httpx.AsyncClient,
        updates: Updates,
        now: Callable[[], float],
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.url = ""
        self.ledger: list[Told] = []
        self._stand_in, self._http, self._updates = stand_in, http, updates
        self._now, self._first_pause_s = now, first_pause_s
        self._secret, self._connections = "", CONNECTIONS
        self._room = asyncio.Semaphore(CONNECTIONS)
        self._tellers: dict[int, asyncio.Task[None]] = {}
        self._error, self._error_at = "", 0
        self._set_at = float("-inf")

    # --- methods -----------------------------------------------------------------------------------------------------

    def set(self, args: Args) -> Answer:
        """setWebhook; an empty URL deletes it. Raises Refusal."""
        url, secret = args.get("url", ""), args.get("secret_token", "")
        if not url:
            return self.delete(args)
        if 0 <= self._now() - self._set_at < SET_AGAIN_S:
            raise too_many(SET_AGAIN_S)
        _check_url(url)
        if len(secret) > MOST_SECRET:
            raise bad("secret token is too long")
        if not all(char.isascii() and (char.isalnum() or char in "-_") for char in secret):
            raise bad("secret token contains unallowed characters")
        connections = min(max(integer(args, "max_connections", CONNECTIONS), 1), MOST_CONNECTIONS)
        known = (url, secret, connections) == (self.url, self._secret, self._connections)
        self._set_at = self._now()
        self._begin(args, url, secret, connections)
        return _described("Webhook is already set" if known else "Webhook was set")

    def delete(self, args: Args) -> Answer:
        """deleteWebhook."""
        known = bool(self.url)
        self._begin(args, "", "", CONNECTIONS)
        return _described("Webhook was deleted" if known else "Webhook is already deleted")

    def info(self) -> Json:
        """getWebhookInfo (https://core.telegram.org/bots/api#webhookinfo)."""
        self._updates.expire(self._now())
        info: Json = {"url": self.url, "has_custom_certificate": False, "pending_update_count": len(self._updates)}
        if self._error:
            info |= {"last_error_date": self._error_at, "last_error_message": self._error}
        if self.url:
            info |= {"max_connections": self._connections, "ip_address": "127.0.0.1"}
        if self._updates.allowed != frozenset(KINDS):
            info["allowed_updates"] = sorted(self._updates.allowed)
        return info

    def _begin(self, args: Args, url: str, secret: str, connections: int) -> None:
        self._updates.allow(allowed_of(args))
        if flag(args, "drop_pending_updates"):
            self._updates.keep_newest(0)
        for teller in self._tellers.values():
            teller.cancel()
        self._tellers.clear()
        self.url, self._secret, self._connections = url, secret, connections
        self._room = asyncio.Semaphore(connections)
        self._error, self._error_at = "", 0
        self.hurry()

    # --- calls -------------------------------------------------------------------------------------------------------

    def hurry(self) -> None:
        """There may be something to tell."""
        if not self.url:
            return
        for chat in {update.chat for update in self._updates.all()}:
            teller = self._tellers.get(chat)
            if teller is None or teller.done():
                self._tellers[chat] = self._stand_in.begin(self._tell(chat))

    async def _tell(self, chat: int) -> None:
        """All that happened in a chat, in its order."""
        while update := self._next(chat):
            told = Told(update.id, chat)
            self.ledger.append(told)
            fails = 0
            while update in self._updates:
                again_s = await self._attempt(update, told)
                if told.taken:
                    self._updates.forget(update)
                    break
                # the first repeat comes at once, the pause before the second has doubled already
                doubled = self._first_pause_s * min(2 ** (fails - 1), LONGEST_PAUSES) if fails else 0
                await self._stand_in.pause(again_s or doubled)
                fails += 1
                self._updates.expire(self._now())
            if self._stand_in.faults.repeat_updates:
                await self._attempt(update, told)

    def _next(self, chat: int) -> Update | None:
        self._updates.expire(self._now())
        return next((update for update in self._updates.all() if update.chat == chat), None)

    async def _attempt(self, update: Update, told: Told) -> float:
        """Call once; gives what Retry-After asks for, in seconds, if anything."""
        async with self._room:
            status, retry_after = await self._post(msgspec.json.encode(update.json()))
        told.statuses.append(status)
        told.taken = told.taken or 200 <= status < 300
        if not 200 <= status < 300:
            self._error = f"Wrong response from the webhook: {status}" if status else "Connection failed"
            self._error_at = int(self._now())
        return min(int(retry_after), LONGEST_RETRY_AFTER_S) if retry_after.isdecimal() else 0

    async def _post(self, body: bytes) -> tuple[int, str]:
        headers = {"content-type": "application/json"}
        if self._secret:
            headers[HEADER] = self._secret[::-1] + "x" if self._stand_in.faults.wrong_secret else self._secret
        try:
            answer = await self._http.post(self.url, content=body, headers=headers, timeout=ANSWER_S)
        except httpx.HTTPError:
            return 0, ""
        return answer.status_code, answer.headers.get("retry-after", "")


def allowed_of(args: Args) -> list[str] | None:
    """allowed_updates of a request; None where it is not given, or makes no sense (Client.cpp)."""
    try:
        kinds = parsed(args, "allowed_updates", "allowed updates")
    except Refusal:
        return None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else None


def _check_url(url: str) -> None:
    """The real one takes HTTPS on four ports; this one takes loopback, where HTTP will do, and calls nobody else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise bad("invalid webhook URL specified") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise bad("invalid webhook URL specified")
    if host in LOOPBACK:
        return
    if parts.scheme == "http":
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    raise bad(f"bad webhook: the stand-in calls loopback addresses only, not {host}")


def _described(description: str) -> Answer:
    answer = granted(True)
    return msgspec.structs.replace(answer, body=answer.body | {"description": description})
