"""The queue entity: who waits, who has how many, who gets it, and the numbers `#n`. One for the whole hub.

state.py is what it knows, entity.py decides, evolving.py plays events; the rest are parts of these.
"""

from hub.domain.queue.arranging import laid_out
from hub.domain.queue.entity import decide, new, next_due, reactions
from hub.domain.queue.evolving import evolve
from hub.domain.queue.state import Queue, copied

__all__ = ["Queue", "copied", "decide", "evolve", "laid_out", "new", "next_due", "reactions"]
