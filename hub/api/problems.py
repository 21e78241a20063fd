"""The one form of all errors: application/problem+json (RFC 9457): status, title, detail and, for programs, code."""

from http import HTTPStatus
from typing import Any

import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.plugins.problem_details import ProblemDetailsException

from hub.engine.calls import Denied
from hub.errors import AttachmentError, AttachmentsAway, AttachmentTooBig, HistoryAway, NoAttachment

logger = structlog.get_logger("api")

_STATUS = {
    "not_found": 404, "not_yours": 409, "taken": 409, "not_held": 409, "unchangeable": 409, "repeated": 409,
    "refused": 409, "unread": 409,
}  # fmt: skip


def problem(
    status: int, detail: str, code: str = "", headers: dict[str, str] | None = None, **more: str | int
) -> ProblemDetailsException:
    """An exception that becomes the answer. `detail` says what is wrong and what to do, `more` are fields beside it."""
    extra = ({"code": code} if code else {}) | more or None
    title = HTTPStatus(status).phrase
    return ProblemDetailsException(detail=detail, status_code=status, title=title, extra=extra, headers=headers)


def denied_problem(denied: Denied) -> ProblemDetailsException:
    """The engine's refusal; 503 for one that is not final."""
    status = _STATUS.get(denied.code, 503)
    if denied.by:
        return problem(status, denied.message, denied.code, by=denied.by, since=denied.since_ms)
    return problem(status, denied.message, denied.code, {"retry-after": "1"} if status == 503 else None)


def answer_attachment_error(request: Request[Any, Any, Any], error: AttachmentError) -> Response[Any]:
    """What the store of files refuses. What is wrong with its disk or server stands in the log, not in the answer."""
    match error:
        case NoAttachment():
            return problem(404, "This file is not kept any more.", "not_found").to_response(request)
        case AttachmentTooBig():
            return problem(413, str(error), "too_big").to_response(request)
    logger.error("attachments", because=str(error), path=request.scope["path_template"])
    if isinstance(error, AttachmentsAway):
        detail = "Files cannot be kept or read at this moment: try again."
        return problem(503, detail, "unavailable", {"retry-after": "5"}).to_response(request)
    return problem(500, "This file is damaged; the hub's log says more.").to_response(request)


def answer_http_error(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """What Litestar itself refuses (no such path, a wrong parameter), in the same form."""
    detail = error.detail
    if isinstance(error.extra, list):
        found = [f"{item.get('key', '?')}: {item.get('message', '')}" for item in error.extra if isinstance(item, dict)]
        detail = "; ".join(found) or detail
    return problem(error.status_code, detail, headers=error.headers).to_response(request)


def answer_away(request: Request[Any, Any, Any], error: HistoryAway) -> Response[Any]:
    """Nothing is known at this moment: an empty answer would say that there is nothing."""
    return problem(503, f"{error}. Ask again later.", "unavailable", {"retry-after": "1"}).to_response(request)


def answer_crash(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """Our own fault: all of it in the log, none of it in the answer."""
    logger.exception("request failed", method=request.method, path=request.url.path)
    return problem(500, "The hub made a mistake; its log says more.").to_response(request)
