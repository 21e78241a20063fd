"""What is hidden from the admin's eyes, and what is not."""

import base64
import json
from collections.abc import Iterator
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pydantic
import pytest

from hub.api.masking import TEXTS, Mask, secrets_of
from hub.domain.events import AnyEvent


def raw(body: bytes, **more: object) -> str:
    return json.dumps({"method": "POST", "body": base64.b64encode(body).decode()} | more)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call 13812345678 now", "call 1•••8 now"),
        ("+8613812345678", "+•••8"),
        ("010-12345678", "0•••8"),
        ("电话13812345678。", "电话1•••8。"),
        ("邮箱zhang@example.cn吗", "邮箱z•••n吗"),
        ("zhang.san+x@mail.example.cn", "z•••n"),
        ("<zhang@example.org>", "<z•••g>"),
        ("msgid 7405672895613812345678", "msgid 7405672895613812345678"),
        ("at 1764000000000, #12", "at 1764000000000, #12"),
        ("the key is geheim99!", "the key is •••!"),
        ("geheim99-long", "•••"),
        ("abc", "abc"),
    ],
)
def test_a_line_keeps_the_ends_of_addresses_and_nothing_of_secrets(text: str, shown: str) -> None:
    assert Mask(["geheim99", "geheim99-long", "abc", ""]).line(text) == shown


def test_a_message_is_its_length_and_its_beginning_unless_it_is_asked_for() -> None:
    text = "我的电话是 13812345678，请回电"
    assert Mask().message(text) == "我的电话是 1•••… (21 characters)"
    assert Mask(texts=True).message(text) == "我的电话是 1•••8，请回电"
    assert Mask().message("") == ""


def test_the_fields_of_an_event_are_masked_however_deep_they_lie() -> None:
    said = {
        "text": "今天就发，明天就到，后天就用",
        "address": "zhang@example.org",
        "outside_id": "<a1@example.org>",
        "message": {"refs": [4], "rest": [{"text": "第二部分，也很长很长"}], "choices": ["选择一个很长很长的答案"]},
        "attempt": 3,
    }
    assert Mask().fields(said) == {
        "text": "今天就发，明天就到，… (14 characters)",
        "address": "z•••g",
        "outside_id": "<a1@example.org>",
        "message": {
            "refs": [4],
            "rest": [{"text": "第二部分，也很长很长… (10 characters)"}],
            "choices": ["选择一个很长很长的答… (11 characters)"],
        },
        "attempt": 3,
    }


@pytest.mark.parametrize("kind", get_args(AnyEvent), ids=lambda kind: kind.__name__)
def test_no_event_shows_a_text_wherever_it_lies(kind: type[AnyEvent]) -> None:
    secret = "谁也不该看到的一句话，很长"
    said = msgspec.to_builtins(filled(kind, secret))
    texts = [one for name, one in leaves(Mask().fields(said)) if name in TEXTS]
    assert secret not in texts
    assert all("characters)" in text for text in texts)


def filled(kind: Any, text: str) -> Any:
    """A value of this type with the text in each field that may hold one."""
    hints = get_type_hints(kind)
    return kind(**{name: _filled(hint, text) for name, hint in hints.items() if name in kind.__struct_fields__})


def _filled(hint: Any, text: str) -> Any:
    inner = get_args(hint)
    if hint is str:
        return text
    if get_origin(hint) is tuple:
        return (_filled(inner[0], text),) if inner[-1] is Ellipsis else tuple(_filled(one, text) for one in inner)
    if get_origin(hint) is Literal:
        return inner[0]
    if isinstance(hint, UnionType) or get_origin(hint) is Union:
        return _filled(inner[0], text)
    if get_origin(hint) is dict or hint is dict:
        return {}
    return hint() if hint in (int, bool) else filled(hint, text)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """The texts in a value, each with the name of its field."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, key)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from leaves(inner, name)
    elif isinstance(value, str):
        yield name, value


@pytest.mark.parametrize(
    "name",
    ["token", "X-Hub-Signature-256", "x-sign", "msg_signature", "access_token", "appsecret", "Password", "api-key",
     "authorization", "Set-Cookie"],
)  # fmt: skip
def test_a_header_or_value_of_the_query_that_is_named_like_a_secret_is_one(name: str) -> None:
    shown = Mask().raw(raw(b"", headers={name: "v", "host": "hub"}, query={name: "v", "nonce": "1"}))
    assert shown["headers"] == {name: "•••", "host": "hub"}
    assert shown["query"] == {name: "•••", "nonce": "1"}


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"token": "abc", "text": "hi"}', '{"token": •••, "text": "hi"}'),
        (rb'{"password": "two \" words", "text": "hi"}', '{"password": •••, "text": "hi"}'),
        (b"password: 'x', text: 'hi'", "password: •••, text: 'hi'"),
        (b"access_token=abc&text=hi", "access_token=•••&text=hi"),
        (b"<xml><AppSecret>abc</AppSecret><T>hi</T></xml>", "<xml><AppSecret>•••</AppSecret><T>hi</T></xml>"),
        (b"<Token><![CDATA[a b]]></Token>", "<Token><![CDATA[•••]]></Token>"),
        (b'{"n": 1, "app_key": 77}', '{"n": 1, "app_key": •••}'),
        (b"\xff\xfe", "2 bytes that are no text"),
    ],
)
def test_a_body_shows_no_value_that_is_named_like_a_secret(body: bytes, shown: str) -> None:
    assert Mask(texts=True).raw(raw(body))["body"] == shown


@pytest.mark.parametrize(
    "piece", ["a", "a.", "1", "a@", "a@a.", "token", "<token>", "<token><![CDATA[", 'token="', "token=\\", "<"]
)
def test_no_body_is_too_long_to_be_looked_through(piece: str) -> None:
    """With a search that took the square of the length, this one would not end."""
    body = piece * (300_000 // len(piece))
    assert Mask(["geheim99"], texts=True).raw(raw(body.encode()))["body"]


@pytest.mark.parametrize("kept", ["attachment i0-mail.raw", "", "[1]"])
def test_a_raw_input_that_lies_elsewhere_is_named(kept: str) -> None:
    assert Mask().raw(kept) == {"kept_as": kept}


def test_secrets_are_found_however_deep_they_lie_in_the_settings() -> None:
    class Account(pydantic.BaseModel):
        name: str = "shop"
        password: pydantic.SecretStr = pydantic.SecretStr("one")

    class Settings(pydantic.BaseModel):
        key: pydantic.SecretStr = pydantic.SecretStr("two")
        none: pydantic.SecretStr | None = None
        accounts: list[Account] = [Account()]
        by_name: dict[str, Account] = {"a": Account(password=pydantic.SecretStr("three"))}

    assert sorted(secrets_of(Settings())) == ["one", "three", "two"]
    assert list(secrets_of(None)) == []
