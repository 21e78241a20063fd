"""Agents on sockets: each desk shows its conversations whole, and answers some of what visitors write."""

import asyncio
import contextlib
from typing import Any

from tests.chaos import wire
from tests.chaos.client import Client, Hub
from tests.chaos.view import Outbox, View

ANSWER_AFTER_S = (0.2, 3.0)


class Desk(Client):
    """One agent. `share`: the part of the visitors' messages that gets an answer."""

    def __init__(self, hub: Hub, name: str, source: str, admin_token: str, share: float) -> None:
        super().__init__(hub, name, source)
        self.serving: set[str] = set()
        self._admin_token, self._share = admin_token, share
        self._views: dict[str, View] = {}
        self._asked: dict[str, tuple[int, int]] = {}
        self._outboxes: dict[str, Outbox] = {}
        self._considered: set[tuple[str, int]] = set()
        """Messages that were answered, or left without an answer: a reload must not ask again."""
        self._said = 0
        self.writing = True

    async def begin(self) -> None:
        """Get a token, go on duty, open the desk; as often as it takes."""
        base = f"{self.hub.url}/api/v1/agents/{self.name}"
        while True:
            with contextlib.suppress(OSError, TimeoutError, wire.Refused):
                await self.renew()
                await wire.request("POST", f"{base}/duty", {"on": True}, token=self.token, source=self._source)
                break
            await asyncio.sleep(1)
        self.connect()

    async def renew(self) -> None:
        url = f"{self.hub.url}/api/v1/agents/{self.name}/token"
        self.token = (await wire.request("POST", url, token=self._admin_token, source=self._source))["token"]

    def reload(self) -> None:
        """Load the desk anew: what is unanswered by the hub is on disk, what was seen is gone."""
        self.cut()
        for c in self.serving:
            self.hub.ledger.reset(self.name, c)
        self._views = {}

    @property
    def settled(self) -> bool:
        """Everything is acknowledged, and nothing is known to be missing."""
        return self.live and not self.waits() and all(c in self._views for c in self.serving)

    def waits(self) -> bool:
        return any(outbox.waiting for outbox in self._outboxes.values()) or any(
            view.hole() is not None for view in self._views.values()
        )

    def hello(self) -> dict[str, Any]:
        seen = {c: view.solid for c, view in self._views.items()}
        return {"t": "hello", "v": 1, "token": self.token, "epoch": self.epoch if seen else 0, "seen": seen}

    def again(self) -> None:
        for outbox in self._outboxes.values():
            outbox.again()
        self._asked = {}

    def flush(self) -> None:
        if not self.live or self._retrying is not None:
            return
        room = self.window // 2
        for c, outbox in self._outboxes.items():
            for id_, text in outbox.ready(max(room, 0)):
                self.write({"t": "send", "id": id_, "c": c, "text": text})
            room -= len(outbox.waiting)
        for c, view in self._views.items():
            hole = view.hole()
            if hole is not None and self._asked.get(c) != hole and len(self._asked) < self.window // 4:
                self._asked[c] = hole
                self.write({"t": "range", "c": c, "after": hole[0], "before": hole[1]})

    def heard(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome":
                self._serve_only(set(frame["conversations"]))
            case "serving":
                self._serve(frame["c"]) if frame["on"] else self._stop(frame["c"])
            case "ack":
                self._acked(frame)
            case "event":
                self._see(frame)
            case "page":
                self._turn(frame)
            case "error":
                self._refused(frame)

    # --- conversations ---------------------------------------------------------------------------------------------

    def _serve_only(self, theirs: set[str]) -> None:
        for c in theirs - self.serving:
            self._serve(c)
        for c in self.serving - theirs:
            self._stop(c)

    def _serve(self, c: str) -> None:
        if c not in self.serving:
            self.serving.add(c)
            self.hub.ledger.watch(self.name, c, "agent")

    def _stop(self, c: str) -> None:
        if c in self.serving:
            self.serving.discard(c)
            self._views.pop(c, None)
            self.hub.ledger.unwatch(self.name, c)

    def _turn(self, frame: dict[str, Any]) -> None:
        """A page of history: the first of a conversation, or the answer to a range."""
        c, events = frame["c"], frame["events"]
        if c not in self.serving:
            return
        if not frame.get("resumed", True):
            self._views.pop(c, None)
            self.hub.ledger.reset(self.name, c)
        view = self._views.setdefault(c, View())
        view.expect(frame["before"] - 1)
        for event in events:
            self._see(event)
        if events or not frame["more"]:
            self.hub.ledger.nothing(self.name, c, events[-1]["seq"] if events else frame["after"], frame["before"])
        if events and not frame["more"]:
            self.hub.ledger.nothing(self.name, c, frame["after"], events[0]["seq"])
        view.fill(frame["after"], frame["before"], frame["more"])
        self._asked.pop(c, None)

    def _see(self, event: dict[str, Any]) -> None:
        c, seq = event["c"], event["seq"]
        if c not in self.serving:
            return
        view = self._views.setdefault(c, View())
        self.hub.ledger.saw(self.name, c, seq, event["prev"], event["kind"], event.get("text", ""))
        view.merge(seq, event["prev"])
        if event["kind"] == "answer" and c in self._outboxes:
            text = self._outboxes[c].take(event["id"]) if event.get("id") else None
            if text is not None:
                self.hub.ledger.acknowledged(self.name, c, event["id"], seq, text)
        if event["kind"] == "message" and (c, seq) not in self._considered:
            self._considered.add((c, seq))
            if self.writing and self.hub.rng.random() < self._share:
                self._loop.call_later(self.hub.rng.uniform(*ANSWER_AFTER_S), self._answer, c)

    # --- answers ---------------------------------------------------------------------------------------------------

    def _answer(self, c: str) -> None:
        if not self.writing or c not in self.serving:
            return
        self._said += 1
        text = f"answer {self.name} {self._said}"
        outbox = self._outboxes.setdefault(c, Outbox("desk"))
        self.hub.ledger.sent(self.name, c, outbox.add(text), text)
        self.flush()

    def _acked(self, frame: dict[str, Any]) -> None:
        c, id_, seq = frame["c"], frame["id"], frame["seq"]
        text = self._outboxes[c].take(id_) if c in self._outboxes else None
        if text is None:
            return
        self.hub.ledger.acknowledged(self.name, c, id_, seq, text)
        view = self._views.get(c)
        if view is None:
            return
        if "prev" in frame:
            self.hub.ledger.saw(self.name, c, seq, frame["prev"], "answer", text)
            view.merge(seq, frame["prev"])
        else:
            view.expect(seq)

    def _refused(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"do": "resend" | "retry"}:
                self.retry_soon()
            case {"do": "drop", "id": str(id_), "c": str(c)} if c in self._outboxes:
                text = self._outboxes[c].take(id_)
                if text is not None:
                    self._outboxes[c].renumber_after(id_)
                    self.hub.ledger.dropped(self.name, c, id_, text, frame["message"])
            case {"code": 4114}:
                pass  # a range for a conversation that has just been given to somebody else
            case _:
                self.hub.ledger.trouble(self.name, f"the hub refuses a frame: {frame}")
