"""On and off duty: by word, by shift, by answers, by what was missed; and what becomes of open conversations then."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import agent, looks
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.teams import Hours, Span
from tests.domain.agent.test_entity import DAY, DESK_ONLY, HOUR, ME, MINUTE, NOON, WANG, Rig, answers, notes

# NOON is 12:00 in Shanghai, on a Tuesday.
SHIFT = Hours("Asia/Shanghai", ((Span(9 * 60, 18 * 60),),) * 7)
LATER = Hours("Asia/Shanghai", ((Span(14 * 60, 20 * 60),),) * 7)
SIX_HOURS = NOON + 6 * HOUR


def off(**fields: object) -> Rig:
    return Rig(on=False, **fields)  # type: ignore[arg-type]


def tick(rig: Rig) -> list[object]:
    """All that is due, up to what goes to the phone."""
    events: list[object] = []
    while (due := agent.duty.next_due(rig.state)) is not None and due <= rig.now_ms:
        events += rig.do(c.Tick())
    return events


# --- by word -------------------------------------------------------------------------------------------------------


def test_who_has_no_shift_is_on_duty_for_twelve_hours_after_saying_so() -> None:
    rig = off()
    until = NOON + 12 * HOUR
    assert rig.type("上班") == [
        e.DutySaid(True, "said", until),
        e.DutyChanged(True, "said", until),
        e.NoteWaiting("已上班"),
    ]
    rig.wait(HOUR)
    assert rig.type("on") == [
        e.DutySaid(True, "said", until + HOUR),
        e.DutyProlonged(until + HOUR),
        e.NoteWaiting("已上班"),
    ]
    rig.wait(12 * HOUR)
    assert tick(rig) == [e.DutyChanged(False, "silent"), e.NoteWaiting("好久没有回复，已下班；继续接待请写 上班")]
    assert agent.duty.next_due(rig.state) is None


def test_off_duty_holds_until_they_say_otherwise() -> None:
    rig = off()
    rig.type("上班")
    assert rig.type("下班") == [
        e.DutySaid(False, "said"),
        e.DutyChanged(False, "said"),
        e.NoteWaiting("已下班"),
    ]
    assert rig.type("off") == [e.NoteWaiting("已下班")]
    rig.serve(12)
    assert answers(rig.type("#12 您好")) == [(12, "您好")], "off duty, they still finish what they have"
    assert not rig.state.on_duty, "and an answer does not overrule what they said"


def test_the_api_speaks_for_them_and_they_are_told() -> None:
    rig = off()
    *_, changed, told = rig.do(c.SetDuty(ME, True))
    assert (changed, told) == (e.DutyChanged(True, "said", NOON + 12 * HOUR), e.NoteWaiting("已上班"))
    assert notes(rig.do(c.SetDuty(ME, True))) == []


# --- by shift ------------------------------------------------------------------------------------------------------


def test_a_shift_begins_and_ends_by_itself() -> None:
    rig = off(shift=SHIFT)
    assert rig.state.on_duty
    assert agent.duty.next_due(rig.state) == SIX_HOURS
    rig.wait(6 * HOUR)
    assert tick(rig) == [
        e.DutyChanged(False, "shift", NOON + 21 * HOUR),
        e.NoteWaiting("下班时间到，已下班"),
    ]
    rig.wait(15 * HOUR)
    assert tick(rig) == [
        e.DutyChanged(True, "shift", NOON + 30 * HOUR),
        e.NoteWaiting("上班时间到，已上班"),
    ]


def test_who_says_off_in_their_shift_is_on_again_with_the_next_one() -> None:
    rig = off(shift=SHIFT)
    rig.type("下班")
    assert not rig.state.on_duty
    rig.wait(6 * HOUR)
    assert tick(rig) == []
    rig.wait(15 * HOUR)
    assert tick(rig)[0] == e.DutyChanged(True, "shift", NOON + 30 * HOUR)


def test_who_missed_the_end_and_the_beginning_while_the_hub_was_down_is_simply_on_duty() -> None:
    rig = off(shift=SHIFT)
    rig.wait(22 * HOUR)
    assert tick(rig) == [e.DutyProlonged(NOON + 30 * HOUR)]


def test_another_shift_counts_at_once_also_for_what_they_said() -> None:
    rig = off(shift=SHIFT)
    assert rig.do(c.ConfigureAgent(WANG, LATER))[1:] == [
        e.DutyChanged(False, "shift", NOON + 2 * HOUR),
        e.NoteWaiting("下班时间到，已下班"),
    ]
    rig.type("下班")
    assert rig.do(c.ConfigureAgent(WANG, SHIFT))[1:] == [
        e.DutySaid(False, "said", NOON + 21 * HOUR),
        e.DutyProlonged(NOON + 21 * HOUR),
    ]
    assert rig.do(c.ConfigureAgent(WANG, SHIFT))[1:] == []


def test_who_has_no_shift_any_more_goes_off_unless_they_answer() -> None:
    rig = off(shift=SHIFT)
    assert rig.do(c.ConfigureAgent(WANG))[1] == e.DutyChanged(False, "silent")


# --- by answers ----------------------------------------------------------------------------------------------------


def test_an_answer_counts_for_fifteen_minutes() -> None:
    rig = off(handover_s=0).serve(12)
    events = rig.type("#12 您好")
    assert events[-2] == e.DutyChanged(True, "answered", NOON + 15 * MINUTE)
    rig.wait(10 * MINUTE).type("#12 稍等")
    rig.wait(5 * MINUTE)
    assert tick(rig) == [e.DutyProlonged(NOON + 25 * MINUTE)]
    rig.wait(10 * MINUTE)
    assert tick(rig)[0] == e.DutyChanged(False, "silent")


def test_an_answer_at_a_desk_counts_and_an_open_desk_alone_does_not() -> None:
    rig = Rig(DESK_ONLY, on=False)
    assert rig.do(c.NoteActive(answered=False)) == [e.ActiveNoted(False)]
    assert rig.do(c.NoteActive()) == [e.ActiveNoted(True), e.DutyChanged(True, "answered", NOON + 15 * MINUTE)]
    rig.wait(14 * MINUTE).do(c.NoteActive(answered=False))
    rig.wait(MINUTE)
    assert tick(rig) == [e.DutyProlonged(NOON + 24 * MINUTE)], "while a desk is in front it counts for longer"


@pytest.mark.parametrize("look", [c.SetDesk("d", NOON + 2 * HOUR), c.NoteActive(answered=False)])
def test_who_comes_back_to_their_desk_within_the_hour_is_on_duty_again(look: c.AnyCommand) -> None:
    """They had answered, and went out for a coffee."""
    rig = Rig(DESK_ONLY, on=False)
    rig.do(c.NoteActive())
    rig.wait(15 * MINUTE)
    assert tick(rig) == [e.DutyChanged(False, "silent")]
    rig.wait(10 * MINUTE)
    assert rig.do(look)[1:] == [e.DutyChanged(True, "answered", NOON + 35 * MINUTE)]
    rig.wait(50 * MINUTE)
    assert tick(rig) == [e.DutyChanged(False, "silent")]
    assert rig.do(look)[1:] == [], "more than an hour after the answer"


# --- by what was missed --------------------------------------------------------------------------------------------


def test_the_second_conversation_missed_in_a_row_ends_their_duty() -> None:
    rig = Rig().serve(12, 15, 18)
    rig.send()
    assert rig.do(c.NoteMissed("c12-x", 12)) == [
        e.ServingMissed("c12-x", 12),
        e.ServingStopped("c12-x", 12, "missed"),
        e.NoteWaiting("#12 张三 没有及时回应，已转给别人", ends=12),
    ]
    *_, said, changed, asked, told = rig.do(c.NoteMissed("c15-x", 15))
    assert (said, changed) == (e.DutySaid(False, "missed"), e.DutyChanged(False, "missed"))
    assert asked == e.HandoverAsked(rig.now_ms + 5 * MINUTE), "of the third, which is theirs still"
    assert notes([told]) == [
        "连续 2 个会话没有及时回应，已下班；回来后请写 上班，5 分钟后会话交回小组；保留 则由您继续\n"
        "我的会话：\n#18 赵六（1 条未回复）"
    ]
    seen = msgspec.json.decode(looks.at_agent(rig.state, looks.AskPresence(), rig.now_ms), type=looks.Presence)
    assert (seen.on_duty, seen.because, seen.serving) == (False, "missed", ("c18-x",))


@pytest.mark.parametrize("between", ["#18 您好", "上班"])
def test_an_answer_or_a_word_between_them_says_that_they_are_there(between: str) -> None:
    rig = Rig().serve(12, 15, 18)
    rig.do(c.NoteMissed("c12-x", 12))
    rig.type(between)
    rig.do(c.NoteMissed("c15-x", 15))
    assert rig.state.on_duty


def test_an_agent_who_cannot_be_reached_is_on_duty_again_with_their_next_shift() -> None:
    rig = off(shift=SHIFT).serve(12)
    rig.attempt()
    unreachable = rig.verdict("refused", because="left", unreachable=True)[1]
    assert unreachable == e.Unreachable("left", (("c12-x", 0),), NOON + 21 * HOUR)
    assert agent.next_due(rig.state) == NOON + 21 * HOUR, "until then nothing is sent"
    rig.wait(21 * HOUR)
    assert tick(rig)[0] == e.DutyChanged(True, "shift", NOON + 30 * HOUR)
    assert not rig.state.unreachable


# --- open conversations --------------------------------------------------------------------------------------------


def leaving(*nos: int) -> Rig:
    """Their shift is over, and they have been asked."""
    rig = off(shift=SHIFT).serve(*nos)
    rig.send()
    rig.now_ms = SIX_HOURS
    assert tick(rig)[:2] == [
        e.DutyChanged(False, "shift", NOON + 21 * HOUR),
        e.HandoverAsked(SIX_HOURS + 5 * MINUTE),
    ]
    return rig


def test_who_says_nothing_gives_back_what_they_have() -> None:
    rig = leaving(12, 15)
    assert "5 分钟后会话交回小组；保留 则由您继续\n我的会话：\n#12 张三" in rig.send()
    rig.now_ms = SIX_HOURS + 5 * MINUTE
    assert tick(rig) == [
        e.HandoverAsked(0),
        e.TransferAsked("c12-x", 12, because="off duty"),
        e.TransferAsked("c15-x", 15, because="off duty"),
        e.NoteWaiting("2 个会话已交回小组；有同事接手之前，您仍可回复"),
    ]
    assert answers(rig.type("#12 明天再说")) == [(12, "明天再说")], "until a colleague has it"
    assert notes(rig.stop(12, "transferred", to="小李")) == ["#12 张三 已转给 小李"]
    assert rig.type("接入 #15")[0] == e.TakeAsked(15), "or they have it again"


@pytest.mark.parametrize("word", ["保留", "keep"])
def test_who_says_so_keeps_what_they_have(word: str) -> None:
    rig = leaving(12)
    assert rig.type(word) == [e.HandoverAsked(0), e.NoteWaiting("会话仍由您继续")]
    rig.wait(HOUR)
    assert tick(rig) == []


def test_keep_is_an_answer_where_nobody_asked() -> None:
    rig = Rig().serve(12)
    rig.type("#12 您好")
    assert answers(rig.type("keep")) == [(12, "keep")]
    assert notes(rig.type("保留")) == ["没有要交回小组的会话"]


def test_each_answer_moves_the_moment() -> None:
    rig = leaving(12)
    rig.wait(4 * MINUTE).type("#12 马上")
    assert agent.duty.next_due(rig.state) == rig.now_ms + 5 * MINUTE
    rig.do(c.NoteActive())
    assert agent.duty.next_due(rig.state) == rig.now_ms + 10 * MINUTE, "a desk tells only every five minutes"


def test_who_comes_back_or_has_none_left_is_asked_no_more() -> None:
    rig = leaving(12)
    rig.type("上班")
    assert rig.state.handover_ms == 0
    rig = leaving(12, 15)
    rig.stop(12)
    assert rig.state.handover_ms
    rig.stop(15)
    assert rig.state.handover_ms == 0


def test_a_conversation_that_comes_to_somebody_off_duty_is_asked_about_unless_they_took_it() -> None:
    rig = off().serve(12)
    assert rig.state.handover_ms == NOON + 5 * MINUTE
    assert "您已下班：5 分钟后会话交回小组；保留 则由您继续" in rig.send()
    rig = off()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", taken=True))
    assert rig.state.handover_ms == 0


def test_where_nobody_is_to_be_asked_they_keep_what_they_have() -> None:
    rig = Rig(handover_s=0).serve(12)
    assert rig.type("下班")[-1] == e.NoteWaiting("已下班，我的会话：\n#12 张三（1 条未回复）")
    assert rig.state.handover_ms == 0


def test_who_is_off_duty_is_asked_as_soon_as_the_rules_want_it() -> None:
    rig = off(handover_s=0).serve(12)
    asked = rig.do(c.ConfigureAgent(WANG, handover_s=300))
    assert e.HandoverAsked(NOON + 5 * MINUTE) in asked
    assert not any(isinstance(one, e.HandoverAsked) for one in rig.do(c.ConfigureAgent(WANG, handover_s=60)))
    on = off(handover_s=0).serve(12)
    on.do(c.ConfigureAgent(WANG, Hours("Asia/Shanghai", ((Span(0, 1440),),) * 7), 300))
    assert (on.state.on_duty, on.state.handover_ms) == (True, 0)


def test_what_comes_to_somebody_who_was_removed_and_named_again_is_not_forgotten() -> None:
    rig = off()
    rig.do(c.ConfigureAgent(None))
    rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=3, phone=True))
    assert rig.state.handover_ms == NOON + 5 * MINUTE
    rig.do(c.ConfigureAgent(WANG))
    rig.wait(5 * MINUTE)
    assert e.TransferAsked("c12-x", 12, because="off duty", assigned=3) in tick(rig)


def test_who_is_named_again_off_duty_is_asked_about_what_they_have() -> None:
    rig = Rig().serve(12)
    rig.do(c.ConfigureAgent(None))
    assert e.HandoverAsked(NOON + 5 * MINUTE) in rig.do(c.ConfigureAgent(WANG))


def test_what_comes_back_to_somebody_off_duty_is_not_forgotten() -> None:
    rig = off()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=3))
    rig.wait(5 * MINUTE)
    assert e.TransferAsked("c12-x", 12, because="off duty", assigned=3) in tick(rig)
    again = rig.do(c.Serve("c12-x", 12, "张三", "售前", assigned=9))
    assert e.HandoverAsked(rig.now_ms + 5 * MINUTE) in again


def test_a_state_is_whole_after_a_snapshot() -> None:
    rig = leaving(12)
    rig.do(c.NoteMissed("c12-x", 12))
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(rig.state), type=agent.Agent) == rig.state


# --- whatever happens ----------------------------------------------------------------------------------------------

SPANS = st.lists(st.integers(0, 47), min_size=2, max_size=6, unique=True).map(
    lambda edges: tuple(Span(a * 30, b * 30) for a, b in zip(sorted(edges)[::2], sorted(edges)[1::2], strict=False))
)
HOURS = st.none() | st.builds(Hours, st.sampled_from(["Asia/Shanghai", "Europe/Berlin"]), st.tuples(*[SPANS] * 7))
COMMANDS = st.one_of(
    st.builds(c.SetDuty, st.just(ME), st.booleans()),
    st.builds(c.NoteActive, st.booleans()),
    st.builds(c.ConfigureAgent, st.sampled_from([WANG, DESK_ONLY, None]), HOURS, st.sampled_from([0, 60, 300])),
    st.sampled_from([c.NoteMissed("c12-x", 12), c.NoteMissed("c15-x", 15)]),
    st.sampled_from([c.Serve("c12-x", 12, "张三", "售前"), c.Serve("c15-x", 15, "李四", "售前", taken=True)]),
    st.just(c.StopServing("c12-x", 12, "closed")),
    st.sampled_from(["上班", "下班", "保留", "#12 好", "#15 好", "列表"]),
)


@given(st.sampled_from([0, 122, 332]), st.lists(st.tuples(COMMANDS, st.integers(-MINUTE, 9 * HOUR)), max_size=30))
def test_duty_goes_on_and_off_in_turn_and_time_always_comes_to_an_end(
    days: int, walk: list[tuple[c.Command | str, int]]
) -> None:
    """Also in the weeks in which Berlin's clocks are changed, and where the hub's own clock is set back a little."""
    rig = off(shift=SHIFT).wait(days * DAY)
    for command, pause in walk:
        rig.type(command) if isinstance(command, str) else rig.do(command)  # type: ignore[arg-type]
        rig.wait(pause)
        for _ in range(9):
            due = agent.duty.next_due(rig.state)
            if due is None or due > rig.now_ms:
                break
            assert rig.do(c.Tick()), "a due tick has something to do"
        else:
            raise AssertionError("ticks come to no end")
    on = [record.event.on for record, _ in rig.log if isinstance(record.event, e.DutyChanged)]
    assert on == [i % 2 == 0 for i in range(len(on))], "on and off in turn"
    assert not rig.state.handover_ms or (rig.state.serving and not rig.state.on_duty)
    replayed = agent.new(ME)
    for record, origin in rig.log:
        agent.evolve(replayed, record, origin)
    assert replayed == rig.state
