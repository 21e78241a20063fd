"""The conversation's decisions: tables for what is refused, and a machine for order, repeats and holes."""

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from hub.domain import commands as c
from hub.domain import conversation, looks
from hub.domain import events as e
from hub.domain.batch import Entry, decode_entry, encode_entry
from hub.domain.commands import Origin
from hub.domain.conversation.backlog import LIMIT
from hub.domain.conversation.state import FORGOTTEN_TABS, HELD_PLACEHOLDER, TABS, WINDOW, Conversation
from hub.domain.events import Record
from hub.domain.ids import QUEUE_ID
from hub.domain.looks import AskStanding, Standing
from hub.domain.messages import Attachment, Block, Judgement, Profile
from hub.domain.refusals import Jumped, NotFound, NotHeld, NotYours, Refusal, Repeated, UnknownTab
from hub.domain.teams import Patience
from hub.domain.views import visitor_view

ID = "c7-abc"
ZHANG = Profile(channel="h5", name="张三", language="zh-CN")
NOW = 1_764_000_000_000


class Thread:
    """A conversation with its records, as the owner keeps it."""

    def __init__(self) -> None:
        self.state = conversation.new(ID)
        self.records: list[Record] = []
        self.entries: list[bytes] = []

    def do(self, command: c.AnyCommand, origin: Origin | None = None) -> list[e.AnyEvent]:
        events = conversation.decide(self.state, command, origin, NOW)
        for event in events:
            record = Record(ID, self.state.seq + 1, self.state.visitor_seq, NOW, event)
            conversation.evolve(self.state, record, origin)
            self.records.append(record)
            self.entries.append(encode_entry(Entry(record, origin)))
        return events

    def post(self, tab: str, n: int, text: str = "在吗", **judged: object) -> list[e.AnyEvent]:
        judgement = Judgement(text, **judged) if judged else None  # type: ignore[arg-type]
        return self.do(c.PostMessage(tab, n, text, ZHANG, judgement))

    def assign(self, agent: str = "a3-wang", phone: bool = True) -> list[e.AnyEvent]:
        return self.do(c.Assign(agent, agent.upper(), 12, "sales", phone))


@pytest.fixture
def thread() -> Thread:
    return Thread()


def kinds(events: list[e.AnyEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_the_first_message_opens_the_conversation_and_joins_the_queue(thread: Thread) -> None:
    events = thread.post("t1", 1, team="refunds", priority=2)
    assert kinds(events) == ["Opened", "MessagePosted", "QueueJoined"]
    assert conversation.reactions(thread.records[2]) == [
        (QUEUE_ID, c.Enqueue(ID, "refunds", 2, channel="h5", language="zh", name="张三", asked=3))
    ]


def test_a_repeat_is_answered_with_the_first_seq_and_changes_nothing(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.post("t1", 2)
    with pytest.raises(Repeated) as repeated:
        thread.post("t1", 1)
    assert repeated.value.seq == 2
    with pytest.raises(Repeated) as repeated:
        thread.post("t1", 2)
    assert repeated.value.seq == thread.state.seq == 4


def test_a_hole_in_the_numbers_is_refused_and_not_consumed(thread: Thread) -> None:
    with pytest.raises(Jumped) as jumped:
        thread.post("t1", 2)
    assert jumped.value.resend_from == 1
    thread.post("t1", 1)
    with pytest.raises(Jumped) as jumped:
        thread.post("t1", 5)
    assert jumped.value.resend_from == 2
    thread.post("t1", 2)


def test_seqs_for_repeats_reach_back_one_window(thread: Thread) -> None:
    for n in range(1, WINDOW + 3):
        thread.post("t1", n)
    with pytest.raises(Repeated) as inside:
        thread.post("t1", 3)
    with pytest.raises(Repeated) as outside:
        thread.post("t1", 2)
    assert (inside.value.seq, outside.value.seq) == (5, 0)


def test_a_forgotten_tab_is_told_so_whatever_its_number(thread: Thread) -> None:
    for tab in range(TABS + 1):
        thread.post(f"t{tab}", 1)
    for n in (1, 2):
        with pytest.raises(UnknownTab) as unknown:
            thread.post("t0", n)
        assert unknown.value.seq == thread.state.visitor_seq
    assert len(thread.state.tabs) == TABS
    assert len(thread.state.forgotten) == 1 <= FORGOTTEN_TABS


def test_a_forgotten_tab_is_told_the_last_event_that_its_client_may_see(thread: Thread) -> None:
    thread.post("t", 1)
    thread.assign("a3-wang")
    for tab in range(TABS + 1):
        thread.do(c.AnswerMessage("a3-wang", "稍等", f"d{tab}", 1))
    thread.do(c.SetPhone("a3-wang", on=False))  # for agents only
    with pytest.raises(UnknownTab) as visitors:
        thread.post("t", 2)
    with pytest.raises(UnknownTab) as agents:
        thread.do(c.AnswerMessage("a3-wang", "稍等", "d0", 2))
    assert visitors.value.seq == thread.state.visitor_seq < thread.state.seq
    assert agents.value.seq == thread.state.seq


def test_a_blocked_opener_waits_for_nobody_and_the_next_message_does(thread: Thread) -> None:
    assert kinds(thread.post("t1", 1, status="blocked", team="refunds")) == ["Opened", "MessagePosted"]
    assert thread.post("t1", 2, "你好")[1:] == [e.QueueJoined("", 0, False, channel="h5", language="zh", name="张三")]


def test_a_keyword_moves_who_waits_once_and_nobody_who_is_served(thread: Thread) -> None:
    thread.post("t1", 1)
    assert kinds(thread.post("t1", 2, team="refunds")) == ["MessagePosted", "QueueJoined"]
    assert kinds(thread.post("t1", 3, team="sales")) == ["MessagePosted"]
    thread.assign()
    assert kinds(thread.post("t1", 4, team="sales")) == ["MessagePosted"]


def test_a_message_after_closing_reopens_and_queues_again(thread: Thread) -> None:
    thread.post("t1", 1, team="refunds")
    thread.assign()
    closed = thread.do(c.CloseConversation("a3-wang"), Origin(3, 1, 9, 0))
    assert kinds(closed) == ["Closed"]
    assert conversation.reactions(thread.records[-1]) == [
        (QUEUE_ID, c.Leave(ID)),
        ("a3-wang", c.StopServing(ID, 12, "closed", "a3-wang")),
    ]
    again = thread.post("t1", 2, "还有问题")
    assert kinds(again) == ["Reopened", "MessagePosted", "QueueJoined"]
    joined = again[-1]
    assert isinstance(joined, e.QueueJoined)
    assert (joined.team, joined.chosen, joined.last) == ("sales", False, "a3-wang")  # else who they know is not in it


def test_assigning_hands_over_all_that_nobody_answered(thread: Thread) -> None:
    thread.post("t1", 1, "一")
    thread.assign("a1-li")
    thread.do(c.AnswerMessage("a1-li", "好"))
    thread.post("t1", 2, "二")
    thread.post("t1", 3, "三", status="held")
    thread.do(c.TransferConversation("a1-li", agent="wang"))
    (assigned,) = thread.assign("a3-wang")
    assert isinstance(assigned, e.Assigned)
    assert [block.text for block in assigned.backlog] == ["二", HELD_PLACEHOLDER]
    assert conversation.reactions(thread.records[-1]) == [
        ("a1-li", c.StopServing(ID, 12, "transferred", "a1-li", "A3-WANG")),
        ("a3-wang", c.Serve(ID, 12, "张三", "sales", assigned.backlog, assigned=thread.state.seq, phone=True)),
    ]


def test_who_is_given_away_and_waits_is_told_so_while_the_old_agent_may_answer(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a3-wang")
    thread.do(c.TransferConversation("a3-wang", team="refunds"))
    assert kinds(thread.do(c.TellWaiting(12, "refunds", 2, True))) == ["WaitTold"]
    assert kinds(thread.do(c.AnswerMessage("a3-wang", "马上有人接手"))) == ["AnswerPosted"]
    (returned,) = thread.do(c.ReturnConversation("a3-wang", "gone"))
    assert isinstance(returned, e.Returned)
    assert returned.lost, "it stands in line already"
    assert thread.state.stage == "waiting"


def test_what_agents_leave_for_each_other_comes_with_the_assignment(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a1-li")
    thread.do(c.WriteNote("a2-wu", "老顾客", "小吴"))
    thread.do(c.TransferConversation("a1-li", team="refunds", note="要退款"))
    (assigned,) = thread.do(c.Assign("a3-wang", "王", 12, "refunds", True, "least loaded", "退款组"))
    assert isinstance(assigned, e.Assigned)
    assert assigned.note == "小吴: 老顾客\nA1-LI: 要退款"
    _, (agent, serve) = conversation.reactions(thread.records[-1])
    assert isinstance(serve, c.Serve)
    assert (agent, serve.team, serve.note) == ("a3-wang", "退款组", assigned.note)
    thread.do(c.CloseConversation("a3-wang", "done"))
    thread.post("t1", 2)
    (anew,) = thread.assign("a3-wang")
    assert isinstance(anew, e.Assigned)
    assert anew.note == ""


def test_a_note_is_for_a_conversation_that_there_is(thread: Thread) -> None:
    with pytest.raises(NotFound):
        thread.do(c.WriteNote("a2-wu", "?"))


def test_who_comes_back_is_queued_with_who_served_them_last(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a3-wang")
    thread.do(c.CloseConversation("a3-wang"))
    thread.post("t1", 2)
    thread.do(c.CloseConversation("admin"))  # while nobody had it
    *_, joined = thread.post("t1", 3)
    assert isinstance(joined, e.QueueJoined)
    assert (joined.last, joined.last_ms) == ("a3-wang", NOW)


STALE = [c.CloseConversation("a3-wang"), c.TransferConversation("a3-wang", team="refunds"),
         c.HoldConversation("a3-wang", on=True), c.AcceptConversation("a3-wang")]  # fmt: skip


@pytest.mark.parametrize("command", STALE, ids=lambda command: type(command).__name__)
def test_what_was_decided_before_the_assignment_does_not_hold_after_it(thread: Thread, command: c.AnyCommand) -> None:
    patience = Patience(accept_s=60)
    thread.post("t1", 1)
    thread.do(c.Assign("a3-wang", "王", 12, "sales", True, patience=patience))
    seen = msgspec.structs.replace(command, assigned=thread.state.seq)
    thread.do(c.TransferConversation("a3-wang", agent="a1-li"))
    thread.assign("a1-li")
    thread.do(c.TransferConversation("a1-li", agent="a3-wang", note="she must be rung up"))
    thread.do(c.Assign("a3-wang", "王", 12, "sales", True, patience=patience))
    late = thread.do(seen, Origin(3, 1, 7, 0))
    assert thread.state.agent == "a3-wang"
    assert kinds(late) == ([] if isinstance(command, c.AcceptConversation) else ["AnswerRefused"])
    with pytest.raises(NotYours):
        thread.do(seen)
    now = msgspec.structs.replace(command, assigned=thread.state.assigned)
    assert kinds(thread.do(now, Origin(3, 1, 8, 0))) not in ([], ["AnswerRefused"])


def test_a_lead_takes_a_conversation_from_the_agent_who_has_it(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.do(c.Assign("a3-wang", "王", 12, "sales", True, lead="a9-zhao"))
    (refused,) = thread.do(c.TransferConversation("a1-li", agent="a1-li"), Origin(1, 1, 4, 0))
    assert isinstance(refused, e.AnswerRefused)
    thread.do(c.TransferConversation("a9-zhao", agent="a9-zhao", note="我来"), Origin(9, 1, 4, 0))
    ((_, enqueue),) = conversation.reactions(thread.records[-1])
    assert isinstance(enqueue, c.Enqueue)
    assert (enqueue.agent, enqueue.avoid) == ("a9-zhao", "a3-wang")
    (assigned,) = thread.assign("a9-zhao")
    assert isinstance(assigned, e.Assigned)
    assert assigned.note == "zhao: 我来"


def test_who_is_refused_hears_who_has_it_and_since_when(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a3-wang")
    with pytest.raises(NotYours) as refused:
        thread.do(c.TransferConversation("a1-li", team="refunds"))
    assert (refused.value.by, refused.value.since_ms) == ("A3-WANG", NOW)


def test_who_answers_at_a_desk_is_said_to_be_there_and_who_answers_on_a_phone_is_known_to_be() -> None:
    thread = Thread()
    thread.post("t1", 1)
    thread.assign("a3-wang")
    thread.do(c.AnswerMessage("a3-wang", "在", "d1", 1))
    read = ("a3-wang", c.MarkRead(thread.state.id, thread.state.seq, "在"))
    assert conversation.reactions(thread.records[-1]) == [("a3-wang", c.NoteActive()), read]
    thread.do(c.AnswerMessage("a3-wang", "请讲", "d1", 2))
    read = ("a3-wang", c.MarkRead(thread.state.id, thread.state.seq, "请讲"))
    assert conversation.reactions(thread.records[-1]) == [read], "not every time"
    phone = Thread()
    phone.post("t1", 1)
    phone.assign("a3-wang")
    phone.do(c.AnswerMessage("a3-wang", "在"), Origin(3, 1, 4, 0))
    assert conversation.reactions(phone.records[-1]) == []


def test_a_second_answer_to_one_question_from_another_way_is_sent_and_said_to_be_one(thread: Thread) -> None:
    def twice(way: str, relayed: int) -> int:
        (answer,) = thread.do(c.AnswerMessage("a3-wang", "有货", way=way), Origin(3, 1, relayed, 0))
        assert isinstance(answer, e.AnswerPosted)
        return answer.twice

    thread.post("t1", 1)
    thread.assign("a3-wang")
    assert [twice("wecom", 1), twice("wecom", 2), twice("email", 3)] == [0, 0, 12]
    assert conversation.reactions(thread.records[-1]) == [("a3-wang", c.TellTwice(thread.state.id, 12))]
    thread.post("t1", 2)
    assert twice("wecom", 4) == 0, "another question"
    thread.state.answered_ms -= 10_000
    assert twice("email", 5) == 0, "long after"


def test_a_long_backlog_is_a_count_and_the_last_ones(thread: Thread) -> None:
    for n in range(1, LIMIT + 4):
        thread.post("t1", n, f"第{n}")
    (assigned,) = thread.assign()
    assert isinstance(assigned, e.Assigned)
    assert (len(assigned.backlog), assigned.skipped, assigned.backlog[0].text) == (LIMIT, 3, "第4")


def test_only_the_assignee_answers_and_a_relayed_text_comes_back(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a3-wang")
    with pytest.raises(NotYours):
        thread.do(c.AnswerMessage("a1-li", "我来", "d1", 1))
    (refused,) = thread.do(c.AnswerMessage("a1-li", "我来"), Origin(1, 1, 4, 0))
    assert refused == e.AnswerRefused("a1-li", 12, "我来", "the conversation is with A3-WANG", "A3-WANG")
    assert conversation.reactions(thread.records[-1]) == [
        ("a1-li", c.TellRefused(ID, 12, "我来", "the conversation is with A3-WANG", "A3-WANG"))
    ]


def test_a_relayed_command_that_comes_twice_is_carried_out_once(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign()
    thread.do(c.AnswerMessage("a3-wang", "好"), Origin(3, 1, 4, 0))
    with pytest.raises(Repeated):
        thread.do(c.AnswerMessage("a3-wang", "好"), Origin(3, 1, 4, 0))


def test_messages_are_relayed_to_a_phone_and_not_to_a_desk(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign(phone=False)
    thread.post("t1", 2, "二")
    assert conversation.reactions(thread.records[-1]) == []
    thread.assign(phone=True)
    thread.post("t1", 3, "三")
    block = Block(ID, 12, thread.state.seq, "张三", "三")
    assert conversation.reactions(thread.records[-1]) == [("a3-wang", c.ShowMessage(block))]
    thread.post("t1", 4, "四", status="blocked")
    assert conversation.reactions(thread.records[-1]) == []


def test_a_held_message_is_released_or_rejected_once(thread: Thread) -> None:
    thread.post("t1", 1, "一", status="held")
    thread.post("t1", 2, "二", status="held")
    thread.assign()
    (released,) = thread.do(c.ReleaseMessage(2, "admin"))
    assert released == e.MessageReleased(2, "一", "admin", "a3-wang", 12, "张三")
    assert thread.do(c.RejectMessage(4, "admin")) == [e.MessageRejected(4, "admin")]
    for seq, refusal in ((2, NotHeld), (4, NotHeld), (99, NotFound)):
        with pytest.raises(refusal):
            thread.do(c.ReleaseMessage(seq, "admin"))


def test_a_close_that_was_decided_before_the_conversation_went_back_to_the_queue_does_not_count(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign()
    known = thread.state.assigned
    thread.do(c.ReturnConversation("a3-wang", "the phone is off"))
    with pytest.raises(NotYours):
        thread.do(c.CloseConversation("a3-wang", "好了", known))
    assert thread.state.stage == "waiting"


def test_a_picture_of_a_held_message_is_shown_with_it_when_it_is_released(thread: Thread) -> None:
    cat = Attachment("c7-x.abc", "cat.png", "image/png", 1000)
    thread.do(c.PostMessage("t1", 1, "一", ZHANG, Judgement("一", "held"), (cat,)))
    thread.assign()
    assert not [line.files for line in thread.state.backlog.messages() if line.files], "not before"
    thread.do(c.ReleaseMessage(2, "admin"))
    block = Block(ID, 12, thread.state.seq, "张三", "一", (cat,))
    assert conversation.reactions(thread.records[-1]) == [("a3-wang", c.ShowMessage(block))]
    assert [line.files for line in thread.state.backlog.messages()] == [(cat,)], "also to who gets it later"


def test_a_choice_that_crossed_with_a_new_question_does_not_count(thread: Thread) -> None:
    thread.post("t1", 1)
    asked = thread.state.asked
    thread.post("t1", 2, team="refunds")
    (joined,) = conversation.reactions(thread.records[-1])
    assert thread.do(c.Assign("a3-wang", "小王", 12, "sales", False, asked=asked)) == []
    assert thread.state.stage == "waiting", "the queue will choose again, for refunds"
    anew = c.Assign("a1-li", "小李", 12, "refunds", False, asked=joined[1].asked)  # type: ignore[union-attr]
    assert kinds(thread.do(anew)) == ["Assigned"]


def test_who_ends_what_has_gone_back_to_the_queue_names_no_assignment(thread: Thread) -> None:
    """The one that was is over: nobody decides on it any more."""
    thread.post("t1", 1)
    thread.assign()
    thread.do(c.ReturnConversation("a3-wang", "no phone"))
    standing = msgspec.json.decode(looks.at_conversation(thread.state, AskStanding(), 0), type=Standing)
    assert (standing.stage, standing.assigned) == ("waiting", 0)
    assert kinds(thread.do(c.CloseConversation("admin", assigned=standing.assigned))) == ["Closed"]


def test_an_assignment_of_a_closed_conversation_is_refused(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.do(c.CloseConversation("admin"))
    assert kinds(thread.assign()) == ["AssignRefused"]
    assert conversation.reactions(thread.records[-1]) == [(QUEUE_ID, c.Leave(ID))]


def test_a_choice_that_comes_after_nothing_but_a_blocked_message_has_opened_it_again_is_refused(thread: Thread) -> None:
    """The queue has been told to forget it, and nobody has asked it anew."""
    thread.post("t1", 1)
    asked = thread.state.asked
    thread.do(c.CloseConversation("admin"))
    assert kinds(thread.post("t1", 2, status="blocked")) == ["Reopened", "MessagePosted"]
    late = c.Assign("a3-wang", "小王", 12, "sales", True, asked=asked)
    assert kinds(thread.do(late, Origin(3, 1, 9, 0))) == ["AssignRefused"]


def test_a_visitor_whose_agent_is_no_more_is_told_that_they_wait(thread: Thread) -> None:
    thread.post("t1", 1)
    thread.assign("a3-wang")
    assert thread.do(c.TellWaiting(12, "sales", 2, True)) == []  # told too late
    assert thread.do(c.TellWaiting(12, "sales", 2, True, lost="a1-li")) == []
    returned, told = thread.do(c.TellWaiting(12, "sales", 2, True, lost="a3-wang"))
    assert (thread.state.stage, thread.state.agent, thread.state.phone) == ("waiting", "", False)
    assert told == e.WaitTold(12, "sales", 2, True)
    record = Record(ID, 9, 0, NOW, returned)
    assert conversation.reactions(record) == [("a3-wang", c.StopServing(ID, 12, "returned"))]
    assert visitor_view(Record(ID, 9, 0, NOW, told)) is not None


def test_a_phone_that_the_assignee_gets_is_told_what_nobody_answered(thread: Thread) -> None:
    thread.post("t1", 1, "在吗")
    thread.assign("a3-wang", phone=False)
    assert thread.do(c.SetPhone("a1-li", on=True)) == []
    (got,) = thread.do(c.SetPhone("a3-wang", on=True))
    block = Block(ID, 12, 2, "张三", "在吗")
    serve = c.Serve(ID, 12, "张三", "sales", (block,), assigned=thread.state.assigned)
    assert conversation.reactions(Record(ID, 9, 0, NOW, got)) == [("a3-wang", serve)]
    (posted,) = thread.post("t1", 2, "还在吗")
    assert isinstance(posted, e.MessagePosted)
    assert posted.to == "a3-wang"
    assert thread.do(c.SetPhone("a3-wang", on=True)) == []
    (lost,) = thread.do(c.SetPhone("a3-wang", on=False))
    assert conversation.reactions(Record(ID, 9, 0, NOW, lost)) == []
    (posted,) = thread.post("t1", 3, "喂")
    assert isinstance(posted, e.MessagePosted)
    assert posted.to == ""


def test_an_unreachable_agent_gives_back_only_what_is_theirs(thread: Thread) -> None:
    thread.post("t1", 1, team="sales", priority=3)
    thread.assign("a3-wang")
    assert thread.do(c.ReturnConversation("a1-li", "gone")) == []
    (returned,) = thread.do(c.ReturnConversation("a3-wang", "gone"))
    assert returned == e.Returned("a3-wang", "gone", 12, "sales", 3, channel="h5", language="zh", name="张三")
    assert conversation.reactions(thread.records[-1]) == [
        (QUEUE_ID, c.Enqueue(ID, "sales", 3, "", "a3-wang", "h5", "zh", "张三", asked=5)),
        ("a3-wang", c.StopServing(ID, 12, "returned")),
    ]


class ConversationMachine(RuleBasedStateMachine):
    """A visitor with two outboxes on a bad network, an agent, and a hub that is killed at any moment."""

    tabs = Bundle("tabs")

    def __init__(self) -> None:
        super().__init__()
        self.thread = Thread()
        self.sent: dict[str, list[str]] = {"x": [], "y": []}
        self.acked: dict[tuple[str, int], int] = {}
        self.origin = 0

    @rule(tab=st.sampled_from("xy"), status=st.sampled_from(["", "held", "blocked"]))
    def sends(self, tab: str, status: str) -> None:
        n = len(self.sent[tab]) + 1
        self.sent[tab].append(f"{tab}{n}")
        events = self.thread.post(tab, n, f"{tab}{n}", status=status)
        seq = self.thread.state.seq - len(events) + 1 + kinds(events).index("MessagePosted")
        self.acked[tab, n] = seq

    @rule(tab=st.sampled_from("xy"), back=st.integers(0, WINDOW - 1))
    def sends_again(self, tab: str, back: int) -> None:
        n = len(self.sent[tab]) - back
        if n >= 1:
            with pytest.raises(Repeated) as repeated:
                self.thread.post(tab, n, "again")
            assert repeated.value.seq == self.acked[tab, n]

    @rule(tab=st.sampled_from("xy"), ahead=st.integers(2, 9))
    def jumps(self, tab: str, ahead: int) -> None:
        with pytest.raises(Jumped) as jumped:
            self.thread.post(tab, len(self.sent[tab]) + ahead, "too early")
        assert jumped.value.resend_from == len(self.sent[tab]) + 1

    @rule(
        command=st.sampled_from(
            [
                c.Assign("a1-li", "Li", 5, "sales", True),
                c.Assign("a2-wu", "Wu", 5, "sales", False),
                c.AnswerMessage("a1-li", "ok"),
                c.ChangeMessage("a1-li"),
                c.ChangeMessage("a1-li", "better"),
                c.ChangeMessage("a2-wu", "better", 5),
                c.Assign("a1-li", "Li", 5, "sales", True, patience=Patience(9, 9, 9, 9, 9, 9, 9), lead="a2-wu"),
                c.AcceptConversation("a1-li"),
                c.HoldConversation("a1-li", True),
                c.HoldConversation("a1-li", False),
                c.WriteNote("a1-li", "hm"),
                c.CloseConversation("a1-li"),
                c.TransferConversation("a1-li", agent="wu"),
                c.ReturnConversation("a2-wu", "gone"),
                c.TellWaiting(5, "sales", 1, False),
                c.TellWaiting(5, "sales", 1, False, lost="a3-wang"),
                c.SetPhone("a3-wang", on=True),
                c.SetPhone("a3-wang", on=False),
            ]
        ),
        again=st.booleans(),
    )
    def relayed(self, command: c.AnyCommand, again: bool) -> None:
        if isinstance(command, c.WriteNote) and self.thread.state.profile is None:
            return
        self.origin += 1
        origin = Origin(4, 1, self.origin, 0)
        events = self.thread.do(command, origin)
        if again and events:
            with pytest.raises(Repeated):
                self.thread.do(command, origin)

    @rule(seq=st.integers(0, 30), release=st.booleans())
    def reviews(self, seq: int, release: bool) -> None:
        command = c.ReleaseMessage(seq, "admin") if release else c.RejectMessage(seq, "admin")
        held = seq in self.thread.state.held
        try:
            self.thread.do(command)
        except Refusal:
            assert not held
        else:
            assert held

    @rule()
    def killed(self) -> None:
        state = conversation.new(ID)
        for data in self.thread.entries:
            entry = decode_entry(data)
            conversation.evolve(state, entry.record, entry.origin)
        assert state == self.thread.state
        self.thread.state = msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=Conversation)

    @invariant()
    def one_order_without_holes(self) -> None:
        records = self.thread.records
        assert [r.seq for r in records] == list(range(1, len(records) + 1))
        last = 0
        for record in records:
            frame = visitor_view(record)
            if frame is not None:
                assert frame.prev == last
                last = record.seq

    @invariant()
    def each_message_once_in_its_order(self) -> None:
        posted = [r.event for r in self.thread.records if isinstance(r.event, e.MessagePosted)]
        for tab, sent in self.sent.items():
            assert [m.text for m in posted if m.id.startswith(tab)] == sent

    @invariant()
    def each_change_hides_what_was_said_before_and_nothing_is_taken_back_twice(self) -> None:
        events = [r.event for r in self.thread.records]
        changed = [event for event in events if isinstance(event, e.MessageCorrected | e.MessageRecalled)]
        assert list(self.thread.state.hidden) == [event.before for event in changed]
        assert len(set(self.thread.state.hidden)) == len(self.thread.state.hidden)
        for event in changed:
            said = events[event.before - 1]
            assert isinstance(said, e.AnswerPosted | e.MessageCorrected)
            assert event.ref == (said.ref if isinstance(said, e.MessageCorrected) else event.before)

    @invariant()
    def served_by_one_or_none(self) -> None:
        state = self.thread.state
        assert (state.stage == "served") <= bool(state.agent)
        assert len(state.backlog.messages()) == state.backlog.count <= LIMIT


TestConversation = ConversationMachine.TestCase
TestConversation.settings = settings(max_examples=200, stateful_step_count=60, deadline=None)
