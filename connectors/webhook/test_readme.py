"""The page is true: its settings are taken, and its commands work in both directions."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from litestar import Litestar, Request, Response, post

from connectors.webhook import shop as shop_side
from connectors.webhook.connector import Webhook
from connectors.webhook.sandbox import Faults, ShopSandbox
from connectors.webhook.settings import In, Limits, Out, Signature, WebhookSettings
from hub.contract import Forbidden, Raw
from hub.kit.serving import serving

PAGE = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
COMMANDS_IN, COMMANDS_OUT = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(SETTINGS,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NOW_S = 1_777_900_260


def webhook() -> Webhook:
    return Webhook(WebhookSettings.model_validate(yaml.safe_load(SETTINGS)["channels"]["webhook"]))


def test_the_example_in_the_shipped_settings_is_taken() -> None:
    shipped = (Path(__file__).parents[2] / "config" / "hub.yaml").read_text(encoding="utf-8")
    (example,) = re.findall(r"^  # (webhook:.*\n(?:  #  .*\n)*)", shipped, re.MULTILINE)
    assert WebhookSettings.model_validate(yaml.safe_load(example.replace("\n  # ", "\n"))["webhook"])


async def run(commands: str, **hosts: str) -> str:
    """What a shell says to them; `hosts` (port=address) stand for those of the page."""
    for port, url in hosts.items():
        commands = commands.replace(f"http://127.0.0.1:{port.removeprefix('at_')}", url)
    shell = await asyncio.create_subprocess_exec(
        "sh", "-eu", "-c", commands, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await shell.communicate()
    assert shell.returncode == 0, said.decode()
    return said.decode()


async def test_the_commands_tell_the_hub_what_a_visitor_wrote() -> None:
    came: list[Any] = []

    @post("/callbacks/webhook")
    async def callback(request: Request[Any, Any, Any]) -> Response[str]:
        body = await request.body()
        try:
            raw = Raw("POST", {}, dict(request.headers), body, int(request.headers["x-time"]) * 1000)
            webhook().verify(raw)
            parsed = webhook().parse(raw)
        except Forbidden as error:
            return Response(str(error), status_code=403)
        came.append(parsed)
        return Response(parsed.answer.body, status_code=parsed.answer.status)

    async with serving(Litestar([callback], openapi_config=None, logging_config=None)) as url:
        assert await run(COMMANDS_IN, at_8080=url) == ""
    ((inbound,), unparsed) = came[0].inbounds, came[0].unparsed
    assert (inbound.identity, inbound.name, inbound.outside_id, inbound.text) == ("c-7", "张三", "m1", "在吗？")
    assert unparsed == ""


@pytest.fixture
async def shop(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ShopSandbox]:
    monkeypatch.setattr(shop_side, "REPLY_SECRET", "change-me-out")
    async with ShopSandbox() as running:
        running.shop.customers.add("c-7")
        yield running


async def test_the_commands_bring_an_answer_as_the_hub_does(shop: ShopSandbox) -> None:
    assert await run(COMMANDS_OUT, at_8098=shop.url) == '{"id":"r-1"}'
    (reply,) = shop.ledger().replies
    assert (reply.customer, reply.text, reply.fate) == ("c-7", "在的", "shown")


@pytest.mark.parametrize("model", [In, Out, Limits, Signature, Faults])
def test_everything_that_can_be_set_is_on_the_page(model: Any) -> None:
    names = getattr(model, "model_fields", None) or model.__struct_fields__
    assert [name for name in names if f"`{name}`" not in PAGE] == []
