"""docker-compose.cluster.yml as it is to be run here: each service with what Docker would have made of its lines."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.cluster.yml"


@dataclass(frozen=True)
class Described:
    """One service. `host` is the address that is its own; `data` the folder of its volume."""

    name: str
    image: str
    """Empty: it is built from this checkout."""
    host: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    data: Path | None


class Description:
    """The services of the file, in the order of their start.

    Docker gives each service an address in a network of its own; here these are loopback addresses whose first three
    numbers are `net`. Its volume is a folder below `folder`, or that in `folders`. What is mounted from the checkout is
    copied below `folder`, or taken from `mounts` (by its path in the checkout). `variables` is Docker's environment.
    """

    def __init__(
        self,
        folder: Path,
        net: str,
        variables: Mapping[str, str],
        *,
        folders: Mapping[str, Path] | None = None,
        mounts: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder, self._net, self._variables = folder, net, variables
        self._folders, self._mounts = folders or {}, mounts or {}
        found = yaml.safe_load(FILE.read_text(encoding="utf-8"))
        (subnet,) = found["networks"]["hub"]["ipam"]["config"]
        self._subnet = subnet["subnet"].rpartition(".")[0]
        self._services: dict[str, Any] = found["services"]
        self.hosts = {name: self._host(service) for name, service in self._services.items()}

    def services(self) -> list[Described]:
        """All of them; each after those that it depends on."""
        waiting, ordered = dict(self._services), list[Described]()
        while waiting:
            name = next(name for name, one in waiting.items() if not set(one.get("depends_on", ())) & set(waiting))
            ordered.append(self._described(name, waiting.pop(name)))
        return ordered

    def _host(self, service: Mapping[str, Any]) -> str:
        return self._localized(service["networks"]["hub"]["ipv4_address"])

    def _described(self, name: str, service: Mapping[str, Any]) -> Described:
        places, data = dict[str, str](), None
        for volume in service.get("volumes", ()):
            source, inside, *_ = volume.split(":")
            if source.startswith("./"):
                places[inside] = str(self._mounted(name, source.removeprefix("./")))
            else:
                data = self._folders.get(name, self._folder / name / "data")
                places[inside] = str(data)
        own = {"0.0.0.0": self.hosts[name]}
        environment = service.get("environment", {})
        return Described(
            name,
            service.get("image", ""),
            self.hosts[name],
            tuple(self._resolved(str(word), places | own) for word in service["command"]),
            {key: self._resolved(str(value), places | own) for key, value in environment.items()},
            data,
        )

    def _mounted(self, name: str, source: str) -> Path:
        """A copy of what is mounted, with the addresses of this machine in it."""
        copy = self._folder / name / Path(source).name
        origin = self._mounts.get(source, ROOT / source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if origin.is_dir():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(origin, copy)
        else:
            text = origin.read_text(encoding="utf-8")
            copy.write_text(self._localized(text).replace("0.0.0.0", self.hosts[name]), encoding="utf-8")
        return copy

    def _resolved(self, text: str, places: Mapping[str, str]) -> str:
        """The text with variables, paths and addresses as they are here."""
        text = re.sub(r"\$\{(\w+)(?::([?-])([^}]*))?\}", self._variable, text)
        for inside, here in places.items():
            text = re.sub(rf"(?<![\w.]){re.escape(inside)}(?![\w.])", here, text)
        return self._localized(text)

    def _variable(self, found: re.Match[str]) -> str:
        name, otherwise, default = found.groups()
        if otherwise == "-":
            return self._variables.get(name, default)
        return self._variables[name]

    def _localized(self, text: str) -> str:
        """The text with addresses of this machine: where a service's name stands before a port, and in its network."""
        for name, host in getattr(self, "hosts", {}).items():
            text = re.sub(rf"(?<![\w.-]){name}(?=:\d+(?![\w@]))", host, text)
        return text.replace(f"{self._subnet}.", f"{self._net}.")
