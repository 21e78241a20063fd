"""The queue entity: who waits, who has how many, who gets it, and the numbers `#n`. One for the whole hub.

state.py is what it knows, image.py what an image holds of it, entity.py decides, evolving.py plays events; the rest are
parts of these.
"""

from hub.domain.queue.entity import decide, new, next_due, reactions
from hub.domain.queue.evolving import evolve
from hub.domain.queue.image import kept, rebuilt
from hub.domain.queue.state import Kept, Queue

__all__ = ["Kept", "Queue", "decide", "evolve", "kept", "new", "next_due", "reactions", "rebuilt"]
