"""What waits to leave for an agent's phone, as lists show it."""

import msgspec
import pytest

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent.state import Agent
from hub.domain.agent.waiting import leaves, queued
from hub.domain.attempts import Queued
from hub.domain.messages import Attachment, Block, FileLimit
from tests.domain.agent.test_entity import HOUR, ME, MINUTE, NOON, PHONE, SECOND, WANG, Rig
from tests.domain.agent.test_threads import MailRig
from tests.domain.agent.test_ways import WANG as WITH_DESK

SMALL = msgspec.structs.replace(WANG, limits=msgspec.structs.replace(PHONE, max_text=160))


def waiting(rig: Rig) -> list[Queued]:
    return list(queued(rig.state, rig.now_ms))


def shown(rig: Rig) -> list[str]:
    return [one.text for one in waiting(rig)]


def because(rig: Rig) -> set[str]:
    return {one.because for one in waiting(rig)}


def quiet(*nos: int) -> Rig:
    """On duty with these conversations, and the phone has all that it was to get."""
    rig = Rig().serve(*nos)
    while rig.state.notes or rig.state.blocks:
        rig.send()
    assert (waiting(rig), leaves(rig.state)) == ([], False)
    return rig


def test_a_visitors_message_waits_as_the_phone_will_show_it_and_a_note_brings_none() -> None:
    rig = Rig().serve(12)
    block, note = waiting(rig)
    assert block == Queued(
        NOON, ME, 2, "wecom", "WangFang", "【#12·1 张三】在吗", ("c12-x/1",), because=""
    )  # fmt: skip
    assert (note.text, note.refs, note.at_ms) == ("新会话 #12 张三（售前）", (), NOON)
    assert leaves(rig.state)


def test_each_waits_since_it_came_and_not_since_the_first_of_its_conversation() -> None:
    rig = quiet(12)
    rig.wait(HOUR).show(12, 2, "二")
    rig.wait(SECOND).show(12, 3, "三")
    assert [(one.refs, one.at_ms - rig.now_ms) for one in waiting(rig)] == [(("c12-x/3",), 0), (("c12-x/2",), -SECOND)]


def test_the_attempt_before_it_and_the_pace_are_reasons() -> None:
    rig = quiet(12)
    rig.show(12, 2, "二")
    assert because(rig) == {"the channel's pace"}
    rig.wait(HOUR)
    assert because(rig) == {""}
    assert rig.attempt()
    assert waiting(rig) == []
    rig.show(12, 3, "三")
    number = rig.state.attempts
    assert because(rig) == {f"attempt {number} is under way"}
    rig.verdict("retry", because="busy", retry_at_ms=rig.now_ms + SECOND)
    assert because(rig) == {f"attempt {number} is tried again before it"}


def test_a_long_message_is_the_next_of_its_parts_and_none_while_one_is_on_its_way() -> None:
    rig = Rig(SMALL).serve(12, text="长" * 150)
    block, _ = waiting(rig)
    assert (block.part, block.parts, block.text[:10]) == (1, 4, "【#12·1 1/4")
    rig.send()
    assert waiting(rig) == [msgspec.structs.replace(block, because="the channel's pace")]
    assert rig.wait(MINUTE).attempt()
    assert rig.state.part
    assert rig.state.blocks
    assert waiting(rig) == []
    rig.verdict("sent")
    (rest,) = waiting(rig)
    assert (rest.part, rest.parts, rest.refs, rest.at_ms) == (1 + rig.state.part, 4, ("c12-x/1",), NOON)


def test_files_are_parts_too() -> None:
    limits = msgspec.structs.replace(PHONE, files=(FileLimit("image/*", 1000),))
    rig = Rig(msgspec.structs.replace(WANG, limits=limits)).serve(12)
    picture = Attachment("c12-x.k", "cat.png", "image/png", 9)
    rig.do(c.ShowMessage(Block("c12-x", 12, 2, "张三", "", (picture,))))
    first, *_ = waiting(rig)
    assert (first.text, first.parts) == ("【#12·2 张三】[cat.png]", 2)


def test_the_question_about_a_held_text_waits() -> None:
    rig = quiet(12, 15)
    rig.wait(MINUTE).type("好的")
    (question,) = waiting(rig)
    assert (question.text[:8], question.refs, question.at_ms) == ("发给谁？「好的」", (), rig.now_ms)
    rig.send()
    assert waiting(rig) == []


def test_while_a_desk_is_in_front_no_message_waits_for_the_phone() -> None:
    rig = Rig(WITH_DESK)
    rig.do(c.Tick())
    rig.serve(12)
    assert [one.refs for one in waiting(rig)] == [("c12-x/1",), ()]
    rig.do(c.SetDesk("d1", rig.now_ms + MINUTE))
    rig.do(c.Tick())
    assert rig.state.at_desk
    assert [one.refs for one in waiting(rig)] == [()]


def test_what_waits_for_somebody_who_cannot_be_reached_says_so() -> None:
    rig = quiet(12)
    rig.show(12, 2, "二")
    rig.wait(MINUTE).attempt()
    rig.verdict("refused", because="phone is off", unreachable=True)
    assert rig.state.unreachable
    assert waiting(rig)
    assert because(rig) == {"the agent cannot be reached"}
    assert leaves(rig.state)


def test_a_dead_letter_that_goes_again_waits_since_then_also_for_who_has_no_channel_any_more() -> None:
    rig = quiet(12)
    rig.show(12, 2, "二")
    rig.wait(MINUTE).attempt()
    rig.verdict("refused", because="no")
    (letter,) = rig.state.letters
    rig.do(c.ConfigureAgent(None))
    rig.wait(HOUR).do(c.RetryDelivery(letter, "admin"))
    (again,) = waiting(rig)
    assert (again.text, again.at_ms) == ("【#12·2 张三】二", rig.now_ms)
    assert (again.channel, again.because) == ("", "no channel reaches the agent")


def test_what_came_in_the_same_moment_has_places_of_its_own_also_where_it_is_cut_anew() -> None:
    rig = Rig().serve(12, 15, 18)
    rig.append([e.NoteWaiting("\n".join(char * 100 for char in "一二三"))])
    assert [one.text[0] for one in waiting(rig)] == list("【【【一新新新")
    before = waiting(rig)
    rig.do(c.ConfigureAgent(SMALL))
    assert [one.text[0] for one in waiting(rig)] == list("【【【三三三二二二一一一新新新")
    after = waiting(rig)
    assert len({one.place for one in after}) == len(after)
    assert {one.place for one in before} <= {one.place for one in after}
    assert {one.at_ms for one in after} == {NOON}


@pytest.mark.parametrize("no", [12, 15])
def test_by_mail_nothing_else_waits_than_by_phone(no: int) -> None:
    rig = MailRig(12, 15)
    rig.show(no, 2, "一")
    (one,) = waiting(rig)
    assert (one.channel, one.address, one.refs) == ("email", "wang@corp.example", (f"c{no}-x/2",))
    assert one.because == "the channel's pace"


def test_nothing_waits_for_somebody_of_whom_nothing_is_known() -> None:
    assert list(queued(Agent(ME), NOON)) == []
    assert not leaves(Agent(ME))
