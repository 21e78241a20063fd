"""Bytes to text: what is declared, what is really meant, and what is neither."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.charsets import decode, decode_words, unbase64


@pytest.mark.parametrize(
    "declared", ["gb2312", "GB2312", "gbk", "cp936", "x-gbk", "iso-gb2312", "GB_2312-80", "csGB2312", "gb18030", "936"]
)
def test_every_name_of_a_chinese_charset_means_gb18030(declared: str) -> None:
    assert decode("朱镕基、陶喆、𠮷".encode("gb18030"), declared) == "朱镕基、陶喆、𠮷"


@pytest.mark.parametrize("declared", ["gb2312", "gbk", "", "x-unknown"])
def test_the_euro_sign_of_windows_survives(declared: str) -> None:
    assert decode("共".encode("gbk") + b"\x8020", declared) == "共€20"


@pytest.mark.parametrize(
    ("declared", "codec", "text"),
    [
        ("hz-gb-2312", "hz", "中文"),
        ("hz", "gb18030", "中文"),
        ("Big5", "cp950", "請問€"),
        ("big5", "big5hkscs", "咗嘅"),
        ("ks_c_5601-1987", "cp949", "똠방각하"),
        ("euc-kr", "cp949", "똠방각하"),
        ("iso-2022-jp", "iso2022_jp", "返金"),
        ("shift_jis", "cp932", "①返金"),
        ("windows-1251", "cp1251", "привет"),
        ("windows-874", "cp874", "ไทย"),
        ("iso-8859-8-i", "iso8859_8", "שלום"),
        ("unicode-1-1-utf-7", "utf-7", "你好"),
        ("utf-16", "utf-16", "你好"),
        ('"UTF-8"', "utf-8", "你好"),
    ],
)
def test_a_charset_is_read_as_the_one_that_is_in_use(declared: str, codec: str, text: str) -> None:
    assert decode(text.encode(codec), declared) == text


@pytest.mark.parametrize(
    "declared", ["", "us-ascii", "x-unknown", "unicode_escape", "idna", "rot13", "zip", "\0", "a" * 999]
)
def test_without_a_charset_that_anybody_knows_the_bytes_decide(declared: str) -> None:
    assert decode("你好".encode(), declared) == "你好"
    assert decode("你好".encode("gbk"), declared) == "你好"
    assert decode(b"caf\xe9", declared) == "café"


def test_a_hint_comes_after_utf_8_and_before_the_guesses() -> None:
    assert decode("請問".encode("big5"), hint="big5") == "請問"
    assert decode("請問".encode(), hint="big5") == "請問"


def test_utf_8_that_calls_itself_latin_1_is_read_as_utf_8() -> None:
    assert decode("你好".encode(), "iso-8859-1") == "你好"
    assert decode(b"caf\xe9 \x93x\x94", "iso-8859-1") == "café “x”"


def test_a_damaged_character_costs_only_itself() -> None:
    assert decode("你好，退款呢".encode() + b"\xff", "utf-8") == "你好，退款呢\ufffd"


def test_a_charset_that_fits_next_to_nothing_was_declared_wrongly() -> None:
    assert decode("钱还没到账".encode("gbk"), "utf-8") == "钱还没到账"


def test_what_no_database_takes_is_taken_out() -> None:
    assert decode(b"a\0b\x1bc\x7f\td\r\n") == "abc\td\r\n"
    assert decode(b"\xef\xbb\xbfa") == "a"
    assert decode(b"+2AA-, as UTF-7 may say", "utf-7") == "\ufffd, as UTF-7 may say"


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_in_any_charset_are_text_that_can_be_stored(data: bytes, declared: str) -> None:
    text = decode(data, declared)
    assert text.encode().decode() == text
    assert "\0" not in text


# --- header words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?B?5L2g5aW9?=", "你好"),
        (b"=?UTF-8?q?=E4=BD=A0_a?= b", "你 a b"),
        (b"=?utf-8*zh?B?5L2g?=", "你"),
        (b"=?utf-8?B?5L2g?= =?utf-8?B?5aW9?=", "你好"),
        (b"=?utf-8?B?5L2g?=\t=?gb2312?B?usM=?=", "你好"),
        (b"=?utf-8?B?5L2g?= and =?utf-8?B?5aW9?=", "你 and 好"),
        (b"x=?utf-8?B?5L2g?=y", "x你y"),
        (b'"=?utf-8?B?5L2g?="', '"你"'),
        (b"=?utf-8?B?5L0=?= =?UTF-8?B?oA==?=", "你"),  # a character in two words
        (b"=?utf-8?B?5L0=?= =?UTF-8?Q?=A0?=", "你"),  # even in two encodings
        (b"=?utf-8?B?5L2g5a?=", "你\ufffd"),
        (b"=?utf-8?Q?a?b?=", "a?b"),
        (b"=?x-gbk?B?hrQ=?=", "喆"),
        (b"=?nobody-knows?B?5L2g?=", "你"),
        (b"=?utf-8?B?5L2g", "=?utf-8?B?5L2g"),
        (b"=?utf-8?X?5L2g?=", "=?utf-8?X?5L2g?="),
        (b"=??B?5L2g?=", "=??B?5L2g?="),
        ("你好".encode(), "你好"),
        ("你好".encode("gbk"), "你好"),
        (b" a \t b\0 ", "a b"),
        (b"", ""),
    ],
)
def test_a_header_is_read_as_a_person_would(raw: bytes, text: str) -> None:
    assert decode_words(raw) == text


def test_a_raw_header_takes_the_charset_of_the_body_for_a_hint() -> None:
    assert decode_words("請問".encode("big5"), hint="big5") == "請問"


@given(st.lists(st.sampled_from([b"=?", b"?=", b"utf-8", b"?B?", b"?q?", b"5L2g", b"=E4", b" ", b"\xff", b"?"])))
def test_any_header_is_text(pieces: list[bytes]) -> None:
    text = decode_words(b"".join(pieces))
    assert text.encode().decode() == text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"aGVsbG8=", (b"hello", True)),
        (b"aGVs\r\n bG8", (b"hello", True)),  # no padding
        (b"aGVsbG8=aGVsbG8=", (b"hellohello", True)),  # two pieces, each padded
        (b"a!GV*s\xffbG8=", (b"hello", True)),
        (b"aGVsA", (b"hel", False)),
        (b"=", (b"", True)),
        (b"", (b"", True)),
    ],
)
def test_base64_is_decoded_as_far_as_it_goes(data: bytes, expected: tuple[bytes, bool]) -> None:
    assert unbase64(data) == expected
