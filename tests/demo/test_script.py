"""`hub demo --script` through the whole product: a good run, runs that must fail, and one among SIGKILLs."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hub.cli.demo import demo
from hub.demo.cast import CAST, arrange
from hub.demo.channels import names
from hub.demo.channels.email import Email
from hub.demo.sabotage import COUNTERS, Kind
from hub.demo.script import Plan, run
from hub.demo.stage import RunningHub, Stage
from hub.errors import HubError

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with Stage(tmp_path_factory.mktemp("stage"), arrange, channels=names()) as stage:
        yield stage


async def test_a_small_run_finds_nothing_wrong(stage: Stage) -> None:
    result, faults = await run(stage, Plan(visitors=20, messages=4, seed=1), print)
    assert faults == []
    assert set(result.zeros.values()) == {0}
    assert (result.visitors, result.agents, result.answered) == (20, len(CAST), 20)
    assert result.sent == 80 == result.delivered + result.held + result.blocked
    assert min(result.held, result.blocked, result.masked) > 0
    assert 0 < result.p50_ms <= result.p99_ms
    assert set(result.channels) == set(names())
    assert max(result.channels.values()) - min(result.channels.values()) <= 1
    assert result.in_doubt == 0
    moves = (result.transferred, result.handed_over, result.missed, result.overflowed, result.reopened)
    assert min(moves) > 0
    assert result.closed >= 20


async def test_answers_of_which_nobody_knows_are_told_and_counted_and_not_sent_again(stage: Stage) -> None:
    """The mail server takes a mail and cuts the line: the one channel that does not recognise a repeat. Their agents
    write once more.
    """
    channel = stage.channels["email"]
    assert isinstance(channel, Email)
    with channel.mail.faulty(drop_after_data=2):
        result, faults = await run(stage, Plan(visitors=16, messages=3, seed=1), print)
    assert result.in_doubt == result.arrived > 0
    assert set(result.zeros.values()) == {0}
    assert result.answered == 16
    assert faults == [f"{result.in_doubt} answers are in doubt, though nothing was killed"]


@pytest.mark.parametrize("kind", ["drop", "misroute", "cross", "stray-answer"])
async def test_sabotage_is_noticed(stage: Stage, kind: Kind) -> None:
    """All kinds are tried in test_sabotage.py: here some of each sort, to know that they are put in."""
    counter = COUNTERS[kind]
    result, faults = await run(stage, Plan(visitors=24, messages=3, sabotage=kind, seed=1), print)
    assert result.zeros[counter] > 0
    assert any(fault.startswith(f"{counter} is ") for fault in faults)


async def test_nothing_is_wrong_where_workers_and_nats_are_killed(tmp_path: Path) -> None:
    async with Stage(tmp_path, arrange, channels=names()) as stage:
        result, faults = await run(stage, Plan(visitors=30, messages=5, kills=3, seed=1), print)
    assert faults == []
    assert result.sent == 150
    assert set(result.zeros.values()) == {0}


async def test_the_command_prints_json_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hub", "demo", "--script", "--visitors", "12", "--messages", "2"]
    demo = await asyncio.create_subprocess_exec(
        *command, "--sabotage", "misroute", "--seed", "1",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"TMPDIR": str(tmp_path)},
    )  # fmt: skip
    out, err = await demo.communicate()
    fields = json.loads(out.splitlines()[-1])
    assert (demo.returncode, fields["sent"], fields["visitors"]) == (1, 24, 12)
    assert fields["misrouted"] > 0
    assert f"WRONG: misrouted is {fields['misrouted']} and must be 0" in err.decode()
    assert list(tmp_path.iterdir()) == []
    assert [pid for pid in Path("/proc").glob("[0-9]*") if str(tmp_path) in _environ(pid)] == []


def _environ(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""


async def test_a_hub_that_does_not_come_up_is_explained(tmp_path: Path) -> None:
    def misspell(teams: dict[str, object]) -> None:
        teams["agentz"] = teams.pop("agents")
        teams["agents"] = {}

    with pytest.raises(HubError, match=r"the hub did not come up; the end of .*hub\.log:\n(.*\n)*.*agentz"):
        async with Stage(tmp_path, misspell):
            pass


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"visitors": 0}, "--visitors: there must be at least 1"),
        ({"messages": 1}, "--messages: at least 2 each"),
        ({"kills": -1}, "--kills: must not be less than 0"),
    ],
)
async def test_a_plan_that_cannot_work_is_refused(changed: dict[str, int], message: str) -> None:
    with pytest.raises(HubError, match=message):
        Plan(**changed)  # type: ignore[arg-type]


async def test_a_hub_that_does_not_run_or_is_not_the_demos_to_kill_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HubError, match=r"^http://127\.0\.0\.1:1: no hub takes messages there .*; start it first$"):
        await RunningHub(tmp_path, "http://127.0.0.1:1/", 0).__aenter__()
    with pytest.raises(HubError, match="--kills: only the processes of a hub that the demo starts itself"):
        demo(script=True, kills=1, url="http://127.0.0.1:1")
