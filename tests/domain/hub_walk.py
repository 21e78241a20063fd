"""Whatever may happen to a whole hub: visitors, agents with phones and desks, files that change, slow relays, restarts.

An agent acts on what their phone shows. What they type arrives later, what they click too; each text has a serial and
the conversation it is meant for, and each act is held against what the agent can have known when they decided it.
"""

import re
from dataclasses import dataclass, field

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import words
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Judgement, Limits, Profile, Reach
from hub.domain.queue.numbers import REST_MS
from hub.domain.refusals import Refusal
from hub.domain.teams import AgentSettings, Hours, Lookup, Overflow, Patience, Span, Team, Teams
from tests.domain.hub_world import Hub, Known

AGENTS = {"ann": "a0-ann", "bob": "a1-bob", "cat": "a1-cat", "dan": "a2-dan", "eve": "a3-eve"}
TEAMS = ["sales", "service", "night"]
PAGES = ["c0-u", "c1-v", "c2-w", "c3-x"]
OUTSIDE = {"p0-telegram-y": "chat-y", "p2-email-z": "z@example.com", "p3-telegram-q": "chat-q"}
PHONE = Limits(max_text=600, fold_ms=1000, per_minute=30, resend_ms=4 * 3_600_000)
FAST = Patience(accept_s=30, remind_s=40, lead_s=60, pass_s=90, nudge_s=60, close_s=60)
SLOW = Patience(remind_s=300, pass_s=1200, nudge_s=3600, close_s=600)
HALF_HOURS = Hours("Asia/Shanghai", (tuple(Span(start, start + 30) for start in range(0, 1440, 60)),) * 7)
OFFICE = Hours("Europe/Berlin", ((Span(540, 1020),),) * 5 + ((), ()))
SERIAL = re.compile(r"t\d+t")
DOUBT = re.compile(r"已结束|已转给|已退回|不是你|未发送|未办到|发给谁|没有|已交回|→|仍是你")
HOUR_MS = 3_600_000


@dataclass
class Typed:
    """A text on its way from a phone: for `meant`, of whom the agent knew `known`."""

    index: int
    text: str
    sent_at_ms: int
    meant: str
    known: Known | None


@dataclass
class Phone:
    """What an agent sees, and thinks by it."""

    shown: set[tuple[str, int]] = field(default_factory=set)
    """Visitors' messages, by conversation and seq."""
    mine: dict[int, str] = field(default_factory=dict)
    """The conversations that it shows as theirs, by number."""
    read: set[int] = field(default_factory=set)
    """Attempts."""
    choice: str = ""
    """Whom text without a number is for."""
    asked: set[str] = field(default_factory=set)
    """Their texts that it asks about."""
    flight: list[Typed] = field(default_factory=list)
    removed: bool = False
    """They were an agent no more, or had no phone, for a while."""


class Walk(Hub):
    """See above: `step` lets something happen, `quiet` looks at the whole when nothing is under way."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.phones = {agent: Phone() for agent in AGENTS.values()}
        self.requests: list[tuple[str, AnyCommand, Known | None]] = []
        """From pages, on their way."""
        self.typed = 0
        self.meant: dict[str, str] = {}
        """Answers, by their text: for which conversation they are,"""
        self.writers: dict[str, str] = {}
        """who wrote them,"""
        self.posted: dict[str, str] = {}
        """where they were posted,"""
        self.returned: set[str] = set()
        """and which came back."""
        self.changed: set[str] = set()
        """Posted ones that were taken back."""
        self.had: dict[str, set[str]] = {entity: set() for entity in OUTSIDE}
        """The answers that each visitor on a platform has got."""
        self.gone: set[object] = set()
        """What a far side has refused."""
        self.keeps: set[tuple[str, str]] = set()
        """Conversations that an agent off duty goes on with, by their own will."""
        self.numbers: dict[int, tuple[str, int]] = {}
        """Whose each number was, and until when at least."""
        self.written = dict.fromkeys([*PAGES, *OUTSIDE], 0)
        self.desks: dict[tuple[str, str], int] = {}
        self.change_teams(everybody=True)
        self.settle()

    # --- what must be true of each decision --------------------------------------------------------------------------

    def check(
        self, entity: str, command: AnyCommand, events: list[AnyEvent], known: Known | None, assigned: int
    ) -> None:
        for event in events:
            match event:
                case e.Closed(by=by) | e.Transferred(by=by) | e.HoldSet(by=by) | e.Accepted(agent=by):
                    if known is not None and by == known.agent:
                        assert assigned == known.assigned, f"{event} overrules a newer decision"
                case e.AnswerPosted(agent=agent, text=text):
                    assert agent == self.of(entity).agent, "somebody answers who does not have it"
                    assert self.meant[text] == entity, f"{text} reached another visitor"
                    assert text not in self.posted, f"{text} was posted twice"
                    self.posted[text] = entity
                case e.MessageRecalled(original=original):
                    self.changed.add(original)
                case e.Enqueued(conversation=conversation, no=no):
                    self._number(conversation, no)
                case e.Left(conversation=conversation, no=no):
                    self.numbers[no] = (conversation, self.now_ms)
                case e.AttemptRefused(text=text):
                    self.gone |= set(SERIAL.findall(text))
                case e.NoteWaiting(text=text):
                    self._give_back(text)
                case e.HandoverAsked(at_ms=0):
                    self.keeps |= {(entity, one) for one in self.of(entity).serving}
                case e.HandoverAsked() | e.DutyChanged():
                    self.keeps = {(agent, one) for agent, one in self.keeps if agent != entity}
                case e.Serving(conversation=conversation) if isinstance(command, c.Serve) and command.assigned:
                    self.keeps.discard((entity, conversation))
                    if command.taken:
                        self.keeps.add((entity, conversation))
                case e.AgentConfigured(settings=settings):
                    self.phones[entity].removed |= settings is None or not settings.channel

    def _number(self, conversation: str, no: int) -> None:
        whose, until_ms = self.numbers.get(no, (conversation, 0))
        assert whose == conversation or until_ms + REST_MS <= self.now_ms, f"#{no} was another's just now"
        open_ = self.judge.open[conversation]
        assert open_.enqueued.no == no
        self.numbers[no] = (conversation, 1 << 62)

    def _give_back(self, text: str) -> None:
        if "未发送" in text:
            for serial in SERIAL.findall(text):
                self.returned.add(serial)

    def quiet(self) -> None:
        """Everything has arrived: all agree on who has whom, nobody is forgotten, nobody waits for somebody free."""
        self.settle()
        queue = self.of(QUEUE_ID)
        self.judge.check(self.now_ms)
        assert {name: place.agent for name, place in queue.places.items()} == {
            name: one.agent for name, one in self.judge.open.items()
        }
        for team in queue.teams:
            assert [spot.conversation for spot in queue.lines[team]] == self.judge.line(team)
        for conversation in self.written:
            self._agree(conversation)
        for agent in self.phones:
            self._is_at_home(agent)

    def _agree(self, conversation: str) -> None:
        state, place = self.of(conversation), self.of(QUEUE_ID).places.get(conversation)
        if state.stage in ("new", "closed"):
            assert place is None, f"{conversation} is {state.stage}, and the queue has it"
            assert not state.agent
        else:
            assert place is not None, f"{conversation} is forgotten"
            waits = state.stage == "waiting" or state.leaving
            assert place.agent == ("" if waits else state.agent), f"{conversation}: two have it"
            assert waits or place.no == state.no
        serving = [agent for agent in self.phones if conversation in self.of(agent).serving]
        assert serving == ([state.agent] if state.agent else []), f"{conversation} is served by {serving}"
        if state.agent:
            assert self.of(state.agent).serving[conversation].no == state.no

    def _is_at_home(self, agent: str) -> None:
        state, queue = self.of(agent), self.of(QUEUE_ID)
        assert state.on_duty == (agent in queue.on_duty), f"{agent}: duty is not known"
        if state.on_duty or state.handover_ms or not state.handover_s or state.settings is None:
            return
        forgotten = [one for one in state.serving if (agent, one) not in self.keeps and not self.of(one).leaving]
        assert not forgotten, f"{agent} is off duty, and nobody looks after {forgotten}"

    # --- visitors ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        draw = self.draw
        entity = draw.choice(list(self.written))
        status = draw.choices(["", "held", "blocked"], [20, 1, 1])[0]
        team = draw.choice([None, None, None, *TEAMS, "gone"])
        n = self.written[entity] + 1
        judged = Judgement(f"v{n}", status, team=team, priority=draw.choice([0, 0, 0, 5]))  # type: ignore[arg-type]
        language = draw.choice(["zh", "zh", "en", "fr", ""])
        profile = Profile(entity.split("-")[1] if entity in OUTSIDE else "h5", name=f"客{n}", language=language)
        command: AnyCommand = c.PostMessage("t", n, f"v{n}", profile, judged)
        if entity in OUTSIDE:
            limits = Limits(notices="telegram" in entity, resend_ms=0)
            reach = Reach(profile.channel, OUTSIDE[entity], limits)
            automatic = draw.random() < 0.05
            command = c.ReceiveMessage(
                f"m{n}", f"v{n}", self.now_ms, profile, reach, automatic=automatic, judgement=judged
            )
        self.submit(entity, command)
        self.written[entity] = n

    def decide_held(self) -> None:
        entity = self.draw.choice(list(self.written))
        if held := self.of(entity).held:
            seq = next(iter(held))
            verdicts: list[AnyCommand] = [c.ReleaseMessage(seq, "admin"), c.RejectMessage(seq, "admin")]
            self.submit(entity, self.draw.choice(verdicts))

    # --- phones ------------------------------------------------------------------------------------------------------

    def arrived(self, entity: str, call: e.Attempted) -> None:
        if entity in OUTSIDE:
            assert call.address == OUTSIDE[entity], "it went to another visitor"
            self.had[entity] |= set(SERIAL.findall(call.text))
            return
        phone = self.phones[entity]
        if call.attempt in phone.read:
            return
        phone.read.add(call.attempt)
        phone.shown |= set(call.carries)
        for no in re.findall(r"(?:【|新会话 )#(\d+)", call.text):
            phone.mine[int(no)] = self.numbers[int(no)][0]
        for no in re.findall(r"#(\d+) .*(?:已结束|已转给|已退回|不是你)", call.text):
            phone.mine.pop(int(no), None)
        if question := re.search(r"^发给谁？(.*)$", call.text, re.MULTILINE):
            phone.asked = set(SERIAL.findall(question[1]))
        if DOUBT.search(call.text) and not re.fullmatch(r"→ #\d+ .*(\n\(\d+\))?", call.text):
            phone.choice = ""

    def lost(self, entity: str, call: e.Attempted) -> None:
        if entity in OUTSIDE:
            self.gone |= set(SERIAL.findall(call.text))
        else:
            self.gone |= {(entity, carried) for carried in call.carries}
            self.gone |= set(SERIAL.findall(call.text))

    def type(self) -> None:
        """An agent writes something that fits what the phone shows, or does not."""
        draw, busy = self.draw, [agent for agent, phone in self.phones.items() if phone.mine]
        agent = draw.choice(busy if busy and draw.random() < 0.8 else list(self.phones))
        phone, settings = self.phones[agent], self.of(agent).settings
        if settings is None or not settings.channel:
            return
        no = draw.choice(list(phone.mine if phone.mine and draw.random() < 0.85 else self.numbers) or [0])
        meant = phone.mine.get(no) or self.numbers.get(no, ("", 0))[0]
        kind = draw.choices(
            ["#answer", "plain", "#", "word", "take", "give", "#hold", "#note", "#recall", "quick"],
            [30, 20, 8, 10, 8, 14, 4, 3, 3, 3],
        )[0]
        match kind:
            case "word":
                self._sends(agent, draw.choice(["上班", "上班", "下班", "列表", "?", "排队", "保留", "取消"]), "")
            case "take":
                phone.choice = ""
                self._sends(agent, draw.choice(["下一位", f"接入 #{no}"]) if no else "下一位", meant)
            case "plain" if phone.choice:
                self._sends(agent, self._answer(agent, phone.choice), phone.choice)
            case "quick" if phone.choice:
                self._sends(agent, f"/{self._answer(agent, phone.choice)}", phone.choice)
            case _ if not no:
                return
            case "#answer" | "plain" | "quick":
                phone.choice = meant
                self._sends(agent, f"#{no} {self._answer(agent, meant)}", meant)
            case "#" if {self.meant[text] for text in phone.asked} - {meant}:  # it would be taken for the answer
                phone.choice, phone.asked = "", set()
                self._sends(agent, "取消", "")
            case "#":
                phone.choice, phone.asked = meant, set()
                self._sends(agent, f"＃{no}", meant)
            case "give":
                phone.choice = ""
                to = draw.choice(["结束 #{} 好了", "转接 #{} @bob 急", "转接 #{} @eve", "转接 #{} @night", "结束 #{}"])
                self._sends(agent, to.format(no), meant)
            case "#hold":
                phone.choice = meant
                self._sends(agent, draw.choice([f"挂起 #{no}", f"恢复 #{no}"]), meant)
            case "#note":
                phone.choice = ""
                self._sends(agent, f"备注 #{no} 小心", meant)
            case "#recall":
                phone.choice = ""
                self._sends(agent, f"#{no} 撤回", meant)

    def _answer(self, agent: str, meant: str) -> str:
        text = f"t{self.typed + 1}t"
        self.meant[text], self.writers[text] = meant, agent
        return text

    def _sends(self, agent: str, text: str, meant: str) -> None:
        """The platform stamps whole seconds: what is to be told apart lies in different ones."""
        self.now_ms = (self.now_ms // 1000 + 1) * 1000
        self.typed += 1
        known = None
        if meant:
            known = Known(agent, self.of(meant).assigned if self.agent_of(meant) == agent else 0)
        self.phones[agent].flight.append(Typed(self.typed, text, self.now_ms, meant, known))
        self.now_ms += 1000

    def arrive(self) -> bool:
        """The oldest text of a phone arrives."""
        agents = [agent for agent, phone in self.phones.items() if phone.flight]
        if not agents:
            return False
        agent = self.draw.choice(agents)
        typed = self.phones[agent].flight.pop(0)
        lookup = self._looked_up(typed.text)
        command = c.ReceiveText(f"m{typed.index}", typed.text, typed.sent_at_ms, lookup=lookup)
        for event in self.submit(agent, command, known=typed.known):
            match event:
                case e.AnswerChosen(conversation=conversation, text=text):
                    assert self.meant[text] == conversation, f"{text} was meant for {self.meant[text]}"
                case (
                    e.CloseAsked() | e.TransferAsked() | e.HoldAsked() | e.ChangeAsked() | e.NoteAsked()
                    | e.AcceptAsked()
                ):  # fmt: skip
                    assert event.conversation == typed.meant, f"{typed.text} was meant for {typed.meant}"
        return True

    def _looked_up(self, text: str) -> Lookup | None:
        """As the pipeline in the owner does it."""
        match words.parse(text):
            case words.Transfer(target=target):
                name, _, rest = target.partition(" ")
                return Lookup(AGENTS.get(name, ""), name if name in TEAMS else "", name, rest)
            case words.Quick(name=name):
                return Lookup(reply=name)
        return None

    # --- pages -------------------------------------------------------------------------------------------------------

    def click(self) -> None:
        """A request of an agent's page sets out: what it says of the assignment is what the page shows."""
        draw = self.draw
        entity, agent = draw.choice(list(self.written)), draw.choice(list(self.phones))
        owner = self.agent_of(entity)
        if owner and draw.random() < 0.7:
            agent = owner
        state = self.of(entity)
        known = Known(agent, state.assigned) if state.agent == agent else None
        assigned = state.assigned if known else 0
        to = draw.choice([{"agent": draw.choice(list(self.phones))}, {"team": draw.choice(TEAMS)}])
        commands: list[AnyCommand] = [
            c.Take(agent, conversation=entity),
            c.Take(agent),
            c.TransferConversation(agent, note="急", assigned=assigned, **to),
            c.CloseConversation(agent, "好了", assigned),
            c.HoldConversation(agent, draw.random() < 0.6, assigned),
            c.AcceptConversation(agent, assigned),
            c.WriteNote(agent, "小心"),
            c.SetDuty(agent, draw.random() < 0.8),
            c.AnswerMessage(agent, "", "desk", 1),
            c.NoteActive(draw.random() < 0.5),
        ]
        command = draw.choice(commands)
        if isinstance(command, c.CloseConversation) and not assigned:
            return  # only who has it, or a lead, is let through
        entity = {c.Take: QUEUE_ID, c.SetDuty: agent, c.NoteActive: agent}.get(type(command), entity)
        self.requests.append((entity, command, known))

    def request(self) -> bool:
        """One of them arrives, in any order; it may be refused."""
        if not self.requests:
            return False
        entity, command, known = self.requests.pop(self.draw.randrange(len(self.requests)))
        if isinstance(command, c.AnswerMessage):
            desk, n = (entity, command.agent), self.desks.get((entity, command.agent), 0) + 1
            text = self._answer(command.agent, entity)
            self.typed += 1
            try:
                self.submit(entity, c.AnswerMessage(command.agent, text, "desk", n))
                self.desks[desk] = n
            except Refusal:
                self.returned.add(text)
            return True
        holder = taker = ""
        if isinstance(command, c.Take) and command.conversation in self.judge.open:
            holder, taker = self.judge.open[command.conversation].agent, command.agent
        try:
            self.submit(entity, command, known=known)
            assert holder in ("", taker)
        except Refusal as refusal:
            self.counts[type(refusal).__name__] = self.counts.get(type(refusal).__name__, 0) + 1
        return True

    # --- rules/teams.yaml --------------------------------------------------------------------------------------------

    def change_teams(self, everybody: bool = False) -> None:
        """A new version, as the worker hands it over: until nothing follows from it any more."""
        draw = self.draw
        names = draw.sample(TEAMS, draw.randint(1, 3))
        teams = tuple(
            Team(
                name, name.title(), pick=draw.choice(["least_loaded", "least_loaded", "round_robin", "manual"]),
                last_agent_days=draw.choice([0, 1]), hours=draw.choice([None, OFFICE]),
                lead=draw.choice(["", *AGENTS.values()]), patience=draw.choice([Patience(), Patience(), FAST, SLOW]),
                overflow=Overflow(names[at + 1], draw.choice([5, 60])) if at + 1 < len(names) else None,
                max_waiting=draw.choice([0, 2]),
            ) for at, name in enumerate(names)
        )  # fmt: skip
        agents = tuple(
            self._settings(name, names)
            for name in draw.sample(list(AGENTS), len(AGENTS) if everybody else draw.randint(2, len(AGENTS)))
        )
        hours = {"halves": HALF_HOURS, "office": OFFICE}
        weights = draw.choice([{}, {"email": 2}])
        self.load(Teams(str(self.now_ms), names[0], teams, agents, hours, weights, draw.choice([0, 60, 300])))

    def _settings(self, name: str, teams: list[str]) -> AgentSettings:
        draw = self.draw
        own = tuple(draw.sample(teams, draw.randint(1, len(teams))))
        settings = AgentSettings(
            AGENTS[name], name, name.title(), own, draw.randint(1, 3),
            languages=draw.choice([(), (), ("zh",), ("zh", "en")]), shift=draw.choice(["", "halves", "office"]),
        )  # fmt: skip
        if draw.random() < 1 / 3:
            return settings
        return msgspec.structs.replace(settings, channel="wecom", address=name, limits=PHONE)

    def load(self, teams: Teams) -> None:
        """It is in force as soon as the queue has gone through it; the ticks that takes come when they come."""
        while self.submit(QUEUE_ID, c.ChangeTeams(teams)):
            pass

    # --- the walk ----------------------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        ms = self.draw.choice([100, 1000, 1000, 1000, 5000, 5000, 5000, 30_000, 120_000, 600_000, HOUR_MS])
        if self.draw.random() < 0.02:
            self.settle_texts()
            ms = self.draw.choice([9 * HOUR_MS, 24 * HOUR_MS, 8 * 24 * HOUR_MS])
        if ms <= 24 * HOUR_MS and self.draw.random() < 0.7:
            self.sleep(ms)
        else:
            self.now_ms += ms

    def settle_texts(self) -> None:
        """No text is on its way for days."""
        while self.arrive() or self.request():
            pass

    def tick_one(self) -> None:
        """Something is done that has been due for a while."""
        if due := self.due():
            self.tick(self.draw.choice(due)[1])

    def step(self) -> None:
        acts = {
            self.write: 12, self.type: 14, self.arrive: 20, self.click: 8, self.request: 8, self.deliver: 40,
            self.answer: 16, self.pass_time: 10, self.tick_one: 16, self.decide_held: 1, self.change_teams: 0.6,
        }  # fmt: skip
        what = self.draw.choices([*acts, self.quiet, self.take_over], [*acts.values(), 4, 1])[0]
        what()

    def take_over(self) -> None:
        self.restart(self.draw.randrange(4))

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Everybody who can comes on duty, nobody writes any more: all is served, shown and accounted for."""
        self.settle_texts()
        teams = tuple(Team(name, name.title()) for name in TEAMS)
        agents = tuple(
            AgentSettings(agent, name, name.title(), tuple(TEAMS), 5, "wecom", name, PHONE)
            for name, agent in AGENTS.items()
        )
        self.load(Teams("end", "sales", teams, agents, handover_s=0))
        self.quiet()
        for agent in self.phones:
            self._sends(agent, "上班", "")
        self.settle_texts()
        for _ in range(300):
            self.settle()
            self.now_ms += 3000
        self.quiet()
        for name, place in self.of(QUEUE_ID).places.items():
            assert place.agent, f"{name} is not served although everybody is here"
            state, shown = self.of(name), self.phones[place.agent].shown
            seqs = [line.seq for line in state.backlog.messages()]
            unseen = [seq for seq in seqs if (name, seq) not in shown | self._refused(place.agent)]
            assert not unseen, f"{place.agent} has not seen {unseen} of {name}"
        self._account()

    def _refused(self, agent: str) -> set[tuple[str, int]]:
        return {one[1] for one in self.gone if isinstance(one, tuple) and one[0] == agent}

    def _account(self) -> None:
        """Each answer was posted, or came back; what was posted reached the visitor."""
        for text, conversation in self.meant.items():
            assert not (text in self.posted and text in self.returned), f"{text} was posted, and came back"
            if text in self.posted:
                reached = conversation in PAGES or text in self.had[conversation] | self.gone | self.changed
                assert reached, f"{text} has not reached {conversation}"
            else:
                lost = self.phones[self.writers[text]].removed
                assert lost or text in self.returned | self.gone, f"{text} is lost"
