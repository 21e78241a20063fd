"""What the stand-ins of all channels have in common: faults, work in the background, waiting for news, pages.

    class ShopSandbox(StandIn[Faults]):
        def app(self) -> Litestar: …                    # served on loopback from `async with` on

Whatever waits ends when the stand-in ends.
"""

import abc
import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Generator, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec
from litestar import Litestar, Response, patch
from litestar.exceptions import ClientException
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from hub.kit.serving import serving

LONGEST_WAIT_S = 25.0
"""For news, over HTTP: browsers and proxies give up later."""
_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors http://127.0.0.1:* http://localhost:*"
)

F = TypeVar("F", bound=msgspec.Struct)
T = TypeVar("T")


class StandIn(abc.ABC, Generic[F]):
    """A platform on loopback. `faults` are its switches, `url` its base URL while it runs; port 0 takes a free one."""

    def __init__(self, faults: F, port: int = 0) -> None:
        self.faults = faults
        self.url = ""
        self.stopping = asyncio.Event()
        self._port = port
        self._news: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._tasks: set[asyncio.Task[Any]] = set()

    @abc.abstractmethod
    def app(self) -> Litestar:
        """What is served at `url`."""

    async def open(self, stack: contextlib.AsyncExitStack) -> None:
        """Open what it needs besides, and put it on `stack`, which closes it when nothing runs any more."""

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            await self.open(stack)
            self.url = await stack.enter_async_context(serving(self.app(), self._port))
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.wake()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._open.aclose()

    # --- faults ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def faulty(self, **switches: Any) -> Generator[None, None, None]:
        """`with shop.faulty(slow_s=2): …`, the names being those of its Faults; put back at the end."""
        before = {name: getattr(self.faults, name, None) for name in switches}
        self.switch(switches)
        try:
            yield
        finally:
            self.switch(before)

    def switch(self, switches: Mapping[str, Any]) -> None:
        """Set some of the faults; ValueError for a name or value that is none, and then none is set."""
        names = self.faults.__struct_fields__
        unknown = switches.keys() - set(names)
        if unknown:
            raise ValueError(f"no fault is called {', '.join(sorted(unknown))}: {', '.join(names)}")
        checked = msgspec.convert({**msgspec.to_builtins(self.faults), **switches}, type(self.faults))
        for name in switches:
            setattr(self.faults, name, getattr(checked, name))

    # --- time --------------------------------------------------------------------------------------------------------

    def begin(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Do it in the background; what is not done at the end is given up."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settled(self) -> None:
        """Return when nothing is done in the background any more."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def pause(self, seconds: float) -> None:
        """Wait, but not longer than the stand-in runs."""
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.stopping.wait()

    def news(self, key: str) -> asyncio.Event:
        """What is set by the next `ring` for `key`."""
        return self._news[key]

    def ring(self, key: str) -> None:
        """Wake all who wait for news of `key`."""
        self._news.pop(key, asyncio.Event()).set()

    def wake(self) -> None:
        """Wake all who wait for any news."""
        for key in list(self._news):
            self.ring(key)

    async def until(self, ready: Callable[[], bool], wait_s: float, key: str = "") -> None:
        """Wait for news of `key` until `ready`, but not longer than `wait_s` seconds, nor than the stand-in runs."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(wait_s, 0)):
                while not (ready() or self.stopping.is_set()):
                    await self.news(key).wait()


P = TypeVar("P", bound=StandIn[Any])


class PlayedBy(Generic[P]):
    """A far side of the kit (hub.kit.far_side) that a stand-in plays, by a clock that can be set.

        class ShopFarSide(PlayedBy[ShopSandbox]):
            def __init__(self) -> None:
                super().__init__(lambda now: ShopSandbox(now=now))

    `make` makes the stand-in, whose clock gives seconds.
    """

    def __init__(self, make: Callable[[Callable[[], float]], P]) -> None:
        self._offset_s = 0.0
        self.stand_in = make(self.now)

    async def __aenter__(self) -> Self:
        await self.stand_in.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stand_in.__aexit__(kind, error, trace)

    @property
    def url(self) -> str:
        """As hub.kit.far_side.FarSide."""
        return self.stand_in.url

    def step(self, seconds: float) -> None:
        """As hub.kit.far_side.FarSide."""
        self._offset_s += seconds

    def now(self) -> float:
        """The platform's time, in Unix seconds."""
        return time.time() + self._offset_s


def switchboard(stand_in: StandIn[Any]) -> HTTPRouteHandler:
    """PATCH /faults: a JSON object of switches; gives all of them. 400 for a name or value that is none."""

    @patch("/faults")
    async def switch(data: JSONBody[dict[str, Any]]) -> Response[Any]:
        try:
            stand_in.switch(data)
        except ValueError as error:
            raise ClientException(str(error)) from error
        return Response(msgspec.to_builtins(stand_in.faults))

    return switch


def page(content: bytes, media_type: str, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A page for people, or what belongs to it: it loads nothing but its own, and may stand in a frame on loopback."""
    fixed = {"content-security-policy": _CSP, "x-content-type-options": "nosniff", "cache-control": "no-cache"}
    return Response(content, media_type=media_type, headers=fixed | dict(headers or {}))
