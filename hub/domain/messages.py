"""Values that travel inside commands and events."""

from typing import Literal

import msgspec

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


class Judgement(msgspec.Struct, frozen=True, omit_defaults=True):
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
    flags: tuple[str, ...] = ()
    because: tuple[str, ...] = ()
    rules: str = ""


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a conversation on its way to an agent's phone: who said what, under which number."""

    conversation: str
    no: int
    seq: int
    name: str
    text: str


class AgentSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent as rules/teams.yaml and their channel's capabilities describe them.

    `channel` is empty for an agent who has only a desk; else `address` is the agent's identity there (a WeCom
    userid) and the limits are the channel's: bytes a text, texts a minute and an hour, milliseconds of folding.
    """

    id: str
    """The agent's entity id."""
    name: str
    display: str
    teams: tuple[str, ...]
    capacity: int
    channel: str = ""
    address: str = ""
    max_text_bytes: int = 2048
    fold_ms: int = 3000
    per_minute: int = 25
    per_hour: int = 900
    resend_ms: int = 0
    """How long the platform recognises a repeated text (its duplicate check); 0: it does not."""


class Team(msgspec.Struct, frozen=True, omit_defaults=True):
    """A skill group."""

    name: str
    display: str


class Teams(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who answers, as of one version of the rules."""

    version: str
    default: str
    teams: tuple[Team, ...]
    agents: tuple[AgentSettings, ...]
