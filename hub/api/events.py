"""/api/v1/events: what happens in conversations, to follow over a WebSocket or by asking again and again.

Both go through the history, so every event comes once, in the order in which it was written, a fraction of a second
after it happened; whoever was away goes on from their cursor. It is seen as agents see it (hub.domain.views). Nothing
is kept for a reader: the next page is read when they have taken the one before.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from litestar import Request, WebSocket, get, websocket
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect
from litestar.params import FromQuery, QueryParameter
from litestar.plugins.problem_details import ProblemDetailsException

from hub.api import auth
from hub.api.auth import Caller
from hub.api.needs import Needs
from hub.api.problems import problem
from hub.api.rights import RIGHTS, WEBSOCKET
from hub.domain import events as e
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import is_conversation
from hub.domain.views import EventFrame, agent_view
from hub.errors import HistoryAway
from hub.history import feed
from hub.history.feed import Cursor
from hub.history.queries import History

PATH = "/api/v1/events"
PAGE = 200
LOOK_S = 0.25
"""So often the feed's tip is looked at, while anybody follows."""
QUIET_S = 20.0
"""A socket without news gets an empty page after so long: it knows that it is alive, and its token is looked at."""
READERS = 200
"""So many may follow one worker at a time,"""
EACH = 20
"""and of these so many with one caller's tokens."""
SEND_S = 30.0
"""Whoever has not taken a page for so long is sent away, and comes back with their cursor."""
EXPIRED, SLOW, AWAY, BAD_CURSOR = 4401, 4008, 1013, 4500
"""Close codes: with a new token, at once, later, not at all the client may come back."""

Wait = Annotated[float, QueryParameter(ge=0, le=30)]


class Happened(msgspec.Struct):
    """What happened next, in order. `cursor`: where to go on; it moves also over what the caller may not see."""

    cursor: str
    events: list[EventFrame]


class Tip:
    """Whether there is more: one look at the history a moment, for all who follow in this worker."""

    def __init__(self, history: History) -> None:
        self._readers: Counter[str] = Counter()
        """By subject of the caller."""
        self._history = history
        self._position = 0
        self._moved = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None

    async def beyond(self, position: int, within_s: float) -> bool:
        """Return when the feed has a row behind `position`, or after `within_s`: then False."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="feed")
        try:
            async with asyncio.timeout(within_s):
                while self._position <= position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def _look(self) -> None:
        while self._readers:
            with contextlib.suppress(HistoryAway):  # who follows finds that out themself
                position = await self._history.tip()
                if position > self._position:
                    self._position = position
                    self._moved.set()
                    self._moved.clear()
            await asyncio.sleep(LOOK_S)
        self._looking = None

    @contextlib.contextmanager
    def reader(self, subject: str) -> Iterator[None]:
        """A caller follows. Raises 503 when too many do, 429 when they themselves do too often."""
        if self._readers.total() >= READERS:
            detail = f"{READERS} follow this worker already: connect again, or later."
            raise problem(503, detail, "too_many", {"retry-after": "5"})
        if self._readers[subject] >= EACH:
            detail = f"You follow this worker {EACH} times already: end one of these first."
            raise problem(429, detail, "too_many", {"retry-after": "5"})
        self._readers[subject] += 1
        try:
            yield
        finally:
            self._readers[subject] -= 1
            self._readers += Counter()  # forgets who follows no more


@get(PATH, tags=["events"])
async def poll(
    request: Request[Any, Caller, Any],
    needs: NamedDependency[Needs],
    tip: NamedDependency[Tip],
    after: FromQuery[str] = "",
    wait_s: Wait = 0,
) -> Happened:
    """At most 200 events after the cursor; without one: none, but the cursor of this moment.

    Where there are none the answer waits up to `wait_s` for the first.
    """
    cursor, caller = await _begin(needs, after), request.auth
    until_s = time.monotonic() + wait_s
    with tip.reader(caller.subject):
        while True:
            found = await _page(needs.history, caller, cursor)
            cursor, left_s = feed.parsed(found.cursor), until_s - time.monotonic()
            if found.events or left_s <= 0:
                return found
            await tip.beyond(cursor.position, left_s)
            caller = _still(request, needs)


@websocket(PATH)
async def follow(
    socket: WebSocket[Any, Caller, Any],
    needs: NamedDependency[Needs],
    tip: NamedDependency[Tip],
    after: FromQuery[str] = "",
) -> None:
    """Pages of events as JSON texts, from the cursor on; without one: from this moment on. What the client sends counts
    for nothing. Who may not follow gets no socket (403); who must come again, or cannot be understood, a code.
    """
    await socket.accept()
    try:
        cursor = await _begin(needs, after)
        with tip.reader(socket.auth.subject):
            code, reason = await _follow(socket, needs, tip, cursor)
    except ProblemDetailsException as refused:
        code, reason = BAD_CURSOR if refused.status_code == 400 else AWAY, refused.detail
    except HistoryAway:
        code, reason = AWAY, "the history cannot be read at this moment: come back with your cursor"
    if code:
        await socket.close(code, reason)


async def _follow(socket: WebSocket[Any, Caller, Any], needs: Needs, tip: Tip, cursor: Cursor) -> tuple[int, str]:
    """Send pages until that ends: the code and reason with which the socket is closed; no code: the client is gone."""
    listening = asyncio.create_task(_until_gone(socket))
    following = asyncio.create_task(_send_pages(socket, needs, tip, cursor))
    try:
        await asyncio.wait({listening, following}, return_when=asyncio.FIRST_COMPLETED)
        return following.result() if following.done() else (0, "")
    finally:
        for task in (listening, following):
            task.cancel()
        await asyncio.gather(listening, following, return_exceptions=True)


async def _send_pages(socket: WebSocket[Any, Caller, Any], needs: Needs, tip: Tip, cursor: Cursor) -> tuple[int, str]:
    """Send pages until that ends; the code and reason with which the socket is closed. Raises HistoryAway."""
    quiet = True
    while True:
        try:
            caller = _still(socket, needs)
        except ProblemDetailsException as refused:
            return EXPIRED, refused.detail
        page = await _page(needs.history, caller, cursor)
        moved, cursor = page.cursor != str(cursor), feed.parsed(page.cursor)
        if page.events or (quiet and not moved):
            try:
                async with asyncio.timeout(SEND_S):
                    await socket.send_text(msgspec.json.encode(page).decode())
            except TimeoutError:
                return SLOW, "too slow: come back with your cursor"
        quiet = False if moved else not await tip.beyond(cursor.position, QUIET_S)


def _still(connection: ASGIConnection[Any, Any, Any, Any], needs: Needs) -> Caller:
    """Who follows, as of now: their token may have been revoked, their team be another's. Raises 401 and 403."""
    caller = auth.identify(needs, connection.headers.get("authorization", ""))
    auth.check(caller, RIGHTS[WEBSOCKET, PATH])
    return caller


async def _until_gone(socket: WebSocket[Any, Caller, Any]) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await socket.receive_data("text")


async def _begin(needs: Needs, after: str) -> Cursor:
    """The cursor that a client has given back; without one, that of this moment. Raises 400."""
    if not after:
        return Cursor(await needs.history.tip(), feed.MOST)
    try:
        return feed.parsed(after)
    except ValueError:
        raise problem(
            400, "after: this is no cursor of ours; give back the one of the page before.", "bad_cursor"
        ) from None


async def _page(history: History, caller: Caller, cursor: Cursor) -> Happened:
    """What comes after the cursor, as far as it concerns the caller."""
    records, behind = await history.feed(cursor, PAGE)
    shown = [record for record in records if is_conversation(record.entity) or isinstance(record.event, e.DutyChanged)]
    if not caller.sees_all:
        entities = {record.entity for record in shown}
        concerned = await history.concerned(entities, caller.agent, sorted(caller.leads)) if entities else set()
        shown = [one for one in shown if one.entity in concerned or caller.agent in (one.entity, *_named(one.event))]
    frames = [frame for record in shown if (frame := _frame(record)) is not None]
    return Happened(str(behind), frames)


def _frame(record: Record) -> EventFrame | None:
    match record.event:
        case e.DutyChanged(on=on, because=because):
            return EventFrame(record.entity, record.seq, record.seq - 1, record.at_ms, "duty", on=on, text=because)
    return agent_view(record)


def _named(event: AnyEvent) -> tuple[str, ...]:
    """The agents to whom an event says that a conversation becomes theirs, or is theirs no more."""
    match event:
        case e.Assigned(agent=agent, before=before):
            return agent, before
        case e.Transferred(by=by, agent=agent):
            return by, agent
        case e.Returned(agent=agent) | e.Closed(agent=agent):
            return (agent,)
    return ()
