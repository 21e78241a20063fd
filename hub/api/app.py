"""The app: callbacks in front, behind them Litestar with all controllers, the guard, one form of errors, OpenAPI."""

from importlib.metadata import version

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.plugins.problem_details import ProblemDetailsException

from hub.api import pages
from hub.api.agents import AgentController
from hub.api.auth import check_rights
from hub.api.callbacks import Callbacks
from hub.api.clients import ClientRate
from hub.api.conversations import ConversationController
from hub.api.deliveries import DeliveryController
from hub.api.events import Tip, follow, poll
from hub.api.files import ConversationFiles, download, upload
from hub.api.health import health
from hub.api.integrations import TokenController
from hub.api.logins import log_in, set_password
from hub.api.messages import MessageController
from hub.api.needs import Needs
from hub.api.problems import answer_attachment_error, answer_away, answer_crash, answer_http_error
from hub.api.queues import QueueController, teams
from hub.api.rights import WEBSOCKET, check_complete
from hub.api.trace import TraceController
from hub.api.unparsed import UnparsedController
from hub.api.visitors import VisitorController
from hub.errors import AttachmentError, HistoryAway

MAX_BODY_BYTES = 65_536
"""Of a request to the API; callbacks have their own limit."""
LOGINS_PER_MINUTE = 30
"""So many logins one address may try a minute and worker; twice as many at once (a team behind one address)."""

HANDLERS = (
    health,
    VisitorController,
    log_in,
    set_password,
    AgentController,
    TokenController,
    teams,
    QueueController,
    ConversationController,
    MessageController,
    ConversationFiles,
    upload,
    download,
    poll,
    follow,
    DeliveryController,
    UnparsedController,
    TraceController,
    pages.root,
    pages.chat,
    pages.agent,
    pages.static_file,
)
"""All that answers, whoever may ask (rights.py)."""


def create_app(needs: Needs) -> Callbacks:
    """The ASGI app of one worker: what platforms call, and Litestar's for all else.

    Its sockets are not here: uvicorn gets them as `ws=hub.gateway.socket.socket_class(…)`.

    Run it with `proxy_headers=False`: whose X-Forwarded-For counts is decided here, by `needs.trusted_proxies`.
    """
    return Callbacks(needs, _api(needs))


def routes(api: Litestar) -> list[tuple[str, str]]:
    """Method and path of all that may be called; OPTIONS is answered by the framework, with names of methods only."""
    found = [
        (method, route.path_format) for route in api.routes for method in getattr(route, "methods", None) or [WEBSOCKET]
    ]
    return [route for route in found if route[0] != "OPTIONS"]


def _api(needs: Needs) -> Litestar:
    api = Litestar(
        route_handlers=HANDLERS,
        guards=[check_rights],
        dependencies=_dependencies(needs),
        state=State({"needs": needs}),
        exception_handlers={
            ProblemDetailsException: lambda request, error: error.to_response(request),
            HTTPException: answer_http_error,
            AttachmentError: answer_attachment_error,
            HistoryAway: answer_away,
            Exception: answer_crash,
        },
        # Tokens travel in headers and bodies, never in cookies: another site's page gains nothing by asking.
        cors_config=CORSConfig(
            allow_origins=["*"], allow_headers=["authorization", "content-type", "idempotency-key"], max_age=86_400
        ),
        openapi_config=OpenAPIConfig(
            title="Kefu Hub",
            version=version("kefu-hub"),
            path="/api/v1/schema",
            render_plugins=[JsonRenderPlugin()],
            components=Components(security_schemes={"token": SecurityScheme("http", scheme="bearer")}),
            security=[{"token": []}],
        ),
        request_max_body_size=MAX_BODY_BYTES,
        logging_config=None,
    )
    check_complete(routes(api))
    return api


def _dependencies(needs: Needs) -> dict[str, Provide]:
    """What handlers name among their arguments: one of each for all requests."""
    per_minute = needs.media.uploads_per_minute
    shared = {
        "needs": needs,
        "rate": ClientRate(needs.tokens_per_minute, needs.tokens_burst, needs.trusted_proxies),
        "uploads": ClientRate(per_minute, 2 * per_minute, needs.trusted_proxies),
        "logins": ClientRate(LOGINS_PER_MINUTE, 2 * LOGINS_PER_MINUTE, needs.trusted_proxies),
        "tip": Tip(needs.history),
        "files": pages.StaticFiles(needs.connectors),
    }
    return {name: _provided(one) for name, one in shared.items()}


def _provided(one: object) -> Provide:
    return Provide(lambda: one, sync_to_thread=False)
