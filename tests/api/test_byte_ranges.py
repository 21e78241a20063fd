"""The Range header, as a table."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.api.byte_ranges import Unsatisfiable, requested


@pytest.mark.parametrize(
    ("header", "size", "wanted"),
    [
        ("bytes=0-1", 10, range(2)),
        ("bytes=0-", 10, range(10)),
        ("bytes=3-", 10, range(3, 10)),
        ("bytes=9-9", 10, range(9, 10)),
        ("bytes=3-99", 10, range(3, 10)),
        ("bytes=-4", 10, range(6, 10)),
        ("bytes=-99", 10, range(10)),
        ("bytes = 1 - 2", 10, range(1, 3)),
        ("", 10, None),
        ("bytes=-", 10, None),
        ("bytes=5-4", 10, None),
        ("bytes=0-1,4-5", 10, None),
        ("bytes=a-b", 10, None),
        ("bytes=٣-٤", 10, None),
        ("items=0-1", 10, None),
        ("bytes=0-" + "9" * 400, 10, None),
    ],
)
def test_the_bytes_that_are_asked_for(header: str, size: int, wanted: range | None) -> None:
    assert requested(header, size) == wanted


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=99-100", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_bytes_that_the_content_has_not(header: str, size: int) -> None:
    with pytest.raises(Unsatisfiable, match=f"the content has {size} bytes"):
        requested(header, size)


@given(st.text() | st.from_regex(r"bytes=[\d,-]*"), st.integers(0, 100))
def test_any_header_asks_for_bytes_of_the_content_or_is_passed_over(header: str, size: int) -> None:
    try:
        wanted = requested(header, size)
    except Unsatisfiable:
        return
    assert wanted is None or 0 <= wanted.start < wanted.stop <= size
