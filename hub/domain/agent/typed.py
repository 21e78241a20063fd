"""What an agent's text does: it answers, switches or commands; where it is not clear for whom, they are asked."""

from itertools import takewhile

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain import outside
from hub.domain.agent import aim, duty, notes, threads, words
from hub.domain.agent.state import Agent
from hub.domain.agent.tell import drop_held, give_back, note
from hub.domain.events import AnyEvent
from hub.domain.refusals import NotReady, Repeated
from hub.domain.teams import Lookup
from hub.domain.text import beginning

HELD_MS = 120_000
"""So long a text waits for the agent to say whom it is for."""
MAX_HELD = 20


def receive(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """The events of a text, picture or file. Raises Repeated for one that was had, NotReady before the settings."""
    if seen_before := outside.find(state.outside, command.outside_id):
        raise Repeated(seen_before.seq)
    if state.settings is None and state.seq == 0:
        raise NotReady(f"nothing is known of {state.id} yet: send it again in a second")
    got = e.TextReceived(
        command.outside_id, command.text, command.sent_at_ms, command.raw, command.unsupported, command.files,
        command.conversation,
    )  # fmt: skip
    if state.settings is None:
        return [got]
    events = [_knowing(state, event, command, now_ms) for event in _take_in(state, command, now_ms)]
    if any(isinstance(event, e.AnswerChosen) for event in events):
        events += duty.answered(state, now_ms)
    return [got, *events]


def _knowing(state: Agent, event: AnyEvent, command: c.ReceiveText, now_ms: int) -> AnyEvent:
    """The event with how it came, and with what they had been shown there when they wrote: they can mean nothing that
    came later, and what another of their channels shows they may not have looked at.
    """
    if not isinstance(event, e.AnswerChosen | e.CloseAsked):
        return event
    served = state.serving[event.conversation]
    here = command.channel or (state.settings.channel if state.settings else "")
    # When a mail was written only its writer's clock knows.
    written_ms = aim.latest(command, now_ms) if command.conversation is None else now_ms
    shown = (one.seq for one in served.shown.get(here, ()) if one.at_ms <= written_ms)
    heard = (one.seq for one in served.heard if one.at_ms <= written_ms)
    event = msgspec.structs.replace(event, seen=max((served.read, *shown)), heard=max(heard, default=0))
    return msgspec.structs.replace(event, way=command.channel) if isinstance(event, e.AnswerChosen) else event


def _take_in(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    if command.unsupported:
        return _pass_unsupported(state, command, now_ms)
    if command.files:
        return _pass_files(state, command, now_ms)
    if not command.text.strip():
        return [] if command.conversation is None else give_back(state, "没有内容，请写在引用的邮件之上", "")
    said = understood(state, command)
    if because := threads.astray(state, said, command):
        return give_back(state, because, command.text)
    return _follow(state, said, command, now_ms)


def understood(state: Agent, command: c.ReceiveText) -> words.Said:
    """What the text says; in a thread, of the conversation that it answers."""
    if command.conversation is None:
        return words.parse(command.text)
    return words.in_thread(command.text, threads.number(state, command.conversation))


def _follow(state: Agent, said: words.Said, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """What the words mean at this moment."""
    match said:
        case words.Plain(text=text):
            return _answer_plain(state, text, command, now_ms)
        case words.Answer(no=no, text=text):
            return _answer_numbered(state, no, text, command, now_ms)
        case words.Quick():
            return _answer_quick(state, said, command, now_ms)
        case words.Switch(no=no):
            return _choose(state, no, command, now_ms)
        case words.Misspelt():
            return give_back(state, "# 后面要有会话的号，例如 #12 您好", command.text)
        case words.Doubtful(form=form):
            return give_back(state, f"像是命令，请写：{form}；要发给顾客，请在前面加 #号", command.text)
        case words.Close() | words.Transfer():
            return _give_away(state, said, command, now_ms)
        case words.Recall() | words.Correct():
            return _change(state, said, command, now_ms)
        case words.Hold() | words.Note():
            return _hold_or_note(state, said, command, now_ms)
        case words.Take(no=no):
            return _take(state, no, command, now_ms)
        case words.Keep(sure=False) if not state.handover_ms:
            return _answer_plain(state, command.text.strip(), command, now_ms)
        case words.Keep():
            return duty.keep(state)
        case words.Duty(on=on):
            return _say_duty(state, on, now_ms)
        case words.Cancel():
            return drop_held(state, "已取消") or note(state, "没有等待中的文字")
        case words.ListWaiting():
            return [e.ListAsked()]
        case words.ListOwn():
            return note(state, notes.listed(state.serving.values(), state.serving.get(state.sticky)))
        case words.Help():
            return note(state, notes.HELP)


def _answer_plain(state: Agent, text: str, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    conversation = aim.meant(state, command, now_ms)
    if conversation is not None:
        chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text)
        return [chosen, *_switch(state, conversation, command, now_ms)]
    if not state.serving:
        return give_back(state, "你现在没有会话", text)
    if len(state.held) >= MAX_HELD:
        return give_back(state, f"已有 {MAX_HELD} 条文字在等你回复 #号", text)
    return [e.TextHeld(text, now_ms + HELD_MS), *_doubt_sticky(state, command)]


def _answer_numbered(state: Agent, no: int, text: str, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    conversation = aim.numbered(state, no, command, now_ms)
    if conversation is None:
        return _not_yours(state, no, text)
    return [e.AnswerChosen(conversation, no, text), *_switch(state, conversation, command, now_ms)]


def _answer_quick(state: Agent, said: words.Quick, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """The quick reply goes where plain text would go."""
    reply = (command.lookup or Lookup()).reply
    if not reply and said.sure:
        return give_back(state, f"没有叫 {beginning(said.name)} 的快捷回复", command.text)
    text = reply or said.text
    if said.no:
        return _answer_numbered(state, said.no, text, command, now_ms)
    return _answer_plain(state, text, command, now_ms)


def _choose(state: Agent, no: int, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """`#12` alone: switch, and release the held texts whose question the phone showed before this was written."""
    conversation = aim.numbered(state, no, command, now_ms)
    if conversation is None:
        return _not_yours(state, no)
    switched = _switch(state, conversation, command, now_ms, told=True)
    if aim.late(state, command) or aim.outdated(state, conversation, command, now_ms):
        return switched
    written_ms = aim.latest(command, now_ms)
    asked = [
        e.AnswerChosen(conversation, no, held.text, held=True)
        for held in takewhile(lambda held: 0 < held.asked_ms <= written_ms, state.held)
    ]
    return [*(asked or _accept(state, conversation, command, now_ms)), *switched]


def _accept(state: Agent, conversation: str, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """The agent has turned to it, which its clock need be told but once; an answer says as much."""
    served = state.serving[conversation]
    if served.accepted or aim.premature(state, conversation, command, now_ms):
        return []
    return [e.AcceptAsked(conversation, served.no, served.assigned)]


def _take(state: Agent, no: int, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """Somebody who waits, with 0 the next. Text without a number may be for them from now on, or not."""
    mine = aim.numbered(state, no, command, now_ms)
    if mine is not None:  # it may wait all the same, given back; whether that answers a question is not clear
        accepted = [] if aim.late(state, command) else _accept(state, mine, command, now_ms)
        return [e.TakeAsked(no), *accepted, *_switch(state, mine, command, now_ms, told=True)]
    doubt: list[AnyEvent] = [e.StickyChosen("")] if state.serving and not aim.late(state, command) else []
    return [e.TakeAsked(no), *doubt]


def _say_duty(state: Agent, on: bool, now_ms: int) -> list[AnyEvent]:
    events = duty.say(state, now_ms, on=on)
    if any(isinstance(event, e.DutyChanged) for event in events):
        return events
    return [*events, *note(state, notes.duty(on, "said", state.serving.values()))]


def _hold_or_note(state: Agent, said: words.Hold | words.Note, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """挂起, 恢复 and 备注: no visitor reads of them, so that the agent is told how they were taken."""
    text = said.text if isinstance(said, words.Note) else ""
    conversation = aim.numbered(state, said.no, command, now_ms) if said.no else aim.meant(state, command, now_ms)
    if conversation is None and said.no:
        return _not_yours(state, said.no, text)
    if conversation is None:
        verb = "备注" if text else "挂起" if isinstance(said, words.Hold) and said.on else "恢复"
        question = notes.which(verb, f"{verb} #12" + (" 内容" if text else ""))
        return [*_doubt_sticky(state, command), *give_back(state, question, text)]
    served = state.serving[conversation]
    if isinstance(said, words.Hold) and aim.premature(state, conversation, command, now_ms):
        return [*_doubt_sticky(state, command), *note(state, notes.premature(served))]
    switched = _switch(state, conversation, command, now_ms) if said.no else []
    if isinstance(said, words.Hold):
        hold = e.HoldAsked(conversation, served.no, said.on, served.assigned)
        return [hold, *note(state, notes.held(served, said.on)), *switched]
    display = state.settings.display if state.settings else ""
    asked = e.NoteAsked(conversation, served.no, text, display)
    return [asked, *note(state, notes.noted(served.no, text)), *switched]


def _give_away(state: Agent, said: words.Close | words.Transfer, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    conversation = aim.numbered(state, said.no, command, now_ms) if said.no else aim.meant(state, command, now_ms)
    if conversation is None and isinstance(said, words.Transfer) and (led := aim.led(state, said.no, command, now_ms)):
        return _transfer(state, led, said.no, said, command)
    if conversation is None and said.no:
        return _not_yours(state, said.no, said.because if isinstance(said, words.Close) else "")
    if conversation is None:
        verb, rest = ("结束", "") if isinstance(said, words.Close) else ("转接", f" @{said.target}")
        return [*_doubt_sticky(state, command), *note(state, notes.which(verb, f"{verb} #12{rest}"))]
    served = state.serving[conversation]
    if aim.premature(state, conversation, command, now_ms):
        return [*_doubt_sticky(state, command), *note(state, notes.premature(served))]
    if isinstance(said, words.Close):
        return [e.CloseAsked(conversation, served.no, said.because, served.assigned)]
    return _transfer(state, conversation, served.no, said, command)


def _transfer(state: Agent, conversation: str, no: int, said: words.Transfer, command: c.ReceiveText) -> list[AnyEvent]:
    """To whom the rules know by that name. A lead may take a colleague's conversation themself."""
    to = command.lookup or Lookup()
    if not to.agent and not to.team:
        return give_back(state, f"没有叫 {beginning(said.target)} 的同事或小组", command.text)
    if to.agent == state.id and conversation in state.serving:
        return give_back(state, "不能转给自己", command.text)
    assigned = (state.serving.get(conversation) or state.led[no]).assigned
    return [e.TransferAsked(conversation, no, to.agent, to.team, to.rest, assigned=assigned)]


def _change(state: Agent, said: words.Recall | words.Correct, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """Of the last answer, unless the agent may have another of their texts in mind than the one that was the last."""
    verb, text = ("更正", said.text) if isinstance(said, words.Correct) else ("撤回", "")
    if state.held and not said.no and not text:
        return drop_held(state, "已取消")
    conversation = aim.numbered(state, said.no, command, now_ms) if said.no else aim.meant(state, command, now_ms)
    if conversation is None and said.no:
        return _not_yours(state, said.no, text)
    if conversation is None:
        question = notes.which(verb, f"#12 {verb}" + (" 新的内容" if text else ""))
        return [*_doubt_sticky(state, command), *give_back(state, question, text)]
    if state.held or aim.returning(state) or aim.surprised(state, command, now_ms):
        events = give_back(state, "你有文字在等 #号 或刚退回，请先看过，再写一次", text)
    elif state.serving[conversation].doubtful:
        events = give_back(state, "不清楚是哪一条：刚才问您的文字，有的早已发出", text)
    else:
        events = [e.ChangeAsked(conversation, state.serving[conversation].no, text)]
    return [*events, *_switch(state, conversation, command, now_ms)]


def _pass_unsupported(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """A picture or voice: both sides read that there was one; where it is not clear for whom, only the agent does."""
    text = f"[not supported yet: {command.unsupported}]"
    conversation = aim.meant(state, command, now_ms)
    if conversation is None:
        return [*_doubt_sticky(state, command), *note(state, text)]
    chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text)
    return [chosen, *_switch(state, conversation, command, now_ms), *note(state, text)]


def _pass_files(state: Agent, command: c.ReceiveText, now_ms: int) -> list[AnyEvent]:
    """A picture or file, with the words that came with it; where it is not clear for whom, it has to be sent again."""
    said = understood(state, command)
    if because := threads.astray(state, said, command):
        return give_back(
            state, because, "\n".join([command.text, *(f"[{file.name}]" for file in command.files)]).strip()
        )
    if not isinstance(said, words.Answer | words.Plain):
        return give_back(state, "命令不能和图片或文件一起发", command.text)
    text = said.text
    conversation = (
        aim.numbered(state, said.no, command, now_ms)
        if isinstance(said, words.Answer)
        else aim.meant(state, command, now_ms)
    )
    if conversation is None:
        told = notes.files_not_sent(len(command.files), command.text)
        return [*_doubt_sticky(state, command), *note(state, told, returns=True)]
    chosen = e.AnswerChosen(conversation, state.serving[conversation].no, text, files=command.files)
    return [chosen, *_switch(state, conversation, command, now_ms)]


def _not_yours(state: Agent, no: int, text: str = "") -> list[AnyEvent]:
    """The agent meant a conversation that is not theirs: until they know it, what they write might be for it too."""
    return [e.StickyChosen(""), *give_back(state, f"#{no} 不是你的会话", text, ends=no)]


def _switch(state: Agent, conversation: str, command: c.ReceiveText, now_ms: int, told: bool = False) -> list[AnyEvent]:
    """Text without number goes there from now on; the agent is told where that is new, or `told` says so."""
    if command.conversation is not None:
        return []
    if aim.late(state, command):
        return note(state, notes.not_switched(state.serving[conversation])) if told else []
    if aim.outdated(state, conversation, command, now_ms):
        return [e.StickyChosen(""), *note(state, notes.not_switched(state.serving[conversation]))]
    if conversation == state.sticky and not told:
        return []
    served = state.serving[conversation]
    return [e.StickyChosen(conversation, served.no), *note(state, notes.switched(served))]


def _doubt_sticky(state: Agent, command: c.ReceiveText) -> list[AnyEvent]:
    """The agent is asked because the sticky conversation was not clear enough: from now on there is none."""
    return [e.StickyChosen("")] if state.sticky and not aim.late(state, command) else []
