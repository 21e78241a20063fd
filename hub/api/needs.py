"""What the API needs of the worker that runs it."""

import dataclasses
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from hub.api.once import Once
from hub.bus.access import SharedAccess
from hub.bus.attachments import Attachments
from hub.bus.passwords import Passwords
from hub.contract import Connector, Parsed, Raw
from hub.domain.messages import Profile
from hub.domain.teams import Teams
from hub.engine.calls import Calls, Health, Replayed
from hub.gateway.tokens import Tokens
from hub.history.queries import History
from hub.settings import Media


@dataclasses.dataclass(frozen=True)
class Needs:
    """Values and functions, each asked anew for every request, so that rules may change behind them."""

    calls: Calls
    tokens: Tokens
    connectors: Mapping[str, Connector]
    """By channel."""
    is_admin: Callable[[str], bool]
    """Whether this is the admin token; takes the same time for any wrong one."""
    access: SharedAccess
    """Integration tokens, and agents' generations."""
    passwords: Passwords
    """Agents'."""
    once: Once
    """What requests with an Idempotency-Key have led to."""
    teams: Callable[[], Teams]
    """Who answers, as rules/teams.yaml has it now."""
    replies: Callable[[Iterable[str]], Mapping[str, str]]
    """The quick replies of an agent of these teams, by name."""
    new_conversation_id: Callable[[], str]
    profile: Callable[[bytes, str], Profile] | None
    """What is known of a visitor, from the body of the mint request and the User-Agent; ValueError: what is wrong.

    None: no channel for visitors' pages is on.
    """
    allows: Callable[[str, str], bool]
    """Whether a page of this Origin may talk to the hub, whose own origin is the second one."""
    agent_id: Callable[[str], str | None]
    """The entity id of the agent with this name in teams.yaml, or None."""
    take: Callable[[str, Parsed, Raw], Awaitable[None]]
    """Return when all that a channel's connector has made of a request is safe. Raises SpoolFull."""
    stumbled: Callable[[str], None]
    """Count a request that the channel's connector could not even refuse."""
    history: History
    """What people ask; where the events are that nobody has in memory."""
    replay: Callable[[str, str], Awaitable[Replayed]]
    """Let a channel's connector read a raw input again, and carry out what it means."""
    health: Callable[[], Health]
    """What is wrong with the worker."""
    attachments: Attachments
    """Where files are kept."""
    signing_key: bytes
    """Signs the links to files (hub.media.links)."""
    media: Media
    """Which files are taken, and how many."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose X-Forwarded-For is believed."""
    tokens_per_minute: float = 30
    """So many visitor tokens one client address gets from this worker …"""
    tokens_burst: float = 60
    """… and so many at once: a school or an office may stand behind one address."""
    now_s: Callable[[], float] = time.time

    def now_ms(self) -> int:
        """The same in Unix milliseconds."""
        return int(self.now_s() * 1000)
