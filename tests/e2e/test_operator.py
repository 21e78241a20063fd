"""`hub deliveries`, `hub unparsed` and `hub trace` against a hub that runs, as docs/operating.md shows them."""

import asyncio
import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from connectors.h5.sandbox import Robot
from hub.cli.doctor import Finding, examine
from hub.demo.stage import Stage
from tests.e2e.test_whole_way import WANG, phone, type_on_phone
from tests.e2e.visitors import Visitors
from tests.house.test_readme import typed

SHOWN = [line for line in typed("docs/operating.md") if line.startswith("hub ")]
"""What a person is told to type."""


class Asked:
    """What a command has answered."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Terminal:
    """A person who types beside a running hub, with the admin token."""

    def __init__(self, stage: Stage, token: str) -> None:
        self.stage, self.token = stage, token

    async def type(self, line: str, **variables: str) -> Asked:
        """Type `hub …`."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
        environ |= {"HUB_CONFIG": str(self.stage.folder / "hub.yaml"), "HUB_ADMIN_TOKEN": self.token, "COLUMNS": "200"}
        words = [sys.executable, "-m", *line.split()]
        done = await asyncio.to_thread(
            subprocess.run, words, env=environ | variables, capture_output=True, text=True, check=False, timeout=60
        )
        return Asked(done)

    async def until_listed(self, line: str, list_name: str, but: int = 0) -> dict[str, Any]:
        """The first that a list shows, `but` not this one, as soon as it does: the history is a moment behind."""
        async with asyncio.timeout(30):
            while True:
                for found in (await self.type(f"{line} --json")).json[list_name]:
                    # A note to the agent, which brings no message, is no dead letter.
                    if found.get("refs", list_name == "unparsed") and found.get("attempt") != but:
                        return dict(found)
                await asyncio.sleep(0.1)


@pytest.fixture
def terminal(stage: Stage, admin: dict[str, str]) -> Terminal:
    return Terminal(stage, admin["authorization"].removeprefix("Bearer "))


async def refuse(stage: Stage, errcode: int) -> None:
    """The stand-in for WeCom answers this to all texts for phones; 0: it takes them."""
    stage.stand_in.switch({"errcode": errcode})  # type: ignore[attr-defined]


async def talk(stage: Stage, visitors: Visitors) -> Robot:
    """A visitor whose second message is a dead letter: WeCom refuses to show it to Wang."""
    (visitor,) = await visitors.come(1)
    visitor.say("这款有货吗？想买一件")
    await visitor.settled()
    await type_on_phone(stage, WANG, "上班")
    await phone(stage, WANG, "这款有货吗")
    await refuse(stage, 99_999)
    visitor.say("[bold]这款有红色的吗？想买两件")
    await visitor.settled()
    return visitor


async def test_a_dead_letter_is_found_looked_at_sent_again_and_dropped(
    stage: Stage, terminal: Terminal, visitors: Visitors
) -> None:
    visitor = await talk(stage, visitors)
    letter = await terminal.until_listed("hub deliveries list --state refused", "deliveries")
    name = f"{letter['entity']}/{letter['attempt']}"
    assert "[bold]这款有红色的吗" in letter["text"]
    listed = (await terminal.type("hub deliveries list")).out
    assert name in listed
    assert "[bold]" in listed, "what a visitor wrote is no markup"
    assert "refused" in listed
    lines = dict(zip(("list", "show", "retry", "drop"), filter(lambda line: "deliveries" in line, SHOWN), strict=True))
    shown = await terminal.type(lines["show"].replace("p7-email-k3v9/3", name))
    assert (shown.status, "WeCom refused it" in shown.out) == (0, True)
    wrong = await doctor(stage)
    assert wrong["deliveries"].says == "dead letters of the last 7 days: 1"
    assert "hub deliveries list --state refused,unknown" in wrong["deliveries"].cure
    assert wrong["unparsed"].cure == ""

    await refuse(stage, 0)
    again = await terminal.type(lines["retry"].replace("p7-email-k3v9/3", name))
    assert (again.status, again.out) == (0, f"{name} goes again, as a new attempt.\n")
    await phone(stage, WANG, "[bold]这款有红色的吗")
    gone = await terminal.type(lines["drop"].replace("p7-email-k3v9/4", name))
    assert (gone.status, gone.out) == (1, "")
    assert gone.err.startswith(f"hub: there is no dead letter {letter['attempt']}: it was sent again, dropped")

    await refuse(stage, 99_999)
    visitor.say("还在吗？")
    other = await terminal.until_listed("hub deliveries list --state refused", "deliveries", letter["attempt"])
    name = f"{other['entity']}/{other['attempt']}"
    dropped = await terminal.type(lines["drop"].replace("p7-email-k3v9/4", name))
    assert (dropped.status, dropped.out, dropped.err) == (0, f"{name} is never sent.\n", "")
    assert (await terminal.until_listed("hub deliveries list --state dropped", "deliveries"))["text"] == other["text"]


async def test_what_waits_behind_a_delayed_text_is_listed_as_queued_until_it_is_sent(
    stage: Stage, terminal: Terminal, visitors: Visitors
) -> None:
    (visitor,) = await visitors.come(1)
    visitor.say("这款有货吗？想买一件")
    await visitor.settled()
    await type_on_phone(stage, WANG, "上班")
    await phone(stage, WANG, "这款有货吗")
    await refuse(stage, -1)
    visitor.say("有红色的吗？")
    await terminal.until_listed("hub deliveries list --state delayed,sending", "deliveries")
    visitor.say("[bold]还在吗？")
    await visitor.settled()
    waits = await terminal.until_listed("hub deliveries list --state queued", "deliveries")
    assert (waits["state"], waits["channel"], waits["address"]) == ("queued", "wecom", WANG)
    assert waits["refs"] == [f"{visitor.conversation}/{visitor.sent[-1].seq}"]
    assert re.fullmatch(r"attempt \d+ is (under way|tried again before it)", waits["because"])
    table = (await terminal.type("hub deliveries list --state queued")).out
    assert f" {waits['entity']} " in table, "it has no number"
    assert "[bold]还在吗？" in table
    number = (await terminal.type(f"hub deliveries show {waits['entity']}/0")).err
    assert "what is queued goes by itself" in number
    await refuse(stage, 0)
    await phone(stage, WANG, "[bold]还在吗？")
    assert (await terminal.type("hub deliveries list --state queued")).out == "There are none.\n"


async def doctor(stage: Stage) -> dict[str, Finding]:
    """What `hub doctor` finds, by subject."""
    found = await asyncio.to_thread(lambda: [*examine(stage.folder / "hub.yaml")])
    return {finding.subject: finding for finding in found}


async def test_a_message_is_followed_from_the_page_to_the_phone(
    stage: Stage, terminal: Terminal, visitors: Visitors
) -> None:
    visitor = await talk(stage, visitors)
    await terminal.until_listed("hub deliveries list --state refused", "deliveries")
    place = f"{visitor.conversation}/{visitor.sent[1].seq}"
    by_place, by_id = (line for line in SHOWN if line.startswith("hub trace"))
    followed = await terminal.type(f"{by_place.replace('p7-email-k3v9/12', place)} --json")
    events = [step["event"] for step in followed.json["steps"]]
    assert events == ["Chosen", "MessagePosted", "BlocksWaiting", "Attempted", "AttemptRefused"]
    assert followed.json["complete"] is True
    assert "想买两件" not in followed.out
    people = await terminal.type(by_place.replace("p7-email-k3v9/12", place))
    assert "text: [bold]这款有红… (18 characters)" in people.out
    whole = await terminal.type(f"{by_place.replace('p7-email-k3v9/12', place)} --texts")
    assert "[bold]这款有红色的吗？想买两件" in whole.out

    await refuse(stage, 0)
    typed_, taken = stage.stand_in.say(WANG, "text", "#1 马上给您回电")
    assert await taken
    await visitor.until(lambda: any(event["kind"] == "answer" for event in visitor.history.shown))
    line = by_id.replace("7405672895613", typed_.msgid)
    async with asyncio.timeout(30):  # until the history has it
        while (answer := await terminal.type(f"{line} --json")).status:
            assert "No message of wecom is called" in answer.err
        while "AnswerPosted" not in answer.out:
            answer = await terminal.type(f"{line} --json")
    steps = answer.json["steps"]
    way = ["TextReceived", "AnswerChosen", "AnswerPosted"]
    assert [step["event"] for step in steps if step["event"] in way] == way
    raw = next(step["says"]["raw"] for step in steps if step["event"] == "TextReceived")
    assert raw["query"]["msg_signature"] == "•••"


async def test_what_nobody_could_read_is_replayed_after_a_fix(stage: Stage, terminal: Terminal) -> None:
    file = stage.rules / "teams.yaml"
    right = file.read_text(encoding="utf-8")
    teams = yaml.safe_load(right)
    gone = next(name for name, agent in teams["agents"].items() if WANG in agent.get("addresses", {}).values())
    teams["agents"][gone]["addresses"] = {"wecom": "SomebodyElse"}
    await save(stage, yaml.safe_dump(teams, allow_unicode=True))
    await type_on_phone(stage, WANG, "上班")
    entry = await terminal.until_listed("hub unparsed list", "unparsed")
    name = f"{entry['entity']}/{entry['seq']}"
    lines = [line.replace("i3-email/7", name) for line in SHOWN if line.startswith("hub unparsed")]
    listed, shown, unread = [await terminal.type(line) for line in lines]
    assert name in listed.out
    assert (shown.status, "'msg_signature': '•••'" in shown.out) == (0, True)
    assert (unread.status, unread.out) == (1, "")
    assert f"{WANG} is no agent of wecom in rules/teams.yaml" in unread.err

    await save(stage, right)
    taken = await terminal.type(lines[2])
    assert taken.status == 0
    assert re.fullmatch(rf"a\d+-{gone}/\d+ has it now\.\n", taken.out)
    again = await terminal.type(lines[2])
    assert (again.status, "had it already" in again.out) == (0, True)
    findings = await doctor(stage)
    assert findings["unparsed"].says == "inputs of the last 7 days that nobody could read: 1"
    assert findings["unparsed"].cure == "look at them: hub unparsed list"


async def save(stage: Stage, teams: str) -> None:
    """Have these teams in force; saved again until all have seen it, for a watch that has just begun may not."""
    wanted = rules_in_force(stage) + len(stage.children("hub-worker"))
    async with asyncio.timeout(30):
        while rules_in_force(stage) < wanted:
            (stage.rules / "teams.yaml").write_text(teams, encoding="utf-8")
            await asyncio.sleep(1)


def rules_in_force(stage: Stage) -> int:
    """How often a worker has taken new ones."""
    return stage.log.read_text(encoding="utf-8").count("rules in force")


async def test_who_cannot_ask_is_told_what_to_do(stage: Stage, terminal: Terminal) -> None:
    none = await terminal.type("hub unparsed list", HUB_ADMIN_TOKEN="")
    assert (none.status, none.out) == (2, "")
    assert none.err.startswith("hub: no admin token: set HUB_ADMIN_TOKEN; `hub up` shows it at its first start")
    wrong = await terminal.type("hub deliveries list --token wrong")
    assert wrong.status == 2
    assert "the hub does not know this admin token; `hub up` shows it" in wrong.err
    away = await terminal.type("hub deliveries list --url http://127.0.0.1:1")
    assert away.status == 2
    assert away.err.startswith("hub: http://127.0.0.1:1: no hub answers there (ConnectError); start it")
    nameless = await terminal.type("hub deliveries retry nonsense")
    assert (nameless.status, "names nothing; a name looks like p7-email-k3v9/12" in nameless.err) == (2, True)
    homeless = await terminal.type("hub trace m1")
    assert (homeless.status, "name its --channel" in homeless.err) == (2, True)
    unknown = await terminal.type("hub unparsed show i3-wecom/7")
    assert (unknown.status, unknown.err.startswith("hub: Nothing unread is kept at i3-wecom/7")) == (1, True)
    assert (await terminal.type("hub unparsed list")).out == "There are none.\n"
