"""The agent entity: their duty, whom their texts are for, and what waits for them on their ways.

state.py is what is known of one, entity.py decides, evolving.py plays events; the rest are parts of these.
"""

from hub.domain.agent.delivery import resume
from hub.domain.agent.entity import decide, new, next_due, reactions
from hub.domain.agent.evolving import evolve
from hub.domain.agent.state import Agent
from hub.domain.agent.typed import understood
from hub.domain.agent.waiting import leaves, queued

__all__ = [
    "Agent", "decide", "evolve", "leaves", "new", "next_due", "queued", "reactions", "resume", "understood",
]  # fmt: skip
