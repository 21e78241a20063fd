"""What is tested: a connector with its stand-in, and what its author has to say in its defence."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Mapping

from hub.contract import Connector
from hub.errors import HubError
from hub.kit.far_side import FarSide


@dataclasses.dataclass(frozen=True)
class Subject:
    """A channel. `exempt`: why a check, named by its id, does not count for it. A socket channel has no far side."""

    name: str
    connector: type[Connector]
    far_side: Callable[[], FarSide]
    exempt: Mapping[str, str] = dataclasses.field(default_factory=dict)


def find(channel: str) -> Subject:
    """The channel connectors/<channel>/, by its connector.py and kit.py. Raises HubError when there is none."""
    try:
        connector = importlib.import_module(f"connectors.{channel}.connector").CONNECTOR
        kit = importlib.import_module(f"connectors.{channel}.kit")
    except ModuleNotFoundError as error:
        if error.name is None or not f"connectors.{channel}.kit".startswith(error.name):
            raise
        raise HubError(f"{error.name}: no such module; a channel is tested by its connector.py and kit.py") from None
    return Subject(channel, connector, kit.FAR_SIDE, getattr(kit, "EXEMPT", {}))
