"""GET /api/v1/health: this process answers."""

import msgspec
from litestar import get


class Health(msgspec.Struct):
    """`status` is "ok"."""

    status: str = "ok"


@get("/api/v1/health", tags=["health"])
async def health() -> Health:
    """Answered by whichever worker takes the connection; says nothing of the others (`hub doctor` does)."""
    return Health()
