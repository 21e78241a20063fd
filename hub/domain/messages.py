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


class Attachment(msgspec.Struct, frozen=True, omit_defaults=True):
    """A picture or file that is kept beside the log (hub.bus.attachments); its bytes are not in here."""

    key: str
    """Where it is stored: <owner's entity id>.<digest of the content>."""
    name: str
    """What people call it: one line without a path, its extension agrees with `type` (hub.media.sniff.clean_name)."""
    type: str
    """Its media type by what the content is, not by what the sender says (hub.media.sniff.sniff)."""
    size: int
    """Bytes."""


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


class Directory(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who can be named after @ in 转接: names and displays in lower case, of agents → entity id, of teams → name."""

    agents: dict[str, str] = {}
    teams: dict[str, str] = {}
    displays: dict[str, str] = {}
    """Of each team, what people read."""

    @classmethod
    def of(cls, teams: Teams) -> "Directory":
        """All agents and teams of these rules. A display that two of them bear names neither; a name always does."""
        return cls(
            _by_word([(agent.name, agent.display, agent.id) for agent in teams.agents]),
            _by_word([(team.name, team.display, team.name) for team in teams.teams]),
            {team.name: team.display for team in teams.teams},
        )


def _by_word(entries: list[tuple[str, str, str]]) -> dict[str, str]:
    displays = [display.lower() for _, display, _ in entries]
    words = {display.lower(): id_ for _, display, id_ in entries if displays.count(display.lower()) == 1}
    return words | {name.lower(): id_ for name, _, id_ in entries}
