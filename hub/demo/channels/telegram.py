"""Visitors on Telegram: the stand-in for the Bot API, which the hub asks for news."""

import itertools
import random
from collections.abc import Sequence
from typing import Any

from connectors.telegram.sandbox import PEOPLE, TelegramSandbox
from hub.demo.channels import Channel, PlatformClient

ANSWERS_AFTER_S = 0.3
"""So long Telegram takes to say that it has a message: a hub that dies within that does not know."""


class Person(PlatformClient):
    """One person's chat with the bot."""

    def __init__(self, telegram: TelegramSandbox, id_: int) -> None:
        super().__init__()
        self._telegram = telegram
        self._id = id_

    def say(self, text: str) -> None:
        self.texts.append(text)
        self._telegram.say(self._id, text)

    def taken(self) -> Sequence[bool]:
        """Nothing tells them whether the bot has it: Telegram has."""
        return [True] * len(self.texts)

    def answers(self) -> Sequence[str]:
        return [message.text for message in self._telegram.shown(self._id) if message.side == "bot"]


class Telegram(Channel):
    """A bot."""

    title, title_en = "Telegram", "Telegram"
    hint, hint_en = "给机器人发消息，回复也在这里", "Write to the bot; the answer arrives here too"

    def __init__(self) -> None:
        self.telegram = TelegramSandbox()
        self._ids = itertools.count(max(PEOPLE) + 1)
        super().__init__(self.telegram)

    def settings(self) -> dict[str, Any]:
        return self.telegram.settings()

    def client(self, hub_url: str, name: str, tag: str, rng: random.Random) -> PlatformClient:
        id_ = next(self._ids)
        self.telegram.meet(id_, name)
        return Person(self.telegram, id_)

    def join(self, hub_url: str) -> None:
        """It is the hub that asks for news."""

    def trouble(self) -> None:
        """Telegram is slow to say that it has a message."""
        self.telegram.switch({"slow_s": ANSWERS_AFTER_S})

    def page(self, hub_url: str) -> str:
        return f"{self.telegram.url}/"


CHANNEL = Telegram
