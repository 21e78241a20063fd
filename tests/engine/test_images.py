"""An image and the log after it give the same state as the whole log: for random histories, at every cut point."""

import pickle
import random
from collections.abc import Callable, Iterable

import pytest

from hub.domain import commands as c
from hub.domain import ids
from hub.domain.batch import Entry, encode_entry
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import Enqueued, Left, Record
from hub.domain.messages import Judgement, Profile, Status
from hub.domain.refusals import Refusal
from hub.domain.teams import AgentSettings, Team, Teams
from hub.engine.calls import Page
from hub.engine.kinds import kinds
from hub.engine.slots import RECENT, Slot
from tests.domain.agent.world import World

History = list[Entry]
ANN, BOB = "a1-ann", "a2-bob"
TEAMS = Teams(
    "v1",
    "sales",
    (Team("sales", "销售"), Team("refunds", "退款")),
    (
        AgentSettings(ANN, "ann", "小安", ("sales",), 2, "wecom", "Ann"),
        AgentSettings(BOB, "bob", "小波", ("sales", "refunds"), 1),
    ),
)
CONVERSATIONS = [f"c3-{name}" for name in "abcde"]


def replayed(entity: str, history: History) -> Slot:
    slot = Slot(entity, kinds()[ids.kind_of(entity)])
    for entry in history:
        slot.replay(entry, encode_entry(entry))
    return slot


def restore(slot: Slot, image_of: Slot) -> None:
    for _ in slot.restore(b"".join(image_of.image())):
        pass


def history_of(entity: str, draw: Callable[[random.Random], AnyCommand], seed: int, steps: int) -> History:
    """What `steps` random commands lead to; every third is relayed."""
    dice, now_ms, slot = random.Random(seed), 1_764_000_000_000, Slot(entity, kinds()[ids.kind_of(entity)])
    history: History = []
    for step in range(steps):
        now_ms += dice.choice((1, 500, 60_000, 40 * 3_600_000))
        origin = Origin(dice.randrange(3), 1, step + 1, 0) if dice.random() < 0.3 else None
        try:
            events = slot.kind.decide(slot.state, draw(dice), origin, now_ms)
        except Refusal:
            continue
        for event in events:
            entry = Entry(Record(entity, slot.state.seq + 1, slot.kind.prev(slot.state), now_ms, event), origin)
            slot.replay(entry, encode_entry(entry))
            history.append(entry)
    return history


def to_conversation(dice: random.Random) -> AnyCommand:
    text = dice.choice(("在吗", "退款", "x" * 300, "👨‍👩‍👧‍👦"))
    statuses: list[Status] = ["", "", "held", "blocked"]
    judged = Judgement(text, status=dice.choice(statuses), team=dice.choice((None, "refunds")))
    agent, seq = dice.choice((ANN, BOB)), dice.randrange(1, 60)
    return dice.choice(
        (
            c.PostMessage(f"t{dice.randrange(3)}", dice.randrange(1, 12), text, Profile("h5", "张三"), judged),
            c.PostMessage("t0", dice.randrange(1, 12), text, Profile("h5", "张三"), judged),
            c.Assign(agent, "小安", dice.randrange(1, 9), "sales", dice.random() < 0.5),
            c.AnswerMessage(agent, "您好", "d1", dice.randrange(1, 9)),
            c.AnswerMessage(agent, "您好"),
            c.CloseConversation(agent),
            c.TransferConversation(agent, team="refunds"),
            c.ReturnConversation(agent, "out of reach"),
            c.ReleaseMessage(seq, "admin"),
            c.RejectMessage(seq, "admin"),
        )
    )


def to_queue(dice: random.Random) -> AnyCommand:
    conversation = dice.choice(CONVERSATIONS)
    return dice.choice(
        (
            c.ChangeTeams(TEAMS),
            c.Enqueue(conversation, dice.choice(("sales", "refunds", "")), dice.randrange(3), "", ""),
            c.Leave(conversation),
            c.SetDuty(dice.choice((ANN, BOB)), dice.random() < 0.7),
            c.Tick(),
        )
    )


def to_intake(dice: random.Random) -> AnyCommand:
    return c.KeepUnparsed("nobody can read it", f"raw {dice.random()}")


def agent_history(seed: int) -> History:
    world = World(2 * seed)
    for _ in range(400):
        world.step()
    return [Entry(record, origin) for record, origin in world.log]


HISTORIES: list[tuple[str, Callable[[int], History]]] = [
    ("c3-a", lambda seed: history_of("c3-a", to_conversation, seed, 400)),
    (ids.QUEUE_ID, lambda seed: history_of(ids.QUEUE_ID, to_queue, seed, 200)),
    (
        "i1-wecom",
        lambda seed: history_of("i1-wecom", to_intake, seed, 90),
    ),
    ("a1-wang", agent_history),
]


@pytest.mark.parametrize(("entity", "make"), HISTORIES, ids=[entity for entity, _ in HISTORIES])
@pytest.mark.parametrize("seed", range(6))
def test_image_and_tail_are_the_whole_log(entity: str, make: Callable[[int], History], seed: int) -> None:
    history = make(seed)
    assert len(history) > 50, "a history worth cutting"
    whole = replayed(entity, history)
    growing = Slot(entity, kinds()[ids.kind_of(entity)])
    for cut, entry in enumerate([*history, None]):
        slot = Slot(entity, kinds()[ids.kind_of(entity)])
        restore(slot, growing)
        assert slot.saved == cut
        for later in history[max(0, cut - cut % 7) :]:  # the tail may begin before the image
            slot.replay(later, encode_entry(later))
        assert slot.state == whole.state
        assert slot.recent.last(RECENT) == whole.recent.last(RECENT)
        if entry is not None:
            growing.replay(entry, encode_entry(entry))


def test_missing_event_is_noticed() -> None:
    history = history_of("c3-a", to_conversation, 1, 100)
    with pytest.raises(ValueError, match="after its event 2 comes 4"):
        replayed("c3-a", history[:2] + history[3:])


def test_missing_event_of_a_mended_log_leaves_a_page_without_it() -> None:
    history = history_of("c3-a", to_conversation, 1, 100)
    slot = Slot("c3-a", kinds()["c"])
    for entry in history[:2] + history[3:9]:
        slot.replay(entry, encode_entry(entry), mended=True)
    assert slot.state.seq == 9
    page = slot.page("agent", 0, 10, own_epoch=1)
    assert isinstance(page, Page)
    assert (page.seq, page.more, len(page.frames)) == (9, True, len(slot.recent))
    assert len(slot.recent) == 6


def test_image_of_another_entity_or_of_a_newer_version_is_refused() -> None:
    slot = replayed("c3-a", history_of("c3-a", to_conversation, 1, 10))
    with pytest.raises(ValueError, match="it is the image of c3-a"):
        restore(Slot("c3-b", kinds()["c"]), slot)
    newer = b"".join(slot.image()).replace(b'{"schema":1,', b'{"schema":2,')
    with pytest.raises(ValueError, match="its schema is 2, this version knows 1"):
        list(Slot("c3-a", kinds()["c"]).restore(newer))


def test_image_of_a_large_queue_is_of_the_moment_at_which_it_was_begun() -> None:
    slot = Slot(ids.QUEUE_ID, kinds()["q"])

    def enqueued(numbers: Iterable[int]) -> None:
        for n in numbers:
            event = Enqueued(f"c3-{n}", n, f"team-{n % 40}", 0)
            entry = Entry(Record(ids.QUEUE_ID, n, n - 1, n, event))
            slot.replay(entry, encode_entry(entry))

    enqueued(range(1, 200))
    for n in range(1, 60):
        entry = Entry(Record(ids.QUEUE_ID, 199 + n, 198 + n, n, Left(f"c3-{n}", n, 10_000 + n)))
        slot.replay(entry, encode_entry(entry))
    before = pickle.loads(pickle.dumps(slot.state))
    making = slot.image()
    parts = [next(making), next(making)]
    enqueued(range(259, 300))
    parts += making
    then = Slot(ids.QUEUE_ID, kinds()["q"])
    assert len(list(then.restore(b"".join(parts)))) > 40, "it is read in parts, too"
    assert then.state == before
    assert slot.state.seq > then.state.seq
