"""The channels that are on: their connectors found by name, looked over, and made with their settings checked.

A connector is the folder connectors/<name>/ of this checkout, or another package's entry point in the group
`kefu_hub.connectors`. Its name is the channel's, unless the channel's settings name another `connector`: so two
accounts on one platform are two channels.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pydantic

from hub.contract import VERSION, Capabilities, Connector, Route
from hub.errors import SettingsError
from hub.settings import Settings, nearest

GROUP = "kefu_hub.connectors"
LEAST_TEXT = 128
"""Below it not even the head of a visitor's message fits."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TAKEN = frozenset({"agent", "api", "callbacks", "chat", "client", "files", "schema"})
"""Names that would hide pages of the hub itself."""


def load_connectors(settings: Settings) -> dict[str, Connector]:
    """A connector for each channel that is on, with its own settings checked; nothing is started.

    Raises SettingsError for a channel that nobody wrote, for what its connector does not take, and for a connector
    that does not keep to the contract.
    """
    sources = settings.sources
    connectors: dict[str, Connector] = {}
    findings: list[str] = []
    for name, values in settings.channels.items():
        where = sources.where(("channels", name), key=True)
        try:
            kind = str(values.get("connector", name))
            connector = connector_class(kind, where)
            own = {key: value for key, value in values.items() if key != "connector"}
            made = connector(connector.Settings.model_validate(own, extra="forbid"))
            findings += [f"{where}: channels.{name}: {fault}" for fault in faults(name, made)]
            if kind != name and made.static:
                findings.append(f"{where}: channels.{name}: {kind} has pages at /{kind}/, and can have no other name")
            connectors[name] = made
        except SettingsError as error:
            findings.append(str(error))
        except pydantic.ValidationError as error:
            findings.append(sources.explain(error, connector.Settings, ("channels", name)))
    if findings:
        raise SettingsError("\n".join(findings))
    return connectors


def connector_class(name: str, where: str) -> type[Connector]:
    """The connector of the channel `name`. Raises SettingsError where there is none, or it cannot be imported.

    `where` is the place that names it, for the error.
    """
    folders, points = _folders(), {point.name: point for point in entry_points(group=GROUP)}
    if name not in folders and name not in points:
        raise SettingsError(f"{where}: channels.{name}: no such channel{nearest(name, {*folders, *points})}")
    try:
        found = _imported(name) if name in folders else points[name].load()
    except Exception as error:  # whatever a stranger's module does when it is imported
        origin = f"connectors/{name}/connector.py" if name in folders else _origin(points[name])
        raise SettingsError(
            f"{where}: channels.{name}: {origin} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, type) or not issubclass(found, Connector):
        raise SettingsError(f"{where}: channels.{name}: {found!r} is no subclass of hub.contract.Connector")
    return found


def channel_names() -> list[str]:
    """All channels that could be switched on here."""
    return sorted({*_folders(), *(point.name for point in entry_points(group=GROUP))})


def guide(connector: Connector) -> str:
    """Where it is described: the README of its folder, or the package that it was installed with."""
    package = type(connector).__module__.rpartition(".")[0] or type(connector).__module__
    if package.startswith("connectors."):
        return f"{package.replace('.', '/')}/README.md"
    return f"the documentation of the package {package.partition('.')[0]}"


def _folders() -> list[str]:
    package = importlib.import_module("connectors")
    return [file.parent.name for folder in package.__path__ for file in Path(folder).glob("*/connector.py")]


def _imported(name: str) -> object:
    return importlib.import_module(f"connectors.{name}.connector").CONNECTOR


def _origin(point: EntryPoint) -> str:
    return f"{point.value} ({point.dist.name if point.dist else 'an entry point'})"


def faults(name: str, connector: Connector) -> Iterator[str]:
    """What a connector promises that cannot be, a sentence each."""
    kind = type(connector)
    if connector.contract != VERSION:
        written = f"{kind.__name__} is written for contract {connector.contract}"
        yield f"{written}, this hub has {VERSION}: install the one that fits"
    if not _NAME.fullmatch(name) or name in _TAKEN:
        yield "a channel's name is a word of a-z, 0-9 and _, and none of " + ", ".join(sorted(_TAKEN))
    can = getattr(connector, "can", None)
    if not isinstance(can, Capabilities):
        yield f"{kind.__name__}.can must be Capabilities"
        return
    yield from _faults_of(can)
    if not can.socket and kind.deliver is Connector.deliver:
        yield f"{kind.__name__} has no deliver"
    if connector.routes and kind.parse is Connector.parse:
        yield f"{kind.__name__} declares routes and has no parse"
    if connector.routes and kind.verify is Connector.verify:
        yield f"{kind.__name__} declares routes and has no verify: anybody could write there"
    if connector.pulls and kind.pull is Connector.pull:
        yield f"{kind.__name__} declares that it pulls and has no pull"
    yield from _route_faults(list(connector.routes))


def _faults_of(can: Capabilities) -> Iterator[str]:
    numbers = (
        "fold_ms",
        "per_minute",
        "per_hour",
        "per_second",
        "replies",
        "reply_within_s",
        "recognises_s",
        "edits_s",
        "recalls_s",
        "choices",
    )
    for name in numbers:
        if getattr(can, name) < 0:
            yield f"{name} is {getattr(can, name)}: it cannot be less than 0"
    if can.max_text < LEAST_TEXT:
        yield f"max_text is {can.max_text}: below {LEAST_TEXT} not even the head of a message fits"
    if can.role == "agent" and (can.unit != "bytes" or can.files_with_text or can.choices):
        yield 'an agents\' channel counts in unit "bytes", and has no files_with_text and no choices'
    if can.role == "agent" and (can.edits_s or can.recalls_s):
        yield "what went to an agent is never changed: edits_s and recalls_s must be 0"
    if can.role == "both" and (can.socket or can.recognises == "text"):
        yield "where agents and visitors are, nothing has a socket, and a repeat is known by its key"
    if can.role == "visitor" and can.recognises == "text" and can.recognises_s:
        yield 'a visitor may get the same text twice on purpose: recognises must be "key"'


MOST_BODY = 32 << 20
"""Of a request of a platform's: it is held in memory until it is in the log."""


def _route_faults(routes: list[Route]) -> Iterator[str]:
    names = [route.name for route in routes]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"the route {name!r} is declared twice"
    for route in routes:
        if not route.methods or set(route.methods) - {"GET", "POST"}:
            yield f"the route {route.name!r} takes {route.methods}: only GET and POST are called back"
        if route.body_limit > MOST_BODY:
            yield f"the route {route.name!r} takes {route.body_limit} bytes: the hub takes {MOST_BODY}"
