"""The hub's end of a callback URL without a hub: a connector verifies and parses what comes, and it is kept.

    hub = CalledHub(connector)
    async with serving(hub.app()) as url:
        …                                       # the stand-in calls f"{url}/callbacks/line"
    assert hub.inbounds == [Inbound(…)]

For tests of a connector with its stand-in; what the whole hub makes of it the kit's bench shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from litestar import Litestar, Request, Response, route

from hub.contract import Connector, Forbidden, Inbound, Raw


class CalledHub:
    """`connector` may be set later, before anybody calls. `now_s` is the hub's clock (Unix seconds)."""

    def __init__(self, connector: Connector | None = None, now_s: Callable[[], float] = lambda: 0.0) -> None:
        self.connector = connector
        self.inbounds: list[Inbound] = []
        """Of all that was answered with 200."""
        self.statuses: list[int] = []
        """What is answered to the next calls that are genuine, as by a hub that cannot commit."""
        self.answered: list[int] = []
        self._now_s = now_s

    @property
    def texts(self) -> list[str]:
        """Of the inbounds."""
        return [inbound.text for inbound in self.inbounds]

    def app(self) -> Litestar:
        """It answers at every path."""

        @route("/{path:path}", http_method=["GET", "POST"])
        async def callback(request: Request[Any, Any, Any]) -> Response[str]:
            query = dict(request.query_params.multi_items())
            raw = Raw(request.method, query, dict(request.headers), await request.body(), int(self._now_s() * 1000))
            status, words = self._take(raw)
            self.answered.append(status)
            return Response(words, status_code=status, media_type="text/plain")

        return Litestar([callback], openapi_config=None, logging_config=None)

    def _take(self, raw: Raw) -> tuple[int, str]:
        assert self.connector is not None
        try:
            self.connector.verify(raw)
            parsed = self.connector.parse(raw)
        except Forbidden as error:
            return 403, str(error)
        status = self.statuses.pop(0) if self.statuses else parsed.answer.status
        if status == 200:
            self.inbounds += parsed.inbounds
        return status, parsed.answer.body
