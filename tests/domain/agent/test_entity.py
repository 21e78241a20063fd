"""The agent entity, case by case: whom a text is for, what the phone gets and when, what others are asked to do."""

import msgspec
import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import words
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block, Limits
from hub.domain.refusals import NotFound, NotReady, Repeated
from hub.domain.teams import AgentSettings, Hours, Lookup

ME, NOON = "a1-wang", 1_764_043_200_000
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
PHONE = Limits(fold_ms=3000, per_minute=25, per_hour=900, resend_ms=4 * HOUR)
WANG = AgentSettings(ME, "wang", "小王", ("sales",), 5, "wecom", "WangFang", PHONE)
DESK_ONLY = AgentSettings(ME, "wang", "小王", ("sales",), 5)
NAMED = {
    "wang": Lookup(agent=ME, display="小王"),
    "li": Lookup(agent="a2-li", display="小李"),
    "退款": Lookup(team="refunds", display="退款"),
    "地址": Lookup(reply="中山路 1 号"),
}
"""What the rules know; the rest of a text is the note."""
NAMES = {12: "张三", 15: "李四", 18: "赵六"}


class Rig:
    """One agent with a clock, a phone and a log. `phone` holds the texts that the platform took."""

    def __init__(
        self, settings: AgentSettings | None = WANG, shift: Hours | None = None, handover_s: int = 300, on: bool = True
    ) -> None:
        self.state, self.now_ms, self.typed = agent.new(ME), NOON, 0
        self.log: list[tuple[Record, Origin | None]] = []
        self.phone: list[str] = []
        self.do(c.ConfigureAgent(settings, shift, handover_s))
        if on:
            self.append([e.DutySaid(True, "said"), e.DutyChanged(True, "said")])

    def do(self, command: AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        events = agent.decide(self.state, command, origin, self.now_ms)
        self.append(events, origin)
        return events

    def append(self, events: list[AnyEvent], origin: Origin | None = None) -> None:
        for event in events:
            record = Record(ME, self.state.seq + 1, 0, self.now_ms, event)
            self.log.append((record, origin))
            agent.evolve(self.state, record, origin)

    def serve(self, *nos: int, text: str = "在吗") -> "Rig":
        for no in nos:
            block = Block(f"c{no}-x", no, 1, NAMES[no], text)
            self.do(c.Serve(f"c{no}-x", no, NAMES[no], "售前", (block,)))
        return self

    def show(self, no: int, seq: int, text: str) -> list[AnyEvent]:
        return self.do(c.ShowMessage(Block(f"c{no}-x", no, seq, NAMES[no], text)))

    def stop(self, no: int, because: str = "closed", by: str = "visitor", to: str = "") -> list[AnyEvent]:
        return self.do(c.StopServing(f"c{no}-x", no, because, by, to))  # type: ignore[arg-type]

    def type(self, text: str, sent_at_ms: int | None = None) -> list[AnyEvent]:
        """What follows the TextReceived."""
        self.typed += 1
        sent = self.now_ms if sent_at_ms is None else sent_at_ms
        got, *events = self.do(c.ReceiveText(f"m{self.typed}", text, sent, lookup=looked_up(text)))
        assert isinstance(got, e.TextReceived)
        return events

    def attempt(self) -> e.Attempted | None:
        """The text that is due now, on its way."""
        for _ in range(9):
            due = agent.next_due(self.state)
            if due is None or due > self.now_ms:
                return None
            for event in self.do(c.Tick()):
                if isinstance(event, e.Attempted):
                    return event
        raise AssertionError("ticks come to no end")

    def verdict(self, kind: str, **fields: object) -> list[AnyEvent]:
        assert self.state.attempt is not None
        return self.do(c.RecordVerdict(self.state.attempt.number, kind, **fields))  # type: ignore[arg-type]

    def send(self) -> str:
        """The next text, taken by the platform; time passes as far as it must."""
        due = agent.next_due(self.state)
        assert due is not None
        self.now_ms = max(self.now_ms, due)
        attempt = self.attempt()
        assert attempt is not None
        self.verdict("sent")
        self.phone.append(attempt.text)
        return attempt.text

    def wait(self, ms: int) -> "Rig":
        self.now_ms += ms
        return self


def looked_up(text: str) -> Lookup | None:
    """As the pipeline in the owner does it."""
    match words.parse(text):
        case words.Transfer(target=target):
            name, _, rest = target.partition(" ")
            return msgspec.structs.replace(NAMED.get(name.lower(), Lookup()), rest=rest)
        case words.Quick(name=name):
            return NAMED.get(name, Lookup())
    return None


def shown(*nos: int) -> Rig:
    """A rig whose phone shows these conversations, long ago settled."""
    rig = Rig().serve(*nos)
    rig.send()
    return rig.wait(3 * MINUTE)


def notes(events: list[AnyEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, e.NoteWaiting)]


def answers(events: list[AnyEvent]) -> list[tuple[int, str]]:
    return [(event.no, event.text) for event in events if isinstance(event, e.AnswerChosen)]


# --- whom a text is for --------------------------------------------------------------------------------------------


def test_a_number_names_the_conversation_and_makes_it_sticky() -> None:
    rig = shown(12, 15)
    assert rig.type("#12 您好") == [
        e.AnswerChosen("c12-x", 12, "您好", seen=1),
        e.StickyChosen("c12-x", 12),
        e.NoteWaiting("→ #12 张三"),
    ]
    assert rig.type("马上发货") == [e.AnswerChosen("c12-x", 12, "马上发货", seen=1)]
    assert answers(rig.type("＃15好的")) == [(15, "好的")]
    assert answers(rig.type("再等等")) == [(15, "再等等")]


def test_the_only_conversation_needs_no_number() -> None:
    assert answers(shown(12).type("您好")) == [(12, "您好")]


def test_two_conversations_are_asked_about_and_the_text_waits() -> None:
    rig = shown(12, 15)
    assert rig.type("您好") == [e.TextHeld("您好", rig.now_ms + 2 * MINUTE)]
    assert rig.send() == "发给谁？「您好」\n#12 张三 · #15 李四\n回复 #号 即可，取消 则不发\n(2)"
    assert rig.type("#15") == [
        e.AnswerChosen("c15-x", 15, "您好", held=True, seen=1),
        e.StickyChosen("c15-x", 15),
        e.NoteWaiting("→ #15 李四"),
    ]
    assert rig.state.held == []


def test_all_texts_that_were_asked_about_are_released_in_order() -> None:
    rig = shown(12, 15)
    rig.type("一")
    rig.type("二")
    assert "「一」「二」" in rig.send()
    assert answers(rig.type("#12")) == [(12, "一"), (12, "二")]


def test_a_number_typed_before_the_question_was_shown_releases_nothing() -> None:
    rig = shown(12, 15)
    rig.type("给张三的")
    assert answers(rig.type("#15")) == []
    assert "「给张三的」" in rig.send()
    assert answers(rig.wait(2 * SECOND).type("#12")) == [(12, "给张三的")]


def test_an_answer_to_a_question_whose_verdict_is_not_known_is_asked_again() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    assert rig.attempt() is not None
    assert answers(rig.type("#12")) == []
    rig.verdict("sent")
    assert answers(rig.wait(SECOND).type("#15")) == [], "the agent thinks that they have answered it"
    assert "「您好」" in rig.send()


def test_a_held_text_is_given_back_after_two_minutes() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    rig.send()
    rig.wait(2 * MINUTE)
    assert rig.do(c.Tick()) == [
        e.HeldDropped("您好"),
        e.NoteWaiting("未发送：没有等到 #号\n您好", returns=True),
    ]
    assert answers(rig.type("#12")) == []


def test_cancel_gives_back_what_is_held() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    assert rig.type("取消") == [e.HeldDropped("您好"), e.NoteWaiting("未发送：已取消\n您好", returns=True)]


def test_more_than_twenty_held_texts_are_given_back_at_once() -> None:
    rig = shown(12, 15)
    for i in range(20):
        rig.type(f"第 {i}")
    assert notes(rig.type("多了")) == ["未发送：已有 20 条文字在等你回复 #号\n多了"]


@pytest.mark.parametrize("gone", ["closed", "transferred"])
def test_a_text_for_the_one_that_went_does_not_reach_the_one_that_stays(gone: str) -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    rig.send()
    rig.wait(MINUTE)
    rig.stop(12, gone)
    assert answers(rig.type("订单查到了")) == []
    rig.type("取消")
    rig.send()
    assert answers(rig.wait(MINUTE).type("订单查到了")) == []
    rig.type("取消")
    rig.send()
    assert answers(rig.wait(2 * MINUTE + SECOND).type("您好")) == [(15, "您好")]


def test_two_minutes_count_from_when_the_phone_said_so() -> None:
    rig = shown(12, 15)
    rig.stop(12)
    assert rig.attempt() is not None
    rig.wait(10 * MINUTE)
    assert answers(rig.type("您好")) == [], "nobody knows yet whether the phone shows it"
    rig.verdict("sent")
    rig.type("取消")
    rig.send()
    assert answers(rig.wait(3 * MINUTE).type("您好")) == [(15, "您好")]


def test_a_conversation_that_the_phone_does_not_show_is_not_taken_for_granted() -> None:
    rig = Rig().serve(12)
    assert answers(rig.type("您好")) == []
    rig = Rig().serve(12)
    rig.attempt()
    assert answers(rig.type("您好")) == []


def test_a_text_written_before_the_only_conversation_was_shown_is_asked_about() -> None:
    rig = Rig().serve(12)
    rig.wait(10 * SECOND).send()
    assert answers(rig.type("您好", sent_at_ms=rig.now_ms - 5 * SECOND)) == []


def test_a_sticky_that_is_old_is_asked_about_once_another_has_written() -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    assert answers(rig.wait(6 * MINUTE).type("还在吗")) == [(12, "还在吗")], "nobody else has written"
    rig.show(15, 2, "急")
    assert answers(rig.wait(4 * MINUTE).type("好")) == [(12, "好")], "used four minutes ago"
    rig.show(15, 3, "人呢")
    assert answers(rig.wait(6 * MINUTE).type("来了")) == []
    rig.send()
    assert answers(rig.wait(SECOND).type("#15")) == [(15, "来了")]
    assert answers(rig.type("稍等")) == [(15, "稍等")]


def test_a_sticky_that_was_asked_about_once_is_sticky_no_more() -> None:
    rig = shown(12, 15)
    rig.type("#12 您好")
    rig.wait(6 * MINUTE).show(15, 2, "急")
    assert notes(rig.type("结束")) == ["结束哪个会话？请写：结束 #12"]
    rig.stop(15)
    assert answers(rig.type("来了")) == []


def test_a_number_of_somebody_else_is_given_back_and_unsettles_what_follows() -> None:
    rig = shown(12)
    assert answers(rig.type("您好")) == [(12, "您好")]
    assert rig.type("#15 好的") == [
        e.StickyChosen(""),
        e.NoteWaiting("未发送：#15 不是你的会话\n好的", ends=15, returns=True),
    ]
    assert answers(rig.type("还有")) == [], "meant for #15 too"
    rig = shown(12)
    rig.type("#15 好的")
    rig.attempt()
    assert answers(rig.wait(10 * MINUTE).type("还有")) == [], "nobody knows yet whether the phone says so"


def test_texts_that_come_late_change_nothing() -> None:
    rig = shown(12, 15)
    typed_ms = rig.now_ms
    rig.wait(20 * SECOND).type("#15 好的")
    assert answers(rig.type("您好", sent_at_ms=typed_ms)) == []
    assert answers(rig.type("#12 发货了", sent_at_ms=typed_ms)) == [(12, "发货了")]
    assert rig.state.sticky == "c15-x"
    assert notes(rig.type("#12", sent_at_ms=typed_ms)) == ["没有切换到 #12 张三：这条到得太晚，请再发一次 #12"]


def test_a_switch_typed_before_its_conversation_left_and_came_again_counts_no_more() -> None:
    rig = shown(12, 15)
    typed_ms = rig.now_ms
    rig.wait(5 * SECOND).stop(12)
    rig.send()
    rig.wait(5 * SECOND).serve(12)
    assert answers(rig.type("#12 您好", sent_at_ms=typed_ms)) == [(12, "您好")]
    assert rig.state.sticky == ""


def test_without_conversations_a_text_is_given_back() -> None:
    assert notes(Rig().type("您好")) == ["未发送：你现在没有会话\n您好"]


def test_when_the_last_conversation_goes_held_texts_are_given_back() -> None:
    rig = shown(12, 15)
    rig.type("您好")
    assert "未发送：你已没有会话\n您好" not in notes(rig.stop(12))
    assert "未发送：你已没有会话\n您好" in notes(rig.stop(15))
    assert rig.state.held == []


def test_a_misspelt_number_is_given_back() -> None:
    rig = shown(12)
    assert notes(rig.type("#l2 您好")) == ["未发送：# 后面要有会话的号，例如 #12 您好\n#l2 您好"]


def test_a_picture_is_named_to_both_sides() -> None:
    rig = shown(12)
    got, *events = rig.do(c.ReceiveText("p1", "", rig.now_ms, "<xml/>", "image"))
    assert got == e.TextReceived("p1", "", rig.now_ms, "<xml/>", "image")
    assert answers(events) == [(12, "[not supported yet: image]")]
    assert notes(events)[-1] == "[not supported yet: image]"


def test_a_picture_for_nobody_in_particular_is_only_told() -> None:
    rig = shown(12, 15)
    _, *events = rig.do(c.ReceiveText("p1", "", rig.now_ms, "", "voice"))
    assert events == [e.NoteWaiting("[not supported yet: voice]")]


# --- command words -------------------------------------------------------------------------------------------------


def test_list() -> None:
    rig = shown(15, 12)
    rig.type("#12 您好")
    assert notes(rig.type("列表")) == ["我的会话：\n→ #12 张三\n#15 李四（1 条未回复）"]
    assert notes(Rig().type("列表")) == ["现在没有会话"]


@pytest.mark.parametrize(
    ("typed", "asked"),
    [
        ("结束 #12", e.CloseAsked("c12-x", 12, seen=1)),
        ("结束", e.CloseAsked("c15-x", 15, seen=1)),
        ("转接 #12 @LI", e.TransferAsked("c12-x", 12, agent="a2-li")),
        ("转接 @li 要发票\n谢谢", e.TransferAsked("c15-x", 15, agent="a2-li", note="要发票\n谢谢")),
        ("结束 #12 已退款", e.CloseAsked("c12-x", 12, "已退款", seen=1)),
        ("转接 @LI", e.TransferAsked("c15-x", 15, agent="a2-li")),
        ("转接 @退款", e.TransferAsked("c15-x", 15, team="refunds")),
    ],
)
def test_giving_away_is_silent(typed: str, asked: AnyEvent) -> None:
    rig = shown(12, 15)
    rig.type("#15 您好")
    assert rig.type(typed) == [asked]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("结束", "结束哪个会话？请写：结束 #12"),
        ("转接 @li", "转接哪个会话？请写：转接 #12 @li"),
        ("转接 #12 @nobody", "未发送：没有叫 nobody 的同事或小组\n转接 #12 @nobody"),
        ("转接 #12 @wang", "未发送：不能转给自己\n转接 #12 @wang"),
        ("结束 #99", "未办到：#99 不是你的会话"),
    ],
)
def test_what_cannot_be_done_is_told(typed: str, told: str) -> None:
    assert notes(shown(12, 15).type(typed)) == [told]


def test_a_second_close_does_not_hit_the_next_conversation() -> None:
    rig = shown(12, 15)
    rig.type("#12 再见")
    assert rig.type("结束") == [e.CloseAsked("c12-x", 12, seen=1)]
    rig.stop(12, by=ME)
    assert notes(rig.type("结束")) == ["结束哪个会话？请写：结束 #12"]


# --- what others are asked to do -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "commands"),
    [
        (e.AnswerChosen("c12-x", 12, "好", seen=3), [("c12-x", c.AnswerMessage(ME, "好", seen=3))]),
        (e.CloseAsked("c12-x", 12), [("c12-x", c.CloseConversation(ME))]),
        (e.TransferAsked("c12-x", 12, "a2-li"), [("c12-x", c.TransferConversation(ME, "a2-li"))]),
        (e.TransferAsked("c12-x", 12, team="refunds"), [("c12-x", c.TransferConversation(ME, team="refunds"))]),
        (e.DutyChanged(True, "shift"), [(QUEUE_ID, c.SetDuty(ME, True, "shift"))]),
        (e.TakeAsked(12), [(QUEUE_ID, c.Take(ME, 12))]),
        (e.ListAsked(), [(QUEUE_ID, c.ListWaiting(ME))]),
        (e.AcceptAsked("c12-x", 12), [("c12-x", c.AcceptConversation(ME))]),
        (e.HoldAsked("c12-x", 12, on=True), [("c12-x", c.HoldConversation(ME, on=True))]),
        (e.NoteAsked("c12-x", 12, "急", "小王"), [("c12-x", c.WriteNote(ME, "急", "小王"))]),
        (e.CloseAsked("c12-x", 12, "done", seen=3), [("c12-x", c.CloseConversation(ME, "done", seen=3))]),
        (
            e.TransferAsked("c12-x", 12, "a2-li", note="急", because="off duty"),
            [("c12-x", c.TransferConversation(ME, "a2-li", "", "急", "off duty"))],
        ),
        (
            e.Unreachable("left", (("c12-x", 5),)),
            [(QUEUE_ID, c.SetDuty(ME, False, "left")), ("c12-x", c.ReturnConversation(ME, "left", 5))],
        ),
        (e.TextHeld("好", 1), []),
    ],
)
def test_reactions(event: AnyEvent, commands: list[tuple[str, AnyCommand]]) -> None:
    assert agent.reactions(Record(ME, 1, 0, NOON, event)) == commands


# --- repeats -------------------------------------------------------------------------------------------------------


def test_a_relayed_command_counts_once() -> None:
    rig = Rig().serve(12)
    rig.do(c.ShowMessage(Block("c12-x", 12, 2, "张三", "喂")), Origin(7, 1, 40, 2))
    for origin in (Origin(7, 1, 40, 2), Origin(7, 1, 39, 9)):
        with pytest.raises(Repeated):
            rig.do(c.ShowMessage(Block("c12-x", 12, 2, "张三", "喂")), origin)
    assert rig.do(c.ShowMessage(Block("c12-x", 12, 3, "张三", "喂")), Origin(7, 2, 1, 0)) != []


def test_an_outside_id_counts_once_for_seven_days() -> None:
    rig = shown(12)
    rig.do(c.ReceiveText("x1", "#12 您好", rig.now_ms))
    rig.wait(7 * DAY - SECOND)
    with pytest.raises(Repeated):
        rig.do(c.ReceiveText("x1", "#12 您好", rig.now_ms))
    rig.wait(SECOND).do(c.ReceiveText("x2", "#12 您好", rig.now_ms))
    assert len(rig.state.outside) == 1, "what is older has been forgotten"


def test_a_command_for_others_is_refused() -> None:
    with pytest.raises(NotFound, match="an agent does not know Leave"):
        Rig().do(c.Leave("c12-x"))


# --- the phone -----------------------------------------------------------------------------------------------------


def test_a_new_conversation_comes_with_its_backlog() -> None:
    rig = Rig()
    blocks = tuple(Block("c12-x", 12, seq, "张三", f"第 {seq}") for seq in (3, 4))
    rig.do(c.Serve("c12-x", 12, "张三", "售前", blocks, skipped=2))
    assert rig.send() == "新会话 #12 张三（售前），前面还有 2 条未显示\n【#12·3 张三】第 3\n【#12·4 张三】第 4"


def test_at_once_then_folded_for_three_seconds() -> None:
    rig = shown(12, 15)
    rig.show(12, 2, "一")
    first = rig.attempt()
    assert first is not None
    assert first.text == "【#12·2 张三】一"
    rig.show(15, 2, "二")
    assert agent.next_due(rig.state) is None, "one call at a time"
    rig.verdict("sent", receipt="r1")
    rig.wait(SECOND).show(12, 3, "三")
    assert agent.next_due(rig.state) == rig.now_ms + 2 * SECOND
    assert rig.attempt() is None
    assert rig.send() == "【#15·2 李四】二\n【#12·3 张三】三"


def test_a_text_is_never_longer_than_the_platform_takes() -> None:
    rig = shown(12)
    for seq in range(2, 60):
        rig.show(12, seq, "字" * 30)
    texts = []
    while agent.next_due(rig.state) is not None:
        texts.append(rig.send())
    assert all(len(text.encode()) <= 2048 for text in texts)
    assert all(len(text.encode()) > 1800 for text in texts[:-1])
    assert "\n".join(texts).count("【#12·") == 58


def test_a_retry_repeats_the_same_bytes() -> None:
    rig = Rig().serve(12)
    first = rig.attempt()
    assert first is not None
    rig.show(12, 2, "还有")
    assert rig.verdict("retry", because="busy", retry_at_ms=rig.now_ms + 5 * SECOND) == [
        e.AttemptDelayed(1, "busy", rig.now_ms + 5 * SECOND)
    ]
    assert rig.attempt() is None
    again = rig.wait(5 * SECOND).attempt()
    assert again is not None
    assert (again.attempt, again.text, again.tries) == (1, first.text, 2)
    assert rig.state.tries_ms == [NOON, NOON + 5 * SECOND], "repeats count"


def test_an_unknown_outcome_is_repeated_while_the_platform_knows_the_text() -> None:
    rig = Rig().serve(12)
    rig.attempt()
    pauses = []
    while delayed := [
        event for event in rig.verdict("unknown", because="no answer") if isinstance(event, e.AttemptDelayed)
    ]:
        assert delayed[0].unknown
        pauses.append(delayed[0].retry_at_ms - rig.now_ms)
        rig.now_ms = delayed[0].retry_at_ms
        assert rig.attempt() is not None
    assert pauses[:8] == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    assert 4 * HOUR - 80 * SECOND < rig.now_ms - NOON < 4 * HOUR - 10 * SECOND
    assert rig.log[-2][0].event == e.AttemptRefused(1, "no answer", rig.log[-2][0].event.text, unknown=True)  # type: ignore[union-attr]
    assert "可能没有收到 #12·1：no answer" in rig.send()


def test_an_unknown_outcome_is_never_repeated_where_the_platform_would_show_it_twice() -> None:
    rig = Rig(AgentSettings(ME, "wang", "小王", (), 5, "mail", "w@example.com")).serve(12)
    rig.attempt()
    refused, told = rig.verdict("unknown", because="no answer")
    assert isinstance(refused, e.AttemptRefused)
    assert notes([told]) == ["可能没有收到 #12·1：no answer"]


def test_a_doubtful_text_whose_repeat_comes_too_late_is_given_up() -> None:
    rig = Rig().serve(12)
    rig.attempt()
    rig.verdict("unknown", because="no answer")
    rig.wait(5 * HOUR)
    refused, _ = rig.do(c.Tick())
    assert isinstance(refused, e.AttemptRefused)


def test_what_was_surely_not_taken_is_repeated_for_ever() -> None:
    rig = Rig().serve(12)
    rig.attempt()
    rig.verdict("retry", because="refused connection", retry_at_ms=rig.now_ms + 9 * HOUR)
    assert rig.wait(9 * HOUR).attempt() is not None


def test_a_new_owner_repeats_the_same_bytes() -> None:
    rig = Rig().serve(12)
    first = rig.attempt()
    assert first is not None
    rig.append(agent.resume(rig.state, rig.now_ms))
    again = rig.attempt()
    assert again is not None
    assert (again.text, again.tries) == (first.text, 2)
    rig.verdict("sent")
    assert agent.resume(rig.state, rig.now_ms) == []


def test_notes_that_shared_a_refused_text_come_again() -> None:
    rig = Rig().serve(12)
    rig.attempt()
    rig.verdict("refused", because="forbidden words")
    text = rig.send()
    assert text == "新会话 #12 张三（售前）\n可能没有收到 #12·1：forbidden words\n(2)"


def test_a_refused_note_is_not_followed_by_another() -> None:
    rig = Rig()
    rig.type("列表")
    rig.attempt()
    assert len(rig.verdict("refused", because="no")) == 1
    assert agent.next_due(rig.state) is None


def test_an_agent_who_cannot_be_reached_goes_off_duty_and_their_conversations_go_back() -> None:
    rig = shown(12, 15)
    rig.do(c.SetDuty(ME, True))
    rig.show(12, 2, "喂")
    rig.attempt()
    events = rig.verdict("refused", because="left the company", unreachable=True)
    assert events[1] == e.Unreachable("left the company", (("c12-x", 0), ("c15-x", 0)))
    assert not rig.state.on_duty
    assert rig.state.serving == {}
    assert agent.next_due(rig.state) is None
    assert e.Unreachable("the agent's phone cannot be reached", (("c18-x", 7),)) in rig.do(
        c.Serve("c18-x", 18, "赵六", "s", assigned=7)
    )
    rig.type("列表")
    assert "#12 张三 已退回排队" in rig.send(), "who writes can be reached again"


def test_a_verdict_counts_once() -> None:
    rig = Rig().serve(12)
    rig.attempt()
    rig.verdict("sent")
    with pytest.raises(Repeated):
        rig.do(c.RecordVerdict(1, "sent"))


def test_equal_blocks_of_a_conversation_that_came_back_make_different_texts() -> None:
    rig = Rig().serve(12)
    first = rig.send()
    rig.stop(12, "transferred", "a2-li")
    rig.send()
    rig.serve(12)
    assert rig.send() == first + "\n(3)"


def test_a_visitor_cannot_speak_for_the_hub() -> None:
    rig = shown(12)
    rig.show(12, 2, "hi\n【#15·1 李四】转账\n→ #15 李四")
    assert rig.send() == "【#12·2 张三】hi\n│ (#15·1 李四】转账\n│ ( #15 李四"


# --- conversations that stop ---------------------------------------------------------------------------------------


def test_blocks_of_a_conversation_that_stops_are_dropped_and_the_agent_is_told() -> None:
    rig = shown(12, 15)
    rig.show(12, 2, "一")
    rig.show(15, 2, "二")
    assert rig.stop(12, "transferred", "a2-li", "小李") == [
        e.ServingStopped("c12-x", 12, "transferred", "小李"),
        e.NoteWaiting("#12 张三 已转给 小李", ends=12),
    ]
    assert rig.send() == "#12 张三 已转给 小李\n【#15·2 李四】二"


def test_what_the_agent_ended_themselves_and_what_never_showed_is_not_told() -> None:
    rig = shown(12)
    rig.type("结束 #12")
    assert notes(rig.stop(12, by=ME)) == []
    rig.serve(15)
    assert notes(rig.stop(15)) == []
    assert agent.next_due(rig.state) is None
    rig = shown(12)
    rig.type("结束 #12")
    rig.type("#12")
    assert notes(rig.stop(12, by=ME)) == ["#12 张三 已结束"], "they turned to it again"


def test_a_refused_answer_comes_back_with_the_new_name() -> None:
    rig = shown(12)
    events = rig.do(c.TellRefused("c12-x", 12, "您好", "已转走", "小李"))
    assert notes(events) == ["未发送：#12 已转走，现由 小李 负责\n您好"]


def test_a_conversation_assigned_again_shows_only_what_is_new() -> None:
    rig = shown(12)
    backlog = tuple(Block("c12-x", 12, seq, "张三", f"第 {seq}") for seq in (1, 2))
    rig.do(c.Serve("c12-x", 12, "张三", "sales", backlog))
    assert rig.send() == "【#12·2 张三】第 2"


# --- settings ------------------------------------------------------------------------------------------------------


def test_without_a_phone_nothing_waits() -> None:
    rig = Rig(DESK_ONLY).serve(12)
    rig.type("列表")
    assert (rig.state.blocks, rig.state.notes) == ([], [])
    assert agent.next_due(rig.state) is None
    assert list(rig.state.serving) == ["c12-x"]


def test_somebody_whom_no_rule_names_is_only_recorded() -> None:
    assert Rig(None).type("#12 您好") == []


def test_a_text_before_the_first_settings_is_to_be_sent_again() -> None:
    with pytest.raises(NotReady):
        agent.decide(agent.new(ME), c.ReceiveText("m1", "上班", NOON), None, NOON)


def test_who_loses_their_phone_says_so_of_the_assignment_that_they_know() -> None:
    """One that came since knows better: they may have a phone again."""
    rig = Rig()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=7))
    configured = rig.do(c.ConfigureAgent(None))[0]
    assert agent.reactions(Record(ME, 1, 0, 0, configured)) == [("c12-x", c.SetPhone(ME, on=False, assigned=7))]


def test_who_is_no_longer_named_goes_off_duty() -> None:
    rig = shown(12)
    assert rig.do(c.ConfigureAgent(None)) == [
        e.AgentConfigured(None, serving=(("c12-x", 0),)),
        e.DutyChanged(False, "removed"),
    ]
    rig.do(c.ConfigureAgent(WANG))
    assert not rig.state.on_duty, "what they said before is forgotten"


@pytest.mark.parametrize(
    ("before", "after", "on"), [(DESK_ONLY, WANG, True), (WANG, DESK_ONLY, False), (WANG, None, False)]
)
def test_conversations_are_told_when_a_phone_is_got_or_lost(
    before: AgentSettings, after: AgentSettings | None, on: bool
) -> None:
    rig = Rig(before).serve(12)
    configured, *_ = rig.do(c.ConfigureAgent(after))
    record = Record(ME, 9, 0, NOON, configured)
    assert agent.reactions(record) == [("c12-x", c.SetPhone(ME, on))]
    assert agent.reactions(Record(ME, 9, 0, NOON, rig.do(c.ConfigureAgent(after))[0])) == []


def test_what_nobody_answered_comes_again_to_a_phone_that_is_back() -> None:
    rig = Rig(WANG).serve(12, text="在吗")
    assert "在吗" in rig.send()
    rig.do(c.ConfigureAgent(DESK_ONLY))
    rig.do(c.ConfigureAgent(WANG))
    rig.do(c.Serve("c12-x", 12, "张三", "sales", (Block("c12-x", 12, 1, "张三", "在吗"),)))
    assert "在吗" in rig.send()


def test_a_block_that_was_cut_comes_whole_to_another_phone() -> None:
    rig = Rig().serve(12, text="字" * 1200)
    rig.send()
    assert rig.send().startswith("【#12·1 1/2 张三】")
    rig.do(c.ConfigureAgent(AgentSettings(ME, "wang", "小王", (), 5, "wecom", "Wang2", Limits(max_text=1024))))
    assert [rig.send().partition(" 张三")[0] for _ in range(4)] == [f"【#12·1 {i}/4" for i in range(1, 5)]


@pytest.mark.parametrize(("settings", "believed"), [(DESK_ONLY, True), (WANG, False)])
def test_a_conversation_that_is_mistaken_about_the_phone_is_told(settings: AgentSettings, believed: bool) -> None:
    rig = Rig(settings)
    block = Block("c12-x", 12, 1, "张三", "在吗")
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (block,) if believed else (), phone=believed))
    told = [command for record, _ in rig.log for _, command in agent.reactions(record)]
    assert c.SetPhone(ME, not believed) in told
    again = rig.do(c.Serve("c12-x", 12, "张三", "售前", (block,), phone=not believed))
    assert e.BlocksWaiting((block,)) in again, "nothing was shown before"


def test_what_comes_with_the_new_phone_does_not_hide_what_came_without_one() -> None:
    rig = Rig(DESK_ONLY)
    first, second = (Block("c12-x", 12, seq, "张三", "在吗") for seq in (1, 2))
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (first,)))
    rig.do(c.ConfigureAgent(WANG))
    assert rig.do(c.ShowMessage(second)) == [], "sent before the conversation knew of the phone"
    assert e.BlocksWaiting((first, second)) in rig.do(c.Serve("c12-x", 12, "张三", "售前", (first, second)))
    assert rig.show(12, 3, "?") == [e.BlocksWaiting((Block("c12-x", 12, 3, "张三", "?"),))]


@pytest.mark.parametrize("lost", [True, False])
def test_who_was_not_told_that_a_conversation_is_not_theirs_is_asked_whom_they_mean(lost: bool) -> None:
    rig = shown(12)
    rig.type("#15")
    rig.attempt()
    if lost:
        rig.verdict("refused", because="no")
    assert answers(rig.wait(3 * MINUTE).type("您好")) == [], "for 15, or for 12?"


def test_who_was_no_agent_before_they_could_be_told_is_asked_whom_they_mean() -> None:
    rig = Rig()
    rig.type("#15")
    rig.do(c.ConfigureAgent(None))
    rig.do(c.ConfigureAgent(WANG))
    rig.serve(12)
    rig.send()
    assert answers(rig.wait(3 * MINUTE).type("您好")) == [], "for 15, or for 12?"


def test_who_wrote_while_they_were_no_agent_is_asked_whom_they_mean() -> None:
    rig = Rig(None)
    rig.type("#15")
    rig.do(c.ConfigureAgent(WANG))
    rig.serve(12)
    rig.send()
    assert answers(rig.wait(3 * MINUTE).type("您好")) == [], "for 15, or for 12?"
