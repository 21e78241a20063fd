"""/callbacks/<channel>/<route>: what platforms call. They are answered when all that came is in the log or spooled.

No route of Litestar's: what its layers do for a request costs more than all that the hub does with a message.
"""

import dataclasses
from collections.abc import Mapping
from urllib.parse import parse_qsl

import msgspec
import structlog
from litestar.enums import ScopeType
from litestar.plugins.problem_details import ProblemDetailsException
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, HTTPScope, Receive, Scope, Send

from hub.api.needs import Needs
from hub.api.problems import problem
from hub.contract import Answer, Connector, Forbidden, Parsed, Raw, Route
from hub.errors import SpoolFull

FOLDER = "/callbacks/"

Response = tuple[HTTPResponseStartEvent, HTTPResponseBodyEvent]
"""What is sent, encoded: an answer that cannot be is found out before anything is committed."""

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
        try:
            response = await self._call_back(scope, receive)
        except _Gone:
            return
        except ProblemDetailsException as refusal:
            response = _refusal(refusal)
        except Exception:  # our own fault: all of it in the log, none of it in the answer
            logger.exception("request failed", path=scope["path"])
            response = _refusal(problem(500, "The hub made a mistake; its log says more."))
        for part in response:
            await send(part)

    async def _call_back(self, scope: HTTPScope, receive: Receive) -> Response:
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
        parsed, response = self._parse(channel, connector, raw)
        try:
            await self._needs.take(channel, parsed, raw)
        except SpoolFull as full:
            raise problem(503, str(full), "unavailable", {"retry-after": "1"}) from None
        return response

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

    def _parse(self, channel: str, connector: Connector, raw: Raw) -> tuple[Parsed, Response]:
        """What the request means, and its answer; raises 403. One that the connector stumbles over is kept as it is."""
        try:
            parsed = connector.parse(raw)
            return parsed, _response(parsed.answer)
        except Forbidden as refusal:
            raise _refused(channel, raw, refusal) from None
        except Exception as error:
            logger.exception("callback not understood", channel=channel, route=raw.route)
            self._needs.stumbled(channel)
            return Parsed(unparsed=f"{type(error).__name__}: {error}"), _response(Answer())


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


def _refusal(refusal: ProblemDetailsException) -> Response:
    extra = refusal.extra if isinstance(refusal.extra, dict) else {}
    said = {"status": refusal.status_code, "title": refusal.title, "detail": refusal.detail, **extra}
    answer = Answer(refusal.status_code, msgspec.json.encode(said).decode(), "application/problem+json")
    return _response(answer, refusal.headers or {})


def _response(answer: Answer, headers: Mapping[str, str] = {}) -> Response:
    body = answer.body.encode()
    fields = {"content-type": answer.content_type, "content-length": str(len(body)), **headers}
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields.items()]
    return (
        {"type": "http.response.start", "status": answer.status, "headers": encoded},
        {"type": "http.response.body", "body": body, "more_body": False},
    )
