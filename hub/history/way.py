"""The way of one message through the hub, as the events of all that had to do with it tell it.

Whoever has the message knows its conversation and seq; what the queue and the agents did about it is found by time.
"""

from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from hub.domain import events as e
from hub.domain.events import Record
from hub.domain.ids import AGENT, QUEUE_ID, is_conversation, kind_of
from hub.domain.messages import Block
from hub.history.queries import END, History

MOST = 1_000
"""So many events of each entity are looked through."""
SKEW_MS = 5_000
"""The clocks of a hub's machines may differ by so much."""


class Way(NamedTuple):
    """The events in the order of time. `complete`: nothing of it can lie beyond what was looked through."""

    records: list[Record]
    complete: bool


async def follow(history: History, entity: str, seq: int) -> Way | None:
    """The way of the message that is event `seq` of a conversation, or of an agent who wrote it on their phone.

    None: there is no such event. Reads at most MOST events of each entity that it touches, about 10 more to find where
    to begin, and the queue's twice. Raises HistoryAway.
    """
    found = await history.records(entity, seq, seq, 1)
    if not found:
        return None
    if kind_of(entity) == AGENT:
        return await _from_text(history, found[0])
    if not is_conversation(entity):
        return Way(found, complete=True)
    return await _through(history, found[0])


async def _through(history: History, message: Record, meant: Sequence[Record] = ()) -> Way:
    """`meant`: what was decided with the text that became this message.

    Causes stand before the message and effects after it, even where one worker's clock is a little ahead of another's.
    """
    after = await history.records(message.entity, message.seq, END, MOST)
    origin = await _origin(history, message) if isinstance(message.event, e.AnswerPosted) else []
    told = consequences(after)
    before, decided = await _queue(history, message, sum(isinstance(one.event, e.Assigned) for one in told))
    typed = {record.seq: record for record in (*origin, *meant)}
    causes = [*before, *(typed[seq] for seq in sorted(typed))]
    effects, complete = [*told[1:], *decided], len(after) < MOST
    for agent in dict.fromkeys(shown_to(after)):
        since = await _since(history, agent, message.at_ms)
        effects += on_phone(since, message.entity, message.seq)
        complete = complete and len(since) < MOST
    return Way([*_in_time(causes), message, *_in_time(effects)], complete)


async def _from_text(history: History, text: Record) -> Way:
    """Of an agent's text: what it meant, and where it is an answer, the way of that."""
    after = await history.records(text.entity, text.seq, END, MOST)
    meant = [text, *takewhile(lambda record: _is_meant(record, text), after[1:])]
    chosen = _chosen(meant, after)
    if chosen is not None and isinstance(chosen.event, e.AnswerChosen):
        for answer in await _since(history, chosen.event.conversation, chosen.at_ms):
            event = answer.event
            if isinstance(event, e.AnswerPosted) and (event.agent, event.text) == (text.entity, chosen.event.text):
                return await _through(history, answer, meant)
    return Way(meant, complete=True)


def _is_meant(record: Record, text: Record) -> bool:
    """Whether the event was decided with the text: a moment later it is something else that happens to the agent."""
    return record.at_ms == text.at_ms and not isinstance(record.event, e.TextReceived)


def _chosen(meant: Sequence[Record], after: Sequence[Record]) -> Record | None:
    """Where it became clear whom the text answers: at once, or later for one that was held."""
    held = {record.event.text for record in meant if isinstance(record.event, e.TextHeld)}
    for record in after:
        event = record.event
        if isinstance(event, e.AnswerChosen) and (record in meant or (event.held and event.text in held)):
            return record
    return None


async def _since(history: History, entity: str, at_ms: int) -> list[Record]:
    return await history.records(entity, await history.seq_at(entity, at_ms - SKEW_MS), END, MOST)


async def _origin(history: History, answer: Record) -> list[Record]:
    """What an agent typed on their phone to give this answer; nothing where they gave it at a desk."""
    assert isinstance(answer.event, e.AnswerPosted)
    agent, text = answer.event.agent, answer.event.text
    behind = await history.seq_at(agent, answer.at_ms + SKEW_MS)
    typed = await history.records(agent, max(1, behind - MOST), behind - 1, MOST)
    sought: tuple[type, ...] = (e.AnswerChosen,)
    origin: list[Record] = []
    for record in reversed(typed):
        event = record.event
        if not isinstance(event, sought):
            continue
        if isinstance(event, e.AnswerChosen):
            if (event.conversation, event.text) != (answer.entity, text) or record.at_ms > answer.at_ms + SKEW_MS:
                continue
            sought = (e.TextHeld,) if event.held else (e.TextReceived,)
        elif isinstance(event, e.TextHeld):
            if event.text != text:
                continue
            sought = (e.TextReceived,)
        origin.insert(0, record)
        if isinstance(event, e.TextReceived):
            break
    return origin


async def _queue(history: History, message: Record, choices: int) -> tuple[list[Record], list[Record]]:
    """The queue's last word on the conversation before the message, and what it decided after it.

    That is followed up to the first choice, or as far as `choices` that the message has seen.
    """
    at = await history.seq_at(QUEUE_ID, message.at_ms - SKEW_MS)
    before = await history.records(QUEUE_ID, max(1, at - MOST), at - 1, MOST)
    earlier = [record for record in before if _is_of(record, message.entity)]
    decided: list[Record] = []
    for record in await history.records(QUEUE_ID, at, END, MOST):
        if not _is_of(record, message.entity):
            continue
        if not decided and _is_earlier(record, message):
            earlier.append(record)
            continue
        decided.append(record)
        choices -= isinstance(record.event, e.Chosen)
        if isinstance(record.event, e.Left) or (isinstance(record.event, e.Chosen) and choices <= 0):
            break
    return earlier[-1:], decided


def _is_earlier(record: Record, message: Record) -> bool:
    """Whether the queue's decision follows from what was before the message: by what asked for it, else by the time."""
    asked = getattr(record.event, "asked", 0)
    return asked <= message.seq if asked else record.at_ms < message.at_ms


def _is_of(record: Record, conversation: str) -> bool:
    return getattr(record.event, "conversation", "") == conversation


# --- which events tell of it -----------------------------------------------------------------------------------------


def consequences(after: Sequence[Record]) -> list[Record]:
    """The message, which is the first of `after`, and what the conversation's later events say of it."""
    message, told, numbers = after[0], [after[0]], set[int]()
    waits, handling = False, _handling(after)
    for record in after[1:]:
        event = record.event
        match event:
            case _ if record.seq in handling:
                waits = waits or isinstance(event, e.Returned | e.Transferred)
                told.append(record)
            case e.AutoReplied() | e.QueueJoined() if record.at_ms == message.at_ms:  # the same decision
                waits = waits or isinstance(event, e.QueueJoined)
                told.append(record)
            case e.WaitTold() if waits:
                told.append(record)
            case e.Assigned(backlog=backlog) if waits or message.seq in _seqs(backlog):
                waits = False
                told.append(record)
            case e.PhoneSet(backlog=backlog) if message.seq in _seqs(backlog):
                told.append(record)
            case (
                e.MessageReleased(ref=ref)
                | e.MessageRejected(ref=ref)
                | e.MessageEdited(ref=ref)
                | e.ChangeBegun(ref=ref)
                | e.MessageCorrected(ref=ref)
                | e.MessageRecalled(ref=ref)
            ):
                told += [record] if ref == message.seq else []
            case _:
                told += [record] if _carries_on(event, message.seq, numbers) else []
    return told


def _handling(after: Sequence[Record]) -> set[int]:
    """What was done about the visitor's message that is the first, until it was answered; about an answer, what came of
    the silence after it. The seqs of these events.
    """
    done: tuple[type, ...]
    ends: tuple[type, ...]
    match after[0].event:
        case e.MessagePosted():
            done = (e.Accepted, e.Reminded, e.Returned, e.Transferred, e.HoldSet, e.NoteWritten, e.Closed)
            ends = (e.AnswerPosted, e.Closed)
        case e.AnswerPosted():
            done, ends = (e.Nudged, e.Closed), (e.MessagePosted, e.AnswerPosted, e.Closed)
        case _:
            return set()
    until = next((n for n, record in enumerate(after[1:], 2) if isinstance(record.event, ends)), len(after))
    return {record.seq for record in after[1:until] if isinstance(record.event, done)}


def _carries_on(event: e.AnyEvent, seq: int, numbers: set[int]) -> bool:
    """Whether the event tells of an attempt that takes the message to the visitor; notes the attempt's number."""
    outgoing = getattr(event, "message", None)
    if outgoing is not None and seq in outgoing.refs:
        numbers.add(event.attempt)  # type: ignore[union-attr]
    return getattr(event, "attempt", 0) in numbers


def shown_to(after: Iterable[Record]) -> Iterable[str]:
    """The agents on whose phones a message before these events may have been shown."""
    for record in after:
        match record.event:
            case e.MessagePosted(to=agent) | e.MessageEdited(to=agent) | e.MessageReleased(to=agent) if agent:
                yield agent
            case e.Assigned(agent=agent, phone=True) | e.PhoneSet(agent=agent, on=True):
                yield agent


def on_phone(records: Iterable[Record], conversation: str, seq: int) -> list[Record]:
    """What an agent's events say of the message: that it waits, each try to show it, and what became of that."""
    told: list[Record] = []
    texts: dict[int, str] = {}
    """Of the attempts that took it along."""
    again: list[str] = []
    for record in records:
        match record.event:
            case e.BlocksWaiting(blocks=blocks):
                told += [record] if (conversation, seq) in {(one.conversation, one.seq) for one in blocks} else []
            case e.Attempted(attempt=attempt, carries=carries, text=text):
                # A dead letter goes again as a note, and its attempt does not say what it carries.
                if (conversation, seq) in carries or any(letter in text for letter in again):
                    texts[attempt] = text
                    told.append(record)
            case e.DeliveryRetried(attempt=attempt) if attempt in texts:
                again.append(texts[attempt])
                told.append(record)
            case event if getattr(event, "attempt", 0) in texts:
                told.append(record)
    return told


def _in_time(records: Iterable[Record]) -> list[Record]:
    return sorted(records, key=lambda record: record.at_ms)


def _seqs(blocks: Iterable[Block]) -> set[int]:
    return {block.seq for block in blocks}
