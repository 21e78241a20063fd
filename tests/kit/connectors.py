"""Right connectors for the parrot: one that it calls, one that asks it."""

import dataclasses
import hmac
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pydantic

from hub.contract import (
    Capabilities,
    Connector,
    Delivery,
    Forbidden,
    Inbound,
    Item,
    Parsed,
    Pulled,
    Raw,
    Refused,
    Retry,
    Route,
    Sent,
    Surroundings,
    Unknown,
    Verdict,
)  # fmt: skip
from tests.kit.parrot import GONE, MOST, signature

WAIT_S = 1.0


class ParrotSettings(pydantic.BaseModel, frozen=True, extra="forbid"):
    """`channels.parrot`."""

    account: str
    secret: pydantic.SecretStr
    base_url: str


class Called(Connector):
    """Visitors who are parrots."""

    Settings = ParrotSettings
    can = Capabilities(role="visitor", max_text=MOST, unit="utf16", recognises_s=3600, edits_s=3600, recalls_s=3600)
    routes: Sequence[Route] = (Route("callback", ("POST",)),)
    settings: ParrotSettings

    async def start(self, surroundings: Surroundings) -> None:
        self.secret = self.settings.secret.get_secret_value()
        self.http = httpx.AsyncClient(
            base_url=self.settings.base_url,
            timeout=5,
            headers={"authorization": f"Bearer {self.secret}"},
            mounts={"all://127.0.0.1": None},
        )

    async def stop(self) -> None:
        await self.http.aclose()

    def verify(self, raw: Raw) -> None:
        sealed = raw.headers.get("x-parrot-signature", "")
        if not hmac.compare_digest(signature(self.secret, raw.body).encode(), sealed.encode()):
            raise Forbidden("x-parrot-signature does not fit the body")

    def parse(self, raw: Raw) -> Parsed:
        item = json.loads(raw.body)
        if item.get("account", self.settings.account) != self.settings.account:
            raise Forbidden(f"the callback is for account {item['account']}, this is {self.settings.account}")
        return Parsed(inbounds=[self.inbound(item)])

    def inbound(self, item: dict[str, Any]) -> Inbound:
        """What a parrot said."""
        unsupported = "" if item["kind"] == "text" else item["kind"]
        return Inbound(item["from"], item["id"], item["text"], item["at"], unsupported, name=item["name"])

    async def deliver(self, delivery: Delivery) -> Verdict:
        try:
            if delivery.replaces:
                return self.changed(await self.change(delivery), delivery)
            return self.verdict(await self.call(delivery.address, delivery.text, delivery.key))
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return Retry(f"the parrot is not there ({type(error).__name__})")
        except httpx.HTTPError as error:
            return Unknown(f"no answer from the parrot ({type(error).__name__})")

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        """Ask it to say something."""
        return await self.http.post("/say", json={"to": to, "text": text}, headers={"idempotency-key": key})

    async def change(self, delivery: Delivery) -> httpx.Response:
        """Ask it to say something else instead, or to take it back."""
        return await self.http.post(
            "/unsay", json={"to": delivery.address, "id": delivery.replaces, "text": delivery.text}
        )

    def changed(self, answer: httpx.Response, delivery: Delivery) -> Verdict:
        """What its answer means: what is gone already was taken back by an earlier try."""
        if answer.status_code == 200 and answer.json()["code"] == GONE and not delivery.text:
            return Sent()
        return self.verdict(answer)

    def verdict(self, answer: httpx.Response) -> Verdict:
        """What its answer means."""
        if answer.status_code == 429:
            return Retry("the parrot has heard too much", float(answer.headers.get("retry-after", 1)))
        if answer.status_code != 200:
            return Unknown(f"the parrot answered HTTP {answer.status_code}")
        said = answer.json()
        return Refused(f"the parrot: {said['error']} ({said['code']})") if said["code"] else Sent(said["id"])


class Asking(Called):
    """The same, of a parrot that has to be asked."""

    routes = ()
    pulls = True

    async def pull(self, cursor: str) -> Pulled:
        answer = await self.http.get("/heard", params={"after": cursor or "0", "wait": WAIT_S})
        answer.raise_for_status()
        page = answer.json()
        return Pulled(str(page["next"]), [Item(json.dumps(item).encode()) for item in page["items"]])


class Forgetful(Called):
    """The same, of a parrot that cannot tell a repeat."""

    can = Capabilities(role="visitor", max_text=MOST, unit="utf16")

    async def call(self, to: str, text: str, key: str) -> httpx.Response:
        return await super().call(to, text, "")


class Patient(Forgetful):
    """The same, and texts wait a while for others to be folded with."""

    can = dataclasses.replace(Forgetful.can, fold_ms=60_000)


class Mixed(Called):
    """The same, of parrots some of whom answer the others: a text to these begins with a thread, signed for the one."""

    can = dataclasses.replace(Called.can, role="both")

    async def deliver(self, delivery: Delivery) -> Verdict:
        if not delivery.agent:
            return await super().deliver(delivery)
        thread = f"{delivery.conversation}:{self.sign(delivery.conversation, delivery.address)}"
        return await super().deliver(dataclasses.replace(delivery, text=f"{thread} {delivery.text}"))

    def parse(self, raw: Raw) -> Parsed:
        item = json.loads(raw.body)
        if "thread" not in item:
            return super().parse(raw)
        conversation, _, sign = item["thread"].partition(":")
        if sign != self.sign(conversation, item["from"]):
            return Parsed(unparsed=f"{item['from']} was not sent what they answer")
        said = dataclasses.replace(self.inbound(item), conversation=conversation, agent=True)
        return Parsed(inbounds=[said])

    def sign(self, conversation: str, agent: str) -> str:
        """Proves that the agent was sent something about the conversation."""
        return signature(self.secret, f"{conversation} {agent}".encode())


class Staff(Called):
    """The same, of parrots that answer visitors."""

    can = Capabilities(role="agent", max_text=MOST, unit="utf16", recognises_s=3600)
