"""What is wrong in `channels.webhook` is found when the settings are read."""

from typing import Any

import pydantic
import pytest

from connectors.webhook.connector import CONNECTOR, Webhook
from connectors.webhook.settings import WebhookSettings
from hub.contract import Capabilities, FileLimit

LEAST: dict[str, Any] = {
    "in": {"secret": "0123456789", "identity": "user", "outside_id": "id", "text": "text"},
    "out": {"secret": "9876543210", "url": "https://shop.example.com/replies", "body": {"to": "address"}},
}


def changed(part: str, **values: Any) -> dict[str, Any]:
    return {**LEAST, part: {**LEAST.get(part, {}), **values}}


def test_what_a_channel_can_is_what_its_settings_say() -> None:
    limits = {
        "max_text": 500, "unit": "utf16", "files": {"image/*": 100, "application/pdf": 9}, "choices": 3,
        "notices": True, "fold_ms": 200, "per_minute": 30, "per_second": 0.5,
    }  # fmt: skip
    webhook = Webhook(WebhookSettings.model_validate(changed("out", recognises_s=60) | {"limits": limits}))
    assert webhook.can == Capabilities(
        role="visitor", max_text=500, unit="utf16", files=(FileLimit("image/*", 100), FileLimit("application/pdf", 9)),
        files_with_text=True, choices=3, notices=True, fold_ms=200, per_minute=30, per_second=0.5, recognises_s=60,
    )  # fmt: skip
    least = Webhook(WebhookSettings.model_validate(LEAST))
    assert (least.can.max_text, least.can.unit, least.can.files, least.can.recognises_s) == (4000, "characters", (), 0)
    assert CONNECTOR.can.role == "visitor"


@pytest.mark.parametrize("missing", ["secret", "identity", "outside_id", "text"])
def test_what_no_message_can_do_without_must_be_mapped(missing: str) -> None:
    incoming = {name: value for name, value in LEAST["in"].items() if name != missing}
    assert wrong({**LEAST, "in": incoming}) == [(f"in.{missing}", "Field required")]


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a.[", '"a.[" is no JMESPath expression: Invalid jmespath expression: Incomplete expression'),
        ("a b", '"a b" is no JMESPath expression: Unexpected token: b: Parse error at column 2, token "b"'
                ' (UNQUOTED_IDENTIFIER), for expression'),
        ("", '"" is no JMESPath expression: Invalid JMESPath expression: cannot be empty.'),
        (5, "must be a JMESPath expression; put it into quotes"),
        ("lines[].trim(@)", "no function is called trim(); there are abs, avg, "),
        ("[1:2].{x: join(lines)}", "join() takes 2 arguments, not 1"),
        ("merge()", "merge() takes 1 arguments, not 0"),
    ],
)  # fmt: skip
def test_a_wrong_expression_is_named(expression: object, said: str) -> None:
    for part, name in (("in", "sent_at"), ("out", "receipt")):
        ((place, found),) = wrong(changed(part, **{name: expression}))
        assert place == f"{part}.{name}"
        assert found.removeprefix("Value error, ").startswith(said)
    ((place, _),) = wrong(changed("out", body={"to": expression}))
    assert place == "out.body.to"


@pytest.mark.parametrize("expression", ["merge(a, b, c)", "not_null(a, b)", "a[1:2:3]", "sort_by(a, &b)[*].c", "`5`"])
def test_a_right_expression_is_taken(expression: str) -> None:
    assert wrong(changed("in", name=expression)) == []


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/x?y=z",
        "http://127.0.0.1:8098/",
        "http://10.0.0.5/",
        "http://[::1]:80/",
        "http://shop:80/",
    ],
)
def test_an_address_that_nobody_can_listen_at_is_taken(url: str) -> None:
    assert wrong(changed("out", url=url)) == []


@pytest.mark.parametrize(
    "url",
    ["http://shop.example.com/", "http://8.8.8.8/", "ftp://shop/", "shop.example.com", "https:///x", "", "http:",
     "https://hidden:hidden@shop.example.com/", "https://hidden\0/"],
)  # fmt: skip
def test_another_address_is_refused_and_not_shown(url: str) -> None:
    ((place, said),) = wrong(changed("out", url=url))
    assert place == "out.url"
    assert "hidden" not in said


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        (changed("out", headers={"X-A": "hush\nX-B: 1"}), "out.headers.X-A"),
        (changed("out", headers={"X A": "1"}), "out.headers.X A.[key]"),
        (changed("out", body={}), "out.body"),
        (changed("in", secret="short"), "in.secret"),
        (changed("in", signature={"encoding": "base32"}), "in.signature.encoding"),
        (changed("in", sent_at_unit="days"), "in.sent_at_unit"),
        (changed("in", path="x"), "in.path"),
        (changed("limits", max_text=1), "limits.max_text"),
    ],
)
def test_a_wrong_value_is_named(settings: dict[str, Any], place: str) -> None:
    assert [where for where, _ in wrong(settings)] == [place]


def test_no_secret_is_shown() -> None:
    settings = WebhookSettings.model_validate(changed("out", headers={"Authorization": "Bearer hush-hush"}))
    shown = repr(settings) + repr(Webhook(settings).settings)
    assert not any(secret in shown for secret in ("hush", "0123456789", "9876543210"))


def wrong(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """What pydantic finds: place and sentence."""
    try:
        WebhookSettings.model_validate(settings)
    except pydantic.ValidationError as error:
        return [(".".join(map(str, finding["loc"])), finding["msg"]) for finding in error.errors()]
    return []
