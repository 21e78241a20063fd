"""Whatever is cut, lost, repeated or begun anew: in the end each client has what its audience may see, once, in order.

The clients know nothing but docs/protocol.md. History is written by a visitor with two tabs, and by an agent; some
events only agents may see. Connections are cut at random points, pushes get lost, the log begins anew.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.h5.sandbox import History
from hub.domain.commands import CloseConversation, TransferConversation
from hub.domain.views import Audience
from tests.gateway.clients import AGENT, C, Client, World

LONG = "长" * 4000
"""12 KB: a hundred of them are more than 1 MB."""


class Page:
    """A page of a visitor, or an agent's desk, as the protocol tells it to behave. `shown` is what it has."""

    def __init__(self, world: World, role: Audience, name: str) -> None:
        self.world, self.role, self.name, self.tab = world, role, name, name
        self.history, self.epoch = History(), 0
        self.client: Client | None = None
        self.unacked: dict[int, str] = {}
        self.n = 0
        self.asked: tuple[int, int] | None = None
        self.live = False
        self.forgotten = False
        """The hub wants what is settled long since: its log began anew."""
        self.reloads = 0

    @property
    def shown(self) -> list[dict[str, Any]]:
        return self.history.shown

    def come(self) -> None:
        """Open a socket and say hello with what it has."""
        if self.client is None or self.client.closed or self.client.transport.ended:
            seen: dict[str, Any] = {"epoch": self.epoch, "seq": self.history.solid}
            if self.role == "agent":
                seen = {"epoch": self.epoch, "seen": {C: self.history.solid} if self.history.solid else {}}
            self.live, self.asked = False, None
            self.client = (self.world.agent if self.role == "agent" else self.world.visitor)(**seen)
        self.listen()

    def cut(self) -> None:
        """The network is gone; what is on the way is lost."""
        if self.client is not None:
            self.client.leave()
            self.client, self.live = None, False

    def say(self) -> None:
        self.n += 1
        self.unacked[self.n] = f"{self.name} says {self.n}"
        if self.live:
            self.send()

    def send(self) -> None:
        assert self.client is not None
        for n, text in self.unacked.items():
            c = {"c": C} if self.role == "agent" else {}
            self.client.say({"t": "send", "id": f"{self.tab}.{n}", "text": text} | c)
        self.listen()

    def listen(self) -> None:
        """Take in what has come; ask for what is missing."""
        while self.client is not None and (frames := self.client.heard()):
            for frame in frames:
                self._take(frame)
            if self.client.closed:
                self.live = False
            elif not self.live or self.asked is not None:
                pass
            elif hole := self.history.hole():
                self.asked = hole
                self.client.say({"t": "range", "after": hole[0], "before": hole[1], "c": C})
            elif self.forgotten:
                self._renumber()

    def _renumber(self) -> None:
        """Send what the history does not know under a new tab id."""
        known = {event.get("id") for event in self.shown}
        texts = [text for n, text in self.unacked.items() if f"{self.tab}.{n}" not in known]
        self.forgotten, self.tab = False, self.tab + "x"
        self.unacked, self.n = dict(enumerate(texts, 1)), len(texts)
        self.send()

    def _take(self, frame: dict[str, Any]) -> None:
        match frame:
            case {"t": "welcome", "resumed": resumed}:
                self._begin(frame, resumed)
                self.history.expect(frame["seq"])
                self.history.merge(frame["events"])
            case {"t": "welcome"}:
                self._begin(frame, True)
            case {"t": "page", "resumed": False}:
                self.history, self.reloads = History(), self.reloads + 1
                self.history.fill(frame)
            case {"t": "page", "after": after, "before": before}:
                if self.asked == (after, before):
                    self.asked = None
                self.history.fill(frame)
            case {"t": "event"}:
                self.history.merge([frame])
            case {"t": "ack", "id": id_, "seq": seq}:
                text = self.unacked.pop(int(id_.partition(".")[2]), "") if id_.startswith(f"{self.tab}.") else ""
                if "prev" in frame:
                    kind = "answer" if self.role == "agent" else "message"
                    self.history.merge([{"text": text} | frame | {"kind": kind}])
                else:
                    self.history.expect(seq)
            case {"t": "error", "code": 4121}:
                self.asked = None
            case {"t": "error", "code": 4111, "from": start} if start < min(self.unacked, default=0):
                self.forgotten = True

    def _begin(self, frame: dict[str, Any], resumed: bool) -> None:
        if not resumed:
            self.history, self.reloads = History(), self.reloads + 1
        self.epoch, self.live = frame["epoch"], True


class Story:
    """One conversation, the pages that show it, and what happens to them."""

    def __init__(self) -> None:
        self.world = World()
        self.calls = self.world.calls
        self.calls.post(C, "opens", tab="first")
        self.calls.assign(C, AGENT)
        self.pages = [Page(self.world, "visitor", "taba"), Page(self.world, "visitor", "tabb")]
        self.pages += [Page(self.world, "agent", "desk"), Page(self.world, "agent", "hand")]

    def tell(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("post", text, lost):
                self.calls.post(C, text, lost=lost)
            case ("notes", count):
                for _ in range(count):  # a transfer is between agents
                    self.calls.carry_out(C, TransferConversation(AGENT, team="sales"))
            case ("close",):
                self.calls.carry_out(C, CloseConversation("admin"))
                self.calls.post(C, "again")
                self.calls.assign(C, AGENT)
            case ("many", count, text):
                for _ in range(count):
                    self.calls.post(C, text, lost=True)
            case ("come", who):
                self.pages[who].come()
            case ("cut", who):
                self.pages[who].cut()
            case ("say", who):
                self.pages[who].say()
            case ("anew", lost):
                self.calls.begin_anew(C, lost)
            case ("away", away):
                self.calls.away = away
            case ("wait", seconds):
                self.world.pass_s(seconds)
        for page in self.pages:
            page.listen()

    def end(self) -> None:
        """All faults are over: everybody comes back, and everything is sent."""
        self.calls.away = False
        for _ in range(4):
            for page in self.pages:
                page.come()
                if page.live:
                    page.asked = None
                    page.send()
            self.world.pass_s(31)

    def check(self) -> None:
        for page in self.pages:
            truth = [json.loads(data) for _, data in self.calls._frames(C, page.role)]
            assert [event["seq"] for event in page.shown] == [event["seq"] for event in truth]
            assert [event.get("text", "") for event in page.shown] == [event.get("text", "") for event in truth]
            assert page.unacked == {}
            mine = [event["text"] for event in truth if event.get("text", "").startswith(f"{page.name} says")]
            assert mine == sorted(set(mine), key=lambda text: int(text.rpartition(" ")[2]))


who = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("post"), st.sampled_from(["hi", "my secret", "hold this", "block this", LONG]), st.booleans()),
    st.tuples(st.just("post"), st.just("hi"), st.just(False)),
    st.tuples(st.just("notes"), st.integers(1, 60)),
    st.tuples(st.just("close")),
    st.tuples(st.just("many"), st.sampled_from([3, 49, 50, 51, 120]), st.sampled_from(["hi", "hi", LONG])),
    st.tuples(st.just("come"), who),
    st.tuples(st.just("come"), who),
    st.tuples(st.just("cut"), who),
    st.tuples(st.just("say"), who),
    st.tuples(st.just("say"), who),
    st.tuples(st.just("anew"), st.integers(0, 5)),
    st.tuples(st.just("away"), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([1, 4, 31])),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(steps, max_size=25))
def test_after_any_faults_each_client_has_exactly_what_its_audience_may_see(story_steps: list[tuple[Any, ...]]) -> None:
    async def play() -> None:
        story = Story()
        for step in story_steps:
            story.tell(step)
        story.end()
        story.check()

    asyncio.run(play())


def play(tell: Callable[[Story], None]) -> Story:
    story: Story | None = None

    async def run() -> None:
        nonlocal story
        story = Story()
        tell(story)
        story.end()
        story.check()

    asyncio.run(run())
    assert story is not None
    return story


def test_more_than_a_megabyte_is_missing() -> None:
    def tell(story: Story) -> None:
        for n in range(4):
            story.tell(("come", n))
            story.tell(("cut", n))
        story.tell(("many", 120, LONG))

    story = play(tell)
    assert sum(len(event["text"].encode()) for event in story.pages[0].shown) > 1 << 20
    assert [page.reloads for page in story.pages] == [0, 0, 0, 0]


def test_only_what_agents_may_see_has_happened() -> None:
    def tell(story: Story) -> None:
        story.tell(("come", 0))
        story.tell(("notes", 120))

    story = play(tell)
    assert len(story.pages[0].shown) < len(story.pages[2].shown) - 100


def test_a_log_that_began_anew_is_reloaded_even_where_it_is_as_long_as_before() -> None:
    def tell(story: Story) -> None:
        for n in range(4):
            story.tell(("come", n))
        story.tell(("post", "the old end", False))
        story.tell(("anew", 1))
        story.tell(("post", "the new end", False))

    story = play(tell)
    assert all(page.reloads for page in story.pages)
    assert all(page.shown[-1]["text"] == "the new end" for page in story.pages)


def test_what_a_renewed_watch_repeats_is_ignored() -> None:
    def tell(story: Story) -> None:
        story.tell(("come", 0))
        story.tell(("come", 1))
        story.tell(("post", "pushed", False))
        for watch in story.world.sessions._watches["visitor"].values():
            watch.seq -= 2  # as if the push had not been counted
        story.tell(("wait", 31))

    story = play(tell)
    assert [event["text"] for event in story.pages[0].shown].count("pushed") == 1


def test_all_pages_and_desks_show_one_order() -> None:
    def tell(story: Story) -> None:
        for n in range(4):
            story.tell(("come", n))
        for n in range(40):
            story.tell(("say", n % 4))
            if n % 7 == 0:
                story.tell(("cut", (n + 1) % 4))
                story.tell(("come", (n + 1) % 4))

    story = play(tell)
    talk = [[event["text"] for event in page.shown if event["kind"] in ("message", "answer")] for page in story.pages]
    assert talk[0] == talk[1] == talk[2] == talk[3]
    assert len(talk[0]) >= 41
