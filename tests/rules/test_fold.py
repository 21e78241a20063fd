"""Folding: what becomes the same, and the way back to the original."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.fold import bare, bare_origins, fold, fold_point, is_invisible, origins, touches_ascii

TEXTS = st.text(st.one_of(st.characters(), st.sampled_from("退貨ａＢ①⒦🅺ﬁ㍿½é\u0301\u200b\ufe0f ，\n")), max_size=60)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("ABC", "abc"),
        ("ＡＢｃ１２", "abc12"),
        ("退貨 換貨", "退货换货"),
        ("Ⓚ⒦🄺🅚🅺🇰𝒌", "kkkkkkk"),
        ("9⓿⁹₈③⑸⒋➃٣", "909835443"),
        ("㊄㈤五", "五五五"),
        ("二手五月", "二手五月"),
        ("㍿ ﬁ ㎒", "株式会社fimhz"),
        ("傻\u200b逼\u2060\ufe0f", "傻逼"),
        ("f\u0332u\u0301ck", "fuck"),
        ("⾦", "金"),
        ("你\n好\t吗", "你\n好吗"),
        ("a\ud800b", "ab"),
        ("\u3164\u2800", ""),
        ("⟦kd⟧，。⭐", "⟦kd⟧,。⭐"),
    ],
)
def test_fold(written: str, folded: str) -> None:
    assert fold(written) == folded


def test_bare_view_has_letters_and_digits_only() -> None:
    assert bare(fold("刷⭐单_日-结 300！")) == "刷单日结300"


@given(TEXTS)
def test_origins_lead_back_to_the_code_point_that_folds_to_the_character(text: str) -> None:
    folded, places = fold(text), origins(text)
    assert len(places) == len(folded)
    assert places == sorted(places)
    for index, char in enumerate(folded):
        assert char in fold_point(text[places[index]])
    for place in set(range(len(text))) - set(places):
        assert fold_point(text[place]) == ""


@given(TEXTS)
def test_bare_origins_lead_back_too(text: str) -> None:
    folded = fold(text)
    places = bare_origins(folded, origins(text))
    assert len(places) == len(bare(folded))
    assert all(char in fold_point(text[place]) for char, place in zip(bare(folded), places, strict=True))


@given(TEXTS, TEXTS)
def test_a_text_folds_the_same_whatever_stands_beside_it(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)


def test_folding_is_settled_after_the_first_time() -> None:
    """A word copied from a folded text means the same; 薴 alone becomes 苧, which by itself stands for 苎."""
    points = [*range(0x0600), *range(0x2000, 0xA000), *range(0xF900, 0x10000), *range(0x1D400, 0x1F200)]
    unsettled = [chr(point) for point in points if fold(folded := fold_point(chr(point))) != folded]
    assert unsettled == ["薴"]


@pytest.mark.parametrize(
    ("text", "index", "step", "touches"),
    [
        ("xhit", 0, -1, True),
        ("ｘhit", 0, -1, True),
        ("x\u200bhit", 1, -1, True),
        ("x hit", 1, -1, False),
        ("我hit", 0, -1, False),
        ("hit", -1, -1, False),
        ("hits", 3, 1, True),
        ("hit!s", 3, 1, False),
        ("hit½", 3, 1, True),
    ],
)
def test_touches_ascii(text: str, index: int, step: int, touches: bool) -> None:
    assert touches_ascii(text, index, step) is touches


def test_white_space_takes_room_and_zero_width_does_not() -> None:
    assert [is_invisible(char) for char in " \u3000\u200b\u0301a，"] == [False, False, True, True, False, False]
