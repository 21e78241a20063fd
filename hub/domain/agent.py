"""The agent: their duty, whom their texts are for, and what waits for their phone.

Never the wrong visitor: a text goes to the number it begins with; without one to the conversation the agent last
chose, or to the only one the phone shows, as long as nothing could have made the agent think of another. Whatever is
not clear beyond doubt is held, and the agent is asked.
"""

from itertools import takewhile

from hub.domain import agent_aim as aim
from hub.domain import agent_notes as notes
from hub.domain import agent_words as words
from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import outside
from hub.domain.agent_delivery import attempt, check_letter, next_send, resume, verdict
from hub.domain.agent_state import Agent, Served, evolve
from hub.domain.commands import AnyCommand, Origin
from hub.domain.events import AnyEvent, Record
from hub.domain.ids import QUEUE_ID
from hub.domain.origins import seen
from hub.domain.phone import BLOCK_MARGIN, pages
from hub.domain.refusals import NotFound, NotReady, Repeated
from hub.domain.teams import AgentSettings

__all__ = ["Agent", "decide", "evolve", "new", "next_due", "reactions", "resume"]

HELD_MS = 120_000
"""So long a text waits for the agent to say whom it is for."""
MAX_HELD = 20


def new(entity_id: str) -> Agent:
    """An agent of whom nothing is known yet: off duty, without settings."""
    return Agent(entity_id)


def next_due(state: Agent) -> int | None:
    """When the next Tick has something to do (Unix ms); a moment in the past means at once."""
    moments = [held.until_ms for held in state.held]
    if (send := next_send(state)) is not None:
        moments.append(send)
    return min(moments, default=None)


def decide(state: Agent, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
    """The events that carry `command` out; none where it changes nothing.

    Raises Repeated for a relayed command, an outside id or a verdict that was had before, NotReady for a text that
    comes before the first settings.
    """
    if origin is not None and seen(state.origins, origin):
        raise Repeated(0)
    match command:
        case c.Tick():
            return _expire(state, now_ms) or attempt(state, now_ms)
        case c.ReceiveText():
            return _receive(state, command, now_ms)
        case c.RecordVerdict():
            return verdict(state, command, now_ms)
        case c.ShowMessage(block=block):
            return [e.BlocksWaiting((block,))] if block.conversation in state.serving else []
        case c.Serve():
            return _serve(state, command)
        case c.StopServing():
            return _stop(state, command)
        case c.TellRefused():
            return _tell_refused(state, command)
        case c.TellUndelivered(no=no, text=text, because=because, changes=changes):
            tell = notes.unchanged if changes else notes.undelivered
            return _note(state, tell(no, text, because))
        case c.TellChanged(no=no, original=original, text=text):
            return _note(state, notes.changed(no, original, text))
        case c.RetryDelivery(attempt=number, by=by):
            check_letter(state, number)
            return [e.DeliveryRetried(number, by)]
        case c.DropDelivery(attempt=number, by=by):
            check_letter(state, number)
            return [e.DeliveryDropped(number, by)]
        case c.SetDuty(on=on):
            return [e.DutyChanged(on)] if on != state.on_duty else []
        case c.ConfigureAgent(settings=settings, directory=directory):
            off: list[AnyEvent] = [e.DutyChanged(False)] if settings is None and state.on_duty else []
            return [*off, e.AgentConfigured(settings, directory, _must_know(state, settings))]
    raise NotFound(f"an agent does not know {type(command).__name__}")


def reactions(record: Record) -> list[tuple[str, AnyCommand]]:
    """The commands that an event calls for in conversations and the queue."""
    me = record.entity
    match record.event:
        case e.AnswerChosen(conversation=conversation, text=text, files=files):
            return [(conversation, c.AnswerMessage(me, text, files=files))]
        case e.ChangeAsked(conversation=conversation, text=text):
            return [(conversation, c.ChangeMessage(me, text))]
        case e.CloseAsked(conversation=conversation):
            return [(conversation, c.CloseConversation(me))]
        case e.TransferAsked(conversation=conversation, agent=agent, team=team):
            return [(conversation, c.TransferConversation(me, agent, team))]
        case e.DutyChanged(on=on):
            return [(QUEUE_ID, c.SetDuty(me, on))]
        case e.AgentConfigured(settings=settings, serving=serving):
            return [(one, c.SetPhone(me, _has_phone(settings))) for one in serving]
        case e.Unreachable(because=because, conversations=conversations):
            back: list[tuple[str, AnyCommand]] = [(one, c.ReturnConversation(me, because)) for one in conversations]
            return [(QUEUE_ID, c.SetDuty(me, on=False)), *back]
    return []


def _has_phone(settings: AgentSettings | None) -> bool:
    return settings is not None and bool(settings.channel)


def _must_know(state: Agent, settings: AgentSettings | None) -> tuple[str, ...]:
    """The conversations that have to learn of a phone that was got or lost; they relay messages only to a phone."""
    return tuple(state.serving) if _has_phone(state.settings) != _has_phone(settings) else ()


# --- conversations come and go -------------------------------------------------------------------------------------


def _serve(state: Agent, command: c.Serve) -> list[AnyEvent]:
    known = state.serving.get(command.conversation)
    events: list[AnyEvent] = [e.Serving(command.conversation, command.no, command.name, command.team)]
    if state.unreachable:  # chosen before the queue knew: straight back
        because = "the agent's phone cannot be reached"
        gone = e.ServingStopped(command.conversation, command.no, "returned")
        return [*events, gone, e.Unreachable(because, (command.conversation,))]
    if known is None or command.no not in state.seen:
        team = state.directory.displays.get(command.team, command.team)
        text = notes.begun(Served(command.no, command.name, team), command.skipped)
        events += _note(state, text, begins=command.no)
    backlog = tuple(block for block in command.backlog if known is None or block.seq > known.last)
    return [*events, e.BlocksWaiting(backlog)] if backlog else events


def _stop(state: Agent, command: c.StopServing) -> list[AnyEvent]:
    """The agent is told unless the phone does not show it as theirs: it never did, or they ended it themselves."""
    served = state.serving.get(command.conversation)
    if served is None:
        return []
    events: list[AnyEvent] = [e.ServingStopped(command.conversation, command.no, command.because, command.to)]
    under_way = state.attempt is not None and (
        any(one.no == command.no for one in state.attempt.blocks)
        or any(one.begins == command.no for one in state.attempt.notes)
    )
    if under_way or command.no in state.seen or command.conversation == state.sticky:
        events += _note(state, notes.stopped(served, command.because, command.to), ends=command.no)
    if len(state.serving) == 1:
        events += _drop_held(state, "你已没有会话")
    return events


def _tell_refused(state: Agent, command: c.TellRefused) -> list[AnyEvent]:
    because = f"#{command.no} {command.because}" + (f"，现由 {command.now_with} 负责" if command.now_with else "")
    events = _give_back(state, because, command.text)
    served = state.serving.get(command.conversation)
    if served is not None and served.no not in state.seen:
        events += _note(state, notes.kept(served), begins=served.no)
    return events


# --- what the agent typed ------------------------------------------------------------------------------------------


def _receive(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    if seen_before := outside.find(state.outside, command.outside_id):
        raise Repeated(seen_before.seq)
    if state.settings is None and state.seq == 0:
        raise NotReady(f"nothing is known of {state.id} yet: send it again in a second")
    got = e.TextReceived(
        command.outside_id, command.text, command.sent_at_ms, command.raw, command.unsupported, command.files
    )
    if state.settings is None:
        return [got]
    if command.unsupported:
        return [got, *_pass_unsupported(state, command, now_ms)]
    if command.files:
        return [got, *_pass_files(state, command, now_ms)]
    if not command.text.strip():
        return [got]
    return [got, *_follow(state, words.parse(command.text), command, now_ms)]


def _follow(state: Agent, said: words.Said, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """What the words mean at this moment."""
    match said:
        case words.Plain(text=text):
            return _answer_plain(state, text, command, now_ms)
        case words.Answer(no=no, text=text):
            conversation = aim.numbered(state, no)
            if conversation is None:
                return _not_yours(state, no, text)
            return [e.AnswerChosen(conversation, no, text), *_switch(state, conversation, command, now_ms)]
        case words.Switch(no=no):
            return _choose(state, no, command, now_ms)
        case words.Misspelt():
            return _give_back(state, "# 后面要有会话的号，例如 #12 您好", command.text)
        case words.Close() | words.Transfer():
            return _give_away(state, said, command, now_ms)
        case words.Recall() | words.Correct():
            return _change(state, said, command, now_ms)
        case words.Cancel():
            return _drop_held(state, "已取消") or _note(state, "没有等待中的文字")
        case words.Duty(on=on):
            changed: list[AnyEvent] = [e.DutyChanged(on)] if on != state.on_duty else []
            left = notes.listed(state.serving.values(), None) if state.serving else ""
            return [*changed, *_note(state, ("已上班" if on else "已下班") + (f"，{left}" if left else ""))]
        case words.ListOwn():
            return _note(state, notes.listed(state.serving.values(), state.serving.get(state.sticky)))
        case words.Help():
            return _note(state, notes.HELP)


def _answer_plain(state: Agent, text: str, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    conversation = aim.meant(state, command, now_ms)
    if conversation is not None:
        chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text)
        return [chosen, *_switch(state, conversation, command, now_ms)]
    if not state.serving:
        return _give_back(state, "你现在没有会话", text)
    if len(state.held) >= MAX_HELD:
        return _give_back(state, f"已有 {MAX_HELD} 条文字在等你回复 #号", text)
    return [e.TextHeld(text, now_ms + HELD_MS), *_doubt_sticky(state, command)]


def _choose(state: Agent, no: int, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """`#12` alone: switch, and release the held texts whose question the phone showed before this was written."""
    conversation = aim.numbered(state, no)
    if conversation is None:
        return _not_yours(state, no)
    switched = _switch(state, conversation, command, now_ms, told=True)
    if aim.late(state, command) or aim.outdated(state, conversation, command, now_ms):
        return switched
    written_ms = aim.latest(command, now_ms)
    asked = takewhile(lambda held: 0 < held.asked_ms <= written_ms, state.held)
    return [*(e.AnswerChosen(conversation, no, held.text, held=True) for held in asked), *switched]


def _give_away(state: Agent, said: words.Close | words.Transfer, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    conversation = aim.numbered(state, said.no) if said.no else aim.meant(state, command, now_ms)
    if conversation is None and said.no:
        return _not_yours(state, said.no)
    if conversation is None:
        verb, rest = ("结束", "") if isinstance(said, words.Close) else ("转接", f" @{said.target}")
        return [*_doubt_sticky(state, command), *_note(state, notes.which(verb, f"{verb} #12{rest}"))]
    no = state.serving[conversation].no
    if isinstance(said, words.Close):
        return [e.CloseAsked(conversation, no)]
    agent = state.directory.agents.get(said.target.lower(), "")
    team = "" if agent else state.directory.teams.get(said.target.lower(), "")
    if not agent and not team:
        return _give_back(state, f"没有叫 {said.target} 的同事或小组", command.text)
    if agent == state.id:
        return _give_back(state, "不能转给自己", command.text)
    return [e.TransferAsked(conversation, no, agent, team)]


def _change(state: Agent, said: words.Recall | words.Correct, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """Of the last answer, unless the agent may have another of their texts in mind than the one that was the last."""
    verb, text = ("更正", said.text) if isinstance(said, words.Correct) else ("撤回", "")
    if state.held and not said.no and not text:
        return _drop_held(state, "已取消")
    conversation = aim.numbered(state, said.no) if said.no else aim.meant(state, command, now_ms)
    if conversation is None and said.no:
        return _not_yours(state, said.no, text)
    if conversation is None:
        question = notes.which(verb, f"#12 {verb}" + (" 新的内容" if text else ""))
        return [*_doubt_sticky(state, command), *_give_back(state, question, text)]
    if state.held or aim.returning(state) or aim.surprised(state, command, now_ms):
        events = _give_back(state, "你有文字在等 #号 或刚退回，请先看过，再写一次", text)
    else:
        events = [e.ChangeAsked(conversation, state.serving[conversation].no, text)]
    return [*events, *_switch(state, conversation, command, now_ms)]


def _pass_unsupported(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """A picture or voice: both sides read that there was one; where it is not clear for whom, only the agent does."""
    text = f"[not supported yet: {command.unsupported}]"
    conversation = aim.meant(state, command, now_ms)
    if conversation is None:
        return [*_doubt_sticky(state, command), *_note(state, text)]
    chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text)
    return [chosen, *_switch(state, conversation, command, now_ms), *_note(state, text)]


def _pass_files(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """A picture or file, with the words that came with it; where it is not clear for whom, it has to be sent again."""
    said = words.parse(command.text)
    text = said.text if isinstance(said, words.Answer) else command.text
    conversation = aim.numbered(state, said.no) if isinstance(said, words.Answer) else aim.meant(state, command, now_ms)
    if conversation is None:
        return [*_doubt_sticky(state, command), *_note(state, notes.files_not_sent(len(command.files)))]
    chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text, files=command.files)
    return [chosen, *_switch(state, conversation, command, now_ms)]


def _expire(state: Agent, now_ms: int) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    for held in state.held:
        if held.until_ms <= now_ms:
            events += [e.HeldDropped(held.text), *_give_back(state, "没有等到 #号", held.text)]
    return events


def _drop_held(state: Agent, because: str) -> list[AnyEvent]:
    events: list[AnyEvent] = []
    for held in state.held:
        events += [e.HeldDropped(held.text), *_give_back(state, because, held.text)]
    return events


def _not_yours(state: Agent, no: int, text: str = "") -> list[AnyEvent]:
    """The agent meant a conversation that is not theirs: until they know it, what they write might be for it too."""
    return [e.StickyChosen(""), *_give_back(state, f"#{no} 不是你的会话", text, ends=no)]


def _switch(state: Agent, conversation: str, command: c.ReceiveText, now_ms: int, told: bool = False) -> list[AnyEvent]:
    """Text without number goes there from now on; the agent is told where that is new, or `told` says so."""
    if aim.late(state, command):
        return _note(state, notes.not_switched(state.serving[conversation])) if told else []
    if aim.outdated(state, conversation, command, now_ms):
        return [e.StickyChosen(""), *_note(state, notes.not_switched(state.serving[conversation]))]
    if conversation == state.sticky and not told:
        return []
    served = state.serving[conversation]
    return [e.StickyChosen(conversation, served.no), *_note(state, notes.switched(served))]


def _doubt_sticky(state: Agent, command: c.ReceiveText) -> list[AnyEvent]:
    """The agent is asked because the sticky conversation was not clear enough: from now on there is none."""
    return [e.StickyChosen("")] if state.sticky and not aim.late(state, command) else []


def _give_back(state: Agent, because: str, text: str, ends: int = 0) -> list[AnyEvent]:
    """The agent's own text, which nobody got; "" when what they asked for was no text."""
    return _note(state, notes.given_back(because, text), ends=ends, returns=bool(text))


def _note(state: Agent, text: str, begins: int = 0, ends: int = 0, returns: bool = False) -> list[AnyEvent]:
    """The note in pieces that fit the phone; none where there is no phone. The last piece carries the news."""
    settings = state.settings
    if settings is None or not settings.channel:
        return []
    *first, last = pages(text, settings.limits.max_text - BLOCK_MARGIN)
    return [*map(e.NoteWaiting, first), e.NoteWaiting(last, begins, ends, returns)]
