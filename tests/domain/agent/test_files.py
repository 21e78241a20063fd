"""Pictures and files on an agent's phone, both ways."""

import msgspec
import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.messages import Attachment, Block, FileLimit, Limits
from tests.domain.agent.test_entity import MINUTE, WANG, Rig, notes, shown

TAKES = msgspec.structs.replace(WANG.limits, files=(FileLimit("image/*", 10_000),))
CAT = Attachment("c12-x.abc", "cat.png", "image/png", 1000)
FILM = Attachment("c12-x.def", "film.mp4", "video/mp4", 1000)


def rig(limits: Limits = TAKES) -> Rig:
    """A phone that shows conversation 12, and takes pictures."""
    rig = Rig(msgspec.structs.replace(WANG, limits=limits)).serve(12)
    rig.send()
    return rig.wait(3 * MINUTE)


def show(rig: Rig, seq: int, text: str, *files: Attachment) -> None:
    rig.do(c.ShowMessage(Block("c12-x", 12, seq, "张三", text, files)))


def sent(rig: Rig) -> list[tuple[str, tuple[Attachment, ...]]]:
    """Text and files of all that leaves now, each taken by the platform."""
    found = []
    while (due := agent.next_due(rig.state)) is not None:
        rig.now_ms = max(rig.now_ms, due)
        attempt = rig.attempt()
        assert attempt is not None
        found.append((attempt.text, attempt.message.files if attempt.message else ()))
        rig.verdict("sent")
    return found


def test_a_picture_follows_the_text_that_names_it_and_comes_before_what_was_written_later() -> None:
    one = rig()
    show(one, 2, "看这个", CAT)
    show(one, 3, "怎么样？")
    assert sent(one) == [
        ("【#12·2 张三】看这个\n│ [cat.png]", ()),
        ("", (CAT,)),
        ("【#12·3 张三】怎么样？", ()),
    ]


def test_what_the_channel_does_not_take_is_only_named() -> None:
    one = rig()
    show(one, 2, "", FILM)
    assert sent(one) == [("【#12·2 张三】[film.mp4]", ())]


def test_a_picture_of_unknown_fate_is_not_repeated_for_no_platform_knows_it_by_its_text() -> None:
    one = rig()
    show(one, 2, "", CAT)
    one.send()
    one.now_ms = agent.next_due(one.state) or 0
    attempt = one.attempt()
    assert attempt is not None
    assert attempt.message is not None
    refused, told = one.verdict("unknown", because="reset")
    assert isinstance(refused, e.AttemptRefused)
    assert refused.unknown
    assert notes([told]) == ["可能没有收到 #12·2：reset"]
    assert [letter.text for letter in one.state.letters.values()] == ["[cat.png]"]


def test_a_picture_under_way_is_repeated_as_it_was() -> None:
    one = rig()
    show(one, 2, "", CAT)
    one.send()
    one.now_ms = agent.next_due(one.state) or 0
    first = one.attempt()
    one.verdict("retry", because="busy", retry_at_ms=one.now_ms + 1000)
    one.wait(1000)
    again = one.attempt()
    assert first is not None
    assert again is not None
    assert (again.attempt, again.message, again.tries) == (first.attempt, first.message, 2)


def test_a_picture_from_the_phone_answers_the_conversation_that_a_text_would_answer() -> None:
    one = shown(12)
    _, chosen, *_ = one.do(c.ReceiveText("p1", "", one.now_ms, files=(CAT,)))
    assert chosen == e.AnswerChosen("c12-x", 12, "", files=(CAT,))
    assert ("c12-x", c.AnswerMessage("a1-wang", "", files=(CAT,))) in [
        reaction for record, _ in one.log for reaction in agent.reactions(record)
    ]


def test_a_number_in_the_words_with_a_picture_counts() -> None:
    one = shown(12, 15)
    _, chosen, *_ = one.do(c.ReceiveText("p1", "#15 看图", one.now_ms, files=(CAT,)))
    assert chosen == e.AnswerChosen("c15-x", 15, "看图", files=(CAT,))


@pytest.mark.parametrize("text", ["", "看图", "#99 看图"])
def test_a_picture_that_may_be_for_two_is_sent_to_nobody_and_its_words_come_back(text: str) -> None:
    one = shown(12, 15)
    _, *events = one.do(c.ReceiveText("p1", text, one.now_ms, files=(CAT, FILM)))
    assert not [event for event in events if isinstance(event, e.AnswerChosen)]
    assert notes(events) == [f"未发送：2 个图片或文件，不清楚发给谁。请先发 #号，再发一次\n{text}".strip()]
    assert events[-1] == e.NoteWaiting(notes(events)[0], returns=True), "whom they thought to write to is not known"


def test_a_backlog_brings_its_pictures() -> None:
    one = Rig(msgspec.structs.replace(WANG, limits=TAKES))
    one.do(c.Serve("c12-x", 12, "张三", "sales", (Block("c12-x", 12, 1, "张三", "", (CAT,)),)))
    assert [files for _, files in sent(one)] == [(), (CAT,)]
