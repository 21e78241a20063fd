"""What happens is followed over a WebSocket or by asking again: once each, in order, only what one may see."""

import asyncio
import contextlib
import itertools
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from hub.api import events
from hub.api.upgrades import ApiProtocol
from hub.domain import events as e
from hub.domain.events import AnyEvent
from hub.domain.messages import Profile
from hub.gateway.addresses import Addresses
from hub.gateway.sessions import Sessions
from hub.gateway.socket import socket_class
from tests.api.world import AGENT, LEAD, C, World, problem_of
from tests.history.batches import batch, record

EVENTS = "/api/v1/events"
OTHER = "c0-other"


class Story:
    """Writes events into the history of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._seqs: dict[str, int] = {}
        self._batches = 0
        self._texts = itertools.count(1)

    async def happens(self, entity: str, *told: AnyEvent) -> None:
        seq = self._seqs.get(entity, 0)
        self._seqs[entity] = seq + len(told)
        written = batch(*(record(entity, seq + n, event) for n, event in enumerate(told, 1)))
        await self.world.tell(written, after=self._batches)
        self._batches += 1

    async def says(self, entity: str, count: int = 1) -> None:
        await self.happens(entity, *(e.MessagePosted("", f"text {next(self._texts)}") for _ in range(count)))


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """Two conversations: one is the agent's, one is with the other team."""
    world = World(disk=tmp_path)
    story = Story(world)
    await story.happens(C, e.Opened(Profile("h5", name="张三")), e.Assigned(AGENT, "王芳", 1, "sales", False, "张三"))
    await story.happens(OTHER, e.Opened(Profile("h5")), e.Assigned("a6-han", "韩梅", 2, "service", False, ""))
    yield story
    await world.history.close()


def kinds(page: dict[str, Any]) -> list[tuple[str, str]]:
    return [(event["c"], event["kind"]) for event in page["events"]]


async def poll(story: Story, role: str, after: str, **params: Any) -> dict[str, Any]:
    answer = await story.world.ask("GET", EVENTS, role, params={"after": after, **params})
    assert answer.status_code == 200
    page: dict[str, Any] = answer.json()
    return page


async def test_each_sees_what_concerns_them(story: Story) -> None:
    await story.happens("a6-han", e.DutyChanged(True, "said"))
    mine, theirs = [(C, "opened"), (C, "assigned")], [(OTHER, "opened"), (OTHER, "assigned")]
    duty = [("a6-han", "duty")]
    for role, seen in (
        ("agent", mine),
        ("lead", mine),
        ("admin", mine + theirs + duty),
        ("read:events", mine + theirs + duty),
    ):
        assert kinds(await poll(story, role, "0.0")) == seen
    assert LEAD not in json.dumps(await poll(story, "agent", "0.0"))


async def test_who_loses_a_conversation_is_told_so_and_no_more(story: Story) -> None:
    cursor = (await poll(story, "agent", "0.0"))["cursor"]
    await story.happens(C, e.Transferred(AGENT, "a6-han", "service", 0, 1, False))
    await story.happens(C, e.Assigned("a6-han", "韩梅", 1, "service", False, "张三", before=AGENT))
    await story.says(C)
    page = await poll(story, "agent", cursor)
    assert kinds(page) == [(C, "transferred"), (C, "assigned")]
    assert (await poll(story, "agent", page["cursor"]))["events"] == []


async def test_a_cursor_goes_on_where_the_page_before_ended(story: Story) -> None:
    await story.says(C, 501)
    seen, cursor = [], "0.0"
    while page := (await poll(story, "agent", cursor)):
        if not page["events"]:
            break
        seen += [event["seq"] for event in page["events"] if event["c"] == C]
        cursor = page["cursor"]
    assert seen == list(range(1, 504))


async def test_without_a_cursor_it_begins_now(story: Story) -> None:
    page = await poll(story, "admin", "")
    assert page["events"] == []
    await story.says(C)
    assert kinds(await poll(story, "admin", page["cursor"])) == [(C, "message")]
    answer = await story.world.ask("GET", EVENTS, "admin", params={"after": "nonsense"})
    assert problem_of(answer)["code"] == "bad_cursor"


async def test_whoever_waits_hears_of_it_when_it_happens(story: Story) -> None:
    cursor = (await poll(story, "agent", ""))["cursor"]
    waiting = asyncio.create_task(poll(story, "agent", cursor, wait_s=20))
    await asyncio.sleep(0.3)
    await story.says(OTHER)  # nothing to do with them
    await asyncio.sleep(0.3)
    assert not waiting.done()
    await story.says(C)
    assert kinds(await waiting) == [(C, "message")]
    assert (await poll(story, "agent", cursor, wait_s=0.1))["events"] != []


async def test_a_history_that_is_away_is_not_nothing(tmp_path: Path) -> None:
    answer = await World(disk=tmp_path).ask("GET", EVENTS, "admin")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_not_more_follow_than_a_worker_can_serve(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "READERS", 0)
    answer = await story.world.ask("GET", EVENTS, "admin")
    assert problem_of(answer)["code"] == "too_many"


async def test_one_caller_leaves_places_for_the_others(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "EACH", 2)
    cursor = (await poll(story, "agent", ""))["cursor"]
    waiting = [asyncio.create_task(poll(story, "agent", cursor, wait_s=20)) for _ in range(2)]
    await asyncio.sleep(0.3)
    answer = await story.world.ask("GET", EVENTS, "agent")
    assert (answer.status_code, problem_of(answer)["code"]) == (429, "too_many")
    assert (await poll(story, "lead", cursor))["events"] == []
    await story.says(C)
    assert [kinds(page) for page in await asyncio.gather(*waiting)] == [[(C, "message")]] * 2
    assert (await poll(story, "agent", ""))["events"] == []


async def test_a_token_that_is_revoked_while_its_caller_waits_gets_nothing(story: Story) -> None:
    cursor = (await poll(story, "read:events", ""))["cursor"]
    waiting = asyncio.create_task(story.world.ask("GET", EVENTS, "read:events", params={"after": cursor, "wait_s": 20}))
    await asyncio.sleep(0.3)
    story.world.integrations.clear()
    story.world.headers("read:queue")  # what is known changes
    await story.says(C)
    assert (await waiting).status_code == 401


# --- over a WebSocket ------------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def served(story: Story, **options: Any) -> AsyncIterator[tuple[uvicorn.Server, str]]:
    """A server with the API's sockets and the gateway's, and where it is."""
    listener = socket.create_server(("127.0.0.1", 0))
    gateway = socket_class(Sessions(story.world.tokens), lambda origin, own: True, Addresses(1000, 4000, ()))
    app = story.world.app
    config = uvicorn.Config(app, http=ApiProtocol, ws=gateway, log_config=None, proxy_headers=False, **options)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    host, port = listener.getsockname()
    yield server, f"ws://{host}:{port}"
    server.should_exit = True
    await serving


@pytest.fixture
async def address(story: Story) -> AsyncIterator[str]:
    async with served(story) as (_, address):
        yield address


@contextlib.asynccontextmanager
async def following(
    story: Story, address: str, role: str, after: str = "", **options: Any
) -> AsyncIterator[ClientConnection]:
    url, headers = f"{address}{EVENTS}?after={after}", story.world.headers(role)
    async with connect(url, additional_headers=headers, proxy=None, **options) as client:
        yield client


async def next_page(client: ClientConnection) -> dict[str, Any]:
    page: dict[str, Any] = json.loads(await asyncio.wait_for(client.recv(), 20))
    return page


async def test_a_socket_gets_pages_from_its_cursor_on(story: Story, address: str) -> None:
    async with following(story, address, "agent", "0.0") as client:
        assert kinds(await next_page(client)) == [(C, "opened"), (C, "assigned")]
        await story.says(OTHER)
        await story.says(C, 2)
        page = await next_page(client)
        assert kinds(page) == [(C, "message")] * 2
    await story.says(C)
    async with following(story, address, "agent", page["cursor"]) as client:
        assert [event["text"] for event in (await next_page(client))["events"]] == ["text 4"]


async def test_a_socket_that_begins_now_is_told_its_cursor(story: Story, address: str) -> None:
    async with following(story, address, "admin") as client:
        assert (await next_page(client))["events"] == []
        await story.says(C)
        assert kinds(await next_page(client)) == [(C, "message")]


async def test_who_may_not_follow_gets_no_socket(story: Story, address: str) -> None:
    for role in ("none", "visitor", "read:queue"):
        with pytest.raises(InvalidStatus, match="HTTP 403"):
            async with following(story, address, role):
                pass


async def test_who_cannot_be_served_is_told_by_a_code(
    story: Story, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def code(after: str = "") -> int | None:
        async with following(story, address, "admin", after) as client:
            with pytest.raises(ConnectionClosed):
                await client.recv()
            return client.close_code

    assert await code("nonsense") == events.BAD_CURSOR
    monkeypatch.setattr(events, "READERS", 0)
    assert await code() == events.AWAY


async def test_a_revoked_token_ends_its_socket(story: Story, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with following(story, address, "read:events") as client:
        await next_page(client)
        story.world.integrations.clear()
        story.world.headers("read:queue")  # what is known changes
        await story.says(C)
        with pytest.raises(ConnectionClosed):
            await next_page(client)
        assert client.close_code == events.EXPIRED


AS_IT_IS: dict[str, Any] = {"max_size": None, "compression": None}
"""How a client gets pages as large as they are: some are more than the sockets on the way can hold."""


async def test_who_does_not_read_is_sent_away(story: Story, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SEND_S", 0.3)
    monkeypatch.setattr(events, "READERS", 1)
    await story.happens(C, *(e.MessagePosted("", "长" * 4000) for _ in range(2000)))
    async with following(story, address, "admin", "0.0", **AS_IT_IS) as client:
        await next_page(client)
        client.transport.pause_reading()
        while (await story.world.ask("GET", EVENTS, "admin")).status_code == 503:  # their place is not free yet
            await asyncio.sleep(0.05)
        client.transport.resume_reading()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await next_page(client)
        assert client.close_code == events.SLOW


async def test_who_never_reads_again_holds_nothing(story: Story, caplog: pytest.LogCaptureFixture) -> None:
    await story.happens(C, *(e.MessagePosted("", "长" * 4000) for _ in range(2000)))
    async with (
        served(story, ws_ping_interval=0.5, ws_ping_timeout=0.5) as (server, address),
        following(story, address, "admin", "0.0", **AS_IT_IS) as client,
    ):
        client.transport.pause_reading()
        while server.server_state.connections or server.server_state.tasks:
            await asyncio.sleep(0.05)
        client.transport.abort()
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


async def test_the_gateways_sockets_are_as_before(story: Story, address: str) -> None:
    async with connect(f"{address}/ws", proxy=None) as client:
        await client.send('{"t":"hello","v":1,"token":"nonsense"}')
        with pytest.raises(ConnectionClosed):
            await client.recv()
        assert client.close_code == 4503
    with pytest.raises(InvalidStatus):
        async with connect(f"{address}/elsewhere", proxy=None):
            pass
