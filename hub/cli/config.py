"""The `--config` option that commands share."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Config = Annotated[Path, Parameter(name="--config", env_var="HUB_CONFIG")]
DEFAULT = Path("config/hub.yaml")
