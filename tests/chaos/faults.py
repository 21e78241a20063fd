"""What is done to a hub. Each fault strikes while texts are in flight, proves that it has bitten, and heals itself."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from tests.chaos import stepped
from tests.chaos.ledger import Ledger, now_ms
from tests.chaos.phones import StandIn
from tests.chaos.processes import Process, until
from tests.chaos.proxy import Proxy
from tests.chaos.schedule import Strike
from tests.chaos.site import HasDatabase, HubNode, Site

T = TypeVar("T")

IN_FLIGHT_WITHIN_S = 10.0
GONE_WITHIN_S, BACK_WITHIN_S = 10.0, 60.0
CUT_SHARE, CUT_EVERY_S = 0.3, 2.0
SLOW_S = 0.7
TYPED_WITHIN_S = 30.0
ZOMBIE_S = 0.5
"""So long a worker that has slept too long is alone."""
CLOCK_READ_S = 4.0
"""So long it may take until a process has read its stepped clock."""
CLOCK_STEPS = ("+3600", "-3600", "+86400", "-300")


class Toothless(Exception):
    """The fault has done nothing: why."""


class Striker:
    """Carries out strikes on one site, and writes down whether each has bitten."""

    def __init__(self, site: Site, ledger: Ledger, stand_in: StandIn | None, say: Callable[[str], None]) -> None:
        self._site, self._ledger, self._stand_in, self._say = site, ledger, stand_in, say
        self._known = {
            "kill_worker": self._kill_worker,
            "stop_worker": self._stop_worker,
            "wake_zombie": self._wake_zombie,
            "kill_node": self._kill_node,
            "stop_node": self._stop_node,
            "kill_nats": self._kill_nats,
            "stop_nats": self._stop_nats,
            "cut_clients": self._cut_clients,
            "slow_clients": self._slow_clients,
        }
        if site.disk is not None:
            self._known["fill_disk"] = self._fill_disk
        if isinstance(site, HasDatabase):
            self._known["restart_postgres"] = partial(self._restart_postgres, site)
        if site.links:
            self._known |= {"cut_nats": self._cut_nats, "slow_nats": self._slow_nats}
        if site.clock is not None:
            self._known["step_clock"] = self._step_clock
        if stand_in is not None:
            self._known["mix_callbacks"] = self._mix_callbacks

    @property
    def names(self) -> tuple[str, ...]:
        """The faults that can be done here."""
        return tuple(self._known)

    async def strike(self, strike: Strike) -> None:
        """Do it, hold it, heal it."""
        await asyncio.sleep(strike.after_s)
        in_flight = await until(lambda: self._ledger.in_flight > 0, IN_FLIGHT_WITHIN_S)
        began, target, why = now_ms(), "", ""
        try:
            if not in_flight:
                raise Toothless("nothing was in flight")
            target = await self._known[strike.name](strike)
        except Toothless as toothless:
            why = str(toothless)
        healed = now_ms()
        if not await until(lambda: self._ledger.acked_at > healed, BACK_WITHIN_S) and not why:
            why = f"nothing was acknowledged for {BACK_WITHIN_S:g} s after it was healed"
        self._ledger.fault(strike.name, target, began, now_ms(), bitten=not why, why=why)
        self._say(f"{strike.name} {target}: {why or 'bitten'}")

    # --- processes ---------------------------------------------------------------------------------------------------

    async def _kill_worker(self, strike: Strike) -> str:
        node, worker = self._some_worker(strike)
        await self._kill([worker])
        await self._back(lambda: worker.pid not in [one.pid for one in node.workers()] and node.workers())
        return f"{node.name} worker {worker.pid}"

    async def _stop_worker(self, strike: Strike) -> str:
        node, worker = self._some_worker(strike)
        await self._stop([worker], max(strike.hold_s, self._site.lease_s + 1))
        return f"{node.name} worker {worker.pid}"

    async def _wake_zombie(self, strike: Strike) -> str:
        """A worker sleeps past its lease, together with its supervisor, who would have killed it; then it wakes up."""
        node, worker = self._some_worker(strike)
        supervisor = node.processes()[0]
        supervisor.signal(signal.SIGSTOP)
        try:
            await self._stop([worker], self._site.lease_s + 3)
            if not worker.state:
                raise Toothless(f"{worker.pid} was killed while it was stopped")
            await asyncio.sleep(ZOMBIE_S)
        finally:
            supervisor.signal(signal.SIGCONT)
        return f"{node.name} worker {worker.pid}"

    async def _kill_node(self, strike: Strike) -> str:
        node = _choose(self._site.nodes, strike)
        processes = node.processes()
        if not processes:
            raise Toothless(f"{node.name} does not run")
        await self._kill(processes)
        await asyncio.sleep(strike.hold_s)
        await node.start()
        await self._back(node.workers)
        return node.name

    async def _stop_node(self, strike: Strike) -> str:
        node = _choose(self._site.nodes, strike)
        processes = node.processes()
        if not processes:
            raise Toothless(f"{node.name} does not run")
        await self._stop(processes, max(strike.hold_s, self._site.lease_s + 1))
        return node.name

    async def _kill_nats(self, strike: Strike) -> str:
        server = _choose(self._site.nats, strike)
        await until(server.process, GONE_WITHIN_S)
        found = server.process()
        if found is None:
            raise Toothless(f"{server.name} does not run")
        await self._kill([found])
        await self._back(server.process)
        return f"{server.name} {found.pid}"

    async def _stop_nats(self, strike: Strike) -> str:
        server = _choose(self._site.nats, strike)
        await until(server.process, GONE_WITHIN_S)
        found = server.process()
        if found is None:
            raise Toothless(f"{server.name} does not run")
        await self._stop([found], strike.hold_s)
        return f"{server.name} {found.pid}"

    def _some_worker(self, strike: Strike) -> tuple[HubNode, Process]:
        workers = [(node, worker) for node in self._site.nodes for worker in node.workers()]
        if not workers:
            raise Toothless("no worker runs")
        return _choose(workers, strike)

    async def _kill(self, processes: Sequence[Process]) -> None:
        """SIGKILL for all of them at once."""
        if not all(one.state for one in processes):
            raise Toothless(f"of {[one.pid for one in processes]} some had ended before")
        for one in processes:
            one.signal(signal.SIGKILL)
        if not await until(lambda: not any(one.state for one in processes), GONE_WITHIN_S):
            raise Toothless(f"{[one.pid for one in processes if one.state]} outlived it")

    async def _stop(self, processes: Sequence[Process], hold_s: float) -> None:
        """SIGSTOP, and SIGCONT for those that nobody has killed meanwhile."""
        for one in processes:
            one.signal(signal.SIGSTOP)
        try:
            if not await until(lambda: all(one.state in ("T", "") for one in processes), 2):
                raise Toothless(f"not stopped: {[(one.pid, one.state) for one in processes]}")
            await asyncio.sleep(hold_s)
        finally:
            for one in processes:
                one.signal(signal.SIGCONT)

    async def _back(self, true: Callable[[], object]) -> None:
        if not await until(true, BACK_WITHIN_S):
            raise Toothless(f"it did not come back within {BACK_WITHIN_S:g} s")

    # --- connections -------------------------------------------------------------------------------------------------

    async def _cut_clients(self, strike: Strike) -> str:
        return await self._cut([self._site.clients], strike.hold_s)

    async def _slow_clients(self, strike: Strike) -> str:
        return await self._slow([self._site.clients], strike.hold_s)

    async def _cut_nats(self, strike: Strike) -> str:
        return await self._cut(self._site.links, strike.hold_s)

    async def _slow_nats(self, strike: Strike) -> str:
        used = [link for link in self._site.links if link.connections]  # a node uses one server at a time
        if not used:
            raise Toothless("no node is connected")
        return await self._slow([_choose(used, strike)], strike.hold_s)

    async def _cut(self, proxies: Sequence[Proxy], hold_s: float) -> str:
        before = sum(proxy.cuts for proxy in proxies), sum(proxy.cuts_inside for proxy in proxies)
        for _ in range(max(1, round(hold_s / CUT_EVERY_S))):
            for proxy in proxies:
                proxy.cut(CUT_SHARE)
            await asyncio.sleep(CUT_EVERY_S)
        cuts, inside = sum(proxy.cuts for proxy in proxies), sum(proxy.cuts_inside for proxy in proxies)
        if cuts == before[0] or inside == before[1]:
            raise Toothless(f"{cuts - before[0]} connections were cut, {inside - before[1]} of them inside a frame")
        return f"{cuts - before[0]} connections, {inside - before[1]} of them inside a frame"

    async def _slow(self, proxies: Sequence[Proxy], hold_s: float) -> str:
        before = sum(proxy.slowed for proxy in proxies)
        for proxy in proxies:
            proxy.delay_s = SLOW_S
        try:
            await asyncio.sleep(hold_s)
        finally:
            for proxy in proxies:
                proxy.delay_s = 0.0
        slowed = sum(proxy.slowed for proxy in proxies) - before
        if not slowed:
            raise Toothless("nothing passed")
        return f"{slowed} pieces of data, {SLOW_S:g} s each"

    # --- disks and the database --------------------------------------------------------------------------------------

    async def _fill_disk(self, strike: Strike) -> str:
        disk = self._site.disk
        assert disk is not None
        await asyncio.to_thread(disk.fill)
        try:
            free = disk.free()
            await asyncio.sleep(strike.hold_s)
        finally:
            disk.clear()
        if free:
            raise Toothless(f"{free} bytes were still free")
        return f"{disk.folder.name}: 0 bytes free"

    async def _restart_postgres(self, site: HasDatabase, strike: Strike) -> str:
        before, after = await site.restart_database(strike.hold_s)
        if not before or not after or before == after:
            raise Toothless(f"PostgreSQL was {before} and is {after}")
        return f"PostgreSQL {before}, then {after}"

    # --- clocks and callbacks ----------------------------------------------------------------------------------------

    async def _step_clock(self, strike: Strike) -> str:
        assert self._site.clock is not None
        step = _choose(CLOCK_STEPS, strike)
        workers = [worker for node in self._site.nodes for worker in node.workers()]
        blind = [worker.pid for worker in workers if not worker.has_loaded(stepped.LIBRARY)]
        if blind:
            raise Toothless(f"{blind} run without faketime")
        self._site.clock.write_text(f"{step}s")
        try:
            await asyncio.sleep(max(strike.hold_s, CLOCK_READ_S))
            off_s = await stepped.off_s(self._site.clock)
        finally:
            self._site.clock.write_text("+0")
        if abs(off_s - int(step)) > CLOCK_READ_S:
            raise Toothless(f"a process with that clock is {off_s:g} s off, not {step} s")
        return f"{step} s"

    async def _mix_callbacks(self, strike: Strike) -> str:
        assert self._stand_in is not None
        known = len(await self._stand_in.callbacks())
        await self._stand_in.switch(duplicate_callbacks=True, reordered_callbacks=True)
        try:
            await asyncio.sleep(strike.hold_s)
            with contextlib.suppress(TimeoutError):  # agents answer now and then
                async with asyncio.timeout(TYPED_WITHIN_S):
                    while not await self._doubled(known):
                        await asyncio.sleep(0.5)
        finally:
            await self._stand_in.switch(duplicate_callbacks=False, reordered_callbacks=False)
        doubled = await self._doubled(known)
        if not doubled:
            raise Toothless("no callback was sent in that time")
        return f"{doubled} callbacks twice, every second one overtaken"

    async def _doubled(self, known: int) -> int:
        assert self._stand_in is not None
        return sum(one["statuses"].count(200) > 1 for one in (await self._stand_in.callbacks())[known:])


def _choose(among: Sequence[T], strike: Strike) -> T:
    return among[strike.target % len(among)]
