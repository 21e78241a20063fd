"""Visitors: each has a conversation and one or two pages that write to it, and that see all of it."""

import asyncio
import contextlib
from typing import Any

from tests.chaos import wire
from tests.chaos.client import Client, Hub
from tests.chaos.view import Outbox, View

MINT_WITHIN_S, MINT_AGAIN_S = 10.0, 1.0
TAB_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


class Page(Client):
    """One page of a visitor. What it is given to `say` it sends until it is acknowledged."""

    def __init__(self, hub: Hub, name: str, source: str) -> None:
        super().__init__(hub, name, source)
        self.conversation = ""
        self._tab = "".join(hub.rng.choices(TAB_LETTERS, k=12))
        self._outbox = Outbox(self._tab)
        self._view = View()
        self._asked: tuple[int, int] | None = None

    def enter(self, token: str, conversation: str) -> None:
        """Open the conversation and watch it from now on."""
        self.token, self.conversation = token, conversation
        self.hub.ledger.watch(self.name, conversation, "visitor")
        self.connect()

    def say(self, text: str) -> None:
        """Write a text; whatever happens, it is sent until the hub answers."""
        self.hub.ledger.sent(self.name, self.conversation, self._outbox.add(text), text)
        self.flush()

    def reload(self) -> None:
        """Load the page anew: the outbox is on disk, what was seen is gone."""
        self.cut()
        self._forget()

    @property
    def settled(self) -> bool:
        """Everything is acknowledged, and nothing is known to be missing."""
        return self.live and not self.waits()

    def waits(self) -> bool:
        return bool(self._outbox.waiting) or self._view.hole() is not None

    def hello(self) -> dict[str, Any]:
        return {"t": "hello", "v": 1, "token": self.token, "epoch": self.epoch, "seq": self._view.solid}

    def again(self) -> None:
        self._outbox.again()
        self._asked = None

    def flush(self) -> None:
        if not self.live or self._retrying is not None:
            return
        for id_, text in self._outbox.ready(self.window):
            self.write({"t": "send", "id": id_, "text": text})
        hole = self._view.hole()
        if hole is not None and hole != self._asked:
            self._asked = hole
            self.write({"t": "range", "after": hole[0], "before": hole[1]})

    def heard(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome":
                if not frame["resumed"]:
                    self._forget()
                    self.epoch = frame["epoch"]
                self._view.expect(frame["seq"])
                self._see_all(frame["events"])
                if frame["events"] or frame["seq"] <= self._view.solid:
                    last = frame["events"][-1]["seq"] if frame["events"] else self._view.solid
                    self.hub.ledger.nothing(self.name, self.conversation, last, frame["seq"] + 1)
            case "ack":
                self._acked(frame)
            case "event":
                self._see_all([frame])
            case "page":
                self._see_all(frame["events"])
                last = frame["events"][-1]["seq"] if frame["events"] else frame["after"]
                if frame["events"] or not frame["more"]:
                    self.hub.ledger.nothing(self.name, self.conversation, last, frame["before"])
                if frame["events"] and not frame["more"]:
                    first = frame["events"][0]["seq"]
                    self.hub.ledger.nothing(self.name, self.conversation, frame["after"], first)
                self._view.fill(frame["after"], frame["before"], frame["more"])
                self._asked = None
            case "error":
                self._refused(frame)

    def _see_all(self, events: list[dict[str, Any]]) -> None:
        for event in events:
            self.hub.ledger.saw(
                self.name, event["c"], event["seq"], event["prev"], event["kind"], event.get("text", "")
            )
            self._view.merge(event["seq"], event["prev"])
            if event["kind"] == "message" and (text := self._outbox.take(event["id"])) is not None:
                # Stored, whatever became of its ack.
                self.hub.ledger.acknowledged(self.name, event["c"], event["id"], event["seq"], text)

    def _acked(self, frame: dict[str, Any]) -> None:
        text = self._outbox.take(frame["id"])
        if text is None:
            return
        seq, c = frame["seq"], frame["c"]
        self.hub.ledger.acknowledged(self.name, c, frame["id"], seq, text)
        if "prev" in frame:
            self.hub.ledger.saw(self.name, c, seq, frame["prev"], "message", frame.get("text", text))
            self._view.merge(seq, frame["prev"])
        else:
            self._view.expect(seq)

    def _refused(self, frame: dict[str, Any]) -> None:
        match frame["do"]:
            case "resend" | "retry":
                self.retry_soon()
            case _:
                self.hub.ledger.trouble(self.name, f"the hub refuses a text: {frame}")

    def _forget(self) -> None:
        self._view, self.epoch, self._asked = View(), 0, None
        self.hub.ledger.reset(self.name, self.conversation)

    async def renew(self) -> None:
        renewed = await wire.request(
            "POST", f"{self.hub.url}/api/v1/visitors/renew", {"token": self.token}, source=self._source
        )
        self.token = renewed["token"]


class Visitor:
    """A person: their pages, and the topic that their first text names."""

    def __init__(self, hub: Hub, n: int, topic: str, pages: int) -> None:
        self.name = f"v{n}"
        source = f"127.{10 + n // 10_000}.{n // 100 % 100}.{1 + n % 100}"
        self.pages = [Page(hub, f"{self.name}/{place}", source) for place in range(pages)]
        self.patient = bool(topic)
        """Somebody who waits for a phone, and writes less."""
        self._hub, self._source, self._topic = hub, source, topic
        self.said = 0

    @property
    def here(self) -> bool:
        """Whether they have a conversation."""
        return bool(self.pages[0].conversation)

    async def come(self) -> None:
        """Get a token, as often as it takes, and open the pages."""
        while True:
            with contextlib.suppress(OSError, TimeoutError, wire.Refused):
                minted = await wire.request(
                    "POST", f"{self._hub.url}/api/v1/visitors", {"language": "zh-CN", "name": self.name},
                    source=self._source, within_s=MINT_WITHIN_S,
                )  # fmt: skip
                break
            await asyncio.sleep(MINT_AGAIN_S * (1 + self._hub.rng.random()))
        for page in self.pages:
            page.enter(minted["token"], minted["conversation"])

    def say(self) -> None:
        """Write the next text on one of the pages. Texts are unique, and hold nothing that a rule could match."""
        self.said += 1
        page = self._hub.rng.choice(self.pages)
        page.say(f"{self._topic}{page.name} text {self.said}")
