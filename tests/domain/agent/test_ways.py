"""Which way an agent is reached by, with time as an argument, and what follows when it is another one."""

import msgspec
import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import ways
from hub.domain.agent.state import Agent, Served
from hub.domain.events import Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block
from hub.domain.teams import DESK, AgentSettings, Way
from tests.domain.agent.test_entity import ME, MINUTE, NOON, PHONE, SECOND, Rig, notes
from tests.domain.agent.test_threads import MAIL

DESK_WAY, WECOM, EMAIL = Way(DESK), Way("wecom", "WangFang", PHONE), Way("email", "wang@corp.example", MAIL)
OFF_DUTY, UNREAD = (msgspec.structs.replace(EMAIL, **on) for on in ({"off_duty": True}, {"unread_s": 600}))
WANG = AgentSettings(
    ME, "wang", "小王", ("sales",), 5, "wecom", "WangFang", PHONE, ways=(DESK_WAY, OFF_DUTY, UNREAD, WECOM),
    leads=("a3-zhao",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("said", "way"),
    [
        ({}, "wecom"),
        ({"desks": {"d": NOON + 1}}, "desk"),
        ({"desks": {"d": NOON}}, "wecom"),
        ({"on_duty": False}, "email"),
        ({"on_duty": False, "failing": {"email": NOON + 1}}, "wecom"),
        ({"on_duty": False, "failing": {"email": NOON}}, "email"),
        ({"serving": {"c": Served(1, "x", "y", unread_ms=NOON - 600 * SECOND)}}, "email"),
        ({"serving": {"c": Served(1, "x", "y", unread_ms=NOON - 600 * SECOND + 1)}}, "wecom"),
        ({"failing": {"wecom": NOON + 1}}, "email"),
        ({"failing": {"wecom": NOON + 1, "email": NOON + 1}}, ""),
        ({"failing": {"wecom": NOON + 1, "email": NOON + 1}, "desks": {"d": NOON + 1}}, "desk"),
    ],
)
def test_the_first_way_counts_that_holds_and_does_not_fail(said: dict[str, object], way: str) -> None:
    state = Agent(ME, settings=WANG, on_duty=True)
    for name, value in said.items():
        setattr(state, name, value)
    choice = ways.choose(state, WANG, NOON)
    assert (choice.way.channel if choice else "") == way
    assert choice is None or choice.because


def due(rig: Rig) -> str:
    """The way that is chosen next, as time passes; empty: none is."""
    at_ms = ways.next_due(rig.state)
    if at_ms is None:
        return ""
    rig.now_ms = max(rig.now_ms, at_ms)
    (chosen,) = rig.do(c.Tick())
    assert isinstance(chosen, e.WayChosen)
    return chosen.way.channel


def serving(*nos: int) -> Rig:
    """On duty, and by the phone with these conversations."""
    rig = Rig(WANG)
    assert due(rig) == "wecom"
    return rig.serve(*nos)


def relayed(rig: Rig) -> list[tuple[str, c.AnyCommand]]:
    return agent.reactions(rig.log[-1][0])


def test_a_desk_in_front_silences_the_phone_and_one_that_says_nothing_for_long_does_not() -> None:
    rig = serving(12)
    rig.do(c.SetDesk("d1", rig.now_ms + 150 * SECOND))
    rig.do(c.Tick())
    assert relayed(rig) == [("c12-x", c.SetPhone(ME, False))]
    assert rig.show(12, 2, "还在吗") == []
    rig.do(c.Serve("c15-x", 15, "李四", "售前", (Block("c15-x", 15, 1, "李四", "hi"),)))
    assert relayed(rig) == [("c15-x", c.SetPhone(ME, False))]
    assert rig.do(c.StopServing("c15-x", 15, "closed", "visitor"))[1:] == []
    assert not rig.state.blocks
    assert due(rig) == "wecom"
    assert rig.now_ms == NOON + 150 * SECOND
    assert relayed(rig) == [("c12-x", c.SetPhone(ME, False)), ("c12-x", c.SetPhone(ME, True))]


def test_what_they_type_on_the_phone_is_answered_there_with_a_desk_in_front() -> None:
    rig = serving(12)
    rig.do(c.SetDesk("d1", rig.now_ms + 150 * SECOND))
    rig.do(c.Tick())
    assert notes(rig.type("#99 有货")) == ["未发送：#99 不是你的会话\n有货"]


def test_a_text_that_waited_for_its_number_comes_back_with_a_desk_in_front() -> None:
    rig = serving(12, 15)
    assert [type(event) for event in rig.type("给谁")] == [e.TextHeld]
    rig.do(c.SetDesk("d1", rig.now_ms + 10 * MINUTE))
    rig.do(c.Tick())
    rig.wait(3 * MINUTE)
    assert notes(rig.do(c.Tick())) == ["未发送：没有等到 #号\n给谁"]


def test_a_text_that_waited_for_a_conversation_that_ends_comes_back_with_a_desk_in_front() -> None:
    rig = serving(12, 15)
    rig.type("给谁")
    rig.do(c.SetDesk("d1", rig.now_ms + 10 * MINUTE))
    rig.do(c.Tick())
    rig.stop(15)
    assert notes(rig.stop(12)) == ["未发送：你已没有会话\n给谁"]


def test_who_closes_the_desk_while_no_other_way_works_is_tried_once_more_and_then_given_up() -> None:
    rig = serving(12)
    rig.do(c.SetDesk("d1", rig.now_ms + 150 * SECOND))
    rig.do(c.Tick())
    for channel in ("wecom", "email"):
        rig.append([e.WayFailed(channel, "gone", rig.now_ms + ways.FAILING_MS)])
    assert due(rig) == "wecom"
    assert rig.now_ms == NOON + 150 * SECOND
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (Block("c12-x", 12, 1, "张三", "在吗"),)))
    assert rig.attempt()
    gone = rig.verdict("refused", because="gone", unreachable=True)
    assert [event.serving for event in gone if isinstance(event, e.Unreachable)] == [(("c12-x", 0),)]


def test_a_long_note_is_cut_to_the_size_of_the_way_it_goes_at_last() -> None:
    rig = serving()
    rig.do(c.SetDuty(ME, False))
    assert due(rig) == "email"
    rig.append([e.NoteWaiting("字" * 5_000)])
    rig.do(c.SetDuty(ME, True))
    assert due(rig) == "wecom"
    texts = [rig.send() for _ in range(9)]
    assert sum(text.count("字") for text in texts) == 5_000


def test_all_that_is_not_answered_comes_again_on_the_new_way_and_once_only() -> None:
    rig = serving(12)
    rig.do(c.SetDuty(ME, False))
    assert due(rig) == "email"
    rig.show(12, 2, "二")  # from before the conversation has heard of it: it is in what comes
    backlog = tuple(Block("c12-x", 12, seq, "张三", text) for seq, text in ((1, "在吗"), (2, "二")))
    rig.do(c.Serve("c12-x", 12, "张三", "售前", backlog))
    rig.show(12, 3, "三")
    assert [(block.seq, block.text) for block in rig.state.blocks] == [(1, "在吗"), (2, "二"), (3, "三")]
    rig.wait(10 * MINUTE)
    texts = []
    while attempted := rig.attempt():
        rig.verdict("sent")
        texts.append((attempted.channel, attempted.text))
    assert {channel for channel, _ in texts} == {"email"}
    assert sum("【#12·2 张三】二" in text for _, text in texts) == 1


def test_who_does_not_read_for_long_gets_mail_until_they_have() -> None:
    rig = serving(12)
    assert due(rig) == "email"
    assert rig.now_ms == NOON + 600 * SECOND
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (Block("c12-x", 12, 1, "张三", "在吗"),)))
    assert rig.do(c.MarkRead("c12-x", 1)) == [e.ReadMarked("c12-x", 1)]
    assert not rig.state.blocks
    assert due(rig) == "wecom"
    assert rig.do(c.MarkRead("c12-x", 1)) == []
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (Block("c12-x", 12, 1, "张三", "在吗"),)))
    assert not rig.state.blocks


def test_who_writes_on_their_phone_is_answered_there_though_they_have_not_read_for_long() -> None:
    rig = serving(12)
    rig.send()
    rig.type("#12 在")
    rig.show(12, 2, "还在吗")
    rig.send()
    assert due(rig) == "email"
    rig.type("#12")
    assert due(rig) == "wecom"
    rig.do(c.Serve("c12-x", 12, "张三", "售前", (Block("c12-x", 12, 2, "张三", "还在吗"),)))
    assert rig.send().startswith("→ #12 张三\n")
    assert due(rig) == "email", "they have written once, and read nothing"


def test_what_is_answered_at_a_desk_is_said_on_the_phone_that_shows_the_conversation() -> None:
    rig = serving(12)
    rig.send()
    assert notes(rig.do(c.MarkRead("c12-x", 3, "有货"))) == ["#12 张三 已在工作台答复：「有货」"]


def test_a_channel_that_refuses_them_makes_room_for_the_next_and_nothing_is_lost() -> None:
    rig = serving(12)
    attempted = rig.attempt()
    assert attempted
    refused, failed, chosen = rig.verdict("refused", because="left the company", unreachable=True)
    assert isinstance(refused, e.AttemptRefused)
    assert refused.again
    assert failed == e.WayFailed("wecom", "left the company", rig.now_ms + ways.FAILING_MS)
    assert rig.state.on_duty
    assert not rig.state.letters
    assert [one.text for one in rig.state.notes] == ["新会话 #12 张三（售前）"]
    assert isinstance(chosen, e.WayChosen)
    assert (chosen.way, chosen.because) == (OFF_DUTY, "wecom 联系不上")


def test_when_none_is_left_they_are_off_duty_and_the_leads_are_told() -> None:
    rig = serving(12)
    rig.attempt()
    rig.verdict("refused", because="gone", unreachable=True)
    attempted = rig.attempt()
    assert attempted
    assert attempted.channel == "email"
    rig.verdict("refused", because="nobody has this address", unreachable=True)
    gone = next(record for record, _ in rig.log if isinstance(record.event, e.Unreachable))
    because = "nobody has this address"
    assert agent.reactions(gone) == [
        (QUEUE_ID, c.SetDuty(ME, False, because)),
        ("c12-x", c.ReturnConversation(ME, because)),
        ("a3-zhao", c.TellAway("小王", because, 1)),
    ]
    told = Rig().do(c.TellAway("小王", because, 1))
    assert notes(told) == ["联系不上 小王：nobody has this address，1 个会话已退回排队"]


def test_an_attempt_of_before_says_nothing_of_the_phone_of_now() -> None:
    rig = serving(12)
    rig.attempt()
    rig.do(c.SetDuty(ME, False))
    rig.append([e.WayChosen(OFF_DUTY, "x", (("c12-x", 0),))])
    rig.verdict("sent")
    assert not rig.state.seen


def test_new_settings_leave_the_way_in_force_where_it_is_still_one_of_theirs() -> None:
    rig = serving(12)
    rig.do(c.SetDuty(ME, False))
    assert due(rig) == "email"
    more = msgspec.structs.replace(WANG, capacity=9)
    rig.do(c.ConfigureAgent(more))
    assert rig.state.settings
    assert (rig.state.settings.channel, rig.state.settings.capacity) == ("email", 9)
    rig.do(c.ConfigureAgent(msgspec.structs.replace(more, ways=(DESK_WAY, WECOM))))
    assert rig.state.settings.channel == "wecom"


def test_who_has_one_way_chooses_among_none() -> None:
    rig = Rig().serve(12)
    assert ways.next_due(rig.state) is None
    assert ways.tick(rig.state, NOON) == []


def test_the_lead_and_the_writer_of_a_second_answer_are_told() -> None:
    assert notes(Rig().do(c.TellTwice("c12-x", 12))) == ["#12 您刚在别处答复过，这一条也已发出"]
    record = Record("c12-x", 5, 4, NOON, e.AnswerPosted("", ME, "小王", "有", way="email", twice=12))
    from hub.domain import conversation

    assert conversation.reactions(record) == [(ME, c.TellTwice("c12-x", 12))]


def test_what_the_phone_got_is_read_once_all_of_it_is_read_elsewhere_or_answered_there() -> None:
    rig = serving(12, 15)
    rig.show(12, 2, "还在吗")
    rig.show(15, 2, "hi")
    rig.send()
    sent = rig.state.attempts
    assert rig.do(c.MarkRead("c12-x", 2)) == [e.ReadMarked("c12-x", 2)]
    assert rig.do(c.MarkRead("c15-x", 1)) == [e.ReadMarked("c15-x", 1)]
    assert rig.do(c.MarkRead("c15-x", 2)) == [e.ReadMarked("c15-x", 2), e.ReceiptHad(sent, "read")]
    rig.show(12, 3, "有货吗")
    rig.send()
    assert rig.type("#12 有货")[-1] == e.ReceiptHad(rig.state.attempts, "read")
    assert not rig.state.unread
