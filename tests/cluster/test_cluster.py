"""A cluster as its users have it: what was acknowledged is in PostgreSQL once, whatever dies."""

import asyncio
import collections
import json
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest

from connectors.h5.sandbox import Robot
from hub.demo.stage import free_port
from tests.cluster import DATABASE, HUBS, NATS, Cluster
from tests.cluster.__main__ import roomy_rules, stand_in_settings
from tests.cluster.description import ROOT
from tests.cluster.installed import missing

VISITORS = 30


@pytest.fixture(scope="module")
def stand_in_port() -> int:
    """Where the demo plays the agents' platform."""
    return free_port()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, stand_in_port: int) -> Iterator[Cluster]:
    if reason := missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, rules=roomy_rules(folder), environment=stand_in_settings(stand_in_port)) as running:
        yield running


@pytest.fixture
async def visitors(cluster: Cluster) -> AsyncIterator[list[Robot]]:
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        robots = [Robot(cluster.url, http=http, rng=random.Random(n), name=f"访客{n}") for n in range(VISITORS)]
        await asyncio.gather(*(robot.start() for robot in robots))
        yield robots
        await asyncio.gather(*(robot.stop() for robot in robots))


async def stored(cluster: Cluster) -> list[tuple[str, str]]:
    """Conversation and text of each visitor's message in PostgreSQL, in the order of their seq."""
    database = await asyncpg.connect(cluster.database_url)
    try:
        rows = await database.fetch("SELECT entity, body FROM events WHERE entity LIKE 'c%' ORDER BY entity, seq")
    finally:
        await database.close()
    records = [(row["entity"], json.loads(row["body"])["event"]) for row in rows]
    return [(entity, event["text"]) for entity, event in records if event["type"] == "MessagePosted"]


def say(robots: list[Robot]) -> None:
    for robot in robots:
        robot.say(f"{robot.name} 第{len(robot.sent)}句")


async def test_whatever_dies_each_acknowledged_message_is_in_postgresql_once(
    cluster: Cluster, visitors: list[Robot]
) -> None:
    assert {cluster[name].pid > 0 for name in (*NATS, *HUBS, DATABASE)} == {True}
    writing = asyncio.create_task(write_on(visitors))
    await asyncio.sleep(2)
    cluster[NATS[1]].kill()
    await asyncio.sleep(3)
    cluster[NATS[1]].start()
    await asyncio.sleep(3)
    cluster[HUBS[2]].kill()
    await asyncio.sleep(3)
    cluster[DATABASE].stop()
    await asyncio.sleep(1)
    cluster[DATABASE].start()
    writing.cancel()
    say(visitors)
    await asyncio.gather(*(robot.settled(60) for robot in visitors))
    sent = collections.Counter((robot.conversation, text.text) for robot in visitors for text in robot.sent)
    async with asyncio.timeout(60):
        while len(found := await stored(cluster)) < len(sent):
            await asyncio.sleep(0.5)
    assert collections.Counter(found) == sent
    for robot in visitors:
        mine = [text for conversation, text in found if conversation == robot.conversation]
        assert mine == [text.text for text in robot.sent]


async def write_on(robots: list[Robot]) -> None:
    while True:
        say(robots)
        await asyncio.sleep(0.5)


async def test_the_demo_plays_on_a_running_cluster_and_finds_nothing_wrong(
    cluster: Cluster, stand_in_port: int
) -> None:
    options = ["--script", "--visitors", "5", "--messages", "2", "--url", cluster.url, "--port", str(stand_in_port - 2)]
    demo = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "demo", *options, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await demo.communicate()
    assert demo.returncode == 0
    assert json.loads(out.splitlines()[-1])["sent"] == 10


def test_services_can_be_frozen_stopped_and_looked_into(cluster: Cluster) -> None:
    worker, *_ = cluster[HUBS[0]].pids("hub.worker")
    cluster[HUBS[0]].signal(signal.SIGSTOP)
    while "T (stopped)" not in Path(f"/proc/{worker}/status").read_text():
        time.sleep(0.01)
    cluster[HUBS[0]].signal(signal.SIGCONT)
    (server,) = cluster[NATS[0]].pids("nats-server -c")
    assert server != cluster[NATS[0]].pid
    cluster[NATS[0]].stop()
    assert cluster[NATS[0]].pids() == []
    assert cluster.admin_token
