"""What the bot is told: updates in their order, until they are confirmed or a day old. No I/O, `now` is in seconds.

As the server does it (Client.cpp, do_get_updates; td, TQueue.cpp): an offset confirms all that came before it, a
negative one keeps so many of the newest only, and one far ahead of all counts as none.
"""

from collections.abc import Callable, Sequence

import msgspec

from connectors.telegram.sandbox_answers import Json

KEPT_S = 24 * 3600
"""https://core.telegram.org/bots/api#getting-updates."""
AHEAD = 10
"""An offset further ahead of the last update is not believed (td, TQueue.cpp)."""
KINDS = ("message", "edited_message", "callback_query", "my_chat_member")
"""What the stand-in tells. None of them is among those that have to be asked for (Client.h, DEFAULT_ALLOWED_…)."""


class Update(msgspec.Struct, frozen=True):
    """Something that happened; `chat` is where. A webhook gets the updates of one chat one after the other."""

    id: int
    chat: int
    expires_at: float
    body: Json

    def json(self) -> Json:
        """As the bot gets it."""
        return {"update_id": self.id, **self.body}


class Updates:
    """The queue of one bot. Ids count up from `first_id`."""

    def __init__(self, first_id: int) -> None:
        self.allowed: frozenset[str] = frozenset(KINDS)
        self._waiting: dict[int, Update] = {}
        self._last_id = first_id

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, update: Update) -> bool:
        return update.id in self._waiting

    def allow(self, kinds: Sequence[str] | None) -> None:
        """allowed_updates: from now on only these; all where none of them is known; None changes nothing."""
        if kinds is not None:
            self.allowed = frozenset(KINDS).intersection(kinds) or frozenset(KINDS)

    def add(self, chat: int, kind: str, body: Json, now: float) -> Update | None:
        """Something happened; None where the bot does not want to be told."""
        if kind not in self.allowed:
            return None
        self._last_id += 1
        update = Update(self._last_id, chat, now + KEPT_S, {kind: body})
        self._waiting[update.id] = update
        return update

    def get(self, offset: int, limit: int, now: float) -> list[Update]:
        """What getUpdates gives."""
        self.expire(now)
        if offset < 0:
            self.keep_newest(-offset)
        elif offset <= self._last_id + AHEAD:
            self._keep(lambda update: update.id >= offset)
        return self.all()[:limit]

    def all(self) -> list[Update]:
        """What waits, in its order."""
        return list(self._waiting.values())

    def forget(self, update: Update) -> None:
        """A webhook took it."""
        self._waiting.pop(update.id, None)

    def keep_newest(self, count: int) -> None:
        """All others are dropped."""
        newest = set(list(self._waiting)[max(0, len(self) - count) :])
        self._keep(lambda update: update.id in newest)

    def expire(self, now: float) -> None:
        """What is a day old is lost."""
        self._keep(lambda update: update.expires_at > now)

    def _keep(self, which: Callable[[Update], bool]) -> None:
        self._waiting = {id_: update for id_, update in self._waiting.items() if which(update)}
