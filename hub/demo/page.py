"""`hub demo`: a page with both sides next to each other, a visitor's channels and an agent's phone."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml
from litestar import Litestar, Response, get

from hub.demo.channels import names
from hub.demo.stage import MAIL, RULES, Stage
from hub.errors import HubError

HOST = "127.0.0.1"
STATIC = Path(__file__).with_name("static")
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/demo.css": ("demo.css", "text/css; charset=utf-8"),
    "/demo.js": ("demo.js", "text/javascript; charset=utf-8"),
}
ON_DUTY_TRIES = 5
DESK = "xulin"
"""The agent without a phone, for whoever tries the agents' page."""
BY_MAIL, MAILBOX = "zhoujie", "zhoujie@corp.example"
"""And the one who answers by mail."""


def show(folder: Path, port: int) -> None:
    """Run the page and its hub until Ctrl-C or SIGTERM. Raises HubError for what stands in the way."""
    asyncio.run(_show(folder, port))


def arrange(teams: dict[str, Any]) -> None:
    """Let the default team's agent stand first and answer for all teams: whatever is said first reaches them.

    And two more for all teams: one has the hub's own page, one answers by mail.
    """
    default = yaml.safe_load((RULES / "routing.yaml").read_text(encoding="utf-8"))["default"]
    agents = teams["agents"]
    first = next(name for name, agent in agents.items() if default in agent["teams"])
    agents[first]["teams"] = list(teams["teams"])
    desk = {"display": "徐琳", "teams": list(teams["teams"])}
    by_mail = {"display": "周洁", "teams": list(teams["teams"]), "addresses": {MAIL: MAILBOX}}
    teams["agents"] = {first: agents.pop(first), **agents, DESK: desk, BY_MAIL: by_mail}


async def _show(folder: Path, port: int) -> None:
    asked = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, asked.set)
    with _listen(port) as listener:
        running = asyncio.create_task(_run(folder, port, listener))
        waiting = asyncio.create_task(asked.wait())
        await asyncio.wait((running, waiting), return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not running.done():
            print("stopping", flush=True)
            running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _run(folder: Path, port: int, listener: socket.socket) -> None:
    print("starting a hub, this takes a few seconds", flush=True)
    async with Stage(folder, arrange, channels=names(), port=port + 1, stand_in_port=port + 2) as stage:
        first = stage.agents[0]
        for _ in range(ON_DUTY_TRIES):
            if await stage.stand_in.say(first.user, "text", "上班")[1]:
                break
        password = await _let_in(stage)
        server = _Server(
            uvicorn.Config(
                build_app(stage, password), log_level="warning", access_log=False, timeout_graceful_shutdown=1
            )
        )
        print(f"both sides   http://{HOST}:{port}/", flush=True)
        print(f"agents' page {_desk_page(stage)} (name {DESK}, password {password})", flush=True)
        if MAIL in stage.channels:
            print(f"mailbox      {_mailbox(stage)} (of an agent who answers by mail)", flush=True)
        print(f"rules        {stage.rules.resolve()} (save a file, and it is in force)", flush=True)
        print(f"log          {stage.log.resolve()}", flush=True)
        print("Ctrl-C stops everything", flush=True)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            await asyncio.shield(serving)
        finally:
            server.should_exit = True
            await serving


async def _let_in(stage: Stage) -> str:
    """A new password for the agent with the page. Raises HubError."""
    password = secrets.token_urlsafe(9)
    try:
        async with httpx.AsyncClient(trust_env=False) as http:
            answer = await http.put(
                f"{stage.url}/api/v1/agents/{DESK}/password",
                json={"password": password},
                headers={"authorization": f"Bearer {stage.admin_token}"},
            )
            answer.raise_for_status()
    except httpx.HTTPError as error:
        raise HubError(f"{stage.url}: no password for {DESK} ({error}); another --data folder begins anew") from None
    return password


def _desk_page(stage: Stage) -> str:
    return f"{stage.url}/agent"


def _mailbox(stage: Stage) -> str:
    return f"{stage.post_office.url}/?address={MAILBOX}"


def build_app(stage: Stage, password: str) -> Litestar:
    """The page for a stage; `password` is that of the agent with the hub's own page."""
    scene = _scene(stage) | {"desk": {"page": _desk_page(stage), "name": DESK, "password": password}}
    framed = " ".join([stage.stand_in.url, *(channel["page"] for channel in scene["channels"])])
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        f"frame-src {framed}; base-uri 'none'; form-action 'none'"
    )
    headers = {"content-security-policy": policy, "x-content-type-options": "nosniff", "cache-control": "no-cache"}

    @get("/scene.json")
    async def scene_json() -> dict[str, Any]:
        return scene

    def file_route(path: str, name: str, media_type: str) -> Any:
        @get(path, name=name)
        async def file() -> Response[bytes]:
            return Response((STATIC / name).read_bytes(), media_type=media_type, headers=headers)

        return file

    routes = [file_route(path, *file) for path, file in FILES.items()]
    return Litestar([scene_json, *routes], openapi_config=None, logging_config=None)


def _scene(stage: Stage) -> dict[str, Any]:
    """What the page shows: where both sides are, on which channels one can write, and who answers."""
    channels = [
        {
            "name": name,
            "title": channel.title,
            "title_en": channel.title_en,
            "hint": channel.hint,
            "hint_en": channel.hint_en,
            "page": channel.page(stage.url),
        }
        for name, channel in stage.channels.items()
        if channel.page(stage.url)
    ]
    agents = []
    for agent in (agent for agent in stage.agents if agent.user):
        teams, teams_en = zip(*(stage.team_names[team] for team in sorted(agent.teams)), strict=True)
        everything = len(teams) == len(stage.team_names)
        agents.append(
            {
                "user": agent.user,
                "name": agent.name,
                "team": "全部小组" if everything else "、".join(teams),
                "team_en": "all teams" if everything else ", ".join(teams_en),
            }
        )
    return {
        "channels": channels,
        "stand_in": stage.stand_in.url,
        "rules": str(stage.rules.resolve()),
        "agents": agents,
        "mail": next(({"page": _mailbox(stage), "name": one.name} for one in stage.agents if one.id == BY_MAIL), None),
    }


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise HubError(f"{HOST}:{port}: {(error.strerror or str(error)).lower()}; choose another --port") from None
    return listener


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Signals belong to whoever runs the loop."""
        yield
