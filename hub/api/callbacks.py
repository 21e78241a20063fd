"""/callbacks/<channel>/<route>: what platforms call. They are answered when all that came is in the log or spooled.

No route of Litestar's: what its layers do for a request costs more than all that the hub does with a message.
"""

import dataclasses
from urllib.parse import parse_qsl

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from hub.api.needs import Needs
from hub.api.problems import problem
from hub.contract import Answer, Connector, Forbidden, Parsed, Raw, Route
from hub.errors import SpoolFull

FOLDER = "/callbacks/"

logger = structlog.get_logger("api")


class Callbacks:
    """The ASGI app of what platforms call; all other requests go to `others`."""

    def __init__(self, needs: Needs, others: ASGIApp) -> None:
        self.others = others
        self._needs = needs

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI says."""
        if scope["type"] != ScopeType.HTTP or not scope["path"].startswith(FOLDER):
            await self.others(scope, receive, send)
            return
        headers = dict[str, str]()
        try:
            answer = await self._call_back(scope, receive)
        except _Gone:
            return
        except ProblemDetailsException as refusal:
            answer, headers = _as_answer(refusal), dict(refusal.headers or {})
        except Exception:  # our own fault: all of it in the log, none of it in the answer
            logger.exception("request failed", path=scope["path"])
            answer = _as_answer(problem(500, "The hub made a mistake; its log says more."))
        await _send(send, answer, headers)

    async def _call_back(self, scope: HTTPScope, receive: Receive) -> Answer:
        """What the connector makes of the request is committed; its answer. Raises ProblemDetailsException."""
        channel, _, name = "/".join(filter(None, scope["path"].split("/")[2:])).partition("/")
        connector, declared = self._find(channel, name, scope["method"])
        raw = Raw(
            scope["method"],
            dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)),
            _headers(scope),
            await _body(receive, declared.body_limit),
            int(self._needs.now_s() * 1000),
            declared.name,
        )
        self._verify(channel, connector, raw)
        if declared.secret_headers:
            kept = {name: value for name, value in raw.headers.items() if name not in declared.secret_headers}
            raw = dataclasses.replace(raw, headers=kept)
        parsed = self._parse(channel, connector, raw)
        try:
            await self._needs.take(channel, parsed, raw)
        except SpoolFull as full:
            raise problem(503, str(full), "unavailable", {"retry-after": "1"}) from None
        return parsed.answer

    def _find(self, channel: str, name: str, method: str) -> tuple[Connector, Route]:
        """The connector and its route; raises 404 or 405."""
        connector = self._needs.connectors.get(channel)
        declared = next((each for each in connector.routes if each.name == name), None) if connector else None
        if connector is None or declared is None:
            raise problem(404, f"No channel takes callbacks at {FOLDER}{channel}/{name}.", "not_found")
        if method not in declared.methods:
            raise problem(405, f"{method} is not taken here.", headers={"allow": ", ".join(declared.methods)})
        return connector, declared

    def _verify(self, channel: str, connector: Connector, raw: Raw) -> None:
        """Raise 403 for what is not the platform's, also where the connector stumbles: nothing is proved."""
        try:
            connector.verify(raw)
        except Forbidden as refusal:
            raise _refused(channel, raw, refusal) from None
        except Exception as error:
            logger.exception("callback cannot be verified", channel=channel, route=raw.route)
            self._needs.stumbled(channel)
            raise problem(403, "Nothing proves that this comes from the platform.", "forbidden") from error

    def _parse(self, channel: str, connector: Connector, raw: Raw) -> Parsed:
        """What the request means; raises 403. One that the connector stumbles over is kept as it is."""
        try:
            return connector.parse(raw)
        except Forbidden as refusal:
            raise _refused(channel, raw, refusal) from None
        except Exception as error:
            logger.exception("callback not understood", channel=channel, route=raw.route)
            self._needs.stumbled(channel)
            return Parsed(Answer(), unparsed=f"{type(error).__name__}: {error}")


def _refused(channel: str, raw: Raw, refusal: Forbidden) -> ProblemDetailsException:
    logger.warning("callback refused", channel=channel, route=raw.route, because=str(refusal))
    return problem(403, "This does not come from the platform.", "forbidden")


class _Gone(Exception):
    """Who called has gone before the request was whole; nobody is left to answer."""


def _headers(scope: HTTPScope) -> dict[str, str]:
    """By lower-case name; of several with one name the first."""
    found = dict[str, str]()
    for name, value in scope["headers"]:
        found.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return found


async def _body(receive: Receive, limit: int) -> bytes:
    """All of it; raises 413 as soon as it is too long."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        body += message["body"]
        if len(body) > limit:
            raise problem(413, f"The body exceeds the limit of {limit} bytes.", "too_big")
        if not message["more_body"]:
            return bytes(body)


def _as_answer(refusal: ProblemDetailsException) -> Answer:
    extra = refusal.extra if isinstance(refusal.extra, dict) else {}
    said = {"status": refusal.status_code, "title": refusal.title, "detail": refusal.detail, **extra}
    return Answer(refusal.status_code, msgspec.json.encode(said).decode(), "application/problem+json")


async def _send(send: Send, answer: Answer, headers: dict[str, str]) -> None:
    body = answer.body.encode()
    fields = {"content-type": answer.content_type, "content-length": str(len(body)), **headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})
