"""A hub as a user runs it, with the shop's app on its far side, and what it says of wrong settings."""

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.webhook.sandbox import ShopSandbox

ROOT = Path(__file__).parents[2]
RETURNS = "支持 7 天无理由退换。请准备好订单号，售后同事马上为您处理。"
"""What rules/routing.yaml answers by itself to who asks for 退货."""


@pytest.fixture
async def shop() -> AsyncIterator[ShopSandbox]:
    async with ShopSandbox(retry_after_s=0.2) as running:
        yield running


@contextlib.asynccontextmanager
async def hub(folder: Path, channel: dict[str, Any], port: int) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """`hub up` with that channel until the block ends."""
    settings = {"data": str(folder / "data"), "listen": f"127.0.0.1:{port}", "workers": 1, "partitions": 4}
    config = folder / "hub.yaml"
    config.write_text(
        json.dumps(settings | {"channels": {"h5": {}, "webhook": channel}}, indent=1), "utf-8"
    )  # JSON is YAML
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HUB_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub", "up", cwd=ROOT, env=environ | {"HUB_CONFIG": str(config)},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.05)


def shown(shop: ShopSandbox, customer: str) -> list[str]:
    replies = shop.ledger().replies
    return [reply.text for reply in replies if reply.customer == customer and reply.fate == "shown"]


async def test_what_the_rules_answer_comes_to_the_customer_once_whatever_happens(
    shop: ShopSandbox, tmp_path: Path
) -> None:
    port = free_port()
    shop.callback_url = f"http://127.0.0.1:{port}/callbacks/webhook"
    async with hub(tmp_path, shop.settings(), port):
        while True:  # until the hub is up
            shop.say("c-first", "我要退货")
            await shop.settled()
            if shop.ledger().told[-1].taken:
                break
        await until(lambda: shown(shop, "c-first"))

        with shop.faulty(repeat_callbacks=True, status_after_accepting=502):
            shop.say("c-1", "我要退货")
            await until(lambda: shown(shop, "c-1"))
        await until(lambda: [r for r in shop.ledger().replies if r.customer == "c-1" and r.fate == "repeated"])
        with shop.faulty(status=503):
            shop.say("c-2", "我要退货")
            await shop.settled()
        await until(lambda: shown(shop, "c-2"))
    assert shown(shop, "c-1") == shown(shop, "c-2") == [RETURNS]
    keys = {reply.key for reply in shop.ledger().replies if reply.customer == "c-1"}
    assert len(keys) == 1


async def test_wrong_settings_are_named_with_file_and_line(shop: ShopSandbox, tmp_path: Path) -> None:
    mistakes: tuple[tuple[str, str, Any, str], ...] = (
        ("in", "account", "a.[", '"a.[" is no JMESPath expression: '),
        ("in", "sent_at", "now()", "no function is called now(); there are abs, "),
        ("out", "url", "http://shop.example.com/", "must begin with https://"),
        ("out", "retries", 3, "unknown setting; there are body, "),
    )
    settings = shop.settings()
    for part, name, value, _ in mistakes:
        settings[part][name] = value
    async with hub(tmp_path, settings, free_port()) as process:
        out, _ = await process.communicate()
    lines = (tmp_path / "hub.yaml").read_text("utf-8").splitlines()
    for part, name, _, said in mistakes:
        (line,) = [number for number, text in enumerate(lines, 1) if text.startswith(f'    "{name}":')]
        assert f"{tmp_path}/hub.yaml:{line}: channels.webhook.{part}.{name}: {said}" in out.decode()
