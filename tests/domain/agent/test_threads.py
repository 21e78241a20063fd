"""An agent by mail: a thread for each conversation, and what they answer is for that one and no other."""

import msgspec
import pytest

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import notes as notes_
from hub.domain.agent import words
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Block, FileLimit, Limits
from hub.domain.refusals import NotFound
from hub.domain.teams import AgentSettings, Lookup
from tests.domain.agent.test_entity import ME, MINUTE, NAMED, WANG, Rig, answers, notes

MAIL = Limits(max_text=30_000, files=(FileLimit("*/*", 1000),), files_with_text=True, fold_ms=MINUTE, threads=True)
SETTINGS = AgentSettings(ME, "wang", "小王", ("sales",), 5, "email", "wang@corp.example", MAIL)


class MailRig(Rig):
    """An agent whose only channel is mail; `sent` are the attempts that were taken."""

    def __init__(self, *nos: int) -> None:
        super().__init__(SETTINGS)
        self.sent: list[e.Attempted] = []
        self.serve(*nos)
        while agent.next_due(self.state) is not None and self.mail():
            pass

    def mail(self) -> e.Attempted | None:
        """The next mail, if one is due; it is taken."""
        attempted = self.attempt()
        if attempted:
            self.verdict("sent")
            self.sent.append(attempted)
        return attempted

    def answer(self, no: int, text: str, files: tuple[Attachment, ...] = ()) -> list[AnyEvent]:
        """What follows the TextReceived of an answer in the thread of conversation `no`; 0: to a mail of none."""
        self.typed += 1
        command = c.ReceiveText(f"m{self.typed}", text, self.now_ms, files=files, conversation=f"c{no}-x" if no else "")
        match agent.understood(self.state, command):
            case words.Transfer(target=target):
                name, _, rest = target.partition(" ")
                found = msgspec.structs.replace(NAMED.get(name, Lookup()), rest=rest)
                command = msgspec.structs.replace(command, lookup=found)
        got, *events = self.do(command)
        assert isinstance(got, e.TextReceived)
        assert got.conversation == command.conversation
        return events


def test_who_gets_a_mailbox_is_told_what_to_answer_there() -> None:
    rig = MailRig()
    assert [(one.message.title, one.text.startswith("您是客服了")) for one in rig.sent if one.message] == [
        ("客服通知", True)
    ]
    assert rig.do(c.ConfigureAgent(SETTINGS)) == [e.AgentConfigured(SETTINGS)]


def test_each_conversation_has_its_own_mail_with_what_to_do() -> None:
    rig = MailRig(12, 15)
    _, zhang, li = rig.sent
    assert zhang.message
    assert li.message
    assert (zhang.message.thread, zhang.message.title) == ("c12-x", "[#12] 张三 · 售前")
    assert (li.message.thread, li.message.title) == ("c15-x", "[#15] 李四 · 售前")
    assert zhang.text.startswith("新会话 #12 张三（售前）\n【#12·1 张三】在吗\n\n——\n回复这封邮件，就是答复顾客")


def test_what_a_visitor_writes_within_the_fold_is_one_mail_and_another_does_not_wait_for_it() -> None:
    rig = MailRig(12, 15)
    rig.show(12, 2, "一")
    rig.show(15, 2, "二")
    rig.wait(20_000).show(12, 3, "三")
    assert rig.mail() is None
    rig.wait(40_000)
    first, second = rig.mail(), rig.mail()
    assert first
    assert second
    assert first.text.startswith("【#12·2 张三】一\n【#12·3 张三】三\n")
    assert second.text.startswith("【#15·2 李四】二\n")


def test_files_go_with_the_words_as_far_as_one_mail_takes_them() -> None:
    rig = MailRig(12)
    one, other = Attachment("k1", "a.png", "image/png", 600), Attachment("k2", "b.png", "image/png", 600)
    rig.do(c.ShowMessage(Block("c12-x", 12, 2, "张三", "看", (one, other))))
    rig.wait(MINUTE)
    first, second = rig.mail(), rig.mail()
    assert first
    assert first.message
    assert second
    assert second.message
    assert (first.message.files, second.message.files) == ((one,), (other,))
    assert rig.mail() is None


def test_an_answer_goes_to_the_conversation_of_its_thread_and_nowhere_else() -> None:
    rig = MailRig(12, 15)
    assert rig.answer(15, "有货") == [e.AnswerChosen("c15-x", 15, "有货", seen=1), e.ReceiptHad(3, "read")]
    assert answers(rig.answer(12, "没有\n第二行")) == [(12, "没有\n第二行")]
    assert rig.answer(12, "12 元") == [e.AnswerChosen("c12-x", 12, "12 元", seen=1)]


@pytest.mark.parametrize("text", ["#12 有货", "#close #12", "#99 在吗"])
@pytest.mark.parametrize("files", [(), (Attachment("k1", "a.png", "image/png", 600),)])
def test_another_number_than_that_of_the_thread_is_given_back(text: str, files: tuple[Attachment, ...]) -> None:
    events = MailRig(12, 15).answer(15, text, files)
    assert answers(events) == []
    assert "未发送：" in notes(events)[0]


def test_words_that_came_with_a_file_are_given_back_with_it_named() -> None:
    (returned,) = notes(MailRig(12).answer(15, "请看图", (Attachment("k1", "a.png", "image/png", 600),)))
    assert returned == "未发送：这个会话已不是你的\n请看图\n[a.png]"


@pytest.mark.parametrize("quoted", ["【#12·1 张三】在吗", "｜【#12·57 2/3 张三】在吗", notes_.THREAD_HELP])
def test_what_still_holds_our_own_mail_is_given_back_to_be_shortened(quoted: str) -> None:
    (returned,) = notes(MailRig(12).answer(12, f"有货\n\n某种邮箱的引用\n{quoted}"))
    assert returned.startswith("未发送：引用的邮件没能分开")


def test_a_mail_of_notes_only_is_known_when_it_is_quoted() -> None:
    """What a colleague has left is for no visitor's eyes."""
    rig = MailRig()
    rig.do(c.Serve("c12-x", 12, "张三", "售前", note="王芳: 难缠"))
    mail = rig.mail()
    assert mail
    assert "难缠" in mail.text
    quoted = "\n".join(f"¦ {line}" for line in mail.text.splitlines())
    (returned,) = notes(rig.answer(12, f"您好\n\n某种邮箱的引用\n{quoted}"))
    assert returned.startswith("未发送：引用的邮件没能分开")
    rig.mail()
    rig.stop(12)
    ended = rig.mail()
    assert ended
    assert "就是答复顾客" not in ended.text


def test_a_conversation_that_has_another_number_has_another_title_and_its_words_come_under_that() -> None:
    """It was closed, and opens again: an answer had not arrived."""
    rig = MailRig(12)
    rig.sent.clear()
    rig.stop(12)
    rig.do(c.TellUndelivered("c12-x", 12, "您好", "no", seq=7))
    block = Block("c12-x", 15, 9, "张三", "在吗？")
    rig.do(c.Serve("c12-x", 15, "张三", "售前", (block,), note="未送达：no「您好」"))
    while agent.next_due(rig.state) is not None and rig.mail():
        pass
    told = [(one.message.title, one.text.partition("\n\n——")[0]) for one in rig.sent if one.message]
    assert told[-1] == ("[#15] 张三 · 售前", "新会话 #15 张三（售前）\n留言：未送达：no「您好」\n【#15·9 张三】在吗？")
    assert all("#15" not in text for _, text in told[:-1])


def test_an_answer_in_a_conversation_that_has_gone_comes_back() -> None:
    rig = MailRig(12, 15)
    rig.stop(12)
    assert notes(rig.answer(12, "有货")) == ["未发送：这个会话已不是你的\n有货"]
    assert answers(rig.answer(12, "#close")) == []


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("#close", e.CloseAsked("c12-x", 12, seen=1)),
        ("＃结束 解决了\n\n王芳", e.CloseAsked("c12-x", 12, "解决了\n\n王芳", seen=1)),
        ("#transfer @li 老客户\n爱喝茶", e.TransferAsked("c12-x", 12, "a2-li", note="老客户\n爱喝茶")),
        ("#note 爱喝茶", e.NoteAsked("c12-x", 12, "爱喝茶", "小王")),
        ("#hold\n\n王芳", e.HoldAsked("c12-x", 12, True)),
        ("#recall", e.ChangeAsked("c12-x", 12, "")),
        ("#take 18", e.TakeAsked(18)),
        ("#next", e.TakeAsked(0)),
        ("#排队", e.ListAsked()),
    ],
)
def test_the_first_line_may_be_a_command(text: str, event: AnyEvent) -> None:
    events = MailRig(12, 15).answer(12, text)
    assert event in events
    assert answers(events) == []


def test_what_only_looks_like_a_command_is_given_back() -> None:
    assert notes(MailRig(12).answer(12, "#colse 好了"))[0].startswith("未发送：首行以 # 开头，却不是命令")


def test_a_mail_of_no_conversation_takes_commands_and_numbers_but_no_answers() -> None:
    rig = MailRig(12)
    assert e.DutySaid(False, "said", 0) in rig.answer(0, "下班\n\n王芳")
    assert answers(rig.answer(0, "#12 有货")) == [(12, "有货")]
    assert notes(rig.answer(0, "有货"))[0].startswith("未发送：不知道发给谁")
    assert [notes(rig.answer(0, "keep")) for _ in range(2)] == [["会话仍由您继续"], ["没有要交回小组的会话"]]


def test_a_mail_without_words_is_said_to_have_none_and_files_go_with_or_without_them() -> None:
    rig = MailRig(12, 15)
    assert notes(rig.answer(12, " \n")) == ["未办到：没有内容，请写在引用的邮件之上"]
    file = Attachment("k", "a.png", "image/png", 9)
    first, second = (e.AnswerChosen(f"c{no}-x", no, text, files=(file,), seen=1) for no, text in ((12, ""), (15, "图")))
    assert rig.answer(12, "", (file,)) == [first, e.ReceiptHad(2, "read")]
    assert rig.answer(15, "图", (file,)) == [second, e.ReceiptHad(3, "read")]


def test_what_follows_an_answer_stands_in_its_thread() -> None:
    rig = MailRig(12, 15)
    rig.answer(15, "#note 爱喝茶")
    noted = rig.mail()
    assert noted
    assert noted.message
    assert (noted.message.thread, noted.message.title) == ("c15-x", "[#15] 李四 · 售前")


def test_a_mail_that_comes_back_says_that_nobody_is_there() -> None:
    rig = MailRig(12)
    last = rig.sent[-1].attempt
    had, gone, *_ = rig.do(c.RecordReceipt("failed", last, because="no such user"))
    assert had == e.ReceiptHad(last, "failed", "no such user")
    assert isinstance(gone, e.Unreachable)
    assert gone.serving == (("c12-x", 0),)
    assert rig.do(c.RecordReceipt("failed", last)) == [e.ReceiptHad(last, "failed")]
    with pytest.raises(NotFound, match="no attempt 99"):
        rig.do(c.RecordReceipt("failed", 99))


def test_a_mail_that_comes_back_from_an_address_of_before_changes_nothing() -> None:
    rig = MailRig(12)
    rig.do(c.ConfigureAgent(msgspec.structs.replace(SETTINGS, address="wang@home.example")))
    assert rig.do(c.RecordReceipt("failed", 1, because="no such user")) == [e.ReceiptHad(1, "failed", "no such user")]


def test_who_changes_from_the_phone_to_mail_gets_there_what_is_not_answered() -> None:
    rig = Rig(WANG).serve(12, 15)
    rig.show(12, 2, "二")
    rig.do(c.ConfigureAgent(SETTINGS))
    threads = []
    while attempted := rig.attempt():
        rig.verdict("sent")
        assert attempted.message
        threads.append(attempted.message.thread)
    rig.wait(MINUTE)
    while attempted := rig.attempt():
        rig.verdict("sent")
        assert attempted.message
        threads.append(attempted.message.thread)
    assert {"c12-x", "c15-x"} <= set(threads)
    assert not rig.state.blocks


def test_words_as_long_as_a_mail_may_be_come_whole_and_the_help_goes_along_where_it_fits() -> None:
    rig = MailRig(12)
    rig.show(12, 2, "长" * 10_900)
    rig.show(12, 3, "短")
    rig.wait(MINUTE)
    sent = []
    while attempted := rig.mail():
        sent.append(attempted.text)
    assert sum(text.count("长") for text in sent) == 10_900
    assert all(len(text.encode()) <= MAIL.max_text for text in sent)
    assert "就是答复顾客" in sent[-1]
    rig.append([e.NoteWaiting("字" * 9_990)])
    noted = rig.mail()
    assert noted
    assert noted.text == "字" * 9_990


def test_a_mail_of_which_nobody_knows_whether_it_arrived_is_sent_again_for_a_while() -> None:
    """Else a visitor's message might be one that nobody has read; mail programs know the repeat by its id."""
    rig = MailRig(12)
    rig.show(12, 2, "还在吗")
    rig.wait(MINUTE)
    first = rig.attempt()
    assert first
    rig.append(agent.resume(rig.state, rig.now_ms))
    again = rig.attempt()
    assert again
    assert (again.attempt, again.text, again.tries) == (first.attempt, first.text, 2)
    rig.verdict("unknown", because="the line broke")
    rig.wait(10 * MINUTE)
    assert rig.attempt() is not None
    assert rig.state.attempt
    assert rig.state.attempt.number > first.attempt
    assert "可能没有收到 #12·2" in rig.state.attempt.text
