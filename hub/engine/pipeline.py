"""The pipeline: a visitor's text passes the rules before the conversation decides on it.

Only a text that will be stored is judged: repeats and jumps are refused first. The judgement is stored with the
event, with the version of the rules, so replaying the log never runs a rule again.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from hub.domain import conversation
from hub.domain.commands import AnyCommand, Origin, PostMessage, ReceiveMessage, Tick
from hub.domain.conversation import Conversation
from hub.domain.events import AnyEvent, Reached
from hub.domain.messages import Judgement, Limits, Reach

NO_LIMITS: Mapping[str, Limits] = {}


class Judge(Protocol):
    """The rule set in force (hub.rules)."""

    def judge(self, text: str, routed: bool) -> Judgement:
        """What the rules say of `text`; `routed`: a keyword has chosen the team already."""


class Pipeline:
    """`decide` of the conversation with the rules in front. `rules` is swapped whole when the files change.

    `limits` are those of the channels as they are now: what waits for a visitor is cut to these.
    """

    def __init__(self, rules: Judge, limits: Mapping[str, Limits] = NO_LIMITS) -> None:
        self.rules, self._limits = rules, limits

    def decide(self, state: Conversation, command: AnyCommand, origin: Origin | None, now_ms: int) -> list[AnyEvent]:
        """As hub.domain.conversation.decide."""
        if isinstance(command, PostMessage) and command.judgement is None:
            conversation.check_origin(state, origin)
            conversation.check_number(state, command.tab, command.n)
            return conversation.post(state, command, self.rules.judge(command.text, state.routed))
        if isinstance(command, ReceiveMessage) and command.judgement is None:
            conversation.check_origin(state, origin)
            conversation.check_outside(state, command.outside_id)
            text = conversation.shown_text(command)
            return conversation.receive(state, command, self.rules.judge(text, state.routed))
        if isinstance(command, Tick) and (reach := self._new_reach(state)):
            return [Reached(reach)]
        return conversation.decide(state, command, origin, now_ms)

    def _new_reach(self, state: Conversation) -> Reach | None:
        """Where the visitor is reached, with the channel's limits of now; None: those that the state knows."""
        if state.outbox is None:
            return None
        reach = state.outbox.reach
        limits = self._limits.get(reach.channel, reach.limits)
        return msgspec.structs.replace(reach, limits=limits) if limits != reach.limits else None
