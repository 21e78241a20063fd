"""Values that travel inside commands and events."""

from fnmatch import fnmatchcase
from typing import Literal

import msgspec

from hub.domain.text import Unit

Status = Literal["", "held", "blocked"]
"""Posted, held for a person to release, or blocked."""


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a visitor when the conversation opens. Every field is text that a stranger chose."""

    channel: str
    account: str = ""
    name: str = ""
    language: str = ""
    page: str = ""
    referrer: str = ""
    device: str = ""


class Judgement(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What the rules say of one text. It is stored with the event, so replaying never runs a rule again.

    `text` is what others may read (masked where the rules mask); `original` stands only where it differs.
    `team` is None when no keyword chose one. `because` names the rules that matched, `rules` their version.
    """

    text: str
    status: Status = ""
    original: str | None = None
    team: str | None = None
    priority: int = 0
    reply: str | None = None
    choices: tuple[str, ...] = ()
    """Answers that the visitor may pick, with the reply."""
    flags: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    rules: str = ""


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture or file of a message. It is kept beside the log (hub.bus.attachments); its bytes are not in here.

    While a platform still has to be asked for it, its `type` and `size` are what the platform says.
    """

    key: str
    """Where it is stored: <owner's entity id>.<digest of the content, or of the platform's name for it>."""
    name: str = ""
    """What people call it: one line without a path, its extension agrees with `type` (hub.media.sniff.clean_name)."""
    type: str = ""
    """Its media type by what the content is, not by what the sender says (hub.media.sniff.sniff)."""
    size: int = 0
    """Bytes."""
    source: str = ""
    """The platform's name for it, as long as it has not been fetched (then there is no key)."""


class FileLimit(msgspec.Struct, frozen=True):
    """A channel takes files of this media type (`image/*`: any image) up to `max_bytes`."""

    type: str
    max_bytes: int


class Limits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a channel takes for one recipient (hub.contract.Capabilities, which says what each field means).

    `threads`: an agent gets a text of one conversation, or of none, and what they answer to it is for that one.
    """

    max_text: int = 2048
    unit: Unit = "bytes"
    files: tuple[FileLimit, ...] = ()
    files_with_text: bool = False
    choices: int = 0
    notices: bool = False
    fold_ms: int = 0
    per_minute: int = 0
    per_hour: int = 0
    reply_within_ms: int = 0
    replies: int = 0
    resend_ms: int = 0
    """How long the platform recognises a repeat; 0: it does not."""
    edits_ms: int = 0
    recalls_ms: int = 0
    threads: bool = False


def takes(limits: Limits, file: Attachment) -> bool:
    """Whether the channel takes this file."""
    return any(fnmatchcase(file.type, limit.type) and file.size <= limit.max_bytes for limit in limits.files)


class Reach(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a visitor is reached who has no socket: their address on a channel, and what that takes.

    `thread` and `title` are the platform's for the whole conversation (a mail's first Message-ID, its subject).
    """

    channel: str
    address: str
    limits: Limits = Limits()
    thread: str = ""
    title: str = ""


class Rest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a message that goes after the one under way."""

    text: str = ""
    files: tuple[Attachment, ...] = ()
    choices: tuple[str, ...] = ()
    replaces: str = ""


class Outgoing(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt takes to a visitor beside its text: part `part` of `parts` of the messages `refs`.

    `by` is who wrote it, as visitors read it; `automatic`: nobody did. `thread` and `title` are as in Reach,
    `in_reply_to` is the platform's id of the visitor's last message. `rest` are the parts that follow.
    A change of a message that the visitor has `replaces` a receipt, a part each; `instead` is the whole new text, empty
    where it is taken back.
    """

    refs: tuple[int, ...]
    part: int = 1
    parts: int = 1
    files: tuple[Attachment, ...] = ()
    choices: tuple[str, ...] = ()
    by: str = ""
    automatic: bool = False
    thread: str = ""
    title: str = ""
    in_reply_to: str = ""
    rest: tuple[Rest, ...] = ()
    replaces: str = ""
    instead: str = ""


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one attempt takes to a visitor, cut to size."""

    text: str
    message: Outgoing
    at_ms: int = 0
    """Since when it waits for that; of one that does not wait it says nothing."""


class Wait(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a visitor who waits is told beside their position."""

    low_s: int = 0
    high_s: int = 0
    """It takes between so long and so long, most of the time; both 0: too little has been measured to say."""
    full: bool = False
    """More wait than the team's limit: their message is kept and answered later."""
    opens_at_ms: int = 0
    """When somebody will be on duty, Unix ms; 0: now, or nobody knows."""
    zone: str = ""
    """The team's time zone (IANA), for those who are told in writing; a page knows its visitor's own."""
    away: str = ""
    """How else to reach us, in Chinese,"""
    away_en: str = ""
    """and in English."""


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of a conversation on its way to an agent's phone: who said what, under which number."""

    conversation: str
    no: int
    seq: int
    name: str
    text: str
    files: tuple[Attachment, ...] = ()
    at_ms: int = 0
    """Since when it waits for that phone,"""
    place: int = 0
    """and its number among all that ever did. Of one that does not wait they say nothing."""
