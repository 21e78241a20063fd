"""Parts: where they begin and end, and what comes out of those that mean harm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.headers import split_head
from connectors.email.mime import Leaf, Limits, leaves

LIMITS = Limits()


def taken_apart(data: bytes, limits: Limits = LIMITS) -> tuple[list[Leaf], list[str]]:
    headers, start = split_head(data, 0, len(data), limits.header_bytes)
    return leaves(headers, data, start, limits)


def multipart(*parts: bytes, kind: bytes = b"mixed", boundary: bytes = b"b", end: bytes = b"--b--\r\n") -> bytes:
    head = b'Content-Type: multipart/%s; boundary="%s"\r\n\r\n' % (kind, boundary)
    return head + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts) + end


def contents(data: bytes) -> list[bytes]:
    return [leaf.content for leaf in taken_apart(data)[0]]


def test_parts_lie_between_the_boundaries_without_the_line_end_before_them() -> None:
    assert contents(multipart(b"\r\none\r\n", b"\r\ntwo", b"\r\n")) == [b"one\r\n", b"two", b""]


@pytest.mark.parametrize("end", [b"", b"--b--", b"--b-- \r\nepilogue", b"--b\r\n", b"--b--\r\n--b\r\n\r\nnot a part"])
def test_the_last_boundary_may_be_missing_or_odd(end: bytes) -> None:
    assert contents(multipart(b"\r\none", end=end))[0].rstrip() == b"one"


def test_lines_that_only_begin_like_the_boundary_belong_to_the_text() -> None:
    assert contents(multipart(b"\r\na\r\n--bb\r\n --b\r\nx--b")) == [b"a\r\n--bb\r\n --b\r\nx--b"]


def test_bare_line_feeds_and_blanks_behind_a_boundary_are_forgiven() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b \n\none\n--b\t\n\ntwo\n--b--\n"
    assert contents(data) == [b"one", b"two"]


def test_the_leaves_of_an_alternative_share_their_slot() -> None:
    inner = multipart(
        b"\r\nplain", multipart(b"Content-Type: text/html\r\n\r\n<p>", boundary=b"c", end=b"--c--"), kind=b"alternative"
    )
    data = multipart(b"\r\nbefore", inner.replace(b"b", b"inner").replace(b"inneroundary", b"boundary"), b"\r\nafter")
    slots = [leaf.slot for leaf in taken_apart(data)[0]]
    assert len(slots) == 4
    assert slots[1] == slots[2]
    assert len(set(slots)) == 3


def test_in_a_digest_what_says_nothing_is_a_mail() -> None:
    assert taken_apart(multipart(b"\r\nSubject: a\r\n\r\nb", kind=b"digest"))[0][0].type == "message/rfc822"


@pytest.mark.parametrize("kind", [b"", b"text", b"a/b/c", b"te xt/plain", b"\xff/\xff", b"x" * 300 + b"/y"])
def test_a_type_that_is_none_means_text(kind: bytes) -> None:
    assert taken_apart(b"Content-Type: " + kind + b"\r\n\r\nx")[0][0].type == "text/plain"


def test_a_multipart_without_its_boundary_is_text_and_says_so() -> None:
    for data in (
        b"Content-Type: multipart/mixed\r\n\r\n--x\r\n",
        b"Content-Type: multipart/mixed; boundary=y\r\n\r\n--x\r\n",
    ):
        found, notes = taken_apart(data)
        assert [(leaf.type, leaf.content) for leaf in found] == [("text/plain", b"--x\r\n")]
        assert notes == ["a multipart/mixed without the boundary that it names was read as text"]


@pytest.mark.parametrize(
    ("encoding", "raw", "content", "notes"),
    [
        (b"base64", b"aGVs\r\nbG8=\r\n", b"hello", []),
        (b" BASE64 ", b"aGVsbG8", b"hello", []),
        (b"base64", b"aGVsA", b"hel", ["broken base64 in a text/plain was decoded as far as it goes"]),
        (b"Quoted-Printable", b"=E4=BD=A0=\r\na=", "你a".encode(), []),
        (b"quoted-printable", b"100% =ZZ", b"100% =ZZ", []),
        (b"8bit", b"\xff", b"\xff", []),
        (b"x-uue", b"x", b"x", ["the transfer encoding 'x-uue' of a text/plain is unknown: left as it came"]),
    ],
)
def test_a_transfer_encoding_is_undone(encoding: bytes, raw: bytes, content: bytes, notes: list[str]) -> None:
    found, said = taken_apart(b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + raw)
    assert (found[0].content, said) == (content, notes)


def test_the_name_of_the_disposition_wins_over_that_of_the_type() -> None:
    part = b"Content-Type: image/png; name=a.png\r\nContent-Disposition: attachment; filename=b.png\r\n\r\n"
    assert taken_apart(part)[0][0].filename == "b.png"
    assert taken_apart(b"Content-Type: image/png; name=a.png\r\n\r\n")[0][0].filename == "a.png"


# --- what means harm -----------------------------------------------------------------------------------------------


def nested(levels: int, innermost: bytes) -> bytes:
    heads = (b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(levels))
    return b"".join(heads) + innermost


def test_a_thousand_levels_are_opened_to_the_limit() -> None:
    found, notes = taken_apart(nested(1000, b"\r\nhello"))
    assert [leaf.type for leaf in found] == ["application/octet-stream"]
    assert found[0].content.endswith(b"hello")
    assert notes == ["parts nested deeper than 20 were left together as one file"]


def test_what_is_nested_just_deep_enough_is_read() -> None:
    assert contents(nested(20, b"\r\nhello")) == [b"hello"]


def test_of_ten_thousand_parts_the_first_are_read() -> None:
    found, notes = taken_apart(multipart(*[b"\r\nx"] * 10_000))
    assert len(found) == 200
    assert notes == ["parts after the first 200 were left out"]


def test_the_limit_counts_the_parts_of_all_levels() -> None:
    inner = b'Content-Type: multipart/mixed; boundary="c"\r\n\r\n' + b"--c\r\n\r\nx\r\n" * 90 + b"--c--"
    found, notes = taken_apart(multipart(inner, inner, inner))
    assert len(found) < 200
    assert notes == ["parts after the first 200 were left out"]


def test_a_sea_of_near_boundaries_is_given_up() -> None:
    found, notes = taken_apart(multipart(b"\r\n" + b"--bx\r\n" * 1_000_000, b"\r\nthe next"))
    assert len(found) == 1
    assert found[0].content.endswith(b"the next\r\n--b--\r\n")
    assert notes == ["more than 100000 places resemble a boundary: the rest was left in one part"]


def test_the_head_of_a_part_is_cut() -> None:
    found, notes = taken_apart(multipart(b"X: " + b"y" * 1_000_000 + b"\r\n\r\nhello"))
    assert found[0].content == b"hello"
    assert notes == ["a head was cut after 32000 bytes"]


PIECES = [
    *(b"Content-Type: multipart/mixed; boundary=b", b"Content-Type: multipart/alternative; boundary=c", b"\r\n", b"\n"),
    *(b"--b", b"--c", b"--b--", b"--", b"Content-Transfer-Encoding: base64", b"QUJD", b"=", b"x", b"\0", b"\r", b" "),
]


@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_any_pieces_in_any_order_are_leaves(pieces: list[bytes]) -> None:
    found, _ = taken_apart(b"".join(pieces), Limits(parts=5, depth=2))
    assert len(found) <= 6
