"""One nats-server of a cluster: as a person has configured it, with what keeps the hub's promises added."""

import json
import os
import re
from pathlib import Path

from hub.bus.log import CURE
from hub.bus.server import SILENT, UNLOADED, EmbeddedServer
from hub.errors import BusError

FROZEN = re.compile("write error|not enabled", re.IGNORECASE)
"""Of what /healthz may say: after a full disk a stream, or all of JetStream, stays as it is until a restart."""


class ClusterServer(EmbeddedServer):
    """A nats-server that joins others. The file `config` says its name, its addresses, who may come in, and its routes.

    The store, its sync and the monitoring that the hub watches it by are the hub's own, whatever the file says.
    """

    alone = False
    cure = f"{CURE}; or, if the other servers are whole, move the folder store aside and start: it catches up from them"

    def __init__(self, data_dir: Path, config: Path, url: str) -> None:
        super().__init__(data_dir)
        self._file, self._cluster_url = config, url

    @property
    def url(self) -> str:
        """Where clients find the cluster, with the secret in it. Do not log it."""
        return self._cluster_url

    async def trouble(self) -> str:
        """What is wrong with this server itself, in words; not what it complains of while others are away."""
        said = await self.healthz()
        own = not self.alive or said.startswith(SILENT) or FROZEN.search(said) or UNLOADED.search(said)
        return said if own else ""

    def _config(self) -> str:
        if not self._file.is_file():
            raise BusError(f"{self._file}: no such file; name this server's configuration with --config")
        # A file that is included is looked for beside the one that includes it.
        return f"include {json.dumps(os.path.relpath(self._file, self.data_dir))}\n"
