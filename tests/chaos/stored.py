"""What stands in the history, read with plain SQL from the SQLite file or from PostgreSQL, and nothing written."""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

EVENTS = "SELECT entity, seq, body FROM events WHERE entity LIKE 'c%' ORDER BY entity, seq"
KINDS = {
    "MessagePosted": "message",
    "AnswerPosted": "answer",
    "AutoReplied": "reply",
    "WaitTold": "waiting",
    "Nudged": "nudged",
    "Closed": "closed",
    "MessageReleased": "released",
    "MessageRejected": "rejected",
    "Opened": "opened",
    "Reopened": "reopened",
    "QueueJoined": "queued",
    "Assigned": "assigned",
    "Transferred": "transferred",
    "Returned": "returned",
    "AssignRefused": "refused",
    "AnswerRefused": "refused",
}
"""The history's names of what docs/protocol.md calls a kind."""
VISITOR_SEES = frozenset({"message", "answer", "reply", "waiting", "nudged", "closed", "released", "rejected"})
"""As the table in docs/protocol.md says; agents see all."""


class Stored(NamedTuple):
    """One event of a conversation. `agent`: of `assigned`, who got it, by the name in teams.yaml."""

    seq: int
    kind: str
    text: str
    agent: str = ""


async def read(place: str) -> dict[str, list[Stored]]:
    """All conversations' events, by seq. `place` is a file, or a postgresql:// URL."""
    if place.startswith("postgres"):
        return _sort(await _postgres(place))
    path = Path(place).absolute().as_uri()
    connection = sqlite3.connect(f"{path}?mode=ro", uri=True, timeout=10)
    try:
        return _sort(connection.execute(EVENTS))
    finally:
        connection.close()


async def count(place: str) -> int:
    """How many events there are; 0 while the history cannot be read."""
    query = "SELECT count(*) FROM events"
    try:
        if place.startswith("postgres"):
            return int((await _postgres(place, query))[0][0])
        connection = sqlite3.connect(f"{Path(place).absolute().as_uri()}?mode=ro", uri=True, timeout=10)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()
    except (OSError, sqlite3.Error):
        return 0


async def _postgres(url: str, query: str = EVENTS) -> list[Any]:
    import asyncpg

    connection = await asyncpg.connect(url)
    try:
        return list(await connection.fetch(query))
    finally:
        await connection.close()


def _sort(rows: Iterable[Any]) -> dict[str, list[Stored]]:
    found: dict[str, list[Stored]] = {}
    for entity, seq, body in rows:
        event = json.loads(bytes(body))["event"]
        kind = event["type"]
        agent = str(event.get("agent", "")).partition("-")[2] if kind == "Assigned" else ""
        known = KINDS.get(kind, kind)
        found.setdefault(entity, []).append(Stored(seq, known, event.get("text", "") if known in _TEXTS else "", agent))
    return found


_TEXTS = frozenset({"message", "answer", "reply", "released"})
