"""/callbacks/<channel>/<route>: what platforms call. They are answered when all that came is in the log or spooled."""

from typing import Any

import structlog
from litestar import Request, Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from hub.api.needs import Needs
from hub.api.problems import problem
from hub.contract import Answer, Connector, Forbidden, Parsed, Raw, Route
from hub.errors import SpoolFull

logger = structlog.get_logger("api")


@route(
    ["/callbacks/{channel:str}", "/callbacks/{channel:str}/{rest:path}"],
    http_method=["GET", "POST"],
    request_max_body_size=None,
    include_in_schema=False,
    status_code=200,
)
async def call_back(
    request: Request[Any, Any, Any], channel: FromPath[str], needs: NamedDependency[Needs]
) -> Response[bytes]:
    """What the connector makes of the request is committed, then the platform gets the connector's answer."""
    name = str(request.path_params.get("rest", "")).removeprefix("/")
    connector, declared = _find(needs, channel, name, request.method)
    raw = await _read(request, declared, needs)
    try:
        parsed = connector.parse(raw)
    except Forbidden as refusal:
        logger.warning("callback refused", channel=channel, route=declared.name, because=str(refusal))
        raise problem(403, "This does not come from the platform.", "forbidden") from None
    except Exception as error:
        logger.exception("callback not understood", channel=channel, route=declared.name)
        needs.stumbled(channel)
        parsed = Parsed(Answer(), unparsed=f"{type(error).__name__}: {error}")
    try:
        await needs.take(channel, parsed, raw)
    except SpoolFull as full:
        raise problem(503, str(full), "unavailable", {"retry-after": "1"}) from None
    answer = parsed.answer
    # As a header, because Litestar would add a second charset to a media type.
    return Response(answer.body.encode(), status_code=answer.status, headers={"content-type": answer.content_type})


def _find(needs: Needs, channel: str, name: str, method: str) -> tuple[Connector, Route]:
    """The connector and its route; raises 404 or 405."""
    connector = needs.connectors.get(channel)
    declared = next((each for each in connector.routes if each.name == name), None) if connector else None
    if connector is None or declared is None:
        raise problem(404, f"No channel takes callbacks at /callbacks/{channel}/{name}.", "not_found")
    if method not in declared.methods:
        raise problem(405, f"{method} is not taken here.", headers={"allow": ", ".join(declared.methods)})
    return connector, declared


async def _read(request: Request[Any, Any, Any], declared: Route, needs: Needs) -> Raw:
    """The request as the connector gets it; raises 413 for one that is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > declared.body_limit:
            raise problem(413, f"The body exceeds the limit of {declared.body_limit} bytes.", "too_big")
    query = dict(request.query_params.multi_items())
    return Raw(request.method, query, dict(request.headers), bytes(body), int(needs.now_s() * 1000), declared.name)
