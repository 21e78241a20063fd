"""Whatever may happen to a whole hub: visitors, agents with phones and desks, files that change, slow relays, restarts.

An agent acts on what their phone shows. What they type arrives later, what they click too; each text has a serial and
the conversation it is meant for, and each act is held against what the agent can have known when they decided it.
What must be true of all that is in hub_properties.
"""

from typing import Any

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import words
from hub.domain.commands import AnyCommand
from hub.domain.events import AnyEvent
from hub.domain.ids import QUEUE_ID, is_conversation
from hub.domain.messages import Attachment, FileLimit, Judgement, Limits, Profile, Reach
from hub.domain.refusals import Refusal
from hub.domain.teams import AgentSettings, Hours, Lookup, Overflow, Patience, Span, Team, Teams
from tests.domain import hub_properties as properties
from tests.domain.hub_phone import Phone, Typed
from tests.domain.hub_properties import Decision, Ledger
from tests.domain.hub_world import Hub, Known

HOUR_MS = 3_600_000
AGENTS = {"ann": "a0-ann", "bob": "a1-bob", "cat": "a1-cat", "dan": "a2-dan", "eve": "a3-eve"}
TEAMS = ["sales", "service", "night"]
TRANSFERS = ["转接 #{} @bob 急", "转接 #{} @eve", "转接 #{} @night"]
PAGES = ["c0-u", "c1-v", "c2-w", "c3-x"]
OUTSIDE = {"p0-telegram-y": "chat-y", "p2-email-z": "z@example.com", "p3-telegram-q": "chat-q"}
PICTURES = (FileLimit("image/*", 10_000),)
PHONE = Limits(max_text=600, files=PICTURES, fold_ms=1000, per_minute=30, resend_ms=4 * 3_600_000)
REACHES = {
    "telegram": Limits(files=PICTURES, notices=True, edits_ms=HOUR_MS, recalls_ms=HOUR_MS),
    "email": Limits(fold_ms=2000),
}
FAST = Patience(accept_s=30, remind_s=40, lead_s=60, pass_s=90, nudge_s=60, close_s=60, reply_s=30)
SLOW = Patience(remind_s=300, pass_s=1200, nudge_s=3600, close_s=600)
HALF_HOURS = Hours("Asia/Shanghai", (tuple(Span(start, start + 30) for start in range(0, 1440, 60)),) * 7)
OFFICE = Hours("Europe/Berlin", ((Span(540, 1020),),) * 5 + ((), ()))
KINDS_OF_RELOAD = ["team added", "team gone", "agent added", "agent gone", "agent moved", "address changed"]
KINDS_OF_RELOAD += ["agent added", "capacity changed"]


class Walk(Hub):
    """See above: `step` lets something happen, `quiet` looks at the whole when nothing is under way."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.ledger = Ledger()
        self.phones = {agent: Phone() for agent in AGENTS.values()}
        self.requests: list[tuple[str, AnyCommand, Known | None]] = []
        """From pages, on their way."""
        self.typed = 0
        self.written = dict.fromkeys([*PAGES, *OUTSIDE], 0)
        self.desks: dict[tuple[str, str], int] = {}
        self.teams = Teams("", "", (), ())
        self.change_teams(everybody=True)
        self.settle()

    def check(
        self, entity: str, command: AnyCommand, events: list[AnyEvent], known: Known | None, assigned: int
    ) -> None:
        decided = Decision(entity, command, events, known, assigned, self.of(entity).seq - len(events) + 1)
        for holds in properties.DECIDED:
            holds(self, self.ledger, decided)
        self.ledger.hear(self, decided)

    def quiet(self) -> None:
        """Everything has arrived."""
        self.settle()
        for holds in properties.AT_REST:
            holds(self, self.ledger)

    # --- visitors ----------------------------------------------------------------------------------------------------

    def write(self) -> None:
        draw = self.draw
        entity = draw.choices(list(self.written), [3 if "telegram" in one else 1 for one in self.written])[0]
        status = draw.choices(["", "held", "blocked"], [20, 1, 1])[0]
        team = draw.choice([None, None, None, *TEAMS, "gone"])
        n = self.written[entity] + 1
        judged = Judgement(f"v{n}", status, team=team, priority=draw.choice([0, 0, 0, 5]))  # type: ignore[arg-type]
        language = draw.choice(["zh", "zh", "en", "fr", ""])
        profile = Profile(entity.split("-")[1] if entity in OUTSIDE else "h5", name=f"客{n}", language=language)
        files = self._files(f"v{n}")
        command: AnyCommand = c.PostMessage("t", n, f"v{n}", profile, judged, files)
        if entity in OUTSIDE:
            edits = f"m{draw.randint(1, n)}" if n > 1 and draw.random() < 0.1 else ""
            command = c.ReceiveMessage(
                f"m{n}", f"v{n}", self.world_ms, profile,
                Reach(profile.channel, OUTSIDE[entity], REACHES[profile.channel]), () if edits else files, edits=edits,
                automatic=draw.random() < 0.05, judgement=judged,
            )  # fmt: skip
        self.submit(entity, command)
        self.written[entity] = n

    def _files(self, name: str) -> tuple[Attachment, ...]:
        """Now and then a picture, or what not every channel takes."""
        suffix, type_ = self.draw.choice([("png", "image/png"), ("png", "image/png"), ("pdf", "application/pdf")])
        if self.draw.random() > 0.12:
            return ()
        return (Attachment(f"key-{name}", f"{name}.{suffix}", type_, 1000),)

    def decide_held(self) -> None:
        entity = self.draw.choice(list(self.written))
        if held := self.of(entity).held:
            seq = next(iter(held))
            verdicts: list[AnyCommand] = [c.ReleaseMessage(seq, "admin"), c.RejectMessage(seq, "admin")]
            self.submit(entity, self.draw.choice(verdicts))

    # --- phones ------------------------------------------------------------------------------------------------------

    def arrived(self, entity: str, call: e.Attempted) -> None:
        self.ledger.arrived(entity, call)
        if entity in OUTSIDE:
            assert call.address == OUTSIDE[entity], "it went to another visitor"
        else:
            self.phones[entity].show(call, self.ledger.numbers)

    def lost(self, entity: str, call: e.Attempted) -> None:
        self.ledger.lost(entity, call)

    def type(self) -> None:
        """An agent writes something that fits what the phone shows, or does not."""
        draw, busy = self.draw, [agent for agent, phone in self.phones.items() if phone.mine]
        agent = draw.choice(busy if busy and draw.random() < 0.8 else list(self.phones))
        phone, settings = self.phones[agent], self.of(agent).settings
        if settings is None or not settings.channel:
            return
        kind = draw.choices(
            ["#answer", "plain", "#", "word", "take", "give", "#hold", "#note", "#change", "change", "quick"],
            [40, 24, 8, 10, 8, 14, 4, 3, 4, 4, 3],
        )[0]
        no = draw.choice(list(phone.mine if phone.mine and draw.random() < 0.85 else self.ledger.numbers) or [0])
        meant = phone.mine.get(no) or self.ledger.numbers.get(no, ("", 0))[0]
        match kind:
            case "word":
                self._sends(agent, draw.choice(["上班", "上班", "下班", "列表", "?", "排队", "保留", "取消"]), "")
            case "take":
                phone.choice = ""
                self._sends(agent, draw.choice(["下一位", f"接入 #{no}"]) if no else "下一位", meant)
            case "plain" if phone.choice:
                self._sends_answer(agent, "", phone.choice)
            case "quick" if phone.choice:
                self._sends(agent, f"/{self._answer(agent, phone.choice)}", phone.choice)
            case "change" if phone.choice:
                self._sends_change(agent, "", phone.choice)
            case _ if not no:
                return
            case "#answer" | "plain" | "quick" | "change":
                phone.choice = meant
                self._sends_answer(agent, f"#{no} ", meant)
            case "#" if {self.ledger.meant[text] for text in phone.asked} - {meant}:  # it would be taken for the answer
                phone.choice, phone.asked = "", set()
                self._sends(agent, "取消", "")
            case "#":
                phone.choice, phone.asked = meant, set()
                self._sends(agent, f"＃{no}", meant)
            case "give":
                phone.choice = ""
                to = draw.choice(["结束 #{} 好了", "结束 #{}", "结束 #{}", *TRANSFERS])
                self._sends(agent, to.format(no), meant)
            case "#hold":
                phone.choice = meant
                self._sends(agent, draw.choice([f"挂起 #{no}", f"恢复 #{no}"]), meant)
            case "#note":
                phone.choice = ""
                self._sends(agent, f"备注 #{no} 小心", meant)
            case "#change":
                phone.choice = ""
                self._sends_change(agent, f"#{no} ", meant)

    def think_again(self) -> None:
        """An agent finds that what they have just answered was wrong, where it takes the platform a while to change."""
        said = [
            (agent, no, one) for agent, phone in self.phones.items() for no, one in phone.mine.items()
            if one in OUTSIDE and self._changeable(self.of(one))
        ]  # fmt: skip
        if said:
            agent, no, meant = self.draw.choice(said)
            self.phones[agent].choice = ""
            self._sends_change(agent, f"#{no} ", meant)
            while self.phones[agent].flight:  # a moment later somebody else might have the conversation
                self._arrives(agent)

    def _changeable(self, conversation: Any) -> bool:
        """Not for certain: its answers may be older than what the platform has."""
        box = conversation.outbox
        return bool(conversation.phone and conversation.answers and box.sent and box.reach.limits.edits_ms)

    def _answer(self, agent: str, meant: str, kind: str = "t") -> str:
        serial = f"{kind}{self.typed + 1}{kind}"
        self.ledger.meant[serial], self.ledger.writers[serial] = meant, agent
        return serial

    def _sends_answer(self, agent: str, head: str, meant: str) -> None:
        """Words, with or without a file."""
        files = self._files(f"f{self.typed + 1}f")
        if files:
            self._answer(agent, meant, "f")
        self._sends(agent, head + self._answer(agent, meant), meant, files)

    def _sends_change(self, agent: str, head: str, meant: str) -> None:
        if self.draw.random() < 0.4:
            self._sends(agent, f"{head}撤回", meant)
        else:
            self._sends(agent, f"{head}更正 {self._answer(agent, meant)}", meant)

    def _sends(self, agent: str, text: str, meant: str, files: tuple[Attachment, ...] = ()) -> None:
        """The platform stamps whole seconds: what is to be told apart lies in different ones."""
        self.now_ms += 1000 - self.world_ms % 1000
        self.typed += 1
        known = None
        if meant:
            told = (led.assigned for led in self.of(agent).led.values() if led.conversation == meant)
            theirs = self.agent_of(meant) == agent
            known = Known(agent, self.of(meant).assigned if theirs else next(told, 0))
        self.phones[agent].flight.append(Typed(self.typed, text, self.world_ms, meant, known, files))
        self.now_ms += 1000

    def arrive(self) -> bool:
        """The oldest text of a phone arrives."""
        agents = [agent for agent, phone in self.phones.items() if phone.flight]
        if not agents:
            return False
        self._arrives(self.draw.choice(agents))
        return True

    def _arrives(self, agent: str) -> None:
        typed = self.phones[agent].flight.pop(0)
        command = c.ReceiveText(
            f"m{typed.index}", typed.text, typed.sent_at_ms, files=typed.files, lookup=self._looked_up(typed.text)
        )
        for event in self.submit(agent, command, known=typed.known):
            match event:
                case e.AnswerChosen(conversation=conversation, text=text, files=files):
                    for serial in properties.serials(text, files):
                        meant = self.ledger.meant[serial]
                        assert meant == conversation, f"{serial} was meant for {meant}"
                case (
                    e.CloseAsked() | e.TransferAsked() | e.HoldAsked() | e.ChangeAsked() | e.NoteAsked()
                    | e.AcceptAsked()
                ):  # fmt: skip
                    assert event.conversation == typed.meant, f"{typed.text} was meant for {typed.meant}"

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
            c.CloseConversation(agent, "好了", assigned, state.seq),
            c.HoldConversation(agent, draw.random() < 0.6, assigned),
            c.AcceptConversation(agent, assigned),
            c.WriteNote(agent, "小心"),
            c.SetDuty(agent, draw.random() < 0.8),
            c.AnswerMessage(agent, "", "desk", 1, seen=state.seq),
            c.ChangeMessage(agent, "", draw.choice(state.answers).seq if state.answers else 1),
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
        if isinstance(command, c.AnswerMessage | c.ChangeMessage):
            self._request_words(entity, command)
            return True
        holder = taker = ""
        if isinstance(command, c.Take) and command.conversation in self.judge.open:
            holder, taker = self.judge.open[command.conversation].agent, command.agent
        try:
            self.submit(entity, command, known=known)
            assert holder in ("", taker)
        except Refusal as refusal:
            self._count(type(refusal).__name__)
        return True

    def _request_words(self, entity: str, command: c.AnswerMessage | c.ChangeMessage) -> None:
        """An answer, or other words in the place of one; or none."""
        desk = (entity, command.agent)
        text, said = self._answer(command.agent, entity), set[str]()
        files = self._files(f"f{self.typed + 1}f")
        if isinstance(command, c.AnswerMessage):
            if files:
                said.add(self._answer(command.agent, entity, "f"))
            n = self.desks.get(desk, 0) + 1
            command = c.AnswerMessage(command.agent, text, "desk", n, files, seen=command.seen)
        elif self.draw.random() < 0.6:
            command = c.ChangeMessage(command.agent, text, command.seq)
        else:
            del self.ledger.meant[text]
        self.typed += 1
        try:
            self.submit(entity, command)
            if isinstance(command, c.AnswerMessage):
                self.desks[desk] = command.n
        except Refusal:
            self.ledger.returned |= said | properties.serials(command.text)

    def decide_letter(self) -> None:
        """Somebody looks after what a far side has refused."""
        boxes = [(name, self.of(name).outbox if is_conversation(name) else self.of(name)) for name in self._lettered()]
        for name, box in boxes:
            if box is not None and box.letters:
                number = self.draw.choice(list(box.letters))
                choices: list[AnyCommand] = [c.RetryDelivery(number, "ann"), c.DropDelivery(number, "ann")]
                self.submit(name, self.draw.choice(choices))
                return

    def _lettered(self) -> list[str]:
        names = [*OUTSIDE, *self.phones]
        self.draw.shuffle(names)
        return names

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

    def edit_teams(self) -> None:
        """A new version in which one thing is another."""
        draw, before, teams, agents = self.draw, self.teams, list(self.teams.teams), list(self.teams.agents)
        kind = draw.choice(KINDS_OF_RELOAD)
        one = agents.pop(draw.randrange(len(agents)))
        match kind:
            case "team added" if absent := [name for name in TEAMS if name not in {team.name for team in teams}]:
                teams.append(Team(draw.choice(absent), "New"))
                agents.append(_with(one, teams=(*one.teams, teams[-1].name)))
            case "agent added" if absent := sorted(set(AGENTS) - {agent.name for agent in [*agents, one]}):
                agents += [one, self._settings(draw.choice(absent), [team.name for team in teams])]
            case "team gone" if len(teams) > 1:
                gone = teams.pop(draw.randrange(len(teams))).name
                agents = [_with(one, teams=tuple(team for team in one.teams if team != gone)) for one in [*agents, one]]
            case "agent gone" if agents:
                pass
            case "agent moved":
                agents.append(_with(one, teams=(draw.choice(teams).name,)))
            case "address changed" if one.channel:
                agents.append(_with(one, address=f"{one.name}-{draw.randrange(3)}"))
            case "capacity changed":
                agents.append(_with(one, capacity=draw.randint(1, 4)))
            case _:
                return
        self._count(kind)
        names = {team.name for team in teams}
        default = before.default if before.default in names else teams[0].name
        self.load(msgspec.structs.replace(before, default=default, teams=tuple(teams), agents=tuple(agents)))

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
        self.teams = teams
        for _ in range(10):
            if not self.submit(QUEUE_ID, c.ChangeTeams(teams)):
                return
        raise AssertionError("new teams never come to be in force")

    # --- the walk ----------------------------------------------------------------------------------------------------

    def pass_time(self) -> None:
        ms = self.draw.choice([100, 1000, 1000, 1000, 5000, 5000, 5000, 30_000, 120_000])
        if self.draw.random() < 0.14:
            ms = self.draw.choice([600_000, HOUR_MS])
        if self.draw.random() < 0.02:
            self.settle_texts()
            ms = self.draw.choice([9 * HOUR_MS, 24 * HOUR_MS, 8 * 24 * HOUR_MS])
        if ms <= 24 * HOUR_MS and self.draw.random() < 0.7:
            self.sleep(ms)
        else:
            self.now_ms += ms

    def change_clock(self) -> None:
        """By seconds to minutes, and some time later back."""
        self._count("clock set back" if self.ahead_ms else "clock fast")
        self.set_clock(self.draw.choice([1000, 7000, 60_000, properties.CLOCK_MS]))

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
            self.write: 14, self.type: 20, self.think_again: 16, self.arrive: 28, self.click: 8, self.request: 8,
            self.deliver: 40, self.answer: 16, self.pass_time: 8, self.tick_one: 16, self.decide_held: 3,
            self.decide_letter: 6, self.change_teams: 0.4, self.edit_teams: 4, self.change_clock: 0.7, self.quiet: 4,
            self.take_over: 1,
        }  # fmt: skip
        self.draw.choices([*acts], [*acts.values()])[0]()

    def take_over(self) -> None:
        self.restart(self.draw.randrange(4))

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def _let_pass(self, rounds: int) -> int:
        """Time goes on; how much happens in it."""
        before = sum(map(len, self.logs.values()))
        for _ in range(rounds):
            self.now_ms += 3000
            self.settle()
        return sum(map(len, self.logs.values())) - before

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Everybody who can comes on duty, nobody writes any more: all is served, shown and accounted for."""
        self.settle_texts()
        if self.ahead_ms:
            self.change_clock()
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
        self._let_pass(300)
        while self._let_pass(5):  # what somebody has just been given comes before their eyes
            pass
        self.quiet()
        for holds in properties.AT_LAST:
            holds(self, self.ledger)


def _with(agent: AgentSettings, **changes: object) -> AgentSettings:
    return msgspec.structs.replace(agent, **changes)
