"""The page of agents knows every reason that the hub can give: hub/api/static/agent/reasons.js repeats its wording."""

import ast
import inspect
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent
from hub.domain.queue import entity, fit
from hub.domain.teams import AgentSettings, Overflow, Pick, Team, Teams
from tests.domain.conversation.test_clocks import WANG, Rig, begun
from tests.domain.queue.world import Desk

REASONS = Path(__file__).parents[2] / "hub/api/static/agent/reasons.js"
TRANSLATE = """
const { inChinese } = await import(process.argv[1]);
let said = "";
for await (const part of process.stdin) said += part;
console.log(JSON.stringify(JSON.parse(said).map(inChinese)));
"""
ENGLISH = re.compile(r"[A-Za-z]{3,}")
WORDING = {
    fit: ("_last_agent", "why_next", "_nobody", "_reason", "_others", "_skip", "_has"),
    entity: ("_ask", "_take", "_overflow", "_why_there"),
}
"""The functions that word why the queue did what it did."""


def agent(no: int, capacity: int = 2, language: str = "", teams: str = "sales") -> AgentSettings:
    languages = (language,) if language else ()
    return AgentSettings(f"a{no}-x", f"x{no}", f"客服{no}", tuple(teams.split()), capacity, languages=languages)


def rules(*agents: AgentSettings, pick: Pick = "least_loaded") -> c.ChangeTeams:
    sales = Team("sales", "售前", pick=pick, last_agent_days=3, overflow=Overflow("service", 60))
    return c.ChangeTeams(Teams("1", "sales", (sales, Team("service", "售后")), agents, weights={"mail": 2}))


def on(*nos: int) -> list[AnyCommand]:
    return [c.SetDuty(f"a{no}-x", True) for no in nos]


def asks(name: str, **how: object) -> c.Enqueue:
    return msgspec.structs.replace(c.Enqueue(f"c0-{name}", "sales", 0, channel="h5"), **how)


TWO, FULL = (agent(1), agent(2, 3)), [agent(no, 1) for no in range(1, 6)]
BUSY = (agent(1, 1), agent(2, 9), agent(3))
CHINESE = [agent(no, language="zh") for no in range(1, 5)]
SALES, NIGHT = Team("sales", "售前"), Team("night", "夜班")
FILES = [c.ChangeTeams(Teams(str(files), files[0].name, files, ())) for files in ((SALES,), (SALES, NIGHT), (NIGHT,))]
STORIES: list[list[AnyCommand]] = [
    [FILES[0], asks("a", team="night"), FILES[1], asks("b"), FILES[2]],
    [FILES[1], asks("a", team=""), c.ChangeTeams(Teams("2", "night", (SALES, NIGHT), ()))],
    [asks("before there are teams")],
    [rules(*TWO), asks("a"), c.Take("a1-x", conversation="c0-a")],
    [rules(*TWO), asks("a"), *on(2)],
    [rules(*TWO, pick="manual"), *on(1, 2), asks("a")],
    [rules(*TWO, pick="round_robin"), *on(1, 2), asks("a"), asks("b")],
    [rules(*TWO, agent(3)), *on(1), asks("a"), asks("b"), asks("c")],
    [rules(*BUSY), *on(1, 2), *(asks(f"{at}", agent=f"a{no}-x") for at, no in enumerate((1, 1, 3, 9)))],
    [rules(*TWO), *on(1, 2), asks("a", last="a2-x")],
    [rules(*FULL, agent(6)), *on(1, 2, 3, 4, 5), *(asks(f"{n}") for n in range(5)), *on(6), asks("last")],
    [rules(*FULL[:2]), *on(1, 2), asks("a"), asks("b"), asks("c")],
    [rules(*TWO), *on(1, 2), asks("a"), asks("b"), asks("c"), asks("d", channel="mail")],
    [rules(*CHINESE, agent(5, language="en")), *on(1, 2, 3, 4, 5), asks("a", language="en")],
    [rules(*TWO), *on(1, 2), asks("a", avoid="a1-x")],
    [rules(*TWO), *on(1, 2), asks("a", avoid="a1-x", missed=True)],
]


def told() -> Iterator[AnyEvent]:
    for story in STORIES:
        desk = Desk()
        for command in story:
            yield from desk.do(command)
        desk.now_ms += 3_600_000
        yield from desk.do(c.Tick())


def reasons() -> list[str]:
    """Why the queue chose somebody, let one stand in another line, or had nobody; why a conversation went back."""
    queues = {event.because for event in told() if isinstance(event, e.Chosen | e.Overflowed | e.Rerouted | e.Told)}
    late, slow = begun(Rig()), begun(Rig(), taken=True)
    gone = begun(Rig()).relay(c.TellWaiting(12, "sales", 1, False, lost=WANG))
    went = [event for event in late.after(30) + slow.after(3600) + gone if isinstance(event, e.Returned)]
    return sorted(queues | {event.because for event in went} | {e.IDLE})


def constants(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The texts in them, but for those that are only compared with."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value.strip("; ")
        elif not isinstance(node, ast.Compare):
            yield from constants(ast.iter_child_nodes(node))


def wordings() -> Iterator[str]:
    """What stands in the code that words the queue's reasons."""
    for module, functions in WORDING.items():
        for function in ast.parse(inspect.getsource(module)).body:
            if isinstance(function, ast.FunctionDef) and function.name in functions:
                yield from constants(function.body[ast.get_docstring(function) is not None :])


def test_every_wording_of_the_queue_is_among_the_reasons_tried_here() -> None:
    said = "\n".join(reasons())
    assert [words for words in wordings() if words not in said] == []


def test_every_reason_is_put_into_chinese() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: reasons.js needs it")
    said = reasons()
    run = subprocess.run(
        [node, "--input-type=module", "-e", TRANSLATE, REASONS.as_uri()],
        input=json.dumps(said), capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    chinese = json.loads(run.stdout)
    assert [(before, after) for before, after in zip(said, chinese, strict=True) if ENGLISH.search(after)] == []
