"""The automaton against an oracle in pure Python, and masking."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.rules.fold import bare, fold
from hub.rules.match import Hit, Matcher, Reading, is_whole, mask

LETTERS = "ab退貨货Ａ①1 ,⭐\u200b\u0301\n"
TEXTS = st.text(st.sampled_from(LETTERS), max_size=30)
FOLDED = st.lists(st.text(st.sampled_from("ab退货1,⭐"), min_size=1, max_size=3), unique=True, max_size=8)
BARE = st.lists(st.text(st.sampled_from("ab退货1"), min_size=1, max_size=3), unique=True, max_size=8)


def find_slowly(text: str, folded_words: list[str], bare_words: list[str]) -> set[Hit]:
    """What `Matcher.find` must say: each word tried at each place."""
    hits = set()
    for number, word in enumerate([*folded_words, *bare_words]):
        pairs = [(char, place) for place, original in enumerate(text) for char in fold(original)]
        if number >= len(folded_words):
            pairs = [(char, place) for char, place in pairs if char.isalnum()]
        for start in range(len(pairs) - len(word) + 1):
            part = pairs[start : start + len(word)]
            span = part[0][1], part[-1][1] + 1
            if "".join(char for char, _ in part) == word and is_whole(word, text, span):
                hits.add(Hit(number, span))
    return hits


@given(TEXTS, FOLDED, BARE)
def test_automaton_agrees_with_the_oracle(text: str, folded_words: list[str], bare_words: list[str]) -> None:
    found = Matcher(folded_words, bare_words).find(Reading(text))
    assert len(found) == len(set(found))
    assert set(found) == find_slowly(text, folded_words, bare_words)


@pytest.mark.parametrize(
    ("text", "word", "spans"),
    [
        ("fuck the", "fuck", [(0, 4)]),
        ("f u-c\u200bk the", "fuck", [(0, 7)]),
        ("the therapist", "rapist", []),
        ("pass", "ass", []),
        ("pa ss", "ass", []),
        ("ａｂｃddb", "abc", []),
        ("我sb吗", "sb", [(1, 3)]),
        ("a弹药b", "弹药", [(1, 3)]),
        ("刷⭐单", "刷单", [(0, 3)]),
        ("退貨退货", "退货", [(0, 2), (2, 4)]),
        ("👨\u200d👩\u200d👧傻逼", "傻逼", [(5, 7)]),
    ],
)
def test_find_in_the_bare_view(text: str, word: str, spans: list[tuple[int, int]]) -> None:
    assert [hit.span for hit in Matcher([], [word]).find(Reading(text))] == spans


def test_signs_between_characters_end_a_word_of_the_folded_view() -> None:
    matcher = Matcher(["退款"], [])
    assert matcher.find(Reading("退 款")) == [Hit(0, (0, 3))]
    assert matcher.find(Reading("想退，款式不好")) == []
    assert matcher.find(Reading("想退\n款式不好")) == []


def test_overlapping_words_are_all_found() -> None:
    hits = Matcher([], ["我的", "我的世界", "世界"]).find(Reading("我的世界"))
    assert sorted(hits) == [Hit(0, (0, 2)), Hit(1, (0, 4)), Hit(2, (2, 4))]


@given(TEXTS, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_masking_changes_nothing_outside_the_spans(text: str, pairs: list[tuple[int, int]]) -> None:
    spans = [(start, min(end, len(text))) for start, end in pairs if start < min(end, len(text))]
    masked = mask(text, spans)
    assert len(masked) == len(text)
    for index, (before, after) in enumerate(zip(text, masked, strict=True)):
        inside = any(start <= index < end for start, end in spans)
        if inside:
            assert after == "*"
        elif before not in "\u200b\u0301":
            assert after == before


def test_mask_takes_the_marks_that_hang_on_the_last_character() -> None:
    assert mask("傻逼\u0301\u200b吗", [(0, 2)]) == "****吗"


def test_a_folded_word_finds_itself_in_its_own_views() -> None:
    text = "ＶＩＰ客戶：加➕V"
    word = fold(text)
    assert Matcher([word], [bare(word)]).find(Reading(text)) == [Hit(0, (0, 9)), Hit(1, (0, 9))]
