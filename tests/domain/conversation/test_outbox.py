"""What leaves for a visitor on a platform: in order, in parts with a verdict each, and never lost in silence."""

import random

import msgspec
import pytest

from hub.contract import Unit
from hub.domain import commands as c
from hub.domain import conversation
from hub.domain import events as e
from hub.domain.attempts import CALL_MS, UNCONFIRMED
from hub.domain.commands import AnyCommand, Origin
from hub.domain.conversation.outbox import Outbox
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Attachment, FileLimit, Judgement, Limits, Outgoing, Profile, Reach
from hub.domain.refusals import NotFound, Repeated, Unread
from hub.domain.teams import Patience
from hub.domain.text import SIZES

NOON = 1_764_043_200_000
SECOND, HOUR = 1000, 3_600_000
ME = "p7-telegram-k3v9"
ANN = "a1-ann"
ANY = Limits()
PICTURE = Attachment("p7-telegram-k3v9.abc", "cat.png", "image/png", 1000)


class Rig:
    """A conversation with an assignee who has a phone, and a platform that says what the test wants."""

    def __init__(self, limits: Limits = ANY, phone: bool = True) -> None:
        self.state = conversation.new(ME)
        self.now_ms = NOON
        self.log: list[Record] = []
        self.told: list[tuple[str, AnyCommand]] = []
        self.reach = Reach("telegram", "chat-1", limits)
        self._origins = 0
        self.receive("m1", "在吗")
        self.relay(c.Assign(ANN, "小安", 12, "sales", phone))
        self.told.clear()

    def do(self, command: AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        events = conversation.decide(self.state, command, origin, self.now_ms)
        for event in events:
            record = Record(ME, self.state.seq + 1, self.state.visitor_seq, self.now_ms, event)
            conversation.evolve(self.state, record, origin)
            self.log.append(record)
            self.told += conversation.reactions(record)
        return events

    def relay(self, command: AnyCommand) -> list[AnyEvent]:
        self._origins += 1
        return self.do(command, Origin(3, 1, self._origins, 0))

    def receive(self, outside_id: str, text: str, judgement: Judgement | None = None, **more: object) -> list[AnyEvent]:
        profile = Profile("telegram", name="张三", language="zh")
        command = c.ReceiveMessage(outside_id, text, self.now_ms, profile, self.reach, judgement=judgement, **more)  # type: ignore[arg-type]
        return self.do(command)

    def answer(self, text: str, files: tuple[Attachment, ...] = ()) -> int:
        self.relay(c.AnswerMessage(ANN, text, files=files))
        return self.state.seq

    def attempt(self) -> e.Attempted:
        """The attempt that is due now."""
        (event,) = self.do(c.Tick())
        assert isinstance(event, e.Attempted)
        return event

    def verdict(self, kind: str = "sent", **more: object) -> list[AnyEvent]:
        assert self.state.outbox is not None
        assert self.state.outbox.attempt is not None
        return self.do(c.RecordVerdict(self.state.outbox.attempt.number, kind, **more))  # type: ignore[arg-type]

    def deliver_all(self) -> list[e.Attempted]:
        """Let everything be sent, as soon as it may."""
        sent = []
        while (due := conversation.next_due(self.state)) is not None:
            self.now_ms = max(self.now_ms, due)
            for event in self.do(c.Tick()):
                if isinstance(event, e.Attempted):
                    sent.append(event)
                    self.verdict()
        return sent


def message(attempt: e.Attempted) -> Outgoing:
    assert attempt.message is not None
    return attempt.message


# --- coming in -----------------------------------------------------------------------------------------------------


def test_the_first_message_says_where_its_sender_is_reached() -> None:
    rig = Rig()
    kinds = [type(record.event) for record in rig.log]
    assert kinds == [e.Reached, e.Opened, e.MessagePosted, e.QueueJoined, e.Assigned]
    assert rig.state.outbox is not None
    assert rig.state.outbox.reach == rig.reach


def test_a_repeat_of_a_platform_is_known_and_two_of_the_same_words_are_two() -> None:
    rig = Rig()
    with pytest.raises(Repeated) as raised:
        rig.receive("m1", "在吗")
    assert raised.value.seq == 3
    assert [type(event) for event in rig.receive("m2", "在吗")] == [e.MessagePosted]


def test_another_address_is_noted_before_the_message() -> None:
    rig = Rig()
    rig.reach = Reach("telegram", "chat-2")
    first, second = rig.receive("m2", "hello")
    assert (type(first), type(second)) == (e.Reached, e.MessagePosted)
    rig.answer("hi")
    assert rig.attempt().address == "chat-2"


def test_a_kind_that_cannot_be_shown_is_shown_as_that() -> None:
    (posted,) = Rig().receive("m2", "", unsupported="location")
    assert isinstance(posted, e.MessagePosted)
    assert posted.text == "[not supported: location]"


def test_an_edit_names_the_message_that_it_changes_and_the_phone_shows_it() -> None:
    rig = Rig()
    (edited,) = rig.receive("m1:2", "在吗?", edits="m1")
    assert isinstance(edited, e.MessageEdited)
    assert (edited.ref, edited.text) == (3, "在吗?")
    ((to, shown),) = rig.told
    assert (to, type(shown)) == (ANN, c.ShowMessage)
    with pytest.raises(Repeated):
        rig.receive("m1:2", "在吗?", edits="m1")


def test_an_edit_of_what_is_not_known_is_a_message() -> None:
    (posted,) = Rig().receive("m9:2", "later", edits="m9")
    assert isinstance(posted, e.MessagePosted)


def test_an_edit_that_the_rules_hold_is_shown_to_no_agent() -> None:
    rig = Rig()
    rig.receive("m1:2", "bad", Judgement("bad", "held"), edits="m1")
    assert rig.told == []


def test_a_machine_gets_no_automatic_reply_and_reopens_nothing() -> None:
    rig = Rig(Limits(notices=True))
    replied = Judgement("out of office", reply="We are open from 9 to 5")
    assert [type(event) for event in rig.receive("m2", "out of office", replied, automatic=True)] == [e.MessagePosted]
    rig.do(c.CloseConversation("admin"))
    assert [type(event) for event in rig.receive("m3", "again", replied, automatic=True)] == [e.MessagePosted]
    assert rig.deliver_all() == []


# --- going out -----------------------------------------------------------------------------------------------------


def test_an_answer_leaves_with_what_the_platform_needs() -> None:
    rig = Rig()
    seq = rig.answer("您好")
    attempt = rig.attempt()
    assert (attempt.channel, attempt.address, attempt.text, attempt.attempt) == ("telegram", "chat-1", "您好", 1)
    assert message(attempt) == Outgoing((seq,), by="小安", in_reply_to="m1")
    assert rig.verdict(receipt="r1") == [e.AttemptSent(1, "r1", (seq,))]
    assert conversation.next_due(rig.state) is None


def test_one_attempt_at_a_time_and_in_order() -> None:
    rig = Rig()
    first, second = rig.answer("one"), rig.answer("two")
    assert message(rig.attempt()).refs == (first,)
    assert rig.do(c.Tick()) == []
    rig.verdict("retry", because="busy", retry_at_ms=rig.now_ms + 5 * SECOND)
    assert rig.do(c.Tick()) == [], "the second does not overtake"
    rig.now_ms += 5 * SECOND
    again = rig.attempt()
    assert (again.attempt, again.tries, message(again).refs) == (1, 2, (first,))
    rig.verdict()
    assert message(rig.attempt()).refs == (second,)


def test_each_part_has_its_own_attempt_and_a_retry_repeats_none() -> None:
    rig = Rig(Limits(max_text=200, unit="characters"))
    seq = rig.answer("好" * 450)
    first = rig.attempt()
    assert (len(first.text), message(first).part, message(first).parts) == (200, 1, 3)
    assert rig.verdict() == [e.AttemptSent(1)], "the visitor has not got it whole"
    second = rig.attempt()
    rig.verdict("retry", because="busy", retry_at_ms=rig.now_ms + SECOND)
    rig.now_ms += SECOND
    again = rig.attempt()
    assert (again.text, message(again), again.attempt) == (second.text, message(second), 2)
    rig.verdict()
    third = rig.attempt()
    assert (len(third.text), message(third).part) == (50, 3)
    assert rig.verdict() == [e.AttemptSent(3, "", (seq,))]


def test_who_has_closed_the_conversation_meanwhile_is_told_what_did_not_arrive_and_it_opens_again() -> None:
    rig = Rig()
    rig.answer("bye")
    rig.attempt()
    rig.relay(c.CloseConversation(ANN))
    rig.verdict("refused", because="blocked by the user")
    told, enqueued = rig.told[-2:]
    failed = rig.state.seq - 2
    assert told == (ANN, c.TellUndelivered(ME, 12, "bye", "blocked by the user", seq=failed))
    seq, at_ms = rig.state.seq, rig.state.last_ms
    enqueue = c.Enqueue(ME, "sales", 0, "", "", "telegram", "zh", "张三", last=ANN, last_ms=at_ms, asked=seq)
    assert enqueued == (QUEUE_ID, enqueue)
    assert rig.state.stage == "waiting"


def test_whoever_gets_a_conversation_next_is_told_what_failed_while_nobody_had_it() -> None:
    rig = Rig()
    for text in ("one", "two"):
        rig.answer(text)
    rig.attempt()
    rig.relay(c.ReturnConversation(ANN, "no phone"))
    rig.verdict("unknown", because="no answer")
    rig.told.clear()
    rig.relay(c.Assign("a2-ben", "小本", 12, "sales", True, asked=rig.state.asked))
    ((to, serve),) = rig.told
    assert (to, serve.note) == ("a2-ben", "未送达：no answer「one」")  # type: ignore[union-attr]


def failed() -> tuple[Rig, int]:
    """An answer has failed; the seq that says so."""
    rig = Rig()
    rig.answer("bye")
    rig.attempt()
    rig.verdict("unknown", because="no answer")
    return rig, rig.state.seq


def test_who_ends_a_conversation_has_heard_of_what_did_not_arrive() -> None:
    rig, seq = failed()
    (refused,) = rig.relay(c.CloseConversation(ANN, seen=3))
    because = "有回复未送达：no answer「bye」，请看过再结束"
    assert refused == e.AnswerRefused(ANN, 12, "", because, failed=seq)
    assert rig.told[-1] == (ANN, c.TellRefused(ME, 12, "", because, failed=seq))
    with pytest.raises(Unread, match="bye") as unread:
        rig.do(c.CloseConversation(ANN, seen=seq - 1))
    assert unread.value.seq == seq
    assert isinstance(rig.relay(c.CloseConversation(ANN, seen=3, heard=seq))[0], e.Closed)


@pytest.mark.parametrize("knows", [{"seen": None}, {"seen": 99}, {"seen": 3, "heard": 99}])
def test_what_was_answered_by_somebody_who_knew_is_told_to_nobody_else(knows: dict[str, int | None]) -> None:
    rig, _ = failed()
    rig.relay(c.AnswerMessage(ANN, "once more", **knows))  # type: ignore[arg-type]
    rig.deliver_all()
    rig.relay(c.TransferConversation(ANN, "a2-ben"))
    rig.relay(c.Assign("a2-ben", "小本", 12, "sales", True, asked=rig.state.asked))
    assert rig.told[-1][1].note == ""  # type: ignore[union-attr]


def test_what_was_answered_before_they_heard_is_told_to_whoever_gets_it_next_and_then_no_more() -> None:
    rig, _ = failed()
    rig.relay(c.AnswerMessage(ANN, "anything else?", seen=3))
    rig.deliver_all()
    rig.relay(c.TransferConversation(ANN, "a2-ben", note="VIP"))
    rig.relay(c.Assign("a2-ben", "小本", 12, "sales", True, asked=rig.state.asked))
    assert rig.told[-1][1].note == "小安: VIP\n未送达：no answer「bye」"  # type: ignore[union-attr]
    assert isinstance(rig.relay(c.CloseConversation("a2-ben", seen=3))[0], e.Closed)


def test_a_receipt_that_says_it_failed_opens_a_closed_conversation_again_and_one_of_a_notice_does_not() -> None:
    rig = Rig(Limits(notices=True))
    rig.answer("bye")
    rig.deliver_all()
    rig.relay(c.CloseConversation(ANN))
    (notice,) = rig.deliver_all()
    assert message(notice).automatic
    (failed,) = rig.do(c.RecordReceipt("failed", notice.attempt, because="bounced"))
    assert isinstance(failed, e.ReceiptHad)
    assert rig.state.stage == "closed"
    _, reopened, joined = rig.do(c.RecordReceipt("failed", 1, because="bounced"))
    assert (reopened, joined.last) == (e.Reopened(), ANN)  # type: ignore[union-attr]
    rig.relay(c.Assign(ANN, "小安", 15, "sales", True, asked=rig.state.asked))
    assert rig.told[-1][1].note == "未送达：bounced"  # type: ignore[union-attr]


def test_a_change_that_failed_opens_nothing_again() -> None:
    rig = Rig(Limits(max_text=4096, edits_ms=60_000, recalls_ms=60_000, resend_ms=60_000))
    seq = rig.answer("bye")
    rig.attempt()
    rig.verdict(receipt="r1")
    rig.relay(c.ChangeMessage(ANN, "good bye", seq))
    rig.attempt()
    rig.relay(c.CloseConversation(ANN))
    (refused,) = rig.verdict("refused", because="too old")
    assert isinstance(refused, e.AttemptRefused)
    assert rig.state.stage == "closed"


def test_a_refused_part_is_a_dead_letter_with_all_that_follows_and_the_next_message_goes_on() -> None:
    rig = Rig(Limits(max_text=200))
    seq, next_ = rig.answer("x" * 500), rig.answer("next")
    rig.attempt()
    rig.verdict()
    rig.attempt()
    (refused,) = rig.verdict("refused", because="blocked by the user")
    assert refused == e.AttemptRefused(2, "blocked by the user", "x" * 200, False, (seq,), ANN, 12)
    assert rig.told[-1] == (ANN, c.TellUndelivered(ME, 12, "x" * 200, "blocked by the user", seq=rig.state.seq))
    assert message(rig.attempt()).refs == (next_,)
    rig.verdict()

    rig.do(c.RetryDelivery(2, "admin"))
    sent = rig.deliver_all()
    assert [(attempt.attempt, message(attempt).part, len(attempt.text)) for attempt in sent] == [
        (4, 2, 200),
        (5, 3, 100),
    ]


def test_a_dead_letter_is_sent_again_or_dropped_once() -> None:
    rig = Rig()
    rig.answer("one")
    rig.attempt()
    rig.verdict("refused", because="no")
    rig.do(c.DropDelivery(1, "admin"))
    for command in (c.DropDelivery(1, "admin"), c.RetryDelivery(1, "admin"), c.RetryDelivery(7, "admin")):
        with pytest.raises(NotFound, match="there is no dead letter"):
            rig.do(command)
    assert conversation.next_due(rig.state) is None


def test_an_unknown_outcome_is_told_where_the_platform_would_not_know_a_repeat() -> None:
    rig = Rig()
    seq = rig.answer("one")
    rig.attempt()
    assert rig.verdict("unknown", because="reset") == [e.AttemptRefused(1, "reset", "one", True, (seq,), ANN, 12)]


def test_an_unknown_outcome_is_repeated_while_the_platform_knows_the_key() -> None:
    rig = Rig(Limits(resend_ms=HOUR))
    rig.answer("one")
    first = rig.attempt()
    (delayed,) = rig.verdict("unknown", because="reset")
    assert isinstance(delayed, e.AttemptDelayed)
    rig.now_ms = delayed.retry_at_ms
    again = rig.attempt()
    assert (again.attempt, again.text, again.tries) == (first.attempt, first.text, 2)
    rig.verdict("retry", because="busy", retry_at_ms=NOON + HOUR - CALL_MS)
    rig.now_ms = NOON + HOUR - CALL_MS
    (refused,) = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused)
    assert (refused.because, refused.unknown) == (UNCONFIRMED, True)


@pytest.mark.parametrize("resend_ms", [0, HOUR])
def test_a_new_owner_does_not_guess_what_became_of_a_call(resend_ms: int) -> None:
    rig = Rig(Limits(resend_ms=resend_ms))
    rig.answer("one")
    rig.attempt()
    (event,) = conversation.resume(rig.state, rig.now_ms + SECOND)
    assert type(event) is (e.AttemptDelayed if resend_ms else e.AttemptRefused)
    assert event.unknown


def test_a_burst_becomes_one_text_where_the_channel_folds() -> None:
    rig = Rig(Limits(fold_ms=30 * SECOND, max_text=1000))
    first = rig.answer("您好")
    rig.now_ms += 20 * SECOND
    second = rig.answer("订单 8812 今天发出")
    assert rig.do(c.Tick()) == []
    rig.now_ms += 10 * SECOND
    attempt = rig.attempt()
    assert (attempt.text, message(attempt).refs) == ("您好\n\n订单 8812 今天发出", (first, second))
    assert rig.verdict() == [e.AttemptSent(1, "", (first, second))]


def test_what_does_not_fit_any_more_goes_by_itself() -> None:
    rig = Rig(Limits(fold_ms=SECOND, max_text=200))
    for text in ("a" * 150, "b" * 40, "c" * 40):
        rig.answer(text)
    assert [attempt.text for attempt in rig.deliver_all()] == ["a" * 150 + "\n\n" + "b" * 40, "c" * 40]


def test_files_go_by_themselves_or_with_the_text_as_the_channel_takes_them() -> None:
    takes = (FileLimit("image/*", 5000),)
    apart = Rig(Limits(files=takes))
    apart.answer("look", (PICTURE,))
    assert [(attempt.text, message(attempt).files) for attempt in apart.deliver_all()] == [
        ("look", ()),
        ("", (PICTURE,)),
    ]
    together = Rig(Limits(files=takes, files_with_text=True))
    together.answer("look", (PICTURE,))
    assert [(attempt.text, message(attempt).files) for attempt in together.deliver_all()] == [("look", (PICTURE,))]


@pytest.mark.parametrize("takes", [(), (FileLimit("image/*", 999),), (FileLimit("image/gif", 5000),)])
def test_a_file_that_the_channel_does_not_take_is_refused_and_the_agent_is_told(
    takes: tuple[FileLimit, ...],
) -> None:
    rig = Rig(Limits(files=takes))
    seq, next_ = rig.answer("", (PICTURE,)), rig.answer("next")
    (refused,) = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused)
    because = "此渠道不能发送 cat.png（image/png，1,000 字节）"
    assert (refused.because, refused.refs, refused.agent) == (because, (seq,), ANN)
    assert message(rig.attempt()).refs == (next_,)


def test_after_the_window_an_answer_waits_for_a_person() -> None:
    rig = Rig(Limits(reply_within_ms=48 * HOUR))
    rig.now_ms += 48 * HOUR + 1
    rig.answer("too late")
    (refused,) = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused)
    assert refused.because == "顾客超过 48 小时没有来信，此渠道不能再回复"
    rig.receive("m2", "still there?")
    rig.do(c.RetryDelivery(refused.attempt, "admin"))
    assert rig.attempt().text == "too late"


def test_no_more_answers_than_the_window_has() -> None:
    rig = Rig(Limits(replies=2))
    for text in ("1", "2", "3"):
        rig.answer(text)
    for _ in range(2):
        rig.attempt()
        rig.verdict()
    (refused,) = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused)
    assert refused.because == "顾客来信之前，此渠道最多回复 2 条"


def test_choices_are_buttons_or_numbered_lines() -> None:
    asked = Judgement("hi", reply="What is it about?", choices=("Order", "Refund"))
    buttons = Rig(Limits(choices=2))
    buttons.receive("m2", "hi", asked)
    attempt = buttons.attempt()
    assert (attempt.text, message(attempt).choices, message(attempt).automatic) == (
        "What is it about?", ("Order", "Refund"), True,
    )  # fmt: skip
    lines = Rig()
    lines.receive("m2", "hi", asked)
    attempt = lines.attempt()
    assert (attempt.text, message(attempt).choices) == ("What is it about?\n1. Order\n2. Refund", ())


def test_nobody_is_told_that_an_automatic_text_was_lost() -> None:
    rig = Rig()
    rig.receive("m2", "hi", Judgement("hi", reply="hello"))
    rig.told.clear()
    rig.attempt()
    (refused,) = rig.verdict("refused", because="no")
    assert isinstance(refused, e.AttemptRefused)
    assert (refused.agent, rig.told) == ("", [])


def test_notices_are_said_in_the_visitors_language_where_the_channel_wants_them() -> None:
    quiet, talking = Rig(), Rig(Limits(notices=True))
    for rig in (quiet, talking):
        rig.do(c.CloseConversation("admin"))
        rig.receive("m2", "hello")
        rig.relay(c.TellWaiting(12, "sales", 3, True))
    assert quiet.deliver_all() == []
    assert [attempt.text for attempt in talking.deliver_all()] == [
        "本次会话已结束，再次留言即可重新开始。",
        "客服正忙，您前面还有 2 位，请稍候。",
    ]


def test_a_visitor_who_is_asked_and_closed_for_silence_is_told_both() -> None:
    rig = Rig(Limits(notices=True))
    rig.relay(c.Assign(ANN, "小安", 12, "sales", True, patience=Patience(nudge_s=60, close_s=300)))
    rig.answer("请讲")
    assert [attempt.text for attempt in rig.deliver_all()[-2:]] == [
        "请问还需要帮助吗？5 分钟内没有收到回复，本次会话会自动结束；再次留言即可继续。",
        "许久没有收到您的消息，本次会话先结束了。随时留言，即可继续。",
    ]


def test_a_receipt_that_comes_later_is_told() -> None:
    rig = Rig()
    seq = rig.answer("one")
    rig.attempt()
    rig.verdict(receipt="r1")
    assert rig.do(c.RecordReceipt("read", receipt="r1")) == [e.ReceiptHad(1, "read", "", (seq,))]
    assert rig.do(c.RecordReceipt("failed", 1, because="mailbox full")) == [
        e.ReceiptHad(1, "failed", "mailbox full", (seq,), ANN, 12)
    ]
    assert rig.told[-1] == (ANN, c.TellUndelivered(ME, 12, "", "mailbox full", seq=rig.state.seq))
    with pytest.raises(NotFound):
        rig.do(c.RecordReceipt("read", receipt="r2"))


def test_a_verdict_that_was_had_before_changes_nothing() -> None:
    rig = Rig()
    rig.answer("one")
    rig.attempt()
    rig.verdict()
    for number in (1, 2):
        with pytest.raises(Repeated):
            rig.do(c.RecordVerdict(number, "sent"))


# --- whatever happens ----------------------------------------------------------------------------------------------

TEXTS = ["好", "短 text", "x" * 300, "👩‍👩‍👧" * 60, "e\u0301" * 250, "🇨🇳🇩🇪" * 40, "line\n" * 90, "y" * 199, "z" * 200]
STEPS = [
    *("answer", "answer", "tick", "tick", "tick", "sent", "sent", "sent"),
    *("retry", "refused", "unknown", "restart", "retried", "dropped", "wrote", "recall", "correct"),
]


class World(Rig):
    """A rig whose platform and people do whatever comes to their mind.

    `written` is how each message is to read, by seq; `screen` is what the visitor sees, by receipt.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        units: list[Unit] = ["bytes", "characters", "utf16"]
        unit = self.dice.choice(units)
        fold_ms, resend_ms = self.dice.choice([0, 5000]), self.dice.choice([0, HOUR])
        edits_ms, recalls_ms = self.dice.choice([0, HOUR]), self.dice.choice([0, HOUR])
        self.limits = Limits(
            max_text=200, unit=unit, fold_ms=fold_ms, resend_ms=resend_ms, edits_ms=edits_ms, recalls_ms=recalls_ms
        )
        super().__init__(self.limits)
        self.written: dict[int, str] = {}
        self.screen: dict[str, tuple[tuple[int, ...], str]] = {}
        self.recalled: set[int] = set()
        self.corrected = 0
        self.whole: list[int] = []
        self.failed: set[int] = set()
        self.under_way: e.Attempted | None = None
        self.follows: tuple[int, ...] = ()

    @property
    def box(self) -> Outbox:
        assert self.state.outbox is not None
        return self.state.outbox

    @property
    def calling(self) -> bool:
        return self.box.attempt is not None and self.box.attempt.retry_at_ms is None

    def step(self) -> None:
        self.now_ms += 700
        match self.dice.choice(STEPS):
            case "answer":
                text = self.dice.choice(TEXTS)
                self.written[self.answer(text)] = text
            case "tick":
                self.hear(self.do(c.Tick()))
            case "recall":
                self.change("")
            case "correct":
                self.change(self.dice.choice(TEXTS))
            case "wrote":
                self.receive(f"m{self.now_ms}", "hello?")
            case "retried" if self.box.letters:
                self.do(c.RetryDelivery(self.dice.choice(list(self.box.letters)), "admin"))
            case "dropped" if self.box.letters:
                self.do(c.DropDelivery(self.dice.choice(list(self.box.letters)), "admin"))
            case "restart" if self.calling:
                events = conversation.resume(self.state, self.now_ms)
                for event in events:
                    conversation.evolve(self.state, Record(ME, self.state.seq + 1, 0, self.now_ms, event))
                self.hear(events)
            case ("sent" | "retry" | "refused" | "unknown") as kind if self.calling:
                self.hear(self.verdict(kind, retry_at_ms=self.now_ms + SECOND, receipt=self.receipt()))

    def receipt(self) -> str:
        """A change keeps the platform's id of what it changes, or gets another."""
        return f"r{self.now_ms}" if self.dice.random() < 0.7 else ""

    def change(self, text: str) -> None:
        """Of one of the last answers, or of the last one."""
        seq = self.dice.choice([0, 0, *(one.seq for one in self.state.answers)])
        before = msgspec.structs.asdict(self.box)
        events = self.relay(c.ChangeMessage(ANN, text, seq))
        if isinstance(events[0], e.AnswerRefused):
            assert msgspec.structs.asdict(self.box) == before, "a change that is refused changes nothing"
        self.hear(events)

    def hear(self, events: list[AnyEvent]) -> None:
        for event in events:
            match event:
                case e.Attempted():
                    self.set_out(event)
                case e.AttemptSent(refs=refs) if self.under_way:
                    taken = message(self.under_way)
                    self.show(taken, self.under_way.text, event.receipt)
                    self.follows = taken.refs if taken.rest else ()
                    self.whole += refs
                case e.AttemptRefused(refs=refs):
                    self.failed |= set(refs)
                    self.follows = ()
                case e.MessageCorrected(ref=ref, text=text):
                    self.written[ref] = text
                    self.corrected += 1
                case e.MessageRecalled(ref=ref):
                    assert not self.shown((ref,)), "it is said to be gone when it is"
                    self.recalled.add(ref)

    def show(self, taken: Outgoing, text: str, receipt: str) -> None:
        if not taken.replaces:
            self.screen[receipt or f"unnamed {self.now_ms}"] = taken.refs, text
        elif not text:
            del self.screen[taken.replaces]
        else:  # in its place
            changed = {taken.replaces: (receipt or taken.replaces, (taken.refs, text))}
            self.screen = dict(changed.get(name, (name, shown)) for name, shown in self.screen.items())

    def shown(self, refs: tuple[int, ...]) -> list[str]:
        """What the visitor sees of these messages."""
        return [text for of, text in self.screen.values() if of == refs]

    def set_out(self, event: e.Attempted) -> None:
        assert SIZES[self.limits.unit](event.text) <= self.limits.max_text
        assert not self.recalled & set(message(event).refs), "nothing of a message sets out after it was taken back"
        assert not message(event).replaces or message(event).replaces in self.screen
        if event.tries > 1:
            assert self.under_way is not None
            assert (event.text, event.message) == (self.under_way.text, self.under_way.message)
        else:
            assert self.follows in ((), message(event).refs), "nothing comes between the parts of a message"
        self.under_way = event

    def finish(self) -> None:
        """The platform is well again: let all that waits be sent."""
        while (due := conversation.next_due(self.state)) is not None or self.calling:
            self.now_ms = max(self.now_ms, due or 0)
            self.hear(self.do(c.Tick()) if due is not None else self.verdict(receipt=f"r{self.now_ms}"))
            self.now_ms += 1


@pytest.mark.parametrize("seed", range(60))
def test_every_text_arrives_whole_and_in_order_or_a_person_knows(seed: int) -> None:
    world = World(seed)
    for _ in range(800):
        world.step()
    world.finish()
    for refs in {refs for refs, _ in world.screen.values()}:
        if not world.failed & set(refs):
            assert "".join(world.shown(refs)) == "\n\n".join(world.written[ref] for ref in refs)
    assert not any(world.shown((ref,)) for ref in world.recalled)
    unharmed = [ref for ref in world.whole if ref not in world.failed]
    assert unharmed == sorted(set(unharmed))
    assert set(unharmed) | world.failed | world.recalled == set(world.written)
    assert world.recalled
    assert world.corrected
    assert len(unharmed) > 10
    assert world.failed
