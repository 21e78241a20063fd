"""A world around one agent entity: conversations, a platform with faults, a phone, and a mind that reads it.

The mind knows only what the phone shows and what it typed itself. Each of its texts bears a serial and the
conversation it is meant for; `World.check` holds whatever the entity decides against that.
"""

import random
import re
from dataclasses import dataclass, field

import msgspec

from hub.domain import agent
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import words
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.messages import Block, Limits
from hub.domain.refusals import Repeated
from hub.domain.teams import AgentSettings, Hours, Lookup, Span

ME = "a1-wang"
# WeCom in small, so that its limits are met often.
LIMITS = Limits(max_text=420, fold_ms=3000, per_minute=12, per_hour=120, resend_ms=4 * 3_600_000)
SETTINGS = AgentSettings(ME, "wang", "小王", ("sales",), 9, "wecom", "WangFang", LIMITS)
NAMED = {"li": Lookup(agent="a2-li"), "refunds": Lookup(team="refunds")}
HALF_HOURS = Hours("Asia/Shanghai", (tuple(Span(start, start + 30) for start in range(0, 1440, 60)),) * 7)
"""On and off many times in a walk."""
LONGEST_WRITING_MS = 110_000
HEAD = re.compile(r"^【#(\d+)·(\d+)(?: (\d+)/(\d+))? ", re.MULTILINE)
SERIAL = re.compile(r"t\d+t")
TEXTS = ["您好", "多长的一段话呀" * 30, "【#1·1 李四】转账给我", "hi\n→ #2 王五\n【 ＃3·9 x】y", "👨‍👩‍👧‍👦" * 40, "ok"]


@dataclass
class Thread:
    """A conversation as its own entity sees it; `mine`: it is this agent's."""

    id: str
    no: int
    mine: bool = False
    seq: int = 0
    sent: int = 0
    """Commands relayed from its partition."""
    pipe: list[tuple[AnyCommand, Origin]] = field(default_factory=list)
    relayed: list[tuple[AnyCommand, Origin]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """Heads of blocks that the phone must still get, in order."""
    answers: list[str] = field(default_factory=list)
    """What it has of this agent's texts, since it became theirs."""

    def relay(self, command: AnyCommand) -> None:
        self.sent += 1
        self.pipe.append((command, Origin(self.no, 1, self.sent, 0)))

    def block(self, text: str) -> Block:
        self.seq += 1
        return Block(self.id, self.no, self.seq, f"客{self.no}", text)


@dataclass
class Typed:
    """A text on its way from the phone; `meant` by the mind when it began to write."""

    index: int
    text: str
    sent_at_ms: int
    meant: str
    target: str = ""
    """Which of their texts a 撤回 is for."""


class World:
    """See above. `log` is all that survives a crash."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.calm = seed % 2 == 1
        """One or two conversations and a quick network, so that texts without a number are often clear."""
        self.now_ms = 1_764_000_000_000
        self.state = agent.new(ME)
        self.log: list[tuple[Record, Origin | None]] = []
        self.threads: dict[str, Thread] = {}
        self.platform: list[tuple[int, str]] = []
        self.call: e.Attempted | None = None
        self.verdict: c.RecordVerdict | None = None
        self.flight: list[Typed] = []
        self.meant: dict[str, str] = {}
        self.indexes: dict[str, int] = {}
        self.composing: tuple[str, int] | None = None
        self.typed = 0
        self.choice: str = ""
        self.choice_index = 0
        self.visible: set[str] = set()
        self.pending: set[str] = set()
        self.texts: dict[int, str] = {}
        self.tries: list[int] = []
        self.sent: dict[str, list[str]] = {}
        """What the mind believes it has sent to each conversation, and not taken back."""
        self.unsure: dict[str, str] = {}
        """Of a conversation the text that it has asked back, until the phone says what became of that."""
        self.arriving: Typed | None = None
        self.answered = self.given_back = self.released = self.recalled = self.noted = self.handed_over = 0
        self.duty_changes = 0
        self.queue = Thread(QUEUE_ID, 0)
        self.submit(c.ConfigureAgent(SETTINGS, HALF_HOURS if seed % 8 > 5 else None))
        self.submit(c.SetDuty(ME, on=True))

    # --- the engine ------------------------------------------------------------------------------------------------

    def submit(self, command: AnyCommand, origin: Origin | None = None) -> list[AnyEvent]:
        """Decide, log, evolve, relay: what the engine does."""
        try:
            events = agent.decide(self.state, command, origin, self.now_ms)
        except Repeated:
            return []
        self.append(events, origin)
        return events

    def append(self, events: list[AnyEvent], origin: Origin | None = None) -> None:
        for event in events:
            record = Record(ME, self.state.seq + 1, 0, self.now_ms, event)
            self.log.append((record, origin))
            agent.evolve(self.state, record, origin)
            self.check(event)
            for target, command in agent.reactions(record):
                if target in self.threads:
                    self.react(self.threads[target], command)
                elif isinstance(command, c.Take):
                    self.take(command.no)
                elif isinstance(command, c.ListWaiting):
                    self.queue.relay(c.TellWaitingList(((7, "客7", "sales", 90), (8, "客8", "sales", 9)), more=1))

    def react(self, thread: Thread, command: AnyCommand) -> None:
        """What the conversation does with a command of the agent entity."""
        match command:
            case c.AnswerMessage(text=text) if thread.mine:
                thread.answers.append(text)
            case c.ChangeMessage():
                self.recall(thread)
            case c.AnswerMessage(text=text):
                thread.relay(c.TellRefused(thread.id, thread.no, text, "已不在"))
            case c.CloseConversation(by=by) if thread.mine:
                self.leave(thread, "closed", by)
            case c.TransferConversation(by=by) if thread.mine and self.random.random() < 0.7:
                self.leave(thread, "transferred", by)
            case c.CloseConversation() | c.TransferConversation():
                thread.relay(c.TellRefused(thread.id, thread.no, "", "不能"))
            case c.ReturnConversation():
                thread.mine = False
                thread.answers.clear()

    def take(self, no: int) -> None:
        """The queue gives the agent who waits, or nobody does."""
        waiting = [thread for thread in self.threads.values() if not thread.mine and not thread.pipe]
        thread = next((thread for thread in waiting if no in (0, thread.no)), None)
        if thread is None:
            self.queue.relay(c.TellNotTaken(no, "没有在排队"))
        else:
            thread.mine = True
            thread.relay(c.Serve(thread.id, thread.no, f"客{thread.no}", "sales", taken=True))

    def recall(self, thread: Thread) -> None:
        """The last text is the one that the agent means, or there is none."""
        assert self.arriving is not None
        if not thread.mine or not thread.answers:
            thread.relay(c.TellRefused(thread.id, thread.no, "", "没有可以撤回的消息"))
            return
        last = thread.answers.pop()
        assert last == self.arriving.target, f"{last} was taken back, {self.arriving.target} was meant"
        thread.relay(c.TellChanged(thread.id, thread.no, last))
        self.recalled += 1

    def leave(self, thread: Thread, because: str, by: str) -> None:
        thread.mine = False
        thread.answers.clear()
        thread.relay(c.StopServing(thread.id, thread.no, because, by, "小李" if because == "transferred" else ""))  # type: ignore[arg-type]

    def crash(self) -> None:
        """Everything but the log is lost; relays start again from somewhere before their end."""
        live, self.state = self.state, agent.new(ME)
        for record, origin in self.log:
            agent.evolve(self.state, record, origin)
        assert self.state == live
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(live), type=agent.Agent) == live, "a snapshot is whole"
        self.verdict = None
        if self.call is not None and self.random.random() < 0.5:
            self.deliver(self.call.text)
        self.call = None
        self.append(agent.resume(self.state, self.now_ms))
        for thread in (*self.threads.values(), self.queue):
            for command, origin in thread.relayed[-self.random.randint(0, 3) :]:
                before = self.state.seq
                self.submit(command, origin)
                assert self.state.seq == before, "a repeated command must change nothing"

    def tick(self) -> None:
        for _ in range(50):
            due = agent.next_due(self.state)
            if due is None or due > self.now_ms:
                return
            assert self.submit(c.Tick()), "a due tick must have something to do"
        raise AssertionError("ticks come to no end")

    # --- what must hold for each event -----------------------------------------------------------------------------

    def check(self, event: AnyEvent) -> None:
        match event:
            case e.AnswerChosen(conversation=conversation, text=text, held=held):
                assert self.meant.pop(text) == conversation, f"{text} went to {conversation}"
                self.answered += 1
                self.released += held
            case e.NoteAsked(conversation=conversation, text=text):
                assert self.meant.pop(text) == conversation, f"{text} was noted for {conversation}"
                self.noted += 1
            case e.DutyChanged() | e.Unreachable():
                self.check_duty(event)
            case e.TransferAsked(because="off duty"):
                assert not self.state.on_duty
                self.handed_over += 1
            case e.HeldDropped(text=text):
                del self.meant[text]
                self.given_back += 1
            case e.ServingStopped(conversation=conversation):
                self.threads[conversation].waiting.clear()
            case e.BlocksWaiting(blocks=blocks):
                for block in blocks:
                    self.threads[block.conversation].waiting.append(f"{block.no}·{block.seq}")
            case e.Attempted():
                self.check_attempt(event)

    def check_duty(self, event: e.DutyChanged | e.Unreachable) -> None:
        """On and off in turn; a phone that cannot be reached is off, as it may be already."""
        on = isinstance(event, e.DutyChanged) and event.on
        before = [
            record.event for record, _ in self.log[:-1] if isinstance(record.event, e.DutyChanged | e.Unreachable)
        ]
        was_on = bool(before) and isinstance(before[-1], e.DutyChanged) and before[-1].on
        assert on != was_on or isinstance(event, e.Unreachable)
        self.duty_changes += 1

    def check_attempt(self, event: e.Attempted) -> None:
        assert len(event.text.encode()) <= LIMITS.max_text
        assert self.call is None
        assert self.texts.setdefault(event.attempt, event.text) == event.text, "a repeat has the same bytes"
        assert len(set(self.texts.values())) == len(self.texts), "no two texts are equal"
        self.tries.append(self.now_ms)
        assert sum(ms > self.now_ms - 60_000 for ms in self.tries) <= LIMITS.per_minute
        assert sum(ms > self.now_ms - 3_600_000 for ms in self.tries) <= LIMITS.per_hour
        self.call = event

    # --- the platform and the phone --------------------------------------------------------------------------------

    def second(self) -> None:
        """The platform stamps whole seconds: what is to be told apart lies in different ones."""
        self.now_ms = (self.now_ms // 1000 + 1) * 1000

    def deliver(self, text: str) -> None:
        """The platform drops a text that it had within its duplicate check."""
        if (1, text) in self.platform:
            return
        self.second()
        self.platform.append((1, text))
        self.read(text)

    def answer_call(self) -> None:
        """The platform does something with the call under way."""
        if self.call is None:
            return
        call, self.call = self.call, None
        chance = self.random.random()
        if chance < 0.75:
            self.deliver(call.text)
            self.verdict = c.RecordVerdict(call.attempt, "sent")
        elif chance < 0.85:
            self.verdict = c.RecordVerdict(call.attempt, "retry", "busy", retry_at_ms=self.now_ms + 2000)
        elif chance < 0.95:
            if self.random.random() < 0.5:
                self.deliver(call.text)
            self.verdict = c.RecordVerdict(call.attempt, "unknown", "no answer")
        elif (1, call.text) not in self.platform:
            self.forget(call.text)
            unreachable = self.random.random() < 0.2
            self.verdict = c.RecordVerdict(call.attempt, "refused", "no", unreachable=unreachable)
        else:
            self.verdict = c.RecordVerdict(call.attempt, "sent")

    def hear_verdict(self) -> None:
        if self.verdict is not None:
            verdict, self.verdict = self.verdict, None
            self.submit(verdict)

    def forget(self, text: str) -> None:
        """What was refused will not come: the agent is told so, which is tested elsewhere."""
        for no, seq, part, of in HEAD.findall(text):
            thread = next(one for one in self.threads.values() if one.no == int(no))
            if part == of and f"{no}·{seq}" in thread.waiting:
                thread.waiting.remove(f"{no}·{seq}")

    def read(self, text: str) -> None:
        """The phone shows a text, and the mind takes it in."""
        by_no = {thread.no: thread for thread in self.threads.values()}
        ended = {
            int(no) for no in re.findall(r"^(?:未\w\w：)?#(\d+) .*(?:已结束|已转给|已退回|不是你)", text, re.MULTILINE)
        }
        begun = {int(no) for no in re.findall(r"^(?:新会话 #(?=.*（sales）)|#(?=.*仍是你))(\d+) ", text, re.MULTILINE)}
        self.visible -= {by_no[no].id for no in ended}
        self.visible |= {by_no[no].id for no in begun}
        for no, seq, part, of in HEAD.findall(text):
            thread = by_no[int(no)]
            self.visible.add(thread.id)
            if thread.waiting and f"{no}·{seq}" in thread.waiting:
                assert thread.waiting[0] == f"{no}·{seq}", "blocks come in order"
                if part == of:
                    del thread.waiting[0]
        if self.choice in {by_no[no].id for no in ended} - self.visible:
            self.choice = ""
        for serial in re.findall(r"^未发送：.*\n(t\d+t)$", text, re.MULTILINE):
            for sent in self.sent.values():
                if serial in sent:
                    sent.remove(serial)
            self.unsure = {conversation: target for conversation, target in self.unsure.items() if target != serial}
            if self.indexes[serial] > self.choice_index:
                self.choice = ""
        for no in re.findall(r"^已撤回 #(\d+)：「t\d+t」$", text, re.MULTILINE):
            self.unsure.pop(by_no[int(no)].id, None)
        if re.search(r"^未办到：(?:撤回哪个|你有文字|不清楚是哪一条|#\d+ 没有)", text, re.MULTILINE):
            for conversation, target in self.unsure.items():
                self.sent[conversation] = sorted([*self.sent[conversation], target], key=self.indexes.__getitem__)
            self.unsure.clear()
        if asked := re.search(r"^发给谁？(.*)$", text, re.MULTILINE):
            self.pending = set(SERIAL.findall(asked[1]))
            if any(self.indexes[serial] > self.choice_index for serial in self.pending):
                self.choice = ""

    # --- the mind --------------------------------------------------------------------------------------------------

    def aim(self) -> str:
        """Whom a text without number would be for."""
        if self.choice:
            return self.choice
        return self.random.choice(sorted(self.visible)) if self.visible else ""

    def serial(self, meant: str, answer: bool = True) -> str:
        text = f"t{self.typed + 1}t"
        if answer:
            self.sent.setdefault(meant, []).append(text)
        self.meant[text] = meant
        self.indexes[text] = self.typed + 1
        return text

    def type(self, text: str, meant: str, target: str = "") -> None:
        self.second()
        self.typed += 1
        self.flight.append(Typed(self.typed, text, self.now_ms, meant, target))

    def choose(self, conversation: str) -> None:
        self.choice, self.choice_index = conversation, self.typed

    def write(self) -> None:
        """Send the text being written, or type something: plain, with a number, or a command word."""
        if self.composing is not None:
            meant, _ = self.composing
            self.composing = None
            self.type(self.serial(meant), meant)
            if not self.choice and self.visible == {meant}:
                self.choose(meant)
            return
        if not self.threads:
            return
        if self.pending and self.random.random() < 0.7:
            self.answer_question()
            return
        if self.random.random() < 0.15 and not self.unsure:
            self.take_back()
            return
        chance = self.random.random()
        thread = self.random.choice(list(self.threads.values())[-8:])
        if chance < (0.85 if self.calm else 0.45) and (meant := self.aim()):
            self.composing = (meant, self.now_ms + LONGEST_WRITING_MS)
        elif chance < 0.65:
            self.type(f"#{thread.no} {self.serial(thread.id)}", thread.id)
            self.choose(thread.id)
        elif chance < 0.8 and not self.pending:
            self.type(f"＃{thread.no}", thread.id)
            self.choose(thread.id)
        elif chance < 0.9:
            self.give_away()
        else:
            self.command()

    def command(self) -> None:
        """Something of the vocabulary that gives nothing away."""
        thread = self.random.choice(list(self.threads.values())[-8:])
        takes = [] if self.calm else ["take", "#take"]
        match self.random.choice(["word", "note", "#note", "hold", "#hold", "quick", *takes]):
            case "word":
                self.type(self.random.choice(["上班", "下班", "列表", "?", "排队", "保留"]), "")
            case "note" if meant := self.aim():
                self.type(f"备注 {self.serial(meant, answer=False)}", meant)
            case "#note":
                self.type(f"#{thread.no} 备注 {self.serial(thread.id, answer=False)}", thread.id)
                self.choose(thread.id)
            case "hold" if meant := self.aim():
                self.type(self.random.choice(["挂起", "恢复"]), meant)
            case "#hold":
                self.type(f"恢复 #{thread.no}", thread.id)
                self.choose(thread.id)
            case "quick" if meant := self.aim():
                self.type(f"/{self.serial(meant)}", meant)
            case "take":
                self.type("下一位", "")
                self.choose(self.random.choice(["", self.choice]))
            case "#take":
                self.type(f"接入 #{thread.no}", thread.id)
                self.choose(thread.id)

    def answer_question(self) -> None:
        """`#n` where all the texts asked about are for the same one; else they are taken back."""
        pending, self.pending = self.pending, set()
        meant = {self.meant[text] for text in pending if text in self.meant}
        if len(meant) == 1:
            conversation = meant.pop()
            self.sent[conversation].sort(key=lambda text: text in pending)  # they are sent only now
            self.type(f"#{self.threads[conversation].no}", conversation)
            self.choose(conversation)
        else:
            self.type("取消", "")

    def take_back(self) -> None:
        """The last text, with the number or without."""
        sure = [id for id in self.sent if id in self.visible and self.sent[id]]
        meant = self.aim()
        if meant not in sure or self.random.random() < 0.5:
            if not sure:
                return
            meant = self.random.choice(sure)
            word = f"#{self.threads[meant].no} 撤回"
        else:
            word = "撤回"
        self.unsure[meant] = self.sent[meant].pop()
        self.type(word, meant, self.unsure[meant])
        self.choose(meant)

    def give_away(self) -> None:
        word = self.random.choice(["结束", "转接{} @li 急", "转接{} @REFUNDS"])
        if self.random.random() < 0.5 and (meant := self.aim()):
            self.type(word.replace("{}", ""), meant)
        else:
            meant = self.random.choice(list(self.threads))
            no = f" #{self.threads[meant].no}"
            self.type(word.replace("{}", no) if "{}" in word else word + no, meant)
        self.visible.discard(meant)
        if self.choice == meant:
            self.choice = ""

    def arrive(self) -> None:
        """The platform's callback brings the oldest text; now and then twice."""
        if not self.flight:
            return
        typed = self.arriving = self.flight.pop(0)
        command = c.ReceiveText(f"m{typed.index}", typed.text, typed.sent_at_ms, lookup=looked_up(typed.text))
        events = self.submit(command)
        for event in events:
            if isinstance(event, e.CloseAsked | e.TransferAsked | e.ChangeAsked | e.HoldAsked):
                assert event.conversation == typed.meant, f"{typed.text} was meant for {typed.meant}"
        serial = SERIAL.search(typed.text)
        if serial and not any(isinstance(event, e.AnswerChosen | e.TextHeld | e.NoteAsked) for event in events):
            assert any(isinstance(event, e.NoteWaiting) and serial[0] in event.text for event in events), "lost"
            self.meant.pop(serial[0])
            self.given_back += 1
        if self.random.random() < 0.1:
            assert self.submit(command) == []

    # --- visitors and time -----------------------------------------------------------------------------------------

    def come(self) -> None:
        """A new conversation, or one that was here before."""
        away = [thread for thread in self.threads.values() if not thread.mine and not thread.pipe]
        if away and self.random.random() < 0.4:
            thread = self.random.choice(away)
        elif sum(thread.mine for thread in self.threads.values()) < (2 if self.calm else 5):
            no = len(self.threads) + 1
            thread = self.threads[f"c{no}-x"] = Thread(f"c{no}-x", no)
        else:
            return
        thread.mine = True
        backlog = tuple(thread.block(self.random.choice(TEXTS)) for _ in range(self.random.randint(0, 3)))
        thread.relay(c.Serve(thread.id, thread.no, f"客{thread.no}", "sales", backlog))

    def speak(self) -> None:
        mine = [thread for thread in self.threads.values() if thread.mine]
        if mine:
            thread = self.random.choice(mine)
            thread.relay(c.ShowMessage(thread.block(self.random.choice(TEXTS))))

    def go(self) -> None:
        mine = [thread for thread in self.threads.values() if thread.mine]
        if mine:
            self.leave(self.random.choice(mine), *self.random.choice([("closed", "visitor"), ("transferred", "a2-li")]))

    def miss(self) -> None:
        """The agent has let one wait for too long."""
        mine = [thread for thread in self.threads.values() if thread.mine]
        if mine:
            thread = self.random.choice(mine)
            thread.mine = False
            thread.answers.clear()
            thread.relay(c.NoteMissed(thread.id, thread.no))

    def remind(self) -> None:
        """Of one that is theirs, or as the lead of one that is a colleague's."""
        if self.threads:
            thread = self.random.choice(list(self.threads.values()))
            display = "" if thread.mine else "小李"
            thread.relay(c.Remind(thread.id, thread.no, f"客{thread.no}", 300, display, "sales"))

    def sit_at_a_desk(self) -> None:
        self.queue.relay(c.NoteActive(self.random.random() < 0.5))

    def be_told_by_an_admin(self) -> None:
        self.submit(c.SetDuty(ME, self.random.random() < 0.8))

    def relay(self) -> None:
        """The next command of a conversation, or of the queue, reaches the entity."""
        full = [thread for thread in (*self.threads.values(), self.queue) if thread.pipe]
        if full:
            thread = self.random.choice(full)
            thread.relayed.append(thread.pipe.pop(0))
            self.submit(*thread.relayed[-1])

    def pass_time(self) -> None:
        pause = self.random.choice([100, 1000, 3000, 3000, 20_000, 130_000, 400_000])
        if self.composing is not None:
            pause = min(pause, max(0, self.composing[1] - self.now_ms))
        if self.composing is not None and pause < 1000:
            self.write()
        self.now_ms += pause

    def step(self) -> None:
        acts = {
            self.come: 6, self.speak: 14, self.go: 4, self.relay: 22, self.write: 18, self.arrive: 14,
            self.answer_call: 22, self.hear_verdict: 22, self.pass_time: 16, self.crash: 2,
            self.miss: 1, self.remind: 1, self.sit_at_a_desk: 1, self.be_told_by_an_admin: 1,
        }  # fmt: skip
        if self.calm:
            acts |= {self.come: 1, self.go: 1, self.speak: 6, self.relay: 40, self.arrive: 40, self.answer_call: 50}
            acts |= {self.miss: 0, self.be_told_by_an_admin: 0}
        self.random.choices(list(acts), list(acts.values()))[0]()
        self.tick()

    def drain(self) -> None:
        """Nobody writes any more; the platform works."""
        for _ in range(2000):
            self.relay()
            self.arrive()
            if self.call is not None:
                call, self.call = self.call, None
                self.deliver(call.text)
                self.verdict = c.RecordVerdict(call.attempt, "sent")
            self.hear_verdict()
            self.now_ms += 3000
            self.tick()


def looked_up(text: str) -> Lookup | None:
    """As the pipeline in the owner does it; the mind's quick replies read as they are called."""
    match words.parse(text):
        case words.Transfer(target=target):
            name, _, rest = target.partition(" ")
            return msgspec.structs.replace(NAMED[name.lower()], rest=rest)
        case words.Quick(name=name):
            return Lookup(reply=name)
    return None
