"""The channels on which the demo's visitors write, one module each: hub/demo/channels/<channel>.py, CHANNEL.

A module runs its channel's stand-in and says what one visitor does there. What visitors saw is taken from the
stand-in's own record, never from the hub. To add a channel, add its module; nothing else names it.
"""

import abc
import importlib
import importlib.util
import pkgutil
import random
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Literal, Self

from hub.errors import HubError

Break = Literal["", "cut", "reload"]
"""How a visitor loses their line: not at all, the network goes away, or the page is loaded anew."""
HUBS_OWN = "h5"
"""The channel without a platform: it stands first, and each hub has it."""


class Client(abc.ABC):
    """One visitor, and their own record of what they said and saw."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        """What they wrote, in order."""

    @property
    @abc.abstractmethod
    def live(self) -> bool:
        """Whether they have a line to the hub."""

    @abc.abstractmethod
    def say(self, text: str) -> None:
        """Write a text: adds it to `texts`, and sends it."""

    @abc.abstractmethod
    def taken(self) -> Sequence[bool]:
        """Of each text, whether the hub has acknowledged it, to the visitor or to their platform.

        Where a platform never hears of that: whether the platform has it.
        """

    @abc.abstractmethod
    def answers(self) -> Sequence[str]:
        """The texts that they got, in order, each as often as they saw it."""

    @abc.abstractmethod
    def shown(self) -> Sequence[str]:
        """The texts that they have before them, each side's in order."""

    @abc.abstractmethod
    def latencies_ms(self) -> Sequence[float]:
        """From saying to the hub's acknowledgement, where the visitor hears of that and their line was whole."""

    @abc.abstractmethod
    async def open(self) -> None:
        """Get ready to write, however long the hub takes to come back."""

    @abc.abstractmethod
    async def lose_line(self, how: Break) -> None:
        """Lose the line and come back."""

    @abc.abstractmethod
    async def leave(self) -> None:
        """Go away."""


class PlatformClient(Client):
    """A visitor with a platform between them and the hub: what becomes of their line to it is not the hub's."""

    @property
    def live(self) -> bool:
        """Always."""
        return True

    def shown(self) -> Sequence[str]:
        """A platform shows them their own texts as they wrote them."""
        return [*self.texts, *self.answers()]

    def latencies_ms(self) -> Sequence[float]:
        """They do not hear of the acknowledgement."""
        return ()

    async def open(self) -> None:
        """They have the app."""

    async def lose_line(self, how: Break) -> None:
        """The platform comes through that by itself."""

    async def leave(self) -> None:
        """Nothing is left behind."""


class Channel(abc.ABC):
    """One channel. `async with` runs what it is played with: the stand-in for its platform, mostly."""

    title = title_en = ""
    """Of its visitors' page, for people."""
    hint = hint_en = ""
    """What to do there, in a sentence."""

    def __init__(self, played_with: AbstractAsyncContextManager[object]) -> None:
        self.played_with = played_with

    async def __aenter__(self) -> Self:
        await self.played_with.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.played_with.__aexit__(kind, error, trace)

    @abc.abstractmethod
    def settings(self) -> dict[str, Any]:
        """The channel's settings in config/hub.yaml; asked while the stand-in runs."""

    @abc.abstractmethod
    def client(self, hub_url: str, name: str, tag: str, rng: random.Random) -> Client:
        """A new visitor called `name`; `tag` is six letters that no other visitor has."""

    @abc.abstractmethod
    def join(self, hub_url: str) -> None:
        """The hub is up: the platform gets to know where, if it calls the hub."""

    @abc.abstractmethod
    def trouble(self) -> None:
        """From now on the platform does what platforms do at times, and what must do no harm."""

    def page(self, hub_url: str) -> str:
        """The address of a page on which a person can be a visitor; empty: there is none."""
        return ""


def names() -> tuple[str, ...]:
    """All channels that can be played here, HUBS_OWN first."""
    modules = (module.name for module in pkgutil.iter_modules(__path__))
    present = [name for name in modules if importlib.util.find_spec(f"connectors.{name}")]
    return tuple(sorted(present, key=lambda name: (name != HUBS_OWN, name)))


def find(name: str) -> Channel:
    """The channel of that name. Raises HubError when a package is missing that its stand-in needs."""
    try:
        found: Callable[[], Channel] = importlib.import_module(f"{__name__}.{name}").CHANNEL
    except ModuleNotFoundError as error:
        raise HubError(f"{error.name} is missing, which the demo's {name} needs: make setup installs it") from None
    return found()
