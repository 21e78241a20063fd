"""Idempotency-Key: a POST that came before under the same key is not carried out again; it gets the same answer.

What a key has led to lies in a bucket of NATS for a day, for all workers, through restarts. A worker may die after the
deed and before it has written the answer down, or not hear what became of it: whoever comes again under the key carries
it out again (30 s later, where the worker may still be at it), and is told since when it may have been done. A message
or note bears the key's number as well (`number`), by which the conversation itself knows it.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.plugins.problem_details import ProblemDetailsException

from hub.api.problems import problem
from hub.bus.bucket import Bucket, Entry
from hub.bus.connection import Connection

HEADER = "idempotency-key"
LONGEST_KEY = 255
KEPT_S = 24 * 3600
UNDER_WAY_MS = 30_000
"""Who has begun so long ago, and not answered, is dead."""

T = TypeVar("T")


class Deed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is kept of a key: the request it came with, and the answer, once there is one."""

    request: str
    begun_at_ms: int
    since_ms: int
    """When the first one began under this key."""
    mark: str
    answer: dict[str, Any] | None = None


class Once:
    """The bucket IDEMPOTENCY."""

    def __init__(self, connection: Connection) -> None:
        self._bucket = Bucket(connection, "IDEMPOTENCY", KEPT_S)

    async def carry_out(
        self, request: Request[Any, Any, Any], kind: type[T], work: Callable[[int], Awaitable[T]], now_ms: int
    ) -> T:
        """The answer of `work`, or of an earlier request with the same key. Without a key it is just done.

        `work` gets the moment (Unix ms) since which it may have been done already; 0: it was not. A refusal is not
        kept: what was refused has changed nothing, and may be asked again. Raises 400 for a key that is none, 409 while
        the earlier request is under way, 422 when it was another one.
        """
        key = name(request)
        if not key:
            return await work(0)
        asked = await _fingerprint(request)
        entry = await self._bucket.get(key)
        while True:
            known = _kept(entry, asked, now_ms)
            if known is not None and known.answer is not None:
                return msgspec.convert(known.answer, kind)
            since_ms = known.since_ms if known is not None else 0
            deed = Deed(asked, now_ms, since_ms or now_ms, secrets.token_hex(8))
            if revision := await self._bucket.swap(key, msgspec.json.encode(deed), entry.revision):
                break
            entry = await self._bucket.get(key)
        try:
            answer = await work(since_ms)
        except BaseException as error:
            refused = isinstance(error, ProblemDetailsException) and error.status_code < 500
            # What is not refused may have been done: whoever comes again may try at once, and must look first.
            left = b"" if refused else msgspec.json.encode(msgspec.structs.replace(deed, begun_at_ms=0))
            await self._bucket.swap(key, left, revision)
            raise
        done = msgspec.structs.replace(deed, answer=msgspec.to_builtins(answer))
        await self._bucket.swap(key, msgspec.json.encode(done), revision)
        return answer


def number(request: Request[Any, Any, Any]) -> tuple[str, int]:
    """The client's own number (tab and n) of the message that comes with this request; ("", 0) without a key.

    Every key is a tab of its own, so that a conversation takes its message once.
    """
    key = name(request)
    return (f"k{key[:15]}", 1) if key else ("", 0)


def name(request: Request[Any, Any, Any]) -> str:
    """What the key is called in the bucket: nobody comes upon another's; empty without a key. Raises 400."""
    key = request.headers.get(HEADER, "")
    if len(key) > LONGEST_KEY:
        raise problem(400, f"An Idempotency-Key has at most {LONGEST_KEY} characters.", "bad_key")
    return hashlib.sha256(f"{request.auth.subject}\0{key}".encode()).hexdigest() if key else ""


def _kept(entry: Entry, asked: str, now_ms: int) -> Deed | None:
    """What is known of the request: None, nothing; without an answer, that whoever began it is dead."""
    if not entry.value:
        return None
    deed = msgspec.json.decode(entry.value, type=Deed)
    if deed.request != asked:
        raise problem(422, "This Idempotency-Key came with another request: take a new one for each.", "key_reused")
    if deed.answer is None and now_ms < deed.begun_at_ms + UNDER_WAY_MS:
        raise problem(409, "The same request is under way: ask again.", "under_way", {"retry-after": "1"})
    return deed


async def _fingerprint(request: Request[Any, Any, Any]) -> str:
    head = f"{request.method} {request.url.path}\n".encode()
    return hashlib.sha256(head + await request.body()).hexdigest()
