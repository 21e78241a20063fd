"""The hub's side of protocol v1 as a state machine: a frame in, what is to be done out. No I/O, no clock.

`Session.receive` answers an Action for the caller to carry out (sessions.py); what the engine then says goes through
`answered`, `paged` and `welcomed`, which make the frame for the client.
"""

from collections.abc import Callable, Set
from typing import Literal

import msgspec

from hub.domain.commands import AnswerMessage, AnyCommand, PostMessage
from hub.domain.conversation.state import WINDOW
from hub.domain.events import AnswerPosted, AnswerRefused, MessagePosted, Record
from hub.domain.ids import is_conversation
from hub.domain.messages import Attachment
from hub.domain.views import Audience
from hub.engine.calls import Denied, Outcome, Page
from hub.gateway import codes
from hub.gateway.codes import Code
from hub.gateway.frames import (
    MAX_TEXT_CHARS,
    PONG,
    VERSION,
    Ack,
    AgentWelcome,
    Fault,
    Hello,
    PageFrame,
    Ping,
    Range,
    Read,
    ReadSignal,
    Send,
    Typing,
    TypingSignal,
    Welcome,
    encode,
    error,
    parse,
)
from hub.gateway.tokens import Expired, Identity, Invalid, Visitor
from hub.media import links
from hub.media.links import Claim

ReadToken = Callable[[str], Identity]
"""Whose token it is; raises Expired or Invalid (tokens.py)."""
ReadClaim = Callable[[str], Claim]
"""What was uploaded; raises links.Expired or links.Invalid (hub.media)."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """Send this frame."""

    frame: bytes


class Close(msgspec.Struct, frozen=True, gc=False):
    """Close the socket. `reason` is for people."""

    code: Code
    reason: str


class Enter(msgspec.Struct, frozen=True, gc=False):
    """The hello was good: watch what the identity may see, then welcome it."""

    identity: Identity
    epoch: int
    seq: int
    seen: dict[str, int]


class Submit(msgspec.Struct, frozen=True, gc=False):
    """Have the command carried out; the outcome goes to `answered` with `id`."""

    entity: str
    command: AnyCommand
    id: str


class Fetch(msgspec.Struct, frozen=True, gc=False):
    """Ask for the page; it goes to `paged`."""

    entity: str
    audience: Audience
    after: int
    before: int


class Signal(msgspec.Struct, frozen=True, gc=False):
    """Hand the frame to the other side."""

    entity: str
    audience: Audience
    frame: bytes


Action = Reply | Close | Enter | Submit | Fetch | Signal


NONE: Set[str] = frozenset()
"""Python makes a new empty one at each call, and every visitor's session would keep its own."""


class Session:
    """What one socket has said so far, and who speaks."""

    __slots__ = ("identity", "phase", "serving", "waiting")

    def __init__(self) -> None:
        self.phase: Literal["new", "entering", "open", "closed"] = "new"
        self.identity: Identity | None = None
        self.serving: Set[str] = NONE
        """Of an agent: the conversations that are theirs; set by the caller, who learns of changes."""
        self.waiting = 0
        """Questions to the engine that it has not answered yet."""

    # --- what the client says ----------------------------------------------------------------------------------------

    def receive(self, data: bytes | bytearray, read_token: ReadToken, read_claim: ReadClaim) -> Action:
        """What is to be done about a text frame. Any bytes have an answer; after a Close nothing may follow."""
        frame = parse(data)
        if type(frame) is Send and self.identity is not None:  # nearly every frame is one of these
            return self._send(self.identity, frame, read_claim)
        match frame:
            case Fault(code=code, message=message, id=id_):
                return self.close(code, message) if code.way == "close" else Reply(error(code, message, id=id_))
            case Hello():
                return self._hello(frame, read_token)
        if self.identity is None:
            return self.close(codes.NOT_EXPECTED, "say hello first")
        match frame:
            case Send():
                return self._send(self.identity, frame, read_claim)
            case Ping():
                return Reply(PONG)
            case Range():
                return self._range(self.identity, frame)
            case Typing() | Read():
                return self._signal(self.identity, frame)

    def close(self, code: Code, reason: str = "") -> Close:
        """End the session from this side; without a `reason` the code's own meaning."""
        self.phase = "closed"
        return Close(code, reason or code.meaning)

    def _hello(self, frame: Hello, read_token: ReadToken) -> Action:
        if frame.v != VERSION:
            return self.close(codes.BAD_VERSION, f"this hub speaks version {VERSION}")
        if self.identity is not None:
            return self.close(codes.NOT_EXPECTED, "hello was said before")
        try:
            self.identity = read_token(frame.token)
        except Expired as refusal:
            return self.close(codes.TOKEN_EXPIRED, str(refusal))
        except Invalid as refusal:
            return self.close(codes.BAD_TOKEN, str(refusal))
        self.phase = "entering"
        return Enter(self.identity, frame.epoch, frame.seq, frame.seen)

    def _send(self, identity: Identity, frame: Send, read_claim: ReadClaim) -> Action:
        if len(frame.text) > MAX_TEXT_CHARS or not ((frame.text and not frame.text.isspace()) or frame.files):
            return Reply(
                error(codes.BAD_TEXT, f"a text has 1 to {MAX_TEXT_CHARS} characters, not only blanks", id=frame.id)
            )
        if self.waiting >= WINDOW:
            return Reply(error(codes.UNAVAILABLE, f"more than {WINDOW} frames wait for an answer", id=frame.id))
        files: tuple[Attachment, ...] = ()
        if frame.files:
            try:
                files = _claimed(identity, frame, read_claim)
            except (links.Expired, links.Invalid) as refusal:
                return Reply(error(codes.BAD_FIELD, f"`files`: {refusal}; upload it again", id=frame.id))
        tab, _, n = frame.id.partition(".")
        command: AnyCommand
        if isinstance(identity, Visitor):
            entity = identity.conversation
            command = PostMessage(tab, int(n), frame.text, identity.profile, None, files)
        elif not is_conversation(frame.c):
            return Reply(error(codes.BAD_FIELD, "`c` must name a conversation", id=frame.id))
        else:
            entity = frame.c  # whose it is the conversation says: what was stored before it was lost is a repeat
            command = AnswerMessage(identity.agent, frame.text, tab, int(n), files, seen=frame.seen)
        self.waiting += 1
        return Submit(entity, command, frame.id)

    def _range(self, identity: Identity, frame: Range) -> Action:
        entity = self._conversation(identity, frame.c)
        if entity is None:
            return Reply(error(codes.NOT_YOURS, c=frame.c))
        if self.waiting >= WINDOW:
            return Reply(error(codes.NO_HISTORY, f"more than {WINDOW} frames wait for an answer", c=entity))
        self.waiting += 1
        return Fetch(entity, audience_of(identity), frame.after, frame.before)

    def _signal(self, identity: Identity, frame: Typing | Read) -> Action:
        entity = self._conversation(identity, frame.c)
        if entity is None:
            return Reply(error(codes.NOT_YOURS, c=frame.c))
        by = audience_of(identity)
        other: Audience = "agent" if by == "visitor" else "visitor"
        signal = TypingSignal(entity, by, frame.on) if isinstance(frame, Typing) else ReadSignal(entity, by, frame.seq)
        return Signal(entity, other, encode(signal))

    def _conversation(self, identity: Identity, named: str) -> str | None:
        """The conversation a frame is about, or None where it is not for this identity."""
        if isinstance(identity, Visitor):
            return identity.conversation
        return named if named in self.serving else None

    # --- what the engine answers -------------------------------------------------------------------------------------

    def welcomed(self, page: Page) -> bytes:
        """The welcome: the first frame that the client gets."""
        self.phase = "open"
        if isinstance(self.identity, Visitor):
            return encode(
                Welcome(VERSION, page.entity, page.epoch, page.seq, page.resumed, page.frames, WINDOW, page.tabs)
            )
        return encode(AgentWelcome(VERSION, page.entity, page.epoch, WINDOW, page.serving))

    def answered(self, id: str, entity: str, outcome: Outcome) -> bytes:
        """The ack of the message `id`, or the error that says what to do with it."""
        self.waiting -= 1
        if outcome.denied is not None:
            return _denied(outcome.denied, id, entity)
        for record in outcome.records:
            event = record.event
            if isinstance(event, (MessagePosted, AnswerPosted)) and event.id == id:
                return self._ack(record, event)
            if isinstance(event, AnswerRefused):
                return error(codes.NOT_YOURS, event.because, id=id, c=entity)
        return error(codes.UNAVAILABLE, id=id, c=entity)

    def paged(self, entity: str, after: int, before: int, page: Page | Denied) -> bytes:
        """The answer to a range."""
        self.waiting -= 1
        if isinstance(page, Denied):
            return error(codes.NO_HISTORY, page.message, c=entity)
        return encode(PageFrame(entity, after, before, page.frames, page.more))

    def _ack(self, record: Record, event: MessagePosted | AnswerPosted) -> bytes:
        if isinstance(event, AnswerPosted):
            return encode(Ack(event.id, record.entity, record.seq, record.seq - 1, record.at_ms))
        masked = event.text if event.original is not None and not event.status else ""
        return encode(Ack(event.id, record.entity, record.seq, record.prev, record.at_ms, event.status, masked))


def audience_of(identity: Identity) -> Audience:
    """Which frames of a conversation the identity may see."""
    return "visitor" if isinstance(identity, Visitor) else "agent"


def _claimed(identity: Identity, frame: Send, read_claim: ReadClaim) -> tuple[Attachment, ...]:
    """What was uploaded for this message. Raises links.Invalid, also for what another has uploaded, or Expired."""
    uploader = (identity.conversation, "visitor") if isinstance(identity, Visitor) else (frame.c, identity.agent)
    claims = [read_claim(text) for text in frame.files]
    if any((claim.conversation, claim.by) != uploader for claim in claims):
        raise links.Invalid("a file was uploaded for another conversation, or by somebody else")
    return tuple(claim.attachment for claim in claims)


def first_page(page: Page, after: int) -> bytes:
    """An agent's first page of a conversation: what they lack after `after`."""
    since = after if page.resumed else 0
    return encode(PageFrame(page.entity, since, page.seq + 1, page.frames, page.more, page.resumed))


def _denied(denied: Denied, id: str, entity: str) -> bytes:
    match denied.code:
        case "repeated":
            return encode(Ack(id, entity, denied.seq))
        case "resend":
            return error(codes.HOLE, denied.message, id=id, c=entity, resend_from=denied.resend_from)
        case "unknown_tab":
            return error(codes.FORGOTTEN_TAB, denied.message, id=id, c=entity, seq=denied.seq)
        case "not_yours" | "not_found":
            return error(codes.NOT_YOURS, denied.message, id=id, c=entity)
        case "refused":
            return error(codes.BAD_FIELD, denied.message, id=id, c=entity)
    # No owner, or an entity that takes nothing until somebody has looked at it: the message is to be kept.
    return error(codes.UNAVAILABLE, denied.message, id=id, c=entity)
