"""The clocks of a conversation: what is due when, what stops it, and that it is due for whoever owns it next."""

import random

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import conversation
from hub.domain import events as e
from hub.domain.commands import Origin
from hub.domain.conversation import Conversation, clocks
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Judgement, Limits, Profile, Reach
from hub.domain.teams import Patience
from hub.domain.views import visitor_may_see, visitor_view

NOON = 1_764_043_200_000
SECOND = 1000
WANG, LI, ZHAO = "a3-wang", "a1-li", "a9-zhao"
PATIENCE = Patience(accept_s=30, remind_s=60, lead_s=120, pass_s=300, nudge_s=600, close_s=300)
TALKING = Reach("telegram", "chat-1", Limits(notices=True))


class Rig:
    """A conversation of a visitor on a page, or at `reach`, with a clock that the test moves."""

    def __init__(self, reach: Reach | None = None, patience: Patience = PATIENCE) -> None:
        self.state, self.now_ms, self.patience, self.reach = conversation.new("c7-x"), NOON, patience, reach
        self.records: list[Record] = []
        self.told: list[tuple[str, c.AnyCommand]] = []
        self._n = self._origin = 0

    def do(self, command: c.AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        events = conversation.decide(self.state, command, origin, self.now_ms)
        for event in events:
            record = Record(self.state.id, self.state.seq + 1, self.state.visitor_seq, self.now_ms, event)
            due = conversation.next_due(self.state)
            conversation.evolve(self.state, record, origin)
            sooner = conversation.next_due(self.state)
            if sooner is not None and (due is None or sooner < due) and self.reach is None:
                assert conversation.sets_clock(event), "a new owner would not know"
            self.records.append(record)
            self.told += conversation.reactions(record)
        return events

    def relay(self, command: c.AnyCommand) -> list[AnyEvent]:
        self._origin += 1
        return self.do(command, Origin(3, 1, self._origin, 0))

    def write(self, status: str = "", automatic: bool = False) -> list[AnyEvent]:
        self._n += 1
        judged = Judgement("在吗", status)  # type: ignore[arg-type]
        profile = Profile("h5", name="张三", language="zh")
        if self.reach is None:
            return self.do(c.PostMessage("t", self._n, "在吗", profile, judged))
        return self.do(
            c.ReceiveMessage(
                f"m{self._n}", "在吗", self.now_ms, profile, self.reach, automatic=automatic, judgement=judged
            )
        )

    def assign(self, agent: str = WANG, taken: bool = False, lead: str = ZHAO) -> list[AnyEvent]:
        return self.relay(
            c.Assign(agent, agent[3:], 12, "sales", True, "least loaded", "售前", self.patience, lead, taken)
        )

    def answer(self, agent: str = WANG) -> list[AnyEvent]:
        return self.relay(c.AnswerMessage(agent, "您好"))

    def after(self, seconds: float) -> list[AnyEvent]:
        """What happens in so many seconds, each step at its moment; as a worker's timers would have it."""
        until, events = self.now_ms + int(seconds * SECOND), list[AnyEvent]()
        while (due := conversation.next_due(self.state)) is not None and due <= until:
            self.now_ms = max(self.now_ms, due)
            ticked = self.do(c.Tick())
            assert ticked, "due, and nothing to do: it would be ticked for ever"
            events += ticked
            for event in ticked:
                if isinstance(event, e.Attempted):
                    events += self.do(c.RecordVerdict(event.attempt, "sent"))
        self.now_ms = until
        return events


def begun(rig: Rig, **assigned: object) -> Rig:
    """The visitor has written, and it is assigned."""
    rig.write()
    rig.assign(**assigned)  # type: ignore[arg-type]
    rig.told.clear()
    return rig


def kinds(events: list[AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_who_does_not_accept_in_time_loses_it_to_another_and_hears_so() -> None:
    rig = begun(Rig())
    assert rig.after(29.9) == []
    (returned,) = rig.after(0.2)
    assert isinstance(returned, e.Returned)
    assert (returned.missed, returned.because) == (True, "not accepted within 30 s")
    assert rig.told == [
        (QUEUE_ID, c.Enqueue("c7-x", "sales", 0, "", WANG, "h5", "zh", "张三", missed=True, asked=5)),
        (WANG, c.NoteMissed("c7-x", 12)),
    ]
    assert (rig.state.stage, rig.state.agent) == ("waiting", "")
    assert rig.after(10_000) == [], "it is the queue's now"


def test_who_does_not_answer_is_reminded_then_their_lead_is_told_then_another_gets_it() -> None:
    rig = begun(Rig())
    assert rig.relay(c.AcceptConversation(WANG)) == [e.Accepted(WANG)]
    assert rig.relay(c.AcceptConversation(WANG)) == []
    reminded, lead, returned = rig.after(3600)
    assert reminded == e.Reminded(WANG, WANG, "wang", 12, "张三", "售前", 60, assigned=4)
    assert lead == e.Reminded(ZHAO, WANG, "wang", 12, "张三", "售前", 120, lead=True, assigned=4)
    assert isinstance(returned, e.Returned)
    assert (returned.missed, returned.because) == (True, "not answered within 300 s")
    assert rig.told[0] == (WANG, c.Remind("c7-x", 12, "张三", 60, "", "售前", 4))
    assert rig.told[1] == (ZHAO, c.Remind("c7-x", 12, "张三", 120, "wang", "售前", 4))


def test_who_has_taken_it_has_nothing_to_accept() -> None:
    assert kinds(begun(Rig(), taken=True).after(3600)) == ["Reminded", "Reminded", "Returned"]


@pytest.mark.parametrize("lead", ["", WANG])
def test_a_lead_who_has_it_or_is_not_there_is_not_told(lead: str) -> None:
    assert kinds(begun(Rig(), taken=True, lead=lead).after(3600)) == ["Reminded", "Returned"]


REPLY = Patience(lead_s=120, pass_s=300, reply_s=60)


def test_who_does_not_answer_a_further_message_is_reminded_then_their_lead_is_told_and_they_keep_it() -> None:
    rig = begun(Rig(patience=REPLY))
    rig.answer()
    assert rig.after(500) == [], "it is the visitor's turn"
    (posted,) = rig.write()
    assert isinstance(posted, e.MessagePosted)
    assert posted.timed
    rig.after(30)
    (posted,) = rig.write()
    assert isinstance(posted, e.MessagePosted)
    assert not posted.timed, "the clock runs since the first of them"
    reminded, lead = rig.after(3600)
    assert reminded == e.Reminded(WANG, WANG, "wang", 12, "张三", "售前", 60, assigned=4)
    assert lead == e.Reminded(ZHAO, WANG, "wang", 12, "张三", "售前", 180, lead=True, assigned=4)
    rig.answer()
    rig.write()
    assert kinds(rig.after(100)) == ["Reminded"], "each further question is timed anew"


@pytest.mark.parametrize(("status", "automatic"), [("blocked", False), ("", True)])
def test_what_nobody_has_to_answer_is_not_timed(status: str, automatic: bool) -> None:
    rig = begun(Rig(TALKING, REPLY))
    rig.answer()
    rig.write(status, automatic)
    assert "Reminded" not in kinds(rig.after(3600))


def test_a_hold_stops_the_clock_of_a_further_message() -> None:
    rig = begun(Rig(patience=REPLY))
    rig.answer()
    rig.write()
    rig.after(40)
    rig.do(c.HoldConversation(WANG, True))
    assert rig.after(3600) == []
    rig.do(c.HoldConversation(WANG, False))
    assert rig.after(19) == []
    assert kinds(rig.after(2)) == ["Reminded"]


def test_what_the_agent_had_not_seen_when_they_answered_is_timed() -> None:
    rig = begun(Rig(patience=REPLY))
    seen = rig.state.seq
    rig.write()
    (answered,) = rig.relay(c.AnswerMessage(WANG, "您好", seen=seen))
    assert isinstance(answered, e.AnswerPosted)
    assert answered.timed
    assert kinds(rig.after(61)) == ["Reminded"]


def test_an_answer_stops_the_agents_clocks_and_starts_the_visitors() -> None:
    rig = begun(Rig())
    rig.after(10)
    (answered,) = rig.answer()
    assert isinstance(answered, e.AnswerPosted)
    assert answered.timed
    assert rig.after(599.9) == []
    assert rig.after(0.1) == [e.Nudged(300)]
    (closed,) = rig.after(300)
    assert closed == e.Closed("", WANG, 12, True, e.IDLE)
    assert rig.told == [(QUEUE_ID, c.Leave("c7-x")), (WANG, c.StopServing("c7-x", 12, "closed"))]
    assert [visitor_view(record) is not None for record in rig.records[-2:]] == [True, True]


@pytest.mark.parametrize("seconds", [10, 599, 601, 899], ids=lambda s: f"after_{s}_s")
def test_a_visitor_who_writes_stops_it_until_the_next_answer(seconds: int) -> None:
    rig = begun(Rig())
    rig.answer()
    rig.after(seconds)
    rig.write()
    assert conversation.next_due(rig.state) is None
    assert rig.after(7200) == []
    rig.answer()
    assert kinds(rig.after(900)) == ["Nudged", "Closed"]


def test_each_answer_counts_the_silence_anew() -> None:
    rig = begun(Rig())
    for _ in range(3):
        rig.answer()
        assert rig.after(590) == []
    assert kinds(rig.after(10)) == ["Nudged"]
    rig.answer()
    assert rig.after(590) == []


def test_what_nobody_will_read_is_no_sign_of_life() -> None:
    rig = begun(Rig())
    rig.answer()
    rig.write("blocked")
    assert kinds(rig.after(900)) == ["Nudged", "Closed"]
    rig = begun(Rig())
    rig.answer()
    rig.write("held")
    assert rig.after(900) == [], "a person will look at it"
    rig = begun(Rig(TALKING))
    rig.after(5)
    rig.answer()
    rig.write(automatic=True)
    assert kinds([event for event in rig.after(900) if isinstance(event, e.Nudged | e.Closed)]) == ["Nudged", "Closed"]


def test_a_hold_stops_every_clock_and_what_was_left_is_left_after_it() -> None:
    rig = begun(Rig(), taken=True)
    rig.after(50)
    assert rig.relay(c.HoldConversation(WANG, on=True)) == [e.HoldSet(WANG, on=True)]
    assert rig.relay(c.HoldConversation(WANG, on=True)) == []
    assert rig.after(10_000) == []
    rig.relay(c.HoldConversation(WANG, on=False))
    assert rig.after(9) == []
    (reminded,) = rig.after(1)
    assert isinstance(reminded, e.Reminded)
    assert reminded.waited_s == 60, "a hold is not the visitor's waiting for an answer"


def test_an_answer_on_hold_counts_the_silence_from_the_end_of_the_hold() -> None:
    rig = begun(Rig())
    rig.relay(c.HoldConversation(WANG, on=True))
    rig.after(100)
    rig.answer()
    assert rig.after(5_000) == []
    rig.relay(c.HoldConversation(WANG, on=False))
    assert rig.after(599) == []
    assert kinds(rig.after(1)) == ["Nudged"]


def test_a_visitor_who_writes_ends_a_hold() -> None:
    rig = begun(Rig())
    rig.relay(c.HoldConversation(WANG, on=True))
    rig.after(100)
    assert kinds(rig.write("blocked")) == ["MessagePosted"]
    assert kinds(rig.write()) == ["MessagePosted", "HoldSet"]
    assert kinds(rig.after(30)) == ["Returned"]


def test_whoever_gives_it_away_has_no_clocks_any_more_and_the_next_has_their_own() -> None:
    rig = begun(Rig())
    rig.relay(c.HoldConversation(WANG, on=True))
    rig.relay(c.TransferConversation(WANG, team="refunds"))
    assert rig.after(5_000) == []
    rig.answer()
    assert rig.after(5_000) == [], "who only says goodbye times nobody"
    rig.assign(LI)
    assert kinds(rig.after(30)) == ["Returned"]


def test_without_patience_nothing_is_ever_due_and_nothing_is_kept() -> None:
    rig = begun(Rig(patience=Patience()))
    assert rig.state.clocks is None
    rig.relay(c.AcceptConversation(WANG))
    rig.answer()
    assert conversation.next_due(rig.state) is None
    assert not any(conversation.sets_clock(record.event) for record in rig.records)


def test_a_hub_that_was_away_blames_nobody() -> None:
    rig = begun(Rig())
    rig.now_ms += 30 * SECOND + clocks.LATE_MS + 1
    (returned,) = rig.do(c.Tick())
    assert isinstance(returned, e.Returned)
    assert (returned.missed, returned.late) == (False, True)
    assert rig.told[-1] == (WANG, c.StopServing("c7-x", 12, "returned"))


def test_after_a_long_time_away_a_visitor_is_asked_before_it_is_closed() -> None:
    rig = begun(Rig())
    rig.answer()
    rig.now_ms += 86_400 * SECOND
    assert rig.do(c.Tick()) == [e.Nudged(300)]
    assert rig.after(299) == []
    assert kinds(rig.after(1)) == ["Closed"]


def test_a_clock_that_was_set_back_makes_nothing_due_and_no_waiting_negative() -> None:
    rig = begun(Rig(), taken=True)
    rig.now_ms -= 3600 * SECOND
    assert rig.do(c.Tick()) == []
    rig.relay(c.HoldConversation(WANG, on=True))
    rig.relay(c.HoldConversation(WANG, on=False))
    for event in rig.after(4000):
        assert not isinstance(event, e.Reminded) or event.waited_s >= 0


def test_what_leaves_and_what_is_due_come_at_the_same_moment() -> None:
    folding = Reach("telegram", "chat-1", Limits(notices=True, fold_ms=60_000))
    rig = begun(Rig(folding, Patience(nudge_s=60, close_s=60)))
    rig.answer()
    rig.now_ms = conversation.next_due(rig.state) or 0
    attempted, nudged = rig.do(c.Tick())
    assert isinstance(attempted, e.Attempted)
    assert (attempted.text, nudged) == ("您好", e.Nudged(60))
    rig.do(c.RecordVerdict(attempted.attempt, "sent"))
    assert kinds(rig.after(60)) == ["Attempted", "Closed", "AttemptSent"], "the question and the end, both at once"


def test_who_is_told_nothing_by_the_hub_is_not_asked_and_closed_as_late() -> None:
    rig = begun(Rig(Reach("email", "z@x.org")))
    rig.after(1)
    rig.answer()
    rig.after(1)
    assert rig.after(898) == []
    assert kinds(rig.after(2)) == ["Closed"]


def test_a_patience_for_closing_alone_asks_nobody() -> None:
    rig = begun(Rig(patience=Patience(close_s=60)))
    rig.answer()
    assert kinds(rig.after(60)) == ["Closed"]
    rig = begun(Rig(patience=Patience(nudge_s=60)))
    rig.answer()
    assert rig.after(86_400) == [e.Nudged(0)]


def _do_something(rig: Rig, chance: random.Random) -> None:
    agent, on = chance.choice([WANG, LI]), chance.random() < 0.5
    match chance.choice(["write", "assign", "answer", "wait", "relay", "relay"]):
        case "write":
            rig.write(chance.choice(["", "held", "blocked"]))
        case "assign":
            rig.assign(agent, on, chance.choice(["", ZHAO]))
        case "answer":
            rig.answer(agent)
        case "wait":
            rig.after(chance.choice([1, 20, 200, 2000]))
        case "relay":
            commands: list[c.AnyCommand] = [
                c.AcceptConversation(agent), c.HoldConversation(agent, on), c.CloseConversation(agent),
                c.TransferConversation(agent, team="refunds"), c.TellWaiting(12, "sales", 1, True),
            ]  # fmt: skip
            rig.relay(chance.choice(commands))


@pytest.mark.parametrize("seed", range(40))
def test_in_any_history_nothing_is_due_for_ever_nor_forgotten_by_the_next_owner(seed: int) -> None:
    chance = random.Random(seed)
    patience = chance.choice([PATIENCE, REPLY, Patience(accept_s=5), Patience(9, 9, 9, 9, 9, 9, 9)])
    rig = Rig(chance.choice([None, TALKING]), patience)
    rig.write()
    for _ in range(150):
        _do_something(rig, chance)
        state = conversation.new(rig.state.id)
        origins = rig.state.origins
        for record in rig.records:
            conversation.evolve(state, record)
        state.origins = origins
        assert state == rig.state, "the log says all"
        rig.state = msgspec.json.decode(msgspec.json.encode(state), type=Conversation)
        assert conversation.next_due(rig.state) == conversation.next_due(state), "and so does an image"
        assert rig.state.stage == "served" or rig.state.clocks is None
        seen = [record.seq for record in rig.records if visitor_may_see(record.event)]
        assert rig.state.visitor_seq == (seen[-1] if seen else 0)
