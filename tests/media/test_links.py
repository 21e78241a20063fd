"""Links, tickets and claims: who has not got one from the hub has none."""

import base64
import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.messages import Attachment, Profile
from hub.gateway.tokens import Tokens
from hub.media.links import (
    LINK_S,
    MAX_CHARS,
    Claim,
    Expired,
    Invalid,
    Link,
    Ticket,
    link_until,
    read,
    sign,
)

KEY = b"s" * 32
UNTIL_S = 1_764_000_600
NOW_S = UNTIL_S - 1
PICTURE = Attachment("c7-abc." + "a" * 32, "照片.png", "image/png", 12)
LINK = Link(UNTIL_S, PICTURE)
TICKET = Ticket(UNTIL_S, "c7-abc", "visitor", "../照片.png", 12)
CLAIM = Claim(UNTIL_S, "c7-abc", "a3-wangfang", PICTURE)


@pytest.mark.parametrize("word", [LINK, TICKET, CLAIM])
def test_what_was_signed_is_read_until_it_runs_out(word: Any) -> None:
    text = sign(word, KEY)
    assert read(type(word), text, NOW_S, KEY) == word
    with pytest.raises(Expired):
        read(type(word), text, UNTIL_S, KEY)


@pytest.mark.parametrize("word", [LINK, TICKET, CLAIM])
def test_one_kind_does_not_pass_for_another_even_with_its_name(word: Any) -> None:
    text = sign(word, KEY)
    others: set[Any] = {Link, Ticket, Claim} - {type(word)}
    for other in others:
        with pytest.raises(Invalid):
            read(other, text, NOW_S, KEY)


def test_another_hubs_word_is_not_read() -> None:
    with pytest.raises(Invalid, match="this link was not made by this hub"):
        read(Link, sign(LINK, b"t" * 32), NOW_S, KEY)


@given(st.integers(0, len(sign(LINK, KEY)) - 1), st.sampled_from("Aa0_-.=/ \n\u4e00"))
def test_a_changed_character_is_noticed(at: int, character: str) -> None:
    text = sign(LINK, KEY)
    changed = text[:at] + character + text[at + 1 :]
    if changed != text:
        with pytest.raises(Invalid):
            read(Link, changed, NOW_S, KEY)


@given(st.text())
def test_any_text_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read(Ticket, text, NOW_S, KEY)


def test_a_token_is_no_link_and_a_link_no_token() -> None:
    tokens = Tokens(KEY)
    token = tokens.mint_visitor("c7-abc", Profile("h5"), NOW_S).token
    with pytest.raises(Invalid):
        read(Link, token, NOW_S, KEY)
    with pytest.raises(Invalid):
        read(Link, token.rpartition(".")[0], NOW_S, KEY)


def test_what_a_later_version_signed_otherwise_is_refused_and_does_not_crash() -> None:
    content = base64.urlsafe_b64encode(b'{"type":"link","file":1}').decode()
    signature = base64.urlsafe_b64encode(hmac.digest(KEY, f"file link:{content}".encode(), "sha256")).decode()
    with pytest.raises(Invalid, match="of another version"):
        read(Link, f"{content}.{signature.rstrip('=')}", NOW_S, KEY)


def test_the_longest_names_fit() -> None:
    for name in ("照" * 255, "\x01" * 255, "😀" * 255):
        ticket = Ticket(UNTIL_S, "c1023-" + "k" * 26, "a1023-" + "w" * 32, name, 10**8)
        assert len(sign(ticket, KEY)) < MAX_CHARS


@pytest.mark.parametrize("now_s", [0, 0.5, 599, 600, 1_764_000_123.7])
def test_a_link_is_good_for_ten_to_twenty_minutes(now_s: float) -> None:
    assert LINK_S < link_until(now_s) - now_s <= 2 * LINK_S
