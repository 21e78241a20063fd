"""The engine as the gateway and the API see it, in memory: real conversations, no log, no rules."""

from collections.abc import Callable
from typing import Any

import msgspec

from hub.domain import agent, conversation, looks, queue
from hub.domain.commands import AnyCommand, Assign, PostMessage
from hub.domain.events import Assigned, Record
from hub.domain.ids import AGENT, QUEUE_ID, agent_name, kind_of, partition_of
from hub.domain.looks import Question
from hub.domain.messages import Judgement, Profile
from hub.domain.refusals import Refusal
from hub.domain.views import ACKED, Audience, view
from hub.engine.calls import UNAVAILABLE, Denied, Listed, Outcome, Page, Pushes, Seen, Wanted, as_denied
from hub.engine.listing import is_wanted

NOW_MS = 1_764_000_000_000
ZHANG = Profile("h5", name="张三", page="https://shop.example/cart")
PAGE = 50


class FakeCalls:
    """Keeps conversations by the rules of hub.domain and pushes what happens to those who watch.

    `away`: no owner can be reached. `hold`: answers wait until `release`. A text with "hold" or "block" in it gets
    that status, "secret" is masked.
    """

    def __init__(self) -> None:
        self.pushes: Pushes | None = None
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing has happened yet."""
        self.epoch = 1
        self.away = False
        self.hold = False
        self.watching: set[tuple[str, Audience]] = set()
        self.commands: list[tuple[str, AnyCommand]] = []
        self.asked_to_watch: list[tuple[str, Audience, int, int]] = []
        self.serves: dict[str, set[str]] = {}
        self.queue = queue.new(QUEUE_ID)
        self.agents: dict[str, Any] = {}
        self._states: dict[str, Any] = {}
        self._records: dict[str, list[Record]] = {}
        self._held: list[Callable[[], None]] = []

    # --- Calls -------------------------------------------------------------------------------------------------------

    def submit(self, entity: str, command: AnyCommand, done: Callable[[Outcome], None], sender: object = None) -> None:
        self.commands.append((entity, command))
        if self.away:
            self._say(done, Outcome(denied=Denied(UNAVAILABLE, "no owner answers")))
            return
        if kind_of(entity) not in "cpq":
            self._say(done, Outcome())
            return
        if isinstance(command, PostMessage):
            command = msgspec.structs.replace(command, judgement=judge(command.text))
        try:
            records = self.tell_queue(command) if entity == QUEUE_ID else self._carry_out(entity, command)
        except Refusal as refusal:
            self._say(done, Outcome(denied=as_denied(refusal)))
            return
        self._say(done, Outcome(tuple(records)))
        self._push(records, sender)

    def watch(
        self, entity: str, audience: Audience, after: int, epoch: int, done: Callable[[Page | Denied], None]
    ) -> None:
        self.asked_to_watch.append((entity, audience, after, epoch))
        if self.away:
            self._say(done, Denied(UNAVAILABLE, "no owner answers"))
            return
        frames = self._frames(entity, audience)
        last = frames[-1][0] if frames else 0
        resumed = after <= last and epoch in (0, self.epoch)
        wanted = [frame for frame in frames if frame[0] > (after if resumed else 0)]
        tabs = {name: tab.n for name, tab in self._state(entity).tabs.items() if "/" not in name}
        page = Page(
            entity,
            self.epoch,
            last,
            tuple(msgspec.Raw(data) for _, data in wanted[-PAGE:]),
            resumed,
            len(wanted) > PAGE,
            tabs,
            tuple(sorted(self.serves.get(entity, ()))),
        )

        def committed(page: Page | Denied) -> None:
            self.watching.add((entity, audience))
            done(page)

        self._say(committed, page)

    def unwatch(self, entity: str, audience: Audience) -> None:
        self.watching.discard((entity, audience))

    def page(
        self, entity: str, audience: Audience, after: int, before: int, done: Callable[[Page | Denied], None]
    ) -> None:
        if self.away:
            self._say(done, Denied(UNAVAILABLE, "no owner answers"))
            return
        frames = self._frames(entity, audience)
        wanted = [data for seq, data in frames if after < seq < before]
        self._say(
            done,
            Page(
                entity,
                self.epoch,
                frames[-1][0] if frames else 0,
                tuple(map(msgspec.Raw, wanted[-PAGE:])),
                more=len(wanted) > PAGE,
                serving=tuple(sorted(self.serves.get(entity, ()))),
            ),
        )

    def look(self, entity: str, question: Question, done: Callable[[Seen | Denied], None]) -> None:
        if self.away:
            self._say(done, Denied(UNAVAILABLE, "no owner answers"))
            return
        try:
            if entity == QUEUE_ID:
                answer = looks.at_queue(self.queue, question, NOW_MS)
            elif kind_of(entity) == AGENT:
                answer = looks.at_agent(self.agents.setdefault(entity, agent.new(entity)), question, NOW_MS)
            else:
                answer = looks.at_conversation(self._state(entity), question, NOW_MS)
        except Refusal as refusal:
            self._say(done, as_denied(refusal))
            return
        self._say(done, Seen(answer))

    def queued(self, entity: str, wanted: Wanted, done: Callable[[Listed | Denied], None]) -> None:
        if self.away:
            self._say(done, Denied(UNAVAILABLE, "no owner answers"))
            return
        waiting = [
            one
            for states, queued in ((self._states, conversation.queued), (self.agents, agent.queued))
            for state in states.values()
            for one in queued(state, NOW_MS)
            if entity in ("", one.entity) and is_wanted(one, wanted)
        ]
        listed = sorted(waiting, reverse=True)
        self._say(done, Listed(tuple(listed[: wanted.limit]), len(listed) > wanted.limit))

    def signal(self, entity: str, audience: Audience, frame: bytes) -> None:
        if self.pushes and (entity, audience) in self.watching:
            self.pushes.signal(entity, audience, frame)

    # --- what else happens in a hub ----------------------------------------------------------------------------------

    def post(self, entity: str, text: str, tab: str = "other", *, lost: bool = False) -> None:
        """The visitor writes from elsewhere; `lost`: the push of it does not arrive."""
        n = self._state(entity).tabs[tab].n + 1 if tab in self._state(entity).tabs else 1
        records = self._carry_out(entity, PostMessage(tab, n, text, ZHANG, judge(text)))
        if not lost:
            self._push(records, None)

    def assign(self, entity: str, agent: str, *, told: bool = True) -> None:
        """The queue gives the conversation to `agent`; `told`: their sockets hear of it at once."""
        records = self._carry_out(entity, Assign(agent, agent_name(agent), 12, "sales", False))
        self.serves.setdefault(agent, set()).add(entity)
        self._push(records, None)
        if told and self.pushes and (agent, "agent") in self.watching:
            self.pushes.serving(agent, entity, True)

    def tell_queue(self, command: AnyCommand) -> list[Record]:
        """The real queue decides, and conversations hear of it."""
        records = []
        for event in queue.decide(self.queue, command, None, NOW_MS):
            record = Record(QUEUE_ID, self.queue.seq + 1, self.queue.seq, NOW_MS, event)
            queue.evolve(self.queue, record)
            records.append(record)
            for entity, called in queue.reactions(record):
                if kind_of(entity) in "cp":
                    self.carry_out(entity, called)
        return records

    def take_away(self, entity: str, agent: str) -> None:
        """The agent does not have it any more."""
        self.serves[agent].discard(entity)
        assert self.pushes
        self.pushes.serving(agent, entity, False)

    def carry_out(self, entity: str, command: AnyCommand) -> None:
        """Something happens, and those who watch hear of it."""
        self._push(self._carry_out(entity, command), None)

    def begin_anew(self, entity: str, lost: int) -> None:
        """The log was repaired: it has a new epoch; its last `lost` events, but no assignment, are gone."""
        self.epoch += 1
        kept = self._records[entity].copy()
        while lost and not isinstance(kept[-1].event, Assigned):
            lost -= bool(kept.pop())
        self._records[entity], self._states[entity] = kept, conversation.new(entity)
        for record in kept:
            conversation.evolve(self._states[entity], record)
        self.watching.clear()
        if self.pushes:
            self.pushes.owner_changed(partition_of(entity))

    def release(self) -> None:
        """Give the answers that were held back, in order."""
        held, self._held = self._held, []
        for say in held:
            say()

    # --- inside ------------------------------------------------------------------------------------------------------

    def _say(self, done: Callable[[Any], None], answer: object) -> None:
        if self.hold:
            self._held.append(lambda: done(answer))
        else:
            done(answer)

    def _state(self, entity: str) -> Any:
        return self._states.setdefault(entity, conversation.new(entity))

    def _carry_out(self, entity: str, command: AnyCommand) -> list[Record]:
        state = self._state(entity)
        records = []
        for event in conversation.decide(state, command, None, NOW_MS):
            record = Record(entity, state.seq + 1, state.visitor_seq, NOW_MS, event)
            conversation.evolve(state, record)
            records.append(record)
        self._records.setdefault(entity, []).extend(records)
        return records

    def _push(self, records: list[Record], sender: object) -> None:
        for record in records:
            for audience in ("visitor", "agent"):
                frame = view(record, audience)
                if frame is not None and self.pushes and (record.entity, audience) in self.watching:
                    but = sender if isinstance(record.event, ACKED) else None
                    if but is not None and self.pushes.skip(record.entity, audience, record.seq, but):
                        continue
                    data = msgspec.json.encode(frame)
                    self.pushes.push(record.entity, audience, record.seq, data, but)

    def _frames(self, entity: str, audience: Audience) -> list[tuple[int, bytes]]:
        views = [(record.seq, view(record, audience)) for record in self._records.get(entity, ())]
        return [(seq, msgspec.json.encode(frame)) for seq, frame in views if frame is not None]


def judge(text: str) -> Judgement:
    """What the rules of this hub say: each word of text that names it is taken at its word."""
    if "secret" in text:
        return Judgement(text.replace("secret", "******"), original=text)
    if "hold" in text or "block" in text:
        return Judgement(text, "held" if "hold" in text else "blocked")
    return Judgement(text)
