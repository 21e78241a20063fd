"""An agent with ways that change and fail, and the real conversations they have: no message is lost on the way."""

import random
from collections import defaultdict, deque

import msgspec
import pytest

from hub.domain import agent, conversation
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.commands import AnyCommand, Origin
from hub.domain.conversation import Conversation
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Judgement, Profile
from hub.domain.refusals import Refusal, Repeated
from hub.domain.teams import AgentSettings
from tests.domain.agent.test_entity import ME, NOON
from tests.domain.agent.test_ways import DESK_WAY, EMAIL, OFF_DUTY, UNREAD, WANG, WECOM

POLICIES = [
    (DESK_WAY, OFF_DUTY, UNREAD, WECOM), (DESK_WAY, WECOM, EMAIL), (WECOM, EMAIL), (EMAIL, WECOM), (DESK_WAY, EMAIL),
    (UNREAD, WECOM),
]  # fmt: skip
STEPS = 400


class World:
    """The agent, three conversations, and what is relayed between them: in order from each, at any moment."""

    def __init__(self, seed: int) -> None:
        self.random, self.now_ms = random.Random(seed), NOON
        self.agent = agent.new(ME)
        self.threads: dict[str, Conversation] = {}
        self.pipes: defaultdict[tuple[str, str], deque[tuple[AnyCommand, Origin]]] = defaultdict(deque)
        self.relayed = 0
        self.call: e.Attempted | None = None
        self.shown: list[e.Attempted] = []
        self.changes = self.failures = self.fresh = 0
        self.tell(c.ConfigureAgent(self.settings(), handover_s=0))
        self.tell(c.SetDuty(ME, True))
        for no in (1, 2, 3):
            thread = conversation.new(f"c{no}-x")
            self.threads[thread.id] = thread
            self.post(thread)
            self.assign(thread)

    def settings(self) -> AgentSettings:
        policy = self.random.choice(POLICIES)
        first = next(way for way in policy if way.channel != "desk")
        return msgspec.structs.replace(
            WANG, ways=policy, channel=first.channel, address=first.address, limits=first.limits
        )

    # --- the engine --------------------------------------------------------------------------------------------------

    def tell(self, command: AnyCommand, origin: Origin | None = None) -> None:
        try:
            events = agent.decide(self.agent, command, origin, self.now_ms)
        except (Refusal, Repeated):
            return
        for event in events:
            record = Record(ME, self.agent.seq + 1, 0, self.now_ms, event)
            agent.evolve(self.agent, record, origin)
            self.relay(record, agent.reactions(record))
            self.note(event)

    def ask(self, thread: Conversation, command: AnyCommand, origin: Origin | None = None) -> None:
        try:
            events = conversation.decide(thread, command, origin, self.now_ms)
        except (Refusal, Repeated):
            return
        for event in events:
            record = Record(thread.id, thread.seq + 1, thread.visitor_seq, self.now_ms, event)
            conversation.evolve(thread, record, origin)
            self.relay(record, conversation.reactions(record))

    def relay(self, record: Record, reactions: list[tuple[str, AnyCommand]]) -> None:
        for entity, command in reactions:
            self.relayed += 1
            partition = 9 if record.entity == ME else int(record.entity[1])
            self.pipes[record.entity, entity].append((command, Origin(partition, 1, self.relayed, 0)))

    def pump(self) -> bool:
        """One relayed command arrives; whether there was one."""
        waiting = [pipe for pipe, commands in self.pipes.items() if commands]
        if not waiting:
            return False
        source, target = self.random.choice(waiting)
        command, origin = self.pipes[source, target].popleft()
        if target == ME:
            self.tell(command, origin)
        elif target in self.threads:
            self.ask(self.threads[target], command, origin)
        else:
            assert target in (QUEUE_ID, "a3-zhao")
        return True

    def note(self, event: AnyEvent) -> None:
        if isinstance(event, e.Attempted):
            self.call = event
        if isinstance(event, e.ServingStopped):
            self.fresh = self.agent.attempts
        self.changes += isinstance(event, e.WayChosen)
        self.failures += isinstance(event, e.WayFailed)

    # --- what happens ------------------------------------------------------------------------------------------------

    def post(self, thread: Conversation) -> None:
        n = thread.tabs["t"].n + 1 if "t" in thread.tabs else 1
        text = f"{thread.id}-{n}"
        self.ask(thread, c.PostMessage("t", n, text, Profile("h5"), Judgement(text)))

    def assign(self, thread: Conversation) -> None:
        """As the queue does, which knows of a phone and not of ways."""
        self.ask(thread, c.Assign(ME, "小王", int(thread.id[1]), "sales", True), Origin(0, 1, self.next(), 0))

    def next(self) -> int:
        self.relayed += 1
        return self.relayed

    def tick(self) -> None:
        due = agent.next_due(self.agent)
        if due is not None and due <= self.now_ms:
            self.tell(c.Tick())

    def verdict(self, kind: str, unreachable: bool = False) -> None:
        if self.call is None:
            return
        call, self.call = self.call, None
        if kind == "sent":
            self.shown.append(call)
        at = self.now_ms + 1000 if kind == "retry" else 0
        self.tell(c.RecordVerdict(call.attempt, kind, "x", retry_at_ms=at, unreachable=unreachable))  # type: ignore[arg-type]

    def step(self) -> None:
        thread = self.random.choice(list(self.threads.values()))
        match self.random.randrange(16):
            case 0 | 1 | 2:
                self.post(thread)
            case 3 | 4 | 5 | 6:
                self.pump()
            case 7 | 8:
                self.tick()
            case 9:
                self.now_ms += self.random.choice((1, 1000, 60_000, 700_000))
            case 10 | 11:
                self.verdict("sent")
            case 12:
                self.verdict(*self.random.choice((("retry", False), ("refused", True))))
            case 13:
                until_ms = self.now_ms + 150_000 if self.random.random() < 0.7 else 0
                self.tell(c.SetDesk(self.random.choice("ab"), until_ms))
            case 14:
                self.tell(c.SetDuty(ME, self.random.random() < 0.6))
            case 15:
                self.rare(thread)

    def rare(self, thread: Conversation) -> None:
        match self.random.randrange(5):
            case 0:
                self.tell(c.ConfigureAgent(self.settings(), handover_s=0))
            case 1:
                self.tell(c.MarkRead(thread.id, self.random.randint(1, thread.seq)))
            case 2:
                self.tell(c.ReceiveText(f"m{self.next()}", "好", self.now_ms, channel="email", conversation=thread.id))
            case 3:
                self.ask(thread, c.AnswerMessage(ME, "好", "d", self.next()))
            case 4 if thread.stage != "served":
                self.assign(thread)

    def settle(self) -> None:
        """Everybody looks at last, and nothing fails any more."""
        self.now_ms += 3_700_000
        self.tell(c.SetDuty(ME, True))
        for _ in range(5000):
            self.verdict("sent")
            if self.pump():
                continue
            if waiting := [one for one in self.threads.values() if one.stage != "served"]:
                self.assign(waiting[0])
                continue
            due = agent.next_due(self.agent)
            if due is None or due > self.now_ms + 3_600_000:
                return
            self.now_ms = max(self.now_ms, due)
            self.tell(c.Tick())
        raise AssertionError("it comes to no rest")

    def check(self) -> None:
        """What nobody has answered or read stands on the phone that is in force, once."""
        assert not self.agent.at_desk
        here = [one for one in self.shown if one.attempt > self.agent.since]
        shown = [place for one in here for place in one.carries]
        once = [place for one in here if one.attempt > self.fresh for place in one.carries]
        assert len(once) == len(set(once)), "but for those that went and came back, each stands there once"
        for thread in self.threads.values():
            served = self.agent.serving[thread.id]
            assert thread.phone
            wanted = {(thread.id, line.seq) for line in thread.backlog.messages() if line.seq > served.read}
            assert wanted <= set(shown), (thread.id, wanted - set(shown))


@pytest.mark.parametrize("seed", range(400))
def test_what_is_not_answered_stands_on_the_way_in_force(seed: int) -> None:
    world = World(seed)
    for _ in range(STEPS):
        world.step()
    world.settle()
    world.check()


def test_the_walks_meet_changes_and_failures() -> None:
    worlds = [World(seed) for seed in range(10)]
    for world in worlds:
        for _ in range(STEPS):
            world.step()
    assert sum(world.changes for world in worlds) > 50
    assert sum(world.failures for world in worlds) > 5
