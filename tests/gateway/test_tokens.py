"""Tokens: what was minted can be read, until it expires; anything else cannot."""

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.messages import Profile
from hub.gateway.tokens import (
    AGENT_TOKEN_S,
    MAX_TOKEN_CHARS,
    VISITOR_TOKEN_S,
    AgentIdentity,
    Expired,
    Invalid,
    Tokens,
    Visitor,
)

NOW_S = 1_764_000_000.5
SECRET = b"0123456789abcdef" * 4
TOKENS = Tokens(SECRET)
PROFILE = Profile("h5", name="张三", page="https://shop.example/购物车?a=1&b=2", language="zh-CN")


def test_a_visitor_is_read_as_minted() -> None:
    minted = TOKENS.mint_visitor("c7-abc", PROFILE, NOW_S)
    assert minted.expires_at_s == 1_764_000_000 + VISITOR_TOKEN_S
    assert TOKENS.read(minted.token, NOW_S) == Visitor("c7-abc", PROFILE, minted.expires_at_s)


def test_an_agent_is_read_as_minted() -> None:
    minted = TOKENS.mint_agent("a3-wangfang", NOW_S)
    assert TOKENS.read(minted.token, NOW_S) == AgentIdentity("a3-wangfang", 1_764_000_000 + AGENT_TOKEN_S)


def test_a_token_expires_and_can_be_read_for_a_grace() -> None:
    token, end = TOKENS.mint_visitor("c7-abc", PROFILE, NOW_S)
    assert TOKENS.read(token, end - 1)
    with pytest.raises(Expired):
        TOKENS.read(token, end)
    assert TOKENS.read(token, end + 99, grace_s=100)
    with pytest.raises(Expired):
        TOKENS.read(token, end + 100, grace_s=100)


def test_the_longest_profile_fits() -> None:
    longest = Profile("h5", "", "名" * 64, "zh", "https://x/" + "购" * 2038, "https://x/" + "购" * 2038, "机" * 64)
    token = TOKENS.mint_visitor("c7-abc", longest, NOW_S).token
    assert len(token) < MAX_TOKEN_CHARS
    assert TOKENS.read(token, NOW_S).profile == longest  # type: ignore[union-attr]


def signed(claims: object, secret: bytes = SECRET, algorithm: str = "HS256") -> str:
    return jwt.PyJWS([algorithm]).encode(json.dumps(claims).encode(), secret, algorithm)


GOOD = {"role": "visitor", "sub": "c7-abc", "channel": "h5", "exp": 2_000_000_000}
UNSIGNED = ".".join(
    base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in ({"alg": "none"}, GOOD)
)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b.c",
        "令牌",
        "\ud800",
        "x" * 40_000,
        UNSIGNED + ".",
        signed(GOOD, b"another secret of 32 bytes, or so"),
        signed(GOOD, algorithm="HS512"),
        signed([]),
        signed({}),
        signed({**GOOD, "role": "admin"}),
        signed({**GOOD, "sub": None}),
        signed({**GOOD, "exp": "tomorrow"}),
        signed({**GOOD, "channel": 7}),
        signed({key: value for key, value in GOOD.items() if key != "exp"}),
        signed({key: value for key, value in GOOD.items() if key != "channel"}),
    ],
)
def test_anything_else_is_invalid(token: str) -> None:
    with pytest.raises(Invalid):
        TOKENS.read(token, NOW_S)
    assert TOKENS.read(signed(GOOD), NOW_S)  # what they were made from is good


@given(st.text())
def test_any_text_is_invalid(token: str) -> None:
    with pytest.raises(Invalid):
        TOKENS.read(token, NOW_S)


def test_one_changed_character_is_noticed() -> None:
    token = TOKENS.mint_agent("a3-wangfang", NOW_S).token
    for place in range(0, len(token) - 1, 7):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Invalid):
            TOKENS.read(changed, NOW_S)


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="has 16 bytes; HS256 needs at least 32"):
        Tokens(b"0123456789abcdef")


def test_an_agents_token_of_an_earlier_password_or_of_nobody_any_more_is_expired() -> None:
    generations: dict[str, int | None] = {"a3-wangfang": 1}
    tokens = Tokens(SECRET, lambda agent: generations[agent])
    first = tokens.mint_agent("a3-wangfang", NOW_S).token
    later = tokens.mint_agent("a3-wangfang", NOW_S, 2).token
    assert isinstance(tokens.read(first, NOW_S), AgentIdentity)
    assert isinstance(tokens.read(later, NOW_S), AgentIdentity), "another worker heard first of the new password"
    generations["a3-wangfang"] = 2
    with pytest.raises(Expired, match="password"):
        tokens.read(first, NOW_S)
    generations["a3-wangfang"] = None
    with pytest.raises(Expired, match=r"teams\.yaml"):
        tokens.read(later, NOW_S)
