"""What is tested: a connector with its stand-in, and what its author has to say in its defence."""

from __future__ import annotations

import dataclasses
import functools
import importlib
from collections.abc import Callable, Mapping
from types import ModuleType

from hub.channels import connector_class
from hub.contract import Capabilities, Connector
from hub.errors import HubError
from hub.kit.far_side import FarSide, Nobody, SpeaksLines

NOWHERE = "http://127.0.0.1:9"


@dataclasses.dataclass(frozen=True)
class Subject:
    """A channel. `exempt`: why a check, named by its id, does not count for it."""

    name: str
    connector: type[Connector]
    far_side: Callable[[], FarSide]
    exempt: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def connect(self, far: FarSide, *urls: str) -> Connector:
        """A new connector with the settings of that far side, which is reached at `urls`."""
        return self.connector(self.connector.Settings.model_validate(far.settings(*urls)))

    @functools.cached_property
    def instance(self) -> Connector:
        """One with its stand-in's settings, which is never started: what it can do, and how it hears."""
        far = self.far_side()
        return self.connect(far, *[NOWHERE] * (len(far.trouble) if isinstance(far, SpeaksLines) else 1))

    @property
    def can(self) -> Capabilities:
        """What the instance can do."""
        return self.instance.can


def find(channel: str) -> Subject:
    """The channel of this checkout or of a package, by its connector and the kit.py beside it.

    A socket channel needs only the first. Raises HubError, saying what is missing.
    """
    connector = connector_class(channel, "hub connectors test")
    if connector.can.socket:
        return Subject(channel, connector, Nobody)
    kit = _module(f"{connector.__module__.rpartition('.')[0]}.kit")
    return Subject(channel, connector, kit.FAR_SIDE, getattr(kit, "EXEMPT", {}))


def _module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not name.startswith(error.name):
            raise
        raise HubError(f"there is no {error.name}: `hub connectors test` needs it, and finds it by its name") from None
