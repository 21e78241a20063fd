"""An agent on a channel that has threads, as mail does: each text to them is of one conversation, or of none.

What they answer there is for that conversation and for no other; so nothing has to be held, and nobody is asked.
"""

from collections.abc import Iterable

import msgspec

from hub.domain import commands as c
from hub.domain import events as e
from hub.domain.agent import notes, words
from hub.domain.agent.phone import BLOCK_MARGIN, has_head, pieces
from hub.domain.agent.state import Agent, Note
from hub.domain.events import AnyEvent
from hub.domain.messages import Attachment, Block, Limits, Outgoing
from hub.domain.pace import earliest_repeat
from hub.domain.teams import AgentSettings
from hub.domain.text import cut, size


def number(state: Agent, conversation: str) -> int:
    """The conversation's number, if it is theirs or they were told of it as a lead; else 0."""
    if served := state.serving.get(conversation):
        return served.no
    return next((no for no, led in state.led.items() if led.conversation == conversation), 0)


def astray(state: Agent, said: words.Said, command: c.ReceiveText) -> str:
    """Why the text cannot be carried out as one of its thread; empty: it can, or it is of no thread."""
    if command.conversation is None:
        return ""
    if has_head(command.text) or notes.ONLY_THEIRS in command.text:
        return "引用的邮件没能分开，请只留下你自己的话，再发一次"
    no, named = number(state, command.conversation), getattr(said, "no", 0)
    match said:
        case (
            words.Duty() | words.ListOwn() | words.ListWaiting() | words.Take() | words.Keep() | words.Cancel()
            | words.Help() | words.Doubtful()
        ):  # fmt: skip
            return ""
        case words.Misspelt():
            return "首行以 # 开头，却不是命令；要发给顾客，请不以 # 开头"
        case _ if not command.conversation:
            return "" if named else "不知道发给谁，请回复那个会话的邮件，或在前面写 #号"
        case _ if not no:
            return "这个会话已不是你的"
        case words.Switch():
            return "没有内容"
    return "" if named == no else f"这是 #{no} 的邮件"


def about(state: Agent, command: c.AnyCommand, events: list[AnyEvent]) -> list[AnyEvent]:
    """The events of a command, their notes in the thread of the conversation that the command is about."""
    conversation = getattr(command, "conversation", "")
    if not conversation or state.settings is None or not state.settings.limits.threads:
        return events
    known = state.serving.get(conversation) or (command if isinstance(command, c.Serve | c.Remind) else None)
    thread = (conversation, notes.title(known.no, known.name, known.team) if known else "")
    return [
        msgspec.structs.replace(event, thread=thread) if isinstance(event, e.NoteWaiting) else event for event in events
    ]


def grouped(blocks: Iterable[Block]) -> list[Block]:
    """The blocks conversation by conversation, the one that has waited longest first."""
    by_conversation: dict[str, list[Block]] = {}
    for block in blocks:
        by_conversation.setdefault(block.conversation, []).append(block)
    return [block for of_one in by_conversation.values() for block in of_one]


def next_send(state: Agent, limits: Limits) -> int | None:
    """When what waits may go: notes at once, messages so long after the first of them as the channel folds."""
    if state.notes or state.ask:
        return earliest_repeat(state.tries_ms, limits, blocks=False)
    if not state.blocks:
        return None
    folded_ms = state.serving[state.blocks[0].conversation].waits_ms + limits.fold_ms
    return max(folded_ms, earliest_repeat(state.tries_ms, limits, blocks=True))


def compose(state: Agent, settings: AgentSettings) -> e.Attempted:
    """The first of what waits, with all else of its conversation that fits."""
    limits = settings.limits
    room = limits.max_text - BLOCK_MARGIN
    thread = _first_thread(state)
    lines, files, carries = list[str](), list[Attachment](), list[tuple[str, int]]()

    def fits(line: str) -> bool:
        nonlocal room
        if size(line) > room:
            return False
        room -= size(line) + 1
        lines.append(line)
        return True

    together = _together(state.notes, thread)
    taken = next((i for i, one in enumerate(together) if not fits(one.text)), len(together))
    asks = 0
    if state.ask and not state.notes:
        asks = state.held[-1].number
        fits(cut(notes.question(state.held, state.serving.values()), room)[0])
    is_said = all(one.thread[0] != thread[0] for one in state.notes[taken:])
    if taken == len(together) and is_said and not asks and thread[0]:
        for place, piece in _pieces(state, thread[0], limits):
            if not (fits(piece) if isinstance(piece, str) else _fit(files, piece, limits)):
                break
            carries.append(place)
    if thread[0] in state.serving and size(notes.THREAD_HELP) + 2 <= room:  # by it `astray` knows what was quoted
        lines += ["", notes.THREAD_HELP]
    message = Outgoing((), files=tuple(files), thread=thread[0], title=thread[1] or notes.NO_THREAD)
    return e.Attempted(
        state.attempts + 1, settings.channel, settings.address, "\n".join(lines), len(carries), taken, asks=asks,
        carries=tuple(dict.fromkeys(carries)), message=message,
    )  # fmt: skip


def _first_thread(state: Agent) -> tuple[str, str]:
    if state.notes:
        return state.notes[0].thread
    if state.ask:
        return ("", "")
    first = state.blocks[0]
    served = state.serving[first.conversation]
    return first.conversation, notes.title(served.no, served.name, served.team)


def _together(waiting: list[Note], thread: tuple[str, str]) -> list[Note]:
    """The first notes, as far as they are about one conversation, under the number that it has."""
    end = next((i for i, one in enumerate(waiting) if one.thread != thread), len(waiting))
    return waiting[:end]


def _pieces(state: Agent, conversation: str, limits: Limits) -> list[tuple[tuple[str, int], str | Attachment]]:
    """What waits of the conversation, if it is the first that does."""
    waiting = [((one.conversation, one.seq), piece) for one in state.blocks for piece in pieces(one, limits)]
    waiting = waiting[state.part :]
    end = next((i for i, (place, _) in enumerate(waiting) if place[0] != conversation), len(waiting))
    return waiting[:end]


def _fit(files: list[Attachment], file: Attachment, limits: Limits) -> bool:
    """Whether the file goes along with those before it: together they are no more than one may be."""
    most = max(limit.max_bytes for limit in limits.files)
    if files and sum(one.size for one in files) + file.size > most:
        return False
    files.append(file)
    return True
