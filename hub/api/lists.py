"""Lists that come page by page, the latest first: each page names the cursor of the next."""

import re
from collections.abc import Sequence
from typing import Annotated

from litestar.params import PathParameter, QueryParameter
from litestar.plugins.problem_details import ProblemDetailsException

from hub.api.answers import END
from hub.api.problems import problem
from hub.domain.ids import partition_of
from hub.history.queries import Place

Limit = Annotated[int, QueryParameter(ge=1, le=500)]
LIMIT = 50
Attempt = Annotated[int, PathParameter(ge=0, lt=2**31)]
Seq = Annotated[int, PathParameter(ge=0, le=END)]
LONGEST_NUMBER = 10
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,9})\.(.+)")


def cursor_behind(rows: Sequence[Place], limit: int) -> str:
    """What asks for the page after these rows; empty behind the last page. Clients need not know what it says."""
    if len(rows) < limit:
        return ""
    last = rows[-1]
    return f"{last.at_ms}.{last.number}.{last.entity}"


def place_of(cursor: str) -> Place | None:
    """The row behind which the next page begins; None for the first page. Raises 400."""
    if not cursor:
        return None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise bad_cursor()
    return Place(int(found[1]), found[3], int(found[2]))


def number_of(cursor: str) -> int:
    """How many rows come before the page, of a list that stands in memory; 0 for the first page. Raises 400."""
    if cursor and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < LONGEST_NUMBER):
        raise bad_cursor()
    return int(cursor or 0)


def bad_cursor() -> ProblemDetailsException:
    """The 400 for a cursor that no page has named."""
    return problem(400, "This cursor is none of ours: give back the one of the page before.", "bad_cursor")


def check_entity(entity: str, looks_like: str) -> None:
    """Raise 404 unless it is an entity's id; `looks_like` is an example."""
    try:
        partition_of(entity)
    except ValueError:
        raise problem(404, f"{entity} is no id here; one looks like {looks_like}.", "not_found") from None
