"""The app over a FakeCalls, with a channel whose connector does what the test says; asked without a network."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from hub.api.app import create_app
from hub.api.needs import Needs
from hub.api.once import Once
from hub.bus.access import Access, Integration, SharedAccess, digest
from hub.bus.attachment_folder import FolderAttachments
from hub.bus.connection import Connection
from hub.bus.passwords import Passwords
from hub.contract import Answer, Capabilities, Connector, Parsed, Raw, Route
from hub.domain.commands import AnyCommand, KeepUnparsed
from hub.domain.messages import Profile
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.calls import Health
from hub.engine.ingest import Ingest
from hub.engine.replay import Replay
from hub.engine.spool import Spool
from hub.errors import NoAttachment
from hub.gateway.tokens import Tokens
from hub.history import database, schema
from hub.history.projector import Rows, project
from hub.history.queries import History
from hub.history.writer import Writer
from hub.settings import Media, Settings
from tests.gateway.fakes import ZHANG, FakeCalls

NOW_S = 1_764_000_000
ADMIN = "the-admin-token"
C = "c7-abc"
AGENT, LEAD = "a3-wangfang", "a5-lilei"
TEAMS = Teams(
    "1",
    "sales",
    (Team("sales", "售前", "Pre-sales", lead=LEAD), Team("service", "售后")),
    (
        AgentSettings(AGENT, "wangfang", "王芳", ("sales",), 5),
        AgentSettings(LEAD, "lilei", "李雷", ("sales", "service"), 2),
        AgentSettings("a6-han", "han", "韩梅", ("service",), 5),
    ),
)
logging.getLogger("httpx").setLevel(logging.WARNING)


class Phone(Connector):
    """An agents' channel; `verify` and `parse` are the test's to set."""

    can = Capabilities(role="agent")
    routes = (Route("callback", ("GET", "POST"), body_limit=1000), Route("", ("POST",), secret_headers=("x-secret",)))
    trust: Callable[[Raw], None] = staticmethod(lambda raw: None)
    understand: Callable[[Raw], Parsed] = staticmethod(lambda raw: Parsed(Answer(body="success")))

    def verify(self, raw: Raw) -> None:
        self.trust(raw)

    def parse(self, raw: Raw) -> Parsed:
        return self.understand(raw)


class World:
    """`client` asks the app; `now_s` is its clock. Without a `disk` nothing can be spooled, and there is no history;
    without a `connection` nobody can log in, and no key be kept.
    """

    def __init__(
        self,
        peer: str = "192.0.2.1",
        disk: Path = Path("/dev/null"),
        connection: Connection | None = None,
        **needs: Any,
    ) -> None:
        self.calls = FakeCalls()
        nats: Any = connection
        self.access = SharedAccess(nats)
        self.tokens = Tokens(b"s" * 32, self._generation)
        self.teams = TEAMS
        self.integrations: dict[str, Integration] = {}
        self.now_s = NOW_S
        self.phone = Phone(None)  # type: ignore[arg-type]
        self.minted = 0
        self.stumbled: list[str] = []
        self.health = Health("w0")
        self.spool = Spool(disk / "spool", self.calls, unparsed, as_it_is, give_up_s=0.05)
        connectors: dict[str, Connector] = {"phone": self.phone}
        self._where = database.url(Settings(data=disk))
        self.history = History(self._where)
        files: Any = NoFiles()
        ingest = Ingest(connectors, Everyone(), self.spool.take, files, knew, 32)  # type: ignore[arg-type]
        given: dict[str, Any] = {
            "calls": self.calls,
            "tokens": self.tokens,
            "connectors": connectors,
            "is_admin": lambda token: token == ADMIN,
            "new_conversation_id": self._new_conversation_id,
            "profile": read_profile,
            "allows": lambda origin, own: origin in {own, "https://shop.example"},
            "access": self.access,
            "passwords": Passwords(nats),
            "once": Once(nats),
            "teams": lambda: self.teams,
            "replies": lambda teams: {"稍等": "请稍等"} | ({"退款": "三天到账"} if "sales" in teams else {}),
            "agent_id": lambda name: next((agent.id for agent in self.teams.agents if agent.name == name), None),
            "take": ingest.take,
            "history": self.history,
            "replay": Replay(connectors, ingest.prepare, files, self.calls, knew).run,
            "stumbled": self.stumbled.append,
            "health": lambda: self.health,
            "attachments": FolderAttachments(disk / "files"),
            "signing_key": b"s" * 32,
            "media": Media(),
            "now_s": lambda: self.now_s,
        }
        self.needs = Needs(**(given | needs))
        self.app = create_app(self.needs)
        transport = httpx.ASGITransport(self.app, client=(peer, 5000))  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url="https://hub.example")

    def _generation(self, agent: str) -> int | None:
        return self.access.generation(agent) if any(one.id == agent for one in self.teams.agents) else None

    def _new_conversation_id(self) -> str:
        self.minted += 1
        return f"c7-new{self.minted}"

    async def tell(self, *batches: bytes, after: int = 0) -> None:
        """The history has these batches of a partition's log, those behind its sequence `after`."""
        await asyncio.to_thread(schema.migrate, self._where)
        engine, rows = database.writer(self._where), Rows()
        for seq, data in enumerate(batches, after + 1):
            rows.add(project(0, seq, data))
        writer = Writer(engine, 1)
        await writer.load()
        await writer.store(rows)
        await engine.dispose()

    def headers(self, role: str) -> dict[str, str]:
        """The Authorization header of the visitor of C, the agent AGENT, the LEAD, the admin, none, or an integration
        with the scope that `role` is.
        """
        match role:
            case "visitor":
                token = self.tokens.mint_visitor(C, ZHANG, self.now_s).token
            case "agent" | "lead":
                token = self.tokens.mint_agent(AGENT if role == "agent" else LEAD, self.now_s).token
            case "admin":
                token = ADMIN
            case "none":
                return {}
            case scope:
                token = f"kefu_{scope}"
                self.integrations[digest(token)] = Integration(scope, "shop", (scope,), 1)
                self.access._learn(Access(integrations=dict(self.integrations)), self.access._revision + 1)
        return {"authorization": f"Bearer {token}"}

    async def ask(self, method: str, path: str, role: str = "none", **request: Any) -> httpx.Response:
        return await self.client.request(
            method, path, headers=self.headers(role) | request.pop("headers", {}), **request
        )


def read_profile(body: bytes, user_agent: str) -> Profile:
    """What an H5 connector would make of it, more or less."""
    try:
        return Profile("h5", name=json.loads(body or b"{}").get("name", ""), device=user_agent)
    except ValueError:
        raise ValueError("the body is not JSON") from None


def unparsed(channel: str, because: str, raw: str) -> tuple[str, AnyCommand]:
    """As hub.engine.roster."""
    return f"i0-{channel}", KeepUnparsed(because, raw)


class Everyone:
    """As hub.engine.roster.Roster; all outside identities are agents here."""

    unparsed = staticmethod(unparsed)

    def agent_at(self, channel: str, identity: str) -> str | None:
        return f"a3-{identity}"


class NoFiles:
    """As hub.engine.files.Files, for a channel that brings none."""

    async def complete(self, channel: str, entity: str, command: Any) -> Any:
        return command

    async def raw(self, key: str) -> str:
        raise NoAttachment(f"{key} is not kept")


async def as_it_is(channel: str, entity: str, command: Any) -> Any:
    """Nothing has to be fetched for it."""
    return command


async def knew(entity: str, outside_id: str) -> bool:
    """The history is empty."""
    return False


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """The problem that the answer is; its form is checked."""
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said["status"] == answer.status_code
    assert said["title"]
    assert said["detail"]
    return said
