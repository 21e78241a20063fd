"""HTML of strangers: read as text, and made harmless."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.email.html import MAX_DEPTH, harmless, referenced_ids, to_lines
from connectors.email.quoting import Mark


def text(source: str) -> list[str]:
    return [line.text for line in to_lines(source)]


def without_values(source: str) -> str:
    return re.sub(r'"[^"]*"', '""', source)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("a  b\n c", ["a b c"]),
        ("a<br>b<br><br>c", ["a", "b", "", "c"]),
        ("<p>a</p><p>b</p>", ["a", "", "b"]),
        ("<div>a</div><div><br></div><div>b</div>", ["a", "", "b"]),
        ("<div>a<div>b</div></div>c", ["a", "b", "c"]),
        ("<h1>a</h1>b<hr>c", ["a", "", "b", "-" * 20, "c"]),
        ("<ul><li>a<li><p>b</p></ul>", ["- a", "", "- b"]),
        ("<ol start=3><li>a<li>b<ul><li>c</ul></ol>", ["3. a", "4. b", "  - c"]),
        ("<ol start=-5><li>a</ol><li>b", ["1. a", "- b"]),
        ("<table><tr><td>a<td>b<tr><td><p>c</p><td><div>d</div></table>e", ["a | b", "c | d", "e"]),
        ("<table><tr><td>a<td></table>", ["a"]),
        ("<pre>a  b\n  c</pre>", ["a  b", "  c"]),
        ("a&nbsp;&nbsp;b&amp;&lt;&#128512;&#0;", ["a  b&<😀\ufffd"]),
        ("<a href=https://example.com/x>here</a>.", ["here (https://example.com/x)."]),
        ("<a href=https://example.com/>example.com</a>", ["example.com"]),
        ("<a href=mailto:a@example.com>a@example.com</a>", ["a@example.com"]),
        ("<a href=https://example.com/x></a>", ["https://example.com/x"]),
        ("<a href=javascript:alert(1)>here</a>", ["here"]),
        ("<a href=#top>here</a><a>there</a>", ["herethere"]),
        ("<img alt='a cat' src=cid:1><img src=cid:2><img src=https://example.com/1.gif>", ["[a cat][image]"]),
        ("<head><title>t</title><style>s</style></head><script>x</script>a<template>u</template>", ["a"]),
        ("<noscript>a</noscript><textarea><b>b</textarea>", ["a<b>b"]),
        ("<o:p>a</o:p><![if !x]>b<![endif]><!-- c --", ["ab"]),
        ("a<b", ["a"]),
        ("</p></div>a</td>", ["a"]),
        ("<", ["<"]),
        ("", []),
    ],
)
def test_html_is_read_as_a_person_sees_it(source: str, lines: list[str]) -> None:
    assert text(source) == lines


def test_no_text_is_lost_however_deep_it_stands() -> None:
    for levels in (300, 40_000):
        assert text("<div>" * levels + "hello" + "</div>" * levels + "after") == ["hello", "after"]
        assert "hello" in harmless("<div>" * levels + "hello")


@pytest.mark.parametrize(
    ("source", "marks"),
    [
        ("<blockquote type=cite>a</blockquote>b", {"a": Mark.QUOTED, "b": Mark.OWN}),
        ("<blockquote>a</blockquote>", {"a": Mark.OWN}),
        ("<div class='gmail_quote'><div class='x gmail_attr'>a</div><blockquote class=gmail_quote>b<p>c</blockquote>d",
         {"a": Mark.QUOTED, "b": Mark.QUOTED, "c": Mark.QUOTED, "d": Mark.OWN}),
        ("a<blockquote id=isReplyContent>b</blockquote>", {"a": Mark.OWN, "b": Mark.QUOTED}),
        ("a<div id=divRplyFwdMsg>b</div>c", {"a": Mark.OWN, "b": Mark.REST, "c": Mark.REST}),
        ("a<div id=x_divRplyFwdMsg>b</div>", {"a": Mark.OWN, "b": Mark.REST}),
        ("a<div id=appendonsend></div>b", {"a": Mark.OWN, "b": Mark.REST}),
        ("a<includetail>b</includetail>", {"a": Mark.OWN, "b": Mark.REST}),
        ("a<div id=origbody1>b", {"a": Mark.OWN, "b": Mark.REST}),
        ("a<div style='border:none; border-top: solid #E1E1E1 1.0pt'>b", {"a": Mark.OWN, "b": Mark.REST}),
        ("a<div class=yahoo_quoted>b", {"a": Mark.OWN, "b": Mark.REST}),
        ("<div class=moz-cite-prefix>a</div><blockquote type=CITE>b</blockquote>",
         {"a": Mark.QUOTED, "b": Mark.QUOTED}),
    ],
)  # fmt: skip
def test_the_marks_of_mail_programs_are_known(source: str, marks: dict[str, Mark]) -> None:
    assert {line.text: line.mark for line in to_lines(source) if line.text} == marks


# --- harmless ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "clean"),
    [
        ("<p>a<b>b</b></p>", "<p>a<b>b</b></p>"),
        ("<p onclick=x() style='position:fixed' id=x class=y>a", "<p>a</p>"),
        ("<script>x()</script><style>y</style>a<iframe src=https://example.com></iframe>", "a"),
        ("<a href='javascript:x()' title=t>a</a>", '<a title="t" rel="noopener noreferrer">a</a>'),
        ("<a href=' JaVa&#9;Script:x()'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<a href='data:text/html,x'>a</a>", '<a rel="noopener noreferrer">a</a>'),
        ("<img src=cid:a@b alt='&quot;><script>'>", '<img src="cid:a@b" alt="&quot;&gt;&lt;script&gt;">'),
        ("<img src=https://example.com/1.gif><img src=//example.com/1.gif><img>", ""),
        ("<img src='data:image/png;base64,AA'>", ""),
        ("<form action=/x><input name=p><button>a</button></form>", "a"),
        ("<svg><script>x()</script></svg><math><mi>b</mi></math>", "b"),
        ("<base href=https://example.com><meta http-equiv=refresh content=0><link rel=x>a", "a"),
        ("<plaintext>a<b>", "a&lt;b&gt;"),
        ("<noscript><p title='</noscript><img src=x onerror=y()>'></noscript>", None),
        ("<table><tr><td colspan=2 onload=x>a", '<table><tbody><tr><td colspan="2">a</td></tr></tbody></table>'),
        ("", ""),
    ],
)
def test_what_could_do_harm_is_taken_out(source: str, clean: str | None) -> None:
    found = harmless(source)
    assert clean is None or found == clean
    assert not re.search(r"<[^>]*(script|onerror|onload|style=|https?:)", without_values(found))


def test_harmless_html_is_not_nested_deeply() -> None:
    assert harmless("<div>" * 1000 + "a").count("<div>") < MAX_DEPTH


@pytest.mark.parametrize(
    "piece",
    [
        *("<div>", "<b>", "<p>", "</p>", "<br>", "<b><p>", "<i><div></i>", "<form><table></i>", "<font color=1>", "<"),
        *("<table><tr><td>", "<ul><li>x", "<select><option>", "<blockquote type=cite>x", "<!--", "a=1 "),
        "<a href=http://example.com>x",
    ],
)
def test_a_long_page_costs_no_more_than_its_length(piece: str) -> None:
    source = piece * (300_000 // len(piece))  # by the square it would take minutes
    to_lines(source)
    harmless(source)
    harmless("<p " + source)


def test_content_ids_are_found_in_any_spelling() -> None:
    assert referenced_ids("<img src='cid:a%40b'><img src=CID:c@d>") == {"a@b", "c@d"}


PIECES = [
    *("<p", "<b", "<a href=", "<img src=", "<script", "<table><tr>", "<svg", "<math", "</", "<!--", "-->", "<![CDATA["),
    *("'", '"', ">", "&", ";", " ", "x", "\0", "\ud800", "\n", "cid:x", "javascript:x", "onload=x"),
]


@given(st.lists(st.sampled_from(PIECES)))
def test_any_html_is_text_and_harmless(pieces: list[str]) -> None:
    source = "".join(pieces)
    assert all("\n" not in line.text and line.text.encode() for line in to_lines(source) if line.text)
    assert not re.search(r"<[^>]*(<|script|onload=)", without_values(harmless(source)))
