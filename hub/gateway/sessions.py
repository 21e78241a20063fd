"""Who watches what on this worker: carries out what sockets ask of the engine, and hands its events to sockets."""

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from hub.domain.ids import partition_of
from hub.domain.views import Audience
from hub.engine.calls import UNAVAILABLE, Calls, Denied, Outcome, Page
from hub.gateway import codes
from hub.gateway.door import Door
from hub.gateway.frames import Serving, encode, text_frame
from hub.gateway.heartbeat import PING_EVERY_S, TICK_S, Wheel
from hub.gateway.in_flight import Flow
from hub.gateway.protocol import Close, Enter, Fetch, Reply, Signal, Submit, audience_of, first_page
from hub.gateway.tokens import AgentIdentity, Identity, Tokens, Visitor
from hub.media.links import Claim

if TYPE_CHECKING:
    from hub.gateway.socket import Socket

WATCH_AGAIN_S = 30.0
RETRY_S = 1.0
"""After an owner could not be reached."""
WATCHES_A_TICK = 200
"""After a change of owner so many are watched again in one sweep; more would hold up the loop."""
MAX_WAITING_BYTES, ALL_WAITING_BYTES = 1 << 20, 64 << 20
"""So much may wait to be read by one socket, and by all of a worker."""
COMMANDS_A_TURN = 64
"""So many commands are carried out in one turn of the loop: hundreds of sockets may be readable in one, and to serve
all of them would hold up everything else."""
PAGES_AT_ONCE = 8
"""So many first pages of an agent's conversations are asked for at a time."""


class Watch:
    """An entity that sockets of this worker watch as one audience."""

    __slots__ = ("audience", "entity", "epoch", "partition", "seq", "serving", "slot", "sockets")

    def __init__(self, entity: str, audience: Audience) -> None:
        self.entity = entity
        self.audience = audience
        self.partition = partition_of(entity)
        self.epoch = 0
        self.seq = 0
        """The last seq that was pushed, or lay in the first welcome."""
        self.sockets: list[Socket] = []
        self.serving: set[str] | None = None
        """Of an agent entity: the conversations that are theirs."""
        self.slot = -1


class Desk:
    """An agent's socket: the conversations whose first page it still has to get."""

    __slots__ = ("asked", "asking", "epoch", "seen", "to_show")

    def __init__(self, seen: dict[str, int], epoch: int) -> None:
        self.seen = seen
        self.epoch = epoch
        self.to_show: list[str] = []
        self.asked = 0
        self.asking = False


class Sessions:
    """All sockets of one worker; the engine's Pushes. `now_s` is the time of day, `jitter` gives 0 ≤ x < 1."""

    def __init__(
        self, tokens: Tokens, *, now_s: Callable[[], float] = time.time, jitter: Callable[[], float] = random.random
    ) -> None:
        self.wheel: Wheel[Socket] = Wheel()
        self.door = Door()
        self.slow = 0
        """So many sockets read more slowly than they are written to."""
        self._flows: defaultdict[int, Flow] = defaultdict(Flow)
        """By partition."""
        self._again: Wheel[Watch] = Wheel()
        self._watches: dict[Audience, dict[str, Watch]] = {"visitor": {}, "agent": {}}
        self._tokens, self._now_s, self._jitter = tokens, now_s, jitter
        self._calls: Calls
        self._sweeper: asyncio.TimerHandle | None = None
        self._carried_out = 0
        """Commands, in this turn of the loop."""
        self._put_off: deque[Callable[[], None]] = deque()
        """Commands for the next turns."""
        self._pushed: list[Socket] = []

    def start(self, calls: Calls) -> None:
        """Begin the sweep in the running loop; from now on sockets may come."""
        self._calls = calls
        self._sweeper = asyncio.get_running_loop().call_later(TICK_S, self._sweep)

    def stop(self) -> None:
        """End the sweep. The sockets are uvicorn's to close."""
        if self._sweeper is not None:
            self._sweeper.cancel()

    def _sweep(self) -> None:
        self._sweeper = asyncio.get_running_loop().call_later(TICK_S, self._sweep)
        self.sweep()

    def sweep(self) -> None:
        """One step of the wheels: pings, time-outs, and watches that are renewed."""
        now_s = self._now_s()
        for socket in self.wheel.turn():
            socket.due(now_s)
        for watch in self._again.turn():
            self._watch_again(watch)
        for partition, flow in list(self._flows.items()):
            flow.pass_s(TICK_S)
            if not flow.bytes:
                del self._flows[partition]

    # --- what a socket says ------------------------------------------------------------------------------------------

    def received(self, socket: "Socket", data: bytes) -> None:
        """Carry out what a text frame asks for."""
        action = socket.session.receive(data, self._read_token, self._read_claim)
        if type(action) is Submit:  # nearly every frame is one of these
            self._submit(socket, action, len(data))
            return
        match action:
            case Reply(frame=frame):
                socket.send(frame)
            case Signal(entity=entity, audience=audience, frame=frame):
                self._calls.signal(entity, audience, frame)
            case Fetch(entity=entity, audience=audience, after=after, before=before):
                paged = partial(self._paged, socket, entity, after, before)
                self._calls.page(entity, audience, after, before, paged)
            case Enter() as enter:
                self._enter(socket, enter)
            case Close(code=code, reason=reason):
                socket.close(code, reason)

    def _submit(self, socket: "Socket", submit: Submit, size: int) -> None:
        entity = submit.entity
        flow = self._flows[partition_of(entity)]
        refusal = flow.refusal()
        if refusal:
            socket.send(socket.session.answered(submit.id, entity, Outcome(denied=Denied(UNAVAILABLE, refusal))))
        else:
            answered = partial(self._answered, socket, entity, submit.id, flow, flow.add(size))
            if self._carried_out < COMMANDS_A_TURN and not self._put_off:
                if not self._carried_out:
                    asyncio.get_running_loop().call_soon(self._next_turn)
                self._carried_out += 1
                self._calls.submit(entity, submit.command, answered, socket)
            else:
                self._put_off.append(partial(self._calls.submit, entity, submit.command, answered, socket))

    def _next_turn(self) -> None:
        """Carry out what was put off before anything new; nothing overtakes."""
        self._carried_out = min(COMMANDS_A_TURN, len(self._put_off))
        if self._carried_out:  # first of all: a command that fails must not hold up those behind it
            asyncio.get_running_loop().call_soon(self._next_turn)
        for _ in range(self._carried_out):
            self._put_off.popleft()()

    @property
    def patience_bytes(self) -> int:
        """So much may wait for a slow reader before it is let go of: less, the more of them there are."""
        return min(MAX_WAITING_BYTES, ALL_WAITING_BYTES // max(1, self.slow))

    def resumed(self, socket: "Socket") -> None:
        """The socket can be written to again."""
        if socket.desk is not None:
            self._show_more(socket, socket.desk)

    def end_logins(self) -> None:
        """Passwords or agents have changed: close the desks whose tokens are good no more."""
        desks = [socket for watch in self._watches["agent"].values() for socket in watch.sockets if socket.desk]
        for socket in dict.fromkeys(desks):
            identity = socket.session.identity
            if isinstance(identity, AgentIdentity) and (because := self._tokens.ended(identity)):
                socket.close(codes.TOKEN_EXPIRED, because)

    def left(self, socket: "Socket") -> None:
        """The socket is closed: it watches nothing any more. May be said twice."""
        watches, socket.watches, socket.desk = socket.watches, [], None
        for watch in watches:
            self._unwatch(socket, watch)

    def _read_claim(self, text: str) -> Claim:
        return self._tokens.read_claim(text, self._now_s())

    def _read_token(self, token: str) -> Identity:
        return self._tokens.read(token, self._now_s())

    def _answered(self, socket: "Socket", entity: str, id: str, flow: Flow, cost: int, outcome: Outcome) -> None:
        flow.done(cost, given_up=outcome.denied is not None and outcome.denied.code == UNAVAILABLE)
        if socket.session.phase != "closed":
            socket.send(socket.session.answered(id, entity, outcome))

    def _paged(self, socket: "Socket", entity: str, after: int, before: int, page: Page | Denied) -> None:
        if socket.session.phase != "closed":
            socket.send(socket.session.paged(entity, after, before, page))

    # --- hello -------------------------------------------------------------------------------------------------------

    def _enter(self, socket: "Socket", enter: Enter) -> None:
        identity = enter.identity
        audience = audience_of(identity)
        socket.early = []
        self.wheel.put(socket, self._jitter() * PING_EVERY_S)
        if isinstance(identity, Visitor):
            entity, after = identity.conversation, enter.seq
        else:
            entity, after = identity.agent, 0
            socket.desk = Desk(enter.seen, enter.epoch)
        watch = self._watch(socket, entity, audience)
        if socket.desk is not None:
            watch.serving = set() if watch.serving is None else watch.serving
            socket.session.serving = watch.serving
        self._ask(watch, after, enter.epoch, partial(self._welcome, socket, watch))

    def _welcome(self, socket: "Socket", watch: Watch, page: Page | Denied) -> None:
        if socket.session.phase == "closed":
            return
        if isinstance(page, Denied):
            socket.close(codes.BAD_TOKEN if page.code == "not_found" else codes.LET_GO, page.message)
            return
        self._note_page(watch, page)
        if socket.desk is not None:
            self._note_serving(watch, page)  # for the agent's other sockets; this one learns it from the welcome
        socket.welcome(socket.session.welcomed(page))
        if socket.desk is not None:
            socket.desk.to_show = list(page.serving)
            self._show_more(socket, socket.desk)

    # --- an agent's conversations ------------------------------------------------------------------------------------

    def _show_more(self, socket: "Socket", desk: Desk) -> None:
        """Ask for first pages, a few at a time, and none while the client has not read what it got."""
        if desk.asking:  # an answer came at once, in the loop below
            return
        desk.asking = True
        while desk.to_show and desk.asked < PAGES_AT_ONCE and not socket.paused:
            conversation = desk.to_show.pop(0)
            desk.asked += 1
            after = desk.seen.get(conversation, 0)
            watch = self._watch(socket, conversation, "agent")
            shown = partial(self._show, socket, desk, watch, after)
            self._ask(watch, after, desk.epoch if after else 0, shown)
        desk.asking = False

    def _show(self, socket: "Socket", desk: Desk, watch: Watch, after: int, page: Page | Denied) -> None:
        desk.asked -= 1
        if socket.desk is not desk:
            return
        if watch in socket.watches:  # else the conversation is somebody else's by now
            if isinstance(page, Denied):
                self._again.put(watch, RETRY_S)  # what it lacks is then pushed
            else:
                self._note_page(watch, page)
                socket.send(first_page(page, after))
        self._show_more(socket, desk)

    def _note_serving(self, agent: Watch, page: Page) -> None:
        """Make what we know of an agent's conversations what the page says."""
        known = agent.serving or set()
        for conversation in known.difference(page.serving):
            self.serving(agent.entity, conversation, False)
        for conversation in page.serving:
            if conversation not in known:
                self.serving(agent.entity, conversation, True)

    # --- watching ----------------------------------------------------------------------------------------------------

    def _watch(self, socket: "Socket", entity: str, audience: Audience) -> Watch:
        watches = self._watches[audience]
        watch = watches.get(entity)
        if watch is None:
            watch = watches[entity] = Watch(entity, audience)
            self._again.put(watch, WATCH_AGAIN_S * (1 + self._jitter()) / 2)
        if socket not in watch.sockets:
            watch.sockets.append(socket)
            socket.watches.append(watch)
        return watch

    def _unwatch(self, socket: "Socket", watch: Watch) -> None:
        watch.sockets.remove(socket)
        if not watch.sockets:
            del self._watches[watch.audience][watch.entity]
            self._again.drop(watch)
            self._calls.unwatch(watch.entity, watch.audience)

    def _watch_again(self, watch: Watch) -> None:
        self._again.put(watch, WATCH_AGAIN_S)
        self._ask(watch, watch.seq, watch.epoch, partial(self._catch_up, watch))

    def _ask(self, watch: Watch, after: int, epoch: int, done: Callable[[Page | Denied], None]) -> None:
        """Have the owner push what the watch is about; `done` hears what came after `after`."""
        self._calls.watch(watch.entity, watch.audience, after, epoch, partial(self._told, watch, done))

    def _told(self, watch: Watch, done: Callable[[Page | Denied], None], page: Page | Denied) -> None:
        if watch.entity not in self._watches[watch.audience]:
            self._calls.unwatch(watch.entity, watch.audience)  # a watch that ends before its commit is noted after it
        done(page)

    def _catch_up(self, watch: Watch, page: Page | Denied) -> None:
        """Hand to all sockets what they may have missed; what they have they ignore."""
        if not watch.sockets:
            return
        if isinstance(page, Denied):
            self._again.put(watch, RETRY_S if page.code == UNAVAILABLE else WATCH_AGAIN_S)
        elif watch.epoch and not page.resumed:
            for socket in list(watch.sockets):
                socket.close(codes.LET_GO, "the log has begun anew")
        else:
            for frame in page.frames:
                data = text_frame(bytes(frame))
                for socket in list(watch.sockets):
                    socket.write(data)
            watch.epoch, watch.seq = page.epoch, max(watch.seq, page.seq)
            if watch.serving is not None:
                self._note_serving(watch, page)

    def _note_page(self, watch: Watch, page: Page) -> None:
        """The first page says from where on pushes count; later ones are one socket's own."""
        if not watch.epoch:
            watch.epoch, watch.seq = page.epoch, max(watch.seq, page.seq)

    # --- Pushes: what the engine says --------------------------------------------------------------------------------

    def push(self, entity: str, audience: Audience, seq: int, frame: bytes, but: object) -> None:
        """A committed event's frame for all sockets that watch the entity as `audience`, except the socket `but`."""
        watch = self._watches[audience].get(entity)
        if watch is None:
            return
        watch.seq = max(watch.seq, seq)
        data = text_frame(frame)
        for socket in watch.sockets:
            if socket is not but:
                socket.push(data)

    def pushed(self, socket: "Socket") -> None:
        """The socket has something to send at the end of this turn of the loop."""
        if not self._pushed:
            asyncio.get_running_loop().call_soon(self.flush)
        self._pushed.append(socket)

    def flush(self) -> None:
        """Send what was pushed in this turn of the loop."""
        sockets, self._pushed = self._pushed, []
        for socket in sockets:
            socket.flush()

    def skip(self, entity: str, audience: Audience, seq: int, but: object) -> bool:
        """As hub.engine.calls.Pushes: most visitors have one socket, and hear of their own message by its ack."""
        watch = self._watches[audience].get(entity)
        if watch is None or len(watch.sockets) != 1 or watch.sockets[0] is not but:
            return False
        watch.seq = max(watch.seq, seq)
        return True

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        """A frame that takes no seq (typing, read) for the sockets of `audience`."""
        watch = self._watches[audience].get(entity)
        if watch is not None:
            data = text_frame(frame)
            for socket in watch.sockets[:]:
                socket.write(data)

    def serving(self, agent: str, conversation: str, on: bool) -> None:
        """A conversation became this agent's, or stopped being theirs."""
        watch = self._watches["agent"].get(agent)
        if watch is None or watch.serving is None or (conversation in watch.serving) == on:
            return
        (watch.serving.add if on else watch.serving.discard)(conversation)
        data = text_frame(encode(Serving(conversation, on)))
        for socket in watch.sockets[:]:
            if socket.session.phase == "open":
                socket.write(data)
            if socket.session.phase == "open" and socket.desk is not None:  # not closed by the write
                if on:
                    socket.desk.to_show.append(conversation)
                    self._show_more(socket, socket.desk)
                else:
                    self._hide(socket, socket.desk, conversation)

    def _hide(self, socket: "Socket", desk: Desk, conversation: str) -> None:
        desk.to_show = [waiting for waiting in desk.to_show if waiting != conversation]
        watch = self._watches["agent"].get(conversation)
        if watch is not None and watch in socket.watches:
            socket.watches.remove(watch)
            self._unwatch(socket, watch)

    def owner_changed(self, partition: int) -> None:
        """A new owner has taken the partition: watch again all that lives there."""
        self._flows.pop(partition, None)  # what the owner before has not answered does not hold up the new one
        found = [w for watches in self._watches.values() for w in watches.values() if w.partition == partition]
        for place, watch in enumerate(found):
            self._again.put(watch, TICK_S * (place // WATCHES_A_TICK))
