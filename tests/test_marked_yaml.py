"""YAML with places: what is read, where it stands, what is refused."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import marked_yaml
from hub.marked_yaml import Malformed, read

TEXT = """\
channels:
  h5:
  wecom: {secret: x}
teams:
  - after sales
  - [a, b]
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("yes", "yes"), ("on", "on"), ("True", True), ("false", False),
        ("12", 12), ("-3", -3), ("0123", 123), ("0o17", 15), ("0x1f", 31), ("18:00", "18:00"), ("1.10", 1.1),
        ("1e3", 1000.0), (".5", 0.5), ("-.inf", -math.inf), ("'12'", "12"), ("!!str 12", "12"),
        ("2026-05-04", "2026-05-04"),
        ("1_000", "1_000"), ("<<: 1", {"<<": 1}), ("on: 1\n12: 2", {"on": 1, "12": 2}), ("=", "="),
    ],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(text: str, value: Any) -> None:
    assert read(text).value == value


def test_not_a_number_is_read() -> None:
    assert math.isnan(read(".NaN").value)


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("channels",), (2, 3), (1, 1)),
        (("channels", "h5"), (2, 6), (2, 3)),
        (("channels", "wecom", "secret"), (3, 19), (3, 11)),
        (("channels", "wecom", "missing"), (3, 10), (3, 3)),
        (("teams", 1, 1), (6, 9), (4, 1)),
    ],
)
def test_each_part_has_its_place(path: marked_yaml.Path, value: tuple[int, int], key: tuple[int, int]) -> None:
    document = read(TEXT)
    assert document.place(path) == value
    assert document.place(path, key=True) == key


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("teams:\n\tsales:\n", "a tab in front of a line", 2),
        ("anna:\n  capacity：5\n  teams: [sales]\n", "a full-width", 3),
        ("anna：\n  capacity: 5\n", "a full-width", 2),
        ("# 说明：\nanna: b: c\n", "mapping values are not allowed", 2),
    ],
)
def test_what_hands_often_slip_on_is_named(text: str, what: str, line: int) -> None:
    with pytest.raises(Malformed, match=what) as malformed:
        read(text)
    assert malformed.value.line == line


ALIASES = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join(['*' + old] * 8)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ("a: 1\nb: 2\na: 3", 3, 1, 'duplicate key "a", first in line 1'),
        ("a: [1", 2, 1, "while parsing a flow sequence, did not find expected ',' or ']'"),
        ("a: 1\n---\nb: 2", 2, 1, "expected a single document in the stream, but found another document"),
        ("a: !!python/object:os.system x", 1, 4, "the tag !!python/object:os.system is not known here: leave it out"),
        ("a: !mine {}", 1, 4, "the tag !mine is not known here: leave it out"),
        ("a: !!int x", 1, 4, '"x" is not a value of the kind !!int'),
        ("? [a]\n: 1", 1, 3, "a key must be a single word or text"),
        ("[" * 40 + "]" * 40, 1, 34, "nested deeper than 32 levels"),
        ("a: &a [*a]", 1, 4, "nested deeper than 32 levels"),
        (ALIASES, 1, 8, "more than 500000 values, aliases counted each time"),
        ("a: \x00", 1, 1, "unacceptable character #x0000: control characters are not allowed"),
    ],
)
def test_what_cannot_be_trusted_is_refused(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(Malformed) as refused:
        read(text)
    assert (refused.value.line, refused.value.column, refused.value.what) == (line, column, what)


def test_a_text_that_is_too_long_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marked_yaml, "MAX_CHARACTERS", 5)
    with pytest.raises(Malformed, match="6 characters exceed the limit of 5"):
        read("a: [[[")


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"#%@`,? \n\t01.~"), max_size=60))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        place = read(text).place(())
    except Malformed as refused:
        place = refused.line, refused.column
    assert min(place) >= 1
