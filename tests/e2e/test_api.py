"""The API of a hub that runs: a password, a login, what waits is taken and answered, and a program follows it."""

import asyncio
import json
import os
import subprocess
import sys
from typing import Any

import httpx
from websockets.asyncio.client import connect

from hub.demo.stage import Stage
from tests.e2e.visitors import Visitors

PASSWORD = "correct horse battery"


async def hub(stage: Stage, admin: dict[str, str], line: str, typed: str = "") -> str:
    """What a command prints."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    environ |= {"HUB_CONFIG": str(stage.folder / "hub.yaml"), "COLUMNS": "200"}
    environ["HUB_ADMIN_TOKEN"] = admin["authorization"].removeprefix("Bearer ")
    words = [sys.executable, "-m", "hub", *line.split()]
    done = await asyncio.to_thread(
        subprocess.run, words, env=environ, input=typed, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_an_agent_logs_in_takes_and_answers_while_a_program_follows(
    stage: Stage, visitors: Visitors, admin: dict[str, str], http: httpx.AsyncClient
) -> None:
    name = json.loads(await hub(stage, admin, "agents list --json"))["agents"][0]["name"]
    assert "has a new password" in await hub(stage, admin, f"agents password {name} --stdin", f"{PASSWORD}\n")
    program = (await hub(stage, admin, "tokens create shop --scope read:events --scope read:queue")).strip()
    (shop,) = json.loads(await hub(stage, admin, "tokens list --json"))["tokens"]
    api = f"{stage.url}/api/v1"
    body = {"name": name, "password": PASSWORD}
    agent = {"authorization": f"Bearer {(await http.post(f'{api}/agents/login', json=body)).json()['token']}"}

    async with connect(
        f"{api.replace('http', 'ws')}/events", additional_headers={"authorization": f"Bearer {program}"}, proxy=None
    ) as events:
        (visitor,) = await visitors.come(1)
        visitor.say("这款有货吗")
        await visitor.settled()
        async with asyncio.timeout(20):
            while not (waiting := await _waiting(http, api, agent)):
                await asyncio.sleep(0.05)
        taken = (await http.post(f"{api}/conversations/{waiting}/take", headers=agent)).json()
        assert (taken["stage"], taken["agent"]) == ("served", name)
        once = agent | {"idempotency-key": "answer 1"}
        answers = [
            await http.post(f"{api}/conversations/{waiting}/messages", headers=once, json={"text": "有的"})
            for _ in range(3)
        ]
        assert len({answer.text for answer in answers}) == 1
        closed = await http.post(f"{api}/conversations/{waiting}/close", headers=agent, json={"because": "sold"})
        assert closed.status_code == 200
        kinds = []
        async with asyncio.timeout(20):
            while "closed" not in kinds:
                kinds += [event["kind"] for event in json.loads(await events.recv())["events"]]
    assert [kind for kind in kinds if kind in ("opened", "assigned", "answer", "closed")] == [
        "opened", "assigned", "answer", "closed",
    ]  # fmt: skip
    headers = {"authorization": f"Bearer {program}"}
    assert (await http.get(f"{api}/conversations", headers=headers)).status_code == 403
    assert "is good no more" in await hub(stage, admin, f"tokens revoke {shop['id']}")
    by_admin = {"authorization": f"Bearer {(await hub(stage, admin, f'agents token {name}')).strip()}"}
    assert (await http.get(f"{api}/agents/me", headers=by_admin)).json()["name"] == name
    listed = (await http.get(f"{api}/conversations", headers=admin, params={"stage": "closed"})).json()
    assert [one["id"] for one in listed["conversations"]] == [waiting]


async def _waiting(http: httpx.AsyncClient, api: str, headers: dict[str, Any]) -> str:
    """The conversation that waits, in whichever line; empty: none does."""
    for line in (await http.get(f"{api}/queues", headers=headers)).json()["queues"]:
        if line["waiting"]:
            page = (await http.get(f"{api}/queues/{line['name']}", headers=headers)).json()
            return str(page["waiting"][0]["conversation"])
    return ""
