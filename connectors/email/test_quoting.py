"""What somebody wrote, apart from what they answer: in the forms of mail programs, and in those that only look so."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.quoting import Line, Mark, Split, split


def parted(text: str) -> Split:
    return split([Line(line) for line in text.split("\n")])


@pytest.mark.parametrize(
    "attribution",
    [
        "张三 <zs@example.cn> 于2024年5月4日周六 21:10写道：",
        "張三 <zs@example.cn> 於 2024年5月4日 週六 下午9:10寫道：",
        "在 2024年5月4日，21:10，张三 <zs@example.cn> 写道：",
        "2024年5月4日 21:10，张三 <zs@example.cn> 写道：",
        "在2024年05月04日 21:10，张三<zs@example.cn> 写道:",
        '在 2024-05-04 21:10:00，"张三" <zs@example.cn> 写道：',
        'At 2024-05-04 21:10:00, "张三" <zs@example.cn> wrote:',
        "On Sat, May 4, 2024 at 9:10 PM San <zs@example.cn> wrote:",
        "On 4 May 2024, at 21:10, San <zs@example.cn> wrote:",
        "On Sat, May 4, 2024 at 9:10 PM Customer Care Centre <\nzs@example.cn> wrote:",
        "在 2024年5月4日星期六，张三有限公司客户服务中心 <\nzs@example.cn\n> 写道：",
        "张三 <zs@example.cn> 于2024年5月4日周六\n21:10写道：",
        "*On 4 May 2024, San wrote:*",
        "Le 4 mai 2024 à 21:10, San <zs@example.cn> a écrit :",
        "San <zs@example.cn> schrieb am Sa., 4. Mai 2024 um 21:10 Uhr:",
        "San <zs@example.cn> schrieb am Sa., 4. Mai 2024 um\n21:10 Uhr:",
        "2024-05-04 21:10 GMT+08:00 San <zs@example.cn>:",
        "2024-05-04 21:10 GMT+08:00 San <\nzs@example.cn>:",
    ],
)
@pytest.mark.parametrize("quotation", ["\n> 您好", "> 您好\n> \n>> 早", "\n\n您好\n没有记号"])
def test_a_line_that_says_who_wrote_begins_the_quotation(attribution: str, quotation: str) -> None:
    found = parted(f"收到，谢谢。\n第二行\n\n{attribution}\n{quotation}")
    assert found.visible == "收到，谢谢。\n第二行"
    assert found.quoted == f"{attribution}\n{quotation}".strip()


@pytest.mark.parametrize(
    "separator",
    [
        "------------------ 原始邮件 ------------------",
        "------------------\xa0原始邮件\xa0------------------",
        "---原始邮件---",
        "---- 回复的原邮件 ----",
        "-------- 转发邮件信息 --------\n发件人：a\n发送时间：b\n收件人：c",
        "---------- 轉寄的郵件 ---------",
        "-----Original Message-----",
        "----- Original Mail -----",
        "---------- Forwarded message ---------",
        "-----邮件原件-----",
        "---- On Sat, 4 May 2024 21:10:00 +0800 San <zs@example.cn> wrote ----",
        "发件人: 客服 <kefu@example.com>\n发送时间: 2024年5月4日 21:00\n收件人: 张三\n主题: 退款",
        "发件人： 客服\n发送时间： 2024-05-04 21:00\n收件人： 张三\n主题： 退款",
        "发件人：客服\n日　期：2024年5月4日\n收件人：张三\n主　题：退款",
        "寄件者: 客服\n寄件日期: 2024年5月4日\n收件者: 張三\n主旨: 退款",
        "*发件人:* 客服\n*发送时间:* 2024\n*收件人:* 张三",
        "________________________________\nFrom: Kefu\nSent: Saturday\nTo: San\nSubject: refund",
        "-----\n\nFrom: Kefu\nDate: Saturday\nTo: San",
        "| 发件人 | 客服 |\n| 发送日期 | 2024 |\n| 收件人 | 张三 |",
        "原始邮件\n发件人：客服\n发件时间：2024年5月4日\n收件人：张三",
        "Von: Kefu <kefu@example.com>\nGesendet: Samstag, 4. Mai 2024 21:10\nAn: San\nBetreff: Frage",
        "-----Ursprüngliche Nachricht-----\nVon: Kefu\nGesendet: Samstag\nAn: San",
        "De : Kefu\nEnvoyé : samedi 4 mai 2024 21:10\nÀ : San\nObjet : question",
        "De: Kefu\nEnviado el: sábado\nPara: San\nAsunto: pregunta",
        "De: Kefu\nEnviada em: sábado\nPara: San\nAssunto: pergunta",
        "Da: Kefu\nInviato: sabato\nA: San\nOggetto: domanda",
        "Van: Kefu\nVerzonden: zaterdag\nAan: San\nOnderwerp: vraag",
        "От: Kefu\nОтправлено: суббота\nКому: San\nТема: вопрос",
        "差出人: Kefu\n送信日時: 2024年5月4日\n宛先: San\n件名: 質問",
        "보낸 사람: Kefu\n보낸 날짜: 2024년 5월 4일\n받는 사람: San\n제목: 문의",
    ],
)
def test_all_behind_a_separator_is_the_mail_that_is_answered(separator: str) -> None:
    found = parted(f"收到\n\n{separator}\n\n您好\n没有记号\n")
    assert found == Split("收到", f"{separator}\n\n您好\n没有记号", "收到")


@pytest.mark.parametrize(
    "sign_off",
    [
        "发自我的 iPhone",
        "发自我的iPad",
        "来自我的华为手机",
        "從我的 iPhone 傳送",
        "Sent from my iPhone",
        "获取 Outlook for iOS",
        "-- \n张三\n电话",
    ],
)
@pytest.mark.parametrize("rest", ["", "\n\n> 您好"])
def test_a_signature_is_folded_away(sign_off: str, rest: str) -> None:
    assert parted(f"收到\n\n{sign_off}{rest}") == Split("收到", f"{sign_off}{rest}", "收到")


@pytest.mark.parametrize(
    "text",
    [
        "老师写道：\n作业很好",
        "你们在页面上写道：三天到账",
        "He wrote:\nnothing",
        "发件人：张三\n请帮我查",  # one field makes no head
        "收件人：张三\n电话：1234\n主题：退款\n日期：5月4日",  # an address form, not from anybody
        "-----\n价格表\n-----",
        "a > b\n1>2",
        "发自内心的感谢\n谢谢",
        "On Monday I wrote:\nnothing",
        "--\n三",
        "",
        "\n\n",
    ],
)
def test_what_only_looks_like_a_quotation_stays(text: str) -> None:
    assert parted(text) == Split(text.strip(), "", text.strip())


def test_an_answer_below_its_quotation_is_found() -> None:
    found = parted("在 2024年5月4日，客服 <kefu@example.com> 写道：\n> 订单号？\n\n8812")
    assert found == Split("8812", "在 2024年5月4日，客服 <kefu@example.com> 写道：\n> 订单号？", "8812")


def test_questions_stay_with_the_answers_between_them() -> None:
    text = "> 订单号？\n8812\n> 哪天付的？\n昨天"
    assert parted(f"{text}\n\n> 再见") == Split(text, "> 再见", "8812\n昨天")


@pytest.mark.parametrize("signature", ["-- \n张三", "--\n张三", "发自我的 iPhone"])
def test_a_signature_below_the_quotation_is_no_answer_to_it(signature: str) -> None:
    assert parted(f"收到\n\n> 您好\n\n{signature}") == Split("收到", f"> 您好\n\n{signature}", "收到")


def test_when_all_of_it_looks_quoted_all_is_shown() -> None:
    for text in ("> a\n> b", "---原始邮件---\n您好", "发自我的 iPhone", "-- \n张三"):
        assert parted(text) == Split(text, "", "")


def test_the_marks_of_html_count_as_much_as_the_text() -> None:
    lines = [Line("收到"), Line("您好", Mark.QUOTED), Line("早", Mark.QUOTED)]
    assert split(lines) == Split("收到", "您好\n早", "收到")
    assert split([*lines, Line("还有", Mark.OWN)]).visible == "收到\n您好\n早\n还有"
    assert split([Line("收到"), Line("客服", Mark.REST), Line("完")]) == Split("收到", "客服\n完", "收到")


LINES = [
    *(
        "收到",
        "",
        " ",
        "> a",
        ">> b",
        "---原始邮件---",
        "发件人：a",
        "主题：b",
        "收件人：c",
        "-----",
        "发自我的 iPhone",
        "-- ",
    ),
    *("On 1/2, a@b", "wrote:", "在 5月4日 <a@b> 写道：", "x" * 500, "写道：", "\x00"),
]


@given(st.lists(st.builds(Line, st.sampled_from(LINES), st.sampled_from(Mark)), max_size=30))
def test_nothing_is_deleted_and_something_is_shown(lines: list[Line]) -> None:
    found = split(lines)
    both = sorted(line.strip() for line in chain(found.visible.split("\n"), found.quoted.split("\n")) if line.strip())
    assert both == sorted(line.text.strip() for line in lines if line.text.strip())
    assert bool(found.visible) == bool(both)


@pytest.mark.parametrize(
    "line", ["On 1/2, a@b", "发件人：", "> ", "On 1/2, a@b wrote:\n> x", "-" * 60, "-- ", "写道：", "x" * 1000]
)
def test_a_long_mail_costs_no_more_than_its_length(line: str) -> None:
    parted(f"{line}\n" * 100_000)  # by the square it would take minutes
    parted(line * (1_000_000 // len(line)))
