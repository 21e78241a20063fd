"""The conversation entity: one thread of one visitor on one channel, closed and reopened, never replaced.

state.py is what is known of one and plays events, entity.py decides; the rest are parts of these.
"""

from hub.domain.conversation.entity import (
    check_number,
    check_origin,
    check_outside,
    decide,
    new,
    next_due,
    post,
    receive,
    resume,
    sets_clock,
    shown_text,
)
from hub.domain.conversation.reacting import reactions
from hub.domain.conversation.state import Conversation, evolve
from hub.domain.conversation.waiting import leaves, queued

__all__ = [
    "Conversation",
    "check_number",
    "check_origin",
    "check_outside",
    "decide",
    "evolve",
    "leaves",
    "new",
    "next_due",
    "post",
    "queued",
    "reactions",
    "receive",
    "resume",
    "sets_clock",
    "shown_text",
]
