"""The envelope against Tencent's own published vectors, and against everything that is not genuine."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.tencent.envelope import Envelope, NotGenuine, Unreadable, encrypted_part

CORP = "wx5823bf96d3bd56c7"
AES_KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"  # as in the official sample; its last character has spare bits
OFFICIAL = Envelope("QDG6eK", AES_KEY, CORP)
CHECK = {
    "encrypted": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
    "signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
    "timestamp": "1409659589",
    "nonce": "263014780",
}
POST = {
    "encrypted": (
        "RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvu"
        "JTs3TUUkSUXxaccAS0qhxchrRYt66wiSpGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwG"
        "c2hgf5gsijff0ekUNXZiqATP7PF5mZxZ3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9"
        "EL4EhzJWrQUax5wLVMNS0+rUPA3k22Ncx4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0"
        "lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+qN+E7Q=="
    ),
    "signature": "477715d11cdb4164915debcba66cb864d751f3e6",
    "timestamp": "1409659813",
    "nonce": "1372623149",
}
OFFICIAL_ACCOUNT = Envelope("AAAAA", "A" * 43, "wxba5fad812f8e6fb9")
OFFICIAL_ACCOUNT_POST = {
    "encrypted": (
        "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsX"
        "UnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajA"
        "sjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
    ),
    "signature": "046e02f8204d34f8ba5fa3b1db94908f3df2e9b3",
    "timestamp": "1714112445",
    "nonce": "415670741",
}


def opened(envelope: Envelope, encrypted: str, signature: str, timestamp: str, nonce: str) -> str:
    envelope.check(encrypted, signature, timestamp, nonce)
    return envelope.open(encrypted)


def test_envelope_opens_the_official_url_check() -> None:
    assert opened(OFFICIAL, **CHECK) == "1616140317555161061"


def test_envelope_opens_the_official_callback() -> None:
    assert "<Content><![CDATA[hello]]></Content>" in opened(OFFICIAL, **POST)


def test_envelope_opens_an_official_accounts_callback() -> None:
    assert '"Event":"debug_demo"' in opened(OFFICIAL_ACCOUNT, **OFFICIAL_ACCOUNT_POST)


@given(st.text(max_size=3000), st.sampled_from(["", CORP]))
def test_what_was_sealed_opens_again(text: str, receive_id: str) -> None:
    envelope = Envelope("token", AES_KEY, receive_id)
    sealed = envelope.seal(text, "1", "2")
    assert opened(envelope, sealed.encrypted, sealed.signature, "1", "2") == text


@pytest.mark.parametrize("changed", CHECK)
def test_a_change_of_any_part_breaks_the_signature(changed: str) -> None:
    parts = {**CHECK, changed: CHECK[changed][:-1] + "7"}
    with pytest.raises(NotGenuine, match="signature"):
        opened(OFFICIAL, **parts)


def test_a_signature_outside_ascii_is_refused_like_any_other() -> None:
    with pytest.raises(NotGenuine, match="signature"):
        opened(OFFICIAL, **{**CHECK, "signature": "签名"})


def test_a_callback_for_another_corp_is_refused() -> None:
    with pytest.raises(NotGenuine, match="another corp"):
        opened(Envelope("QDG6eK", AES_KEY, "wx0000000000000000"), **POST)


def test_another_aes_key_leaves_a_genuine_envelope_unreadable() -> None:
    with pytest.raises((Unreadable, NotGenuine)) as raised:
        opened(Envelope("QDG6eK", "B" * 43, CORP), **POST)
    assert raised.type is Unreadable


@pytest.mark.parametrize("damage", ["", "AAAA", "no base64!", "A" * 44])
def test_a_signed_ciphertext_that_is_none_is_unreadable(damage: str) -> None:
    with pytest.raises(Unreadable):
        OFFICIAL.open(damage)


@pytest.mark.parametrize("aes_key", ["", "A" * 42, "A" * 44])
def test_an_aes_key_of_another_length_is_named(aes_key: str) -> None:
    with pytest.raises(ValueError, match="43 letters and digits"):
        Envelope("token", aes_key, CORP)


def test_encrypted_part_is_found_wherever_it_stands() -> None:
    body = b"<xml><AgentID>1</AgentID><Encrypt><![CDATA[abc=]]></Encrypt><ToUserName>c</ToUserName></xml>"
    assert encrypted_part(body) == "abc="


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"<xml/>",
        b"<xml><Encrypt/></xml>",
        b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        b"<xml><Encrypt>a</Encrypt>" + b"<a>" * 200 + b"</a>" * 200 + b"</xml>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><xml><Encrypt>&a;</Encrypt></xml>',
    ],
)
def test_a_body_without_one_encrypted_part_is_not_genuine(body: bytes) -> None:
    with pytest.raises(NotGenuine):
        encrypted_part(body)


@given(st.binary(max_size=500))
def test_any_bytes_are_an_envelope_or_not_genuine(body: bytes) -> None:
    with contextlib.suppress(NotGenuine):
        assert encrypted_part(body)


def test_repr_and_errors_hold_no_secret() -> None:
    with pytest.raises(NotGenuine) as raised:
        opened(OFFICIAL, **{**POST, "signature": "x"})
    for said in (repr(OFFICIAL), str(raised.value)):
        assert "QDG6eK" not in said
        assert AES_KEY not in said
