"""`make cluster`: what docker-compose.cluster.yml describes, on this machine, until Ctrl-C."""

import argparse
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path

import yaml

from connectors.wecom.sandbox import SANDBOX
from tests.cluster.cluster import HUBS, Cluster
from tests.cluster.description import ROOT
from tests.cluster.installed import missing

NET = "127.77.0"
STAND_IN_PORT = 8090
"""Where `hub demo --script --url` plays the agents' platform."""
CAPACITY = 200


def main() -> None:
    """Start it, say where everything is, and stop it in order."""
    arguments = argparse.ArgumentParser(prog="make cluster", description=__doc__)
    arguments.add_argument("--data", type=Path, help="keep logs and data in this folder, instead of a temporary one")
    told = arguments.parse_args()
    if reason := missing():
        sys.exit(reason)
    asked = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asked.set())
    with tempfile.TemporaryDirectory(prefix="hub-cluster-") as temporary:
        folder: Path = (told.data or Path(temporary)).absolute()
        with Cluster(
            folder, net=NET, rules=roomy_rules(folder), environment=stand_in_settings(STAND_IN_PORT)
        ) as cluster:
            print(f"chat page    {cluster.url}/chat")
            for name in HUBS:
                print(f"{name}        {cluster.node_url(name)}, log {cluster[name].log}")
            print(f"admin token  {cluster.admin_token}")
            print(f"try it       .venv/bin/hub demo --script --url {cluster.url}")
            print("Ctrl-C stops everything", flush=True)
            asked.wait()
            print("stopping", flush=True)


def roomy_rules(folder: Path) -> Path:
    """The rules of this checkout, with agents that have room for all the demo's visitors."""
    rules = folder / "rules"
    shutil.rmtree(rules, ignore_errors=True)
    shutil.copytree(ROOT / "rules", rules)
    file = rules / "teams.yaml"
    teams = yaml.safe_load(file.read_text(encoding="utf-8"))
    for agent in teams["agents"].values():
        agent["capacity"] = CAPACITY
    file.write_text(yaml.safe_dump(teams, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return rules


def stand_in_settings(port: int) -> dict[str, str]:
    """A hub node's variables: agents on the stand-in for WeCom; all of the demo's visitors have one address."""
    settings = SANDBOX({}).settings() | {"base_url": f"http://127.0.0.1:{port}"}
    channel = {f"HUB_CHANNELS__WECOM__{name.upper()}": str(value) for name, value in settings.items()}
    return {"HUB_VISITORS_PER_MINUTE": "10000", **channel}


if __name__ == "__main__":
    main()
