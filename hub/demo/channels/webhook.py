"""Visitors on somebody else's app: the stand-in for a shop that speaks JSON over HTTP with the hub."""

import random
from collections.abc import Sequence
from typing import Any

from connectors.webhook.sandbox import ShopSandbox, Told
from hub.demo.channels import Channel, PlatformClient

AGAIN_S, ATTEMPTS = 4.0, 15
"""The shop tries for a minute to tell the hub something: one that is killed over and over comes back sooner."""


class Customer(PlatformClient):
    """One customer's chat in the shop's app."""

    def __init__(self, shop: ShopSandbox, identity: str) -> None:
        super().__init__()
        self._shop = shop
        self._identity = identity
        self._told: list[Told] = []

    def say(self, text: str) -> None:
        self.texts.append(text)
        self._shop.say(self._identity, text)
        self._told.append(self._shop.ledger().told[-1])

    def taken(self) -> Sequence[bool]:
        return [200 in told.statuses for told in self._told]

    def answers(self) -> Sequence[str]:
        replies = self._shop.ledger().replies
        return [reply.text for reply in replies if reply.customer == self._identity and reply.fate == "shown"]


class Webhook(Channel):
    """A shop's app."""

    def __init__(self) -> None:
        self.shop = ShopSandbox(retry_after_s=AGAIN_S, attempts=ATTEMPTS)
        super().__init__(self.shop)

    def settings(self) -> dict[str, Any]:
        return self.shop.settings()

    def join(self, hub_url: str) -> None:
        self.shop.callback_url = f"{hub_url}/callbacks/webhook"

    def client(self, hub_url: str, name: str, tag: str, rng: random.Random) -> PlatformClient:
        return Customer(self.shop, tag)

    def trouble(self) -> None:
        """The hub is told everything twice."""
        self.shop.switch({"repeat_callbacks": True})


CHANNEL = Webhook
