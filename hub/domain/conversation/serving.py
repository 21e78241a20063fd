"""Who has the conversation: it is assigned, accepted, handed on, held, given back in time, and closed."""

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.conversation import clocks
from hub.domain.conversation.backlog import Line
from hub.domain.conversation.state import Conversation, unheard
from hub.domain.events import AnyEvent
from hub.domain.messages import Block, Profile
from hub.domain.refusals import NotFound, NotYours, Unread
from hub.domain.text import beginning


def refusal(state: Conversation, agent: str, text: str = "", assigned: int = 0) -> e.AnswerRefused | None:
    """Why `agent` may not act on the conversation; the assignee may, until the next one has been assigned.

    `assigned` is the seq of the assignment that they knew of, 0: any. What they decided under an older one does not
    hold any more: somebody may have decided otherwise since.
    """
    if state.stage == "closed":
        return e.AnswerRefused(agent, state.no, text, "the conversation is closed")
    if agent == state.agent:
        if assigned in (0, state.assigned):
            return None
        return e.AnswerRefused(agent, state.no, text, "it came back to you since: say it again if it still holds")
    because = f"the conversation is with {state.display}" if state.agent else "the conversation is with nobody"
    return e.AnswerRefused(agent, state.no, text, because, state.display)


def not_yours(state: Conversation, refused: e.AnswerRefused) -> NotYours:
    """The refusal for somebody who waits for the answer."""
    return NotYours(refused.because, refused.now_with, state.assigned_ms if refused.now_with else 0)


def assign(state: Conversation, command: c.Assign) -> list[AnyEvent]:
    """The queue has chosen. A choice that has crossed with a new question gets no answer: the queue chooses again."""
    if state.stage in ("new", "closed"):  # it has been opened again, perhaps, with nothing for anybody to read
        return [e.AssignRefused(command.agent, command.no)]
    if command.asked not in (0, state.asked):
        return []
    backlog, skipped = _backlog(state, command.no) if command.phone else ((), 0)
    return [
        e.Assigned(
            command.agent,
            command.display,
            command.no,
            command.team,
            command.phone,
            _name(state),
            backlog,
            skipped,
            before=state.agent if state.agent != command.agent else "",
            because=command.because,
            team_display=command.team_display,
            patience=command.patience,
            lead=command.lead,
            taken=command.taken,
            note="\n".join([*state.notes, *([state.failed.words] if state.failed else [])]),
        )
    ]


TWICE_MS = 10_000


def answers_twice(state: Conversation, command: c.AnswerMessage, now_ms: int) -> bool:
    """Whether the agent has answered the same question on another of their ways, so shortly before."""
    is_answered = bool(state.answers) and not state.backlog.count
    return is_answered and command.way != state.answered_on and now_ms < state.answered_ms + TWICE_MS


def tell_waiting(state: Conversation, command: c.TellWaiting) -> list[AnyEvent]:
    """The queue has nobody yet. Who has given it away may still answer: that the visitor waits is true all the same."""
    told = e.WaitTold(command.no, command.team, command.position, command.on_duty, command.wait)
    if state.stage == "served" and state.agent == command.lost:
        because = "they are in rules/teams.yaml no more"
        return [_returned(state, because, lost=True), told]
    return [told] if state.stage == "waiting" or state.leaving else []


def set_phone(state: Conversation, command: c.SetPhone) -> list[AnyEvent]:
    """The assignee has got a phone, or lost it."""
    agent, on = command.agent, command.on
    if state.stage != "served" or state.agent != agent or state.phone == on:
        return []
    if command.assigned not in (0, state.assigned):  # they hear of the new assignment, and say it again
        return []
    backlog, skipped = _backlog(state, state.no) if on else ((), 0)
    team = state.team_display or state.team
    return [e.PhoneSet(agent, on, state.no, team, _name(state), backlog, skipped, state.assigned)]


def accept(state: Conversation, command: c.AcceptConversation, relayed: bool) -> list[AnyEvent]:
    """It counts once, and only while somebody waits for it."""
    refused = refusal(state, command.agent, assigned=command.assigned)
    if refused is not None and not relayed:
        raise not_yours(state, refused)
    if refused is not None or state.clocks is None or state.clocks.accepted:
        return []
    return [e.Accepted(command.agent)]


def hold(state: Conversation, command: c.HoldConversation, relayed: bool) -> list[AnyEvent]:
    """The clocks stop, or go on."""
    refused = refusal(state, command.by, assigned=command.assigned)
    if refused is None:
        return [] if bool(state.on_hold_ms) == command.on else [e.HoldSet(command.by, command.on)]
    if not relayed:
        raise not_yours(state, refused)
    return [refused]


def write_note(state: Conversation, command: c.WriteNote) -> list[AnyEvent]:
    """Anybody who works here may leave one, and also when the conversation is over."""
    if state.profile is None:
        raise NotFound(f"there is no conversation {state.id}")
    id_ = f"{command.tab}.{command.n}" if command.tab else ""
    return [e.NoteWritten(command.by, command.display, command.text, id_)]


def close(state: Conversation, command: c.CloseConversation, relayed: bool) -> list[AnyEvent]:
    """The conversation is over, unless the visitor has written what they who end it have not seen, or an answer has not
    arrived, of which they have not heard.

    Who asks directly has been found entitled to it already.
    """
    if state.stage in ("new", "closed"):
        return []
    refused = refusal(state, command.by, assigned=command.assigned)
    if refused is not None and relayed:
        return [refused]
    over = command.assigned != state.assigned or not state.agent  # it has gone back to the queue since
    if refused is not None and command.assigned and over:
        raise not_yours(state, refused)
    if unseen := state.backlog.after(command.seen):
        if not relayed:
            raise Unread(f"the visitor has written since, {_quoted(unseen)}: read it, then close again", unseen[-1].seq)
        because = f"顾客又写了{_quoted(unseen)}，请看过再结束"
        return [e.AnswerRefused(command.by, state.no, "", because)]
    if failed := unheard(state, command.seen, command.heard):
        if not relayed:
            raise Unread(f"an answer has not arrived since: {failed.words}: look at it, then close again", failed.seq)
        because = f"有回复{failed.words}，请看过再结束"
        return [e.AnswerRefused(command.by, state.no, "", because, failed=failed.seq)]
    return [e.Closed(command.by, state.agent, state.no, state.phone, command.because)]


def _quoted(lines: list[Line]) -> str:
    """The beginning of the last of them, and how many they are."""
    last = lines[-1]
    text = last.text or " ".join(f"[{file.name}]" for file in last.files)
    return f"「{beginning(text)}」" + (f" (+{len(lines) - 1})" if len(lines) > 1 else "")


def transfer(state: Conversation, command: c.TransferConversation, relayed: bool) -> list[AnyEvent]:
    """The assignee gives it away; or their team's lead takes it from them."""
    by_lead = bool(state.agent) and command.by == state.lead and command.assigned in (0, state.assigned)
    refused = None if by_lead else refusal(state, command.by, assigned=command.assigned)
    if refused is not None and not relayed:
        raise not_yours(state, refused)
    if refused is not None:
        return [refused]
    before = state.agent if state.agent != command.by else ""
    return [
        e.Transferred(
            command.by, command.agent, command.team or state.team, state.priority, state.no, state.phone,
            command.note, command.because, before, *visitor(state.profile),
        )
    ]  # fmt: skip


def give_back(state: Conversation, command: c.ReturnConversation) -> list[AnyEvent]:
    """The assignee cannot be reached."""
    if state.stage != "served" or state.agent != command.agent:
        return []
    if command.assigned not in (0, state.assigned):  # they hear of the new assignment, and give that back too
        return []
    return [_returned(state, command.because, lost=state.leaving)]


def ring(state: Conversation, now_ms: int) -> list[AnyEvent]:
    """What the clocks make of this moment; nothing where nothing is due."""
    if state.clocks is None or state.on_hold_ms:
        return []
    due, patience = clocks.due(state.clocks, now_ms), state.clocks.patience
    if "close" in due:
        return [e.Closed("", state.agent, state.no, state.phone, e.IDLE)]
    if "nudge" in due:
        return [e.Nudged(patience.close_s)]
    overdue = due.get("accept", due.get("pass"))
    if overdue is not None:
        late = now_ms - overdue > clocks.LATE_MS
        what = f"accepted within {patience.accept_s}" if "accept" in due else f"answered within {patience.pass_s}"
        return [_returned(state, f"not {what} s", missed=not late, late=late)]
    waited_s, team = (now_ms - state.clocks.waits_ms) // 1000, state.team_display or state.team
    return [
        e.Reminded(
            to, state.agent, state.display, state.no, _name(state), team, waited_s, step == "lead", state.assigned
        )
        for step, to in (("remind", state.agent), ("lead", state.lead))
        if step in due
    ]


def _returned(
    state: Conversation, because: str, *, lost: bool = False, missed: bool = False, late: bool = False
) -> e.Returned:
    return e.Returned(
        state.agent, because, state.no, state.team, state.priority, lost, missed, late, *visitor(state.profile)
    )


def visitor(profile: Profile | None) -> tuple[str, str, str]:
    """What the queue has to know of them: channel, language and name."""
    return ("", "", "") if profile is None else (profile.channel, primary(profile.language), profile.name)


def primary(tag: str) -> str:
    """The primary subtag of a language tag, in lower case; platforms write "zh-CN", "zh_CN" or "zh"."""
    return tag.replace("_", "-").partition("-")[0].lower()


def _name(state: Conversation) -> str:
    return state.profile.name if state.profile else ""


def _backlog(state: Conversation, no: int) -> tuple[tuple[Block, ...], int]:
    """What nobody has answered, for a phone, and how many more."""
    name = _name(state)
    blocks = tuple(Block(state.id, no, line.seq, name, line.text, line.files) for line in state.backlog.messages())
    return blocks, state.backlog.skipped
