"""config/hub.yaml and HUB_* variables as one frozen `Settings`.

A variable wins over the file. It is named after the setting, with `__` between levels (HUB_WORKERS,
HUB_CHANNELS__WECOM__SECRET); its value is taken as text. A wrong key or value is a SettingsError that says
file:line (or the variable), the setting and the cure, one line each.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
from pydantic import AfterValidator, BeforeValidator, Field

from hub import marked_yaml
from hub.errors import SettingsError
from hub.marked_yaml import Document
from hub.media.kinds import KINDS, TAKEN

FILE = Path("config/hub.yaml")
PREFIX = "HUB_"
NO_SETTINGS = frozenset({"HUB_CONFIG", "HUB_ADMIN_TOKEN"})
"""Variables that are no settings: HUB_CONFIG names the file, HUB_ADMIN_TOKEN is for commands that ask a hub."""


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "host:port"; an IPv6 address stands in brackets. Raises ValueError."""
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not port.isdecimal() or int(port) > 65535 or (":" in host and address[0] != "["):
        raise ValueError(f'"{address}" is no address; one looks like 127.0.0.1:8080')
    return host, int(port)


def _address(value: str) -> str:
    split_address(value)
    return value


def _url(value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise ValueError(f'"{value}" is no address of a page; one looks like https://chat.example.com')
    return value.rstrip("/")


def url_of(listen: str) -> str:
    """Where a hub with this `listen` is reached from its own machine."""
    host, port = split_address(listen)
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _words(value: object) -> object:
    """A variable's text as a list."""
    return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value


def _network(value: str) -> str:
    ipaddress.ip_network(value)
    return value


def _mapping(value: object) -> object:
    """`h5:` with nothing after it switches the channel on."""
    return {} if value is None else value


def _nats_url(value: str) -> str:
    """Nothing of the value is shown: it holds the token."""
    servers = [server.strip() for server in value.split(",") if server.strip()]
    if not all(re.fullmatch(r"(nats|tls)://([^@/\s]+@)?[^@/\s:]+:\d+", server) for server in servers):
        raise ValueError("is no list of servers; one looks like nats://TOKEN@10.0.0.1:4222, with commas between them")
    if len(servers) == 2:
        raise ValueError("names two servers; name one server, or all of a cluster of three or more")
    return ",".join(servers)


def check_nats_url(value: str) -> str:
    """The same as `nats.url`, for who reads no settings. Raises SettingsError."""
    try:
        return _nats_url(value)
    except ValueError as error:
        raise SettingsError(f"{PREFIX}NATS__URL or --url: {error}") from None


def _history_url(value: str) -> str:
    """Nothing of the value is shown: it holds the password."""
    if value and not re.fullmatch(r"postgresql://[^@/\s]+@[^@/\s]+/[^/\s]+", value):
        raise ValueError("is no PostgreSQL database; one looks like postgresql://USER:PASSWORD@10.0.0.1:5432/hub")
    return value


class Nats(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Where the log is kept."""

    url: Annotated[str, AfterValidator(_nats_url)] = Field("", repr=False)
    """The NATS servers to join, with commas between them; without it the hub runs a nats-server of its own. Of a
    cluster all servers are named: with three or more, three of them keep each message."""


class History(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Where the history is written."""

    url: Annotated[str, AfterValidator(_history_url)] = Field("", repr=False)
    """The PostgreSQL database of the history; without it: a SQLite file in the data folder."""


def _media_type(value: str) -> str:
    if value not in KINDS:
        raise ValueError(f'"{value}" is no type that the hub knows{nearest(value, KINDS)}')
    return value


class Media(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """Pictures and files that visitors and agents send."""

    store: Literal["nats", "folder"] = "nats"
    """Where they are kept: beside the log in NATS, or as plain files in a folder."""
    folder: Path | None = None
    """The folder, where `store` is `folder`; without it `attachments` in the data folder. All machines share it."""
    max_bytes: int = Field(20_971_520, ge=1, le=209_715_200)
    """The longest file that is taken."""
    types: Annotated[tuple[Annotated[str, AfterValidator(_media_type)], ...], BeforeValidator(_words)] = TAKEN
    """Media types that are taken, by what a file's content is, whatever its name."""
    uploads_per_minute: int = Field(20, ge=1)
    """So many files one address may upload a minute and worker; twice as many at once."""


class Settings(pydantic.BaseModel, frozen=True, extra="forbid", use_attribute_docstrings=True):
    """All that can be set. `model_dump(mode="json")` can be sent to another process and read by `model_validate`."""

    data: Path = Path("data")
    """Folder of everything the hub keeps."""
    listen: Annotated[str, AfterValidator(_address)] = "127.0.0.1:8080"
    """Address and port for pages, API and sockets; port 0 takes a free one."""
    public_url: Annotated[str, AfterValidator(_url)] = Field(default_factory=lambda data: url_of(data["listen"]))
    """Where visitors and platforms reach the hub; without it: http:// and `listen`."""
    workers: int = Field(0, ge=0, le=256)
    """Worker processes; 0 takes one for each core."""
    partitions: int = Field(32, ge=1, le=1024)
    """Partitions of the log; fixed at the first start."""
    rules: Path = Path("rules")
    """Folder of the rule files."""
    trusted_proxies: Annotated[
        tuple[Annotated[str, AfterValidator(_network)], ...], BeforeValidator(_words)
    ] = ()  # fmt: skip
    """Addresses or networks of proxies whose X-Forwarded-For is believed."""
    visitors_per_minute: int = Field(30, ge=1)
    """So many new visitors one address may bring a minute and worker; twice as many at once (an office, a school)."""
    frames_per_second: int = Field(2_000, ge=50)
    """So many frames the sockets of one address may send a second and worker; four times as many at once."""
    log_max_bytes: int = Field(4_294_967_296, ge=1_048_576)
    """The log of one partition takes no more than this many bytes; beyond it that partition accepts nothing."""
    disk_free_min_percent: int = Field(10, ge=0, le=50)
    """While less than this part of the log's disk is free nothing is accepted; 0 accepts until the disk is full."""
    nats: Annotated[Nats, BeforeValidator(_mapping)] = Nats()
    """The log's servers: set where several machines make one hub."""
    history: Annotated[History, BeforeValidator(_mapping)] = Field(History(), validate_default=True)
    """The history's database: set where several machines make one hub."""
    media: Annotated[Media, BeforeValidator(_mapping)] = Media()
    """Pictures and files."""
    channels: dict[str, Annotated[dict[str, Any], BeforeValidator(_mapping)]] = Field(default={}, repr=False)
    """The channels that are on, by name, each with its connector's own settings."""

    _sources: Sources | None = None

    @property
    def sources(self) -> Sources:
        """Where the values came from; nowhere, in a process that got them from another one."""
        return self._sources or Sources(FILE, Document(None, {(): (1, 1)}, {}), {})

    @pydantic.field_validator("history")
    @classmethod
    def _is_shared(cls, history: History, info: pydantic.ValidationInfo) -> History:
        nats: Nats | None = info.data.get("nats")
        if nats and nats.url and not history.url:
            raise ValueError("must have a `url` where `nats.url` is set: all nodes read one history")
        return history

    @pydantic.field_validator("media")
    @classmethod
    def _has_a_shared_folder(cls, media: Media, info: pydantic.ValidationInfo) -> Media:
        nats: Nats | None = info.data.get("nats")
        if nats and nats.url and media.store == "folder" and media.folder is None:
            raise ValueError("must have a `folder` that all machines share where `nats.url` is set")
        return media

    @property
    def host(self) -> str:
        """The host of `listen`."""
        return split_address(self.listen)[0]

    @property
    def port(self) -> int:
        """The port of `listen`."""
        return split_address(self.listen)[1]

    def listening_on(self, port: int) -> Settings:
        """The same with the port that was found free."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        values = self.model_dump(exclude_unset=True) | {"listen": f"{host}:{port}"}
        return Settings.model_validate(values)


def load(file: Path = FILE, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings of `file` and of HUB_* in `environ`. Raises SettingsError; connectors' parts are not looked at."""
    sources = Sources(file, _read(file), {})
    values = sources.document.value
    if not isinstance(values, dict | None):
        raise SettingsError(f'{file}:1: must be settings of the form "name: value"')
    values = values or {}
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in NO_SETTINGS:
            path = tuple(variable.removeprefix(PREFIX).lower().split("__"))
            sources.variables[path] = variable
            _put(values, path, text, variable)
    try:
        settings = Settings.model_validate(values)
    except pydantic.ValidationError as error:
        raise SettingsError(sources.explain(error, Settings)) from None
    settings._sources = sources
    return settings


def _read(file: Path) -> Document:
    try:
        return marked_yaml.read(file.read_text(encoding="utf-8"))
    except marked_yaml.Malformed as error:
        raise SettingsError(f"{file}:{error.line}: {error.what}") from None
    except FileNotFoundError:
        raise SettingsError(f"{file}: no such file; name the right one with --config or HUB_CONFIG") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: cannot be read: {error}") from None


def _put(values: dict[str, Any], path: tuple[str, ...], text: str, variable: str) -> None:
    for name in path[:-1]:
        if values.get(name) is None:
            values[name] = {}
        values = values[name]
        if not isinstance(values, dict):
            raise SettingsError(f"{variable}: {name} is a single value, nothing can stand below it")
    values[path[-1]] = text


class Sources:
    """Where each value came from: a line of the file, or a variable."""

    def __init__(self, file: Path, document: Document, variables: dict[tuple[str, ...], str]) -> None:
        self.file = file
        self.document = document
        self.variables = variables

    def where(self, path: marked_yaml.Path, *, key: bool = False) -> str:
        """`config/hub.yaml:12` or the variable that set the value; with `key` the place of its name."""
        names = tuple(str(part).lower() for part in path)
        for end in range(len(names), 0, -1):
            if names[:end] in self.variables:
                return self.variables[names[:end]]
        return f"{self.file}:{self.document.place(path, key=key)[0]}"

    def explain(
        self, error: pydantic.ValidationError, model: type[pydantic.BaseModel], above: marked_yaml.Path = ()
    ) -> str:
        """A line for each finding; values are shown only where they are no secrets."""
        lines = []
        for finding in error.errors(include_url=False):
            loc, kind = finding["loc"], finding["type"]
            path, key = (*above, *loc), kind in ("extra_forbidden", "missing")
            if kind == "default_factory_not_called":
                continue  # follows from another finding
            match kind:
                case "extra_forbidden":
                    what = f"unknown setting{nearest(str(loc[-1]), _names(model, loc[:-1]))}"
                case "missing":
                    what = "must be set"
                case _:
                    what = finding["msg"].removeprefix("Value error, ")
                    what = what[:1].lower() + what[1:]
            lines.append(f"{self.where(path, key=key)}: {'.'.join(map(str, path))}: {what}")
        return "\n".join(lines)


def _names(model: type[pydantic.BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The settings that there are at `loc` inside `model`."""
    for part in loc:
        field = model.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or isinstance(field.annotation, types.GenericAlias):
            return []
        if not issubclass(field.annotation, pydantic.BaseModel):
            return []
        model = field.annotation
    return [field.alias or name for name, field in model.model_fields.items()]


def nearest(word: str, names: Iterable[str]) -> str:
    """The end of a sentence about a wrong word: the right one that it may have been, or all there are."""
    known = sorted(names)
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f', did you mean "{close[0]}"?'
    return f"; there are {', '.join(known)}" if known else ""
