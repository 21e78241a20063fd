"""The pipeline: a text passes the rules before its entity decides on it.

Only a visitor's text that will be stored is judged: repeats and jumps are refused first. The judgement is stored with
the event, with the version of the rules, so replaying the log never runs a rule again. What an agent's text names is
looked up here too, so that no agent has to know everybody's names.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from hub.domain import agent, conversation
from hub.domain.agent import Agent
from hub.domain.agent.words import Said
from hub.domain.commands import AnyCommand, Origin, PostMessage, ReceiveMessage, ReceiveText, Tick
from hub.domain.conversation import Conversation
from hub.domain.events import AnyEvent, Reached
from hub.domain.messages import Judgement, Limits, Reach
from hub.domain.teams import Lookup

NO_LIMITS: Mapping[str, Limits] = {}


class Judge(Protocol):
    """The rule set in force (hub.rules)."""

    def judge(self, text: str, routed: bool, channel: str = "", who: str = "") -> Judgement:
        """What the rules say of `text`; `routed`: they have chosen the team already.

        `who` is the address on `channel` that it comes from, of a visitor with a socket the conversation's id.
        """


class Names(Protocol):
    """The names that agents may write (hub.engine.names)."""

    def lookup(self, said: Said, teams: Iterable[str]) -> Lookup | None:
        """What an agent of these `teams` names; None: it is no text that names anybody."""


class Pipeline:
    """`decide` of conversations and agents with the rules in front; `rules` and `names` are swapped whole.

    `limits` are those of the channels as they are now: what waits for a visitor is cut to these. Without `names` no
    text names anybody.
    """

    def __init__(self, rules: Judge, limits: Mapping[str, Limits] = NO_LIMITS, names: Names | None = None) -> None:
        self.rules, self._limits, self.names = rules, limits, names

    def decide(self, state: Conversation, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
        """As hub.domain.conversation.entity.decide."""
        if isinstance(command, PostMessage) and command.judgement is None:
            conversation.check_origin(state, origin)
            conversation.check_number(state, command.tab, command.n)
            channel = command.profile.channel
            judged = self.rules.judge(command.text, state.routed, channel, state.id)
            return conversation.post(state, command, judged)
        if isinstance(command, ReceiveMessage) and command.judgement is None:
            conversation.check_origin(state, origin)
            conversation.check_outside(state, command.outside_id)
            text = conversation.shown_text(command)
            reach = command.reach
            judged = self.rules.judge(text, state.routed, reach.channel, reach.address)
            return conversation.receive(state, command, judged)
        if isinstance(command, Tick) and (changed := self._new_reach(state)):
            return [Reached(changed)]
        return conversation.decide(state, command, origin, now_ms)

    def decide_agent(self, state: Agent, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
        """As hub.domain.agent.entity.decide."""
        if isinstance(command, ReceiveText) and command.lookup is None and self.names and state.settings:
            lookup = self.names.lookup(agent.understood(state, command), state.settings.teams)
            command = msgspec.structs.replace(command, lookup=lookup)
        return agent.decide(state, command, origin, now_ms)

    def _new_reach(self, state: Conversation) -> Reach | None:
        """Where the visitor is reached, with the channel's limits of now; None: those that the state knows."""
        if state.outbox is None:
            return None
        reach = state.outbox.reach
        limits = self._limits.get(reach.channel, reach.limits)
        return msgspec.structs.replace(reach, limits=limits) if limits != reach.limits else None
