"""Detectors: numbers and addresses in all the ways people write them, and what is none."""

import pytest

from hub.rules.detect import Detector, detect
from hub.rules.match import Reading

ALL: tuple[Detector, ...] = ("phone", "id_card", "bank_card", "email")


def widest(text: str) -> dict[Detector, str]:
    """For each detector the longest part of the text that it took."""
    found = detect(Reading(text), ALL)
    return {name: max((text[start:end] for start, end in spans), key=len) for name, spans in found.items()}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("电话13812345678", "13812345678"),
        ("买2 13812345678 3件", "13812345678"),
        ("139-2233-4455", "139-2233-4455"),
        ("139.2233.4455", "139.2233.4455"),
        ("+86 138 0013 8000", "+86 138 0013 8000"),
        ("008613800138000", "008613800138000"),
        ("１５９８８８８７７７７急", "１５９８８８８７７７７"),
        ("①③⑤⑧⑧⑧⑧⑥⑥⑥⑥", "①③⑤⑧⑧⑧⑧⑥⑥⑥⑥"),
        ("打一三九零零一三九零零零", "一三九零零一三九零零零"),
        ("幺三八壹贰叁四五六七八", "幺三八壹贰叁四五六七八"),
        ("010-88886666", "010-88886666"),
        ("0571 8888 6666", "0571 8888 6666"),
        ("1 3 8 1 2 3 4 5 6 7 8", "1 3 8 1 2 3 4 5 6 7 8"),
        ("1\u200b3812345678", "1\u200b3812345678"),
    ],
)
def test_phone_numbers(text: str, number: str) -> None:
    assert widest(text) == {"phone": number}


@pytest.mark.parametrize(
    "text",
    [
        "订单2024138123456789",
        "138123456789",
        "12812345678",
        "1381234567",
        "a13812345678",
        "型号13812345678b",
        "￥1,381,234,567.80",
        "11010519491231002A",
        "110105194912310020",
        "110105194913310025",
        "6222020200112233447",
        "6011000990139424",
        "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        "有13 14 15 16 17 18号的吗",
        "1234567890123452",
        "@张三 你好",
        "a@b",
        "2026-11-11 10:30:00",
    ],
)
def test_what_is_no_private_number(text: str) -> None:
    assert detect(Reading(text), ALL) == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("身份证11010519491231002X。", {"id_card": "11010519491231002X"}),
        ("11010519491231002x", {"id_card": "11010519491231002x"}),
        ("卡号6222 0202 0011 2233 446，", {"bank_card": "6222 0202 0011 2233 446"}),
        ("4111-1111-1111-1111 2件", {"bank_card": "4111-1111-1111-1111"}),
        ("mail zhang.wei88@example.com thanks", {"email": "zhang.wei88@example.com"}),
        ("邮箱li@mail.example.cn谢谢", {"email": "li@mail.example.cn"}),
    ],
)
def test_cards_and_addresses(text: str, found: dict[Detector, str]) -> None:
    assert widest(text) == found


def test_only_what_is_wanted_is_looked_for() -> None:
    assert set(detect(Reading("13812345678 a@example.com"), ["email"])) == {"email"}
