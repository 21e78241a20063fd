"""Heads that cannot be imitated, cuts between characters, and when a phone may get a text."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hub.domain.agent.phone import CONTINUED, harmless, head, pages, parts, short_name
from hub.domain.messages import Block, Limits
from hub.domain.pace import HOUR_MS, MINUTE_MS, earliest, earliest_repeat
from hub.domain.text import clusters, cut, size

FAMILY, FLAGS, THUMB, HEART = "👨‍👩‍👧", "🇨🇳🇯🇵", "👍🏽", "❤️"


def block(text: str, name: str = "张三") -> Block:
    return Block("c1-x", 12, 57, name, text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("【#12·57 张三】好", "(#12·57 张三】好"),
        ("【＃12", "(＃12"),
        ("【 #12", "( #12"),
        ("【\u200b\ufe0f#12", "(\u200b\ufe0f#12"),
        ("〔＃12", "(＃12"),
        ("[#12]", "(#12]"),
        ("→ #15 李四", "( #15 李四"),
        ("【通知】#12", "【通知】#12"),
        ("一\r\n二\u2028三", f"一\n{CONTINUED}二\n{CONTINUED}三"),
        ("a\u202eb\x00c\ud800", "abc"),
        ("\n好\n", "好"),
    ],
)
def test_a_stranger_cannot_write_a_head(text: str, shown: str) -> None:
    assert harmless(text) == shown


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "访客"),
        (" \n ", "访客"),
        ("张三】【#15·1 李四", "张三)(#15·1 李四"),
        ("a\nb", "a b"),
        ("长" * 40, "长" * 16),
    ],
)
def test_names_fit_in_a_head(name: str, shown: str) -> None:
    assert short_name(name) == shown


@given(st.text(max_size=300), st.text(max_size=30))
@example("【" * 3 + "#1", "【#")
@example("\n\n→\n#", "→\u200b#")
def test_every_line_of_a_block_is_a_head_or_marked(text: str, name: str) -> None:
    for part in parts(block(text, name), 160):
        first, *rest = part.split("\n")
        assert first.startswith("【#12·57 ")
        assert all(line.startswith(CONTINUED) for line in rest)
        assert len(re.findall("【[\\s\u200b]*[#＃]", part)) == 1


@pytest.mark.parametrize("character", [FAMILY, THUMB, HEART, "é", "🇨🇳", "각", "नि", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "1️⃣", "\r\n"])
def test_a_character_stays_whole(character: str) -> None:
    assert list(clusters("a" + character + "b")) == ["a", character, "b"]
    assert set(cut(character * 10, size(character) + 1)) == {character}


def test_flags_are_cut_between_pairs() -> None:
    assert list(clusters(FLAGS)) == ["🇨🇳", "🇯🇵"]


@given(st.text(max_size=200), st.integers(4, 40))
@example("a" + "\u0301" * 100, 10)
def test_cuts_lose_nothing_and_keep_the_limit(text: str, limit: int) -> None:
    pieces = cut(text, limit)
    assert "".join(pieces) == text
    assert all(size(piece) <= limit for piece in pieces)


def test_a_long_block_comes_in_numbered_parts() -> None:
    text = "字" * 1000
    pieces = parts(block(text), 512)
    heads = [piece.partition("】")[0] for piece in pieces]
    assert heads == [f"【#12·57 {i}/7 张三" for i in range(1, 8)]
    assert "".join(piece.partition("】")[2] for piece in pieces) == text
    assert all(size(piece) <= 512 for piece in pieces)


def test_more_than_nine_parts_are_counted_right() -> None:
    pieces = parts(block("字" * 1000), 160)
    assert pieces[-1].startswith(f"【#12·57 {len(pieces)}/{len(pieces)} 张三】")
    assert len(pieces) > 9
    assert all(size(piece) <= 160 for piece in pieces)


def test_a_short_block_has_no_part() -> None:
    assert parts(block("请问"), 2048) == ["【#12·57 张三】请问"]
    assert head(block("请问"), "2/3") == "【#12·57 2/3 张三】"


@given(st.text(alphabet="ab字\n", max_size=200), st.integers(6, 50))
def test_pages_keep_lines_together_and_lose_nothing(text: str, limit: int) -> None:
    assert all(size(page) <= limit for page in pages(text, limit))
    assert "".join(pages(text, limit)).replace("\n", "") == text.replace("\n", "")


# --- pace ----------------------------------------------------------------------------------------------------------

WECOM = Limits(fold_ms=3000, per_minute=25, per_hour=900)


def test_the_first_text_goes_at_once_and_the_next_after_the_fold() -> None:
    assert earliest([], WECOM, blocks=True) == 0
    assert earliest([1000], WECOM, blocks=True) == 4000
    assert earliest_repeat([1000], WECOM, blocks=True) == 0


@pytest.mark.parametrize(("blocks", "limit"), [(True, 20), (False, 25)])
def test_a_fifth_of_the_minute_is_kept_for_notes(blocks: bool, limit: int) -> None:
    tries = list(range(0, limit * 1000, 1000))
    assert earliest_repeat(tries[:-1], WECOM, blocks=blocks) == 0
    assert earliest_repeat(tries, WECOM, blocks=blocks) == MINUTE_MS


def test_the_hour_is_a_sliding_window() -> None:
    tries = [i * 3500 for i in range(900)]
    assert earliest_repeat(tries, WECOM, blocks=False) == HOUR_MS
    assert earliest_repeat(tries[1:], WECOM, blocks=False) < tries[-1]


@pytest.mark.parametrize(
    ("used", "fold_ms"),
    [
        (450, 3000),  # half is left
        (451, (HOUR_MS - 450 * 3000) // 449),  # until the first leaves, half an hour's texts but one
        (800, (HOUR_MS - 450 * 3000) // 100),  # until 350 have left
    ],
)
def test_below_half_the_hour_the_fold_stretches_for_blocks(used: int, fold_ms: int) -> None:
    tries = [i * 3000 for i in range(used)]
    assert earliest(tries, WECOM, blocks=True) - tries[-1] == fold_ms
    assert earliest(tries, WECOM, blocks=False) - tries[-1] == 3000


@given(st.lists(st.integers(0, 30_000), min_size=200, max_size=500), st.booleans())
def test_windows_are_never_exceeded(pauses: list[int], blocks: bool) -> None:
    limits = Limits(fold_ms=3000, per_minute=10, per_hour=100)
    now, tries = 0, list[int]()
    for pause in pauses:
        now = max(now + pause, earliest(tries, limits, blocks=blocks))
        tries.append(now)
    limit = 8 if blocks else 10
    assert all(later - first >= MINUTE_MS for first, later in zip(tries, tries[limit:], strict=False))
    assert all(later - first >= HOUR_MS for first, later in zip(tries, tries[100:], strict=False))


def test_no_limits_means_no_waiting() -> None:
    assert earliest(list(range(2000)), Limits(), blocks=True) == 1999
