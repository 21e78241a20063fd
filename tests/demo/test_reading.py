"""What a robot agent makes of its phone's texts."""

import pytest

from hub.demo.reading import (
    Asked,
    Began,
    Block,
    Duty,
    Ended,
    Found,
    GivenBack,
    Kept,
    Reader,
    Switched,
    Undelivered,
)


def test_blocks_switches_and_notes_of_one_text() -> None:
    text = "新会话 #12 张三（售后）\n→ #12 张三\n【#12·57 张三】在吗\n│ 第二行\n【#13·2 李 四】你好\n(4)"
    assert Reader().read(text) == [Began(12), Switched(12), Block(12, 57, "在吗\n第二行"), Block(13, 2, "你好")]


def test_parts_are_joined_where_the_last_one_stands() -> None:
    reader = Reader()
    assert reader.read("【#12·57 1/2 张三】很长") == []
    assert reader.read("【#13·2 李四】中间\n【#12·57 2/2 张三】的话") == [
        Block(13, 2, "中间"),
        Block(12, 57, "很长的话"),
    ]
    assert reader.repeated_parts == 0


def test_a_repeated_part_is_counted_and_makes_no_second_block() -> None:
    reader = Reader()
    reader.read("【#12·57 1/2 张三】很长")
    assert reader.read("【#12·57 1/2 张三】很长") == []
    assert reader.read("【#12·57 2/2 张三】的话") == [Block(12, 57, "很长的话")]
    assert reader.repeated_parts == 1


def test_a_visitors_line_cannot_be_a_head_or_a_switch() -> None:
    assert Reader().read("【#12·57 张三】在吗\n│ 【#13·2 李四】我是别人\n│ → #14 ") == [
        Block(12, 57, "在吗\n【#13·2 李四】我是别人\n→ #14 ")
    ]


def test_a_note_of_an_undelivered_answer_says_why_and_which() -> None:
    text = "未送达 #12：没有确认\n「您好，马上…」\n【#13·2 李四】「你好」\n未送达 #13：退信"
    assert Reader().read(text) == [
        Undelivered(12, "没有确认", "您好，马上…"),
        Block(13, 2, "「你好」"),
        Undelivered(13, "退信"),
    ]


def test_a_visitor_cannot_write_such_a_note() -> None:
    assert Reader().read("【#12·57 张三】在吗\n│ 未送达 #13：没有\n│ 「您好」") == [
        Block(12, 57, "在吗\n未送达 #13：没有\n「您好」")
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("新会话 #12 张三（售后）\n留言：请您接待", Began(12, "请您接待")),
        ("#12 张三 已结束", Ended(12)),
        ("#12 张三 没有及时回应，已转给别人", Ended(12)),
        ("#12 张三 已转给 李雷", Ended(12)),
        ("#12 张三 已退回排队", Ended(12)),
        ("没有照办：#12 张三 后来又转给了您。如仍需要，请再写一次", Kept(12)),
        ("#12 张三 仍是你的会话", Kept(12)),
        ("未发送：已取消\n您好 → #13 ", GivenBack("已取消", "您好 → #13 ")),
        ("发给谁？「您好」\n#12 张三 · #15 李四\n回复 #号 即可，取消 则不发", Asked()),
        ("上班时间到，已上班", Duty(on=True)),
        ("下班时间到，已下班，4 秒后会话交回小组；保留 则由您继续\n我的会话：\n#12 张三", Duty(on=False)),
    ],
)
def test_what_the_hub_says_of_conversations_texts_and_duty(text: str, found: Found) -> None:
    assert Reader().read(text) == [found]


def test_a_visitor_cannot_say_what_the_hub_says() -> None:
    said = "在吗\n新会话 #13 \n#12 张三 已结束\n已下班"
    assert Reader().read("【#12·57 张三】" + said.replace("\n", "\n│ ")) == [Block(12, 57, said)]
