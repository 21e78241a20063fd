"""What a robot agent makes of its phone's texts."""

from hub.demo.reading import Block, Reader, Switched, Undelivered


def test_blocks_switches_and_notes_of_one_text() -> None:
    text = "新会话 #12 张三（售后）\n→ #12 张三\n【#12·57 张三】在吗\n│ 第二行\n【#13·2 李 四】你好\n(4)"
    assert Reader().read(text) == [Switched(12), Block(12, 57, "在吗\n第二行"), Block(13, 2, "你好")]


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
