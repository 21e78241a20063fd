"""GET /api/v1/health: whether this worker takes messages, for a load balancer and for people."""

from typing import Literal

import msgspec
from litestar import Response, get
from litestar.di import NamedDependency

from hub.api.needs import Needs
from hub.engine.calls import Health

Status = Literal["ok", "degraded", "refusing"]


class HealthReport(msgspec.Struct):
    """`status`: "ok"; "degraded": it takes messages, but a person should look at the `reasons`; "refusing"."""

    status: Status
    reasons: list[str]


@get("/api/v1/health", tags=["health"])
async def health(needs: NamedDependency[Needs]) -> Response[HealthReport]:
    """Of whichever worker takes the connection; 503 when it refuses messages, so that a load balancer passes it by.

    `hub doctor` tells of all workers, and which entities have stopped.
    """
    found = needs.health()
    status: Status = "refusing" if found.refusing else "degraded" if _reasons(found) else "ok"
    return Response(
        HealthReport(status, _reasons(found)),
        status_code=503 if found.refusing else 200,
        headers={"retry-after": "5"} if found.refusing else None,
    )


def _reasons(found: Health) -> list[str]:
    """In words that anybody may read: why an entity has stopped may hold somebody's text."""
    reasons = [f"partition {partition} is not taken: {why}" for partition, why in sorted(found.partitions.items())]
    if found.entities:
        reasons.append(f"entities that have stopped: {len(found.entities)}; the log and `hub doctor` say which")
    return list(dict.fromkeys(reason for reason in (found.refusing, *reasons, *found.warnings) if reason))
