"""Commands to the queue."""

from hub.domain.commands.base import Command
from hub.domain.teams import Teams


class ChangeTeams(Command, frozen=True):
    """rules/teams.yaml has a new version.

    One event takes only so many agents along; send the command again until it leads to no event any more.
    """

    teams: Teams


class Enqueue(Command, frozen=True):
    """A conversation needs an agent of `team`. `agent`: this one, if it can be (a transfer to a person)."""

    conversation: str
    team: str
    priority: int
    agent: str = ""
    avoid: str = ""
    """An agent who gets it only if nobody else can: they just gave it away."""
    channel: str = ""
    language: str = ""
    name: str = ""
    """The visitor's."""
    last: str = ""
    """Who served the visitor before, by entity id."""
    last_ms: int = 0
    """When that ended."""
    missed: bool = False
    """`avoid` had it, and let the time to accept or to answer pass: it is not given to them again at once."""
    asked: int = 0
    """The conversation's seq with which it asks: a choice made for an earlier one does not count there. 0: not said."""


class Take(Command, frozen=True):
    """An agent wants what waits under number `no`, or this conversation; or with neither the next in their lines.

    However many they have already: it is they who decide that.
    """

    agent: str
    no: int = 0
    conversation: str = ""


class ListWaiting(Command, frozen=True):
    """An agent wants to know who waits in the lines of their teams."""

    agent: str


class Leave(Command, frozen=True):
    """A conversation is closed: it waits no more and counts for nobody. Its number rests for 7 days."""

    conversation: str


class SetDuty(Command, frozen=True):
    """To the queue from the agent entity; and to the agent entity from the API."""

    agent: str
    on: bool
    because: str = ""


QueueCommand = ChangeTeams | Enqueue | Take | ListWaiting | Leave | SetDuty
