"""The pipeline: a visitor's text passes the rules before the conversation decides on it.

Only a text that will be stored is judged: repeats and jumps are refused first. The judgement is stored with the
event, with the version of the rules, so replaying the log never runs a rule again.
"""

from typing import Protocol

from hub.domain import conversation
from hub.domain.commands import AnyCommand, Origin, PostMessage, ReceiveMessage
from hub.domain.conversation import Conversation
from hub.domain.events import AnyEvent
from hub.domain.messages import Judgement


class Judge(Protocol):
    """The rule set in force (hub.rules)."""

    def judge(self, text: str, routed: bool) -> Judgement:
        """What the rules say of `text`; `routed`: a keyword has chosen the team already."""


class Pipeline:
    """`decide` of the conversation with the rules in front. `rules` is swapped whole when the files change."""

    def __init__(self, rules: Judge) -> None:
        self.rules = rules

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
        return conversation.decide(state, command, origin, now_ms)
