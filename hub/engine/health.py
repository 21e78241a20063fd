"""What is wrong with a worker, as its rooms know it: for the API, and for the other workers that ask."""

from collections.abc import Mapping
from dataclasses import dataclass

from hub.bus.room import Rooms
from hub.channels import guide
from hub.contract import Connector
from hub.engine.calls import ChannelHealth, Health
from hub.engine.ingest import Ingest
from hub.engine.partitions import Partitions
from hub.engine.pulls import Pulls
from hub.engine.router import Router
from hub.engine.stalls import Stalls


@dataclass(frozen=True)
class Condition:
    """The rooms of one worker that are asked how they are."""

    router: Router
    partitions: Partitions
    rooms: Rooms
    connectors: Mapping[str, Connector]
    ingest: Ingest
    stalls: Stalls
    pulls: Pulls

    def health(self) -> Health:
        """What is wrong here."""
        return Health(
            self.router.worker,
            self.router.refusing,
            self.partitions.failed,
            self.partitions.stopped,
            tuple(self.rooms.warnings),
            {name: self._channel(name) for name in self.connectors},
        )

    def _channel(self, name: str) -> ChannelHealth:
        counts = self.partitions.outlets[name].counts()
        # A connector tells why it cannot pull better than the exception that it raised.
        troubles = [counts.waits_because, self._says(name) or self.pulls.troubles.get(name, "")]
        return ChannelHealth(
            counts.verdicts,
            counts.faults + self.ingest.stumbled[name],
            self.stalls.counts[name],
            tuple(dict.fromkeys(trouble for trouble in troubles if trouble)),
            guide(self.connectors[name]),
            self.ingest.left_out[name],
        )

    def _says(self, name: str) -> str:
        try:
            return str(self.connectors[name].health())
        except Exception as error:  # a connector's fault is only its own
            return f"health() failed: {type(error).__name__}: {error}"
