"""The compose files have the form that Docker wants, by the schema that the linter dclint carries (npm)."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cluster.description import Description

ROOT = Path(__file__).parent.parent.parent
FILES = ("docker-compose.yml", "docker-compose.cluster.yml")


def misformed(file: Path) -> list[str]:
    """What the schema does not allow."""
    program = os.environ.get("DCLINT") or shutil.which("dclint")
    if program is None:
        pytest.skip("dclint is not installed: npm install --global dclint")
    done = subprocess.run([program, "--formatter", "json", file], capture_output=True, text=True, check=False, cwd=ROOT)
    (report,) = json.loads(done.stdout)
    return [found["message"] for found in report["messages"] if found["rule"] == "invalid-schema"]


@pytest.mark.parametrize("name", FILES)
def test_a_compose_file_follows_the_schema(name: str) -> None:
    assert misformed(ROOT / name) == []


def test_a_misspelt_key_is_found(tmp_path: Path) -> None:
    wrong = (ROOT / FILES[1]).read_text(encoding="utf-8").replace("    command:", "    comand:")
    (tmp_path / "docker-compose.yml").write_text(wrong, encoding="utf-8")
    assert misformed(tmp_path / "docker-compose.yml")


def test_what_runs_without_docker_is_what_the_file_describes(tmp_path: Path) -> None:
    description = Description(tmp_path, "127.9.9", {"NATS_TOKEN": "1abc", "POSTGRES_PASSWORD": "2def"})
    services = {one.name: one for one in description.services()}
    names = list(services)
    assert names.index("balancer") > max(names.index(name) for name in names if name.startswith("hub-"))
    node, server = services["hub-2"], services["nats-3"]
    assert node.command == ("hub", "up")
    assert node.environment["HUB_LISTEN"] == "127.9.9.32:8080"
    assert node.environment["HUB_TRUSTED_PROXIES"] == "127.9.9.0/24"
    servers = "nats://1abc@127.9.9.11:4222,nats://1abc@127.9.9.12:4222,nats://1abc@127.9.9.13:4222"
    assert {node.environment["HUB_NATS__URL"], server.environment["HUB_NATS__URL"]} == {servers}
    assert node.environment["HUB_HISTORY__URL"] == "postgresql://postgres:2def@127.9.9.20:5432/postgres"
    assert node.environment["HUB_DATA"] == str(tmp_path / "hub-2" / "data")
    assert server.environment["NATS_NAME"] == "nats-3"
    assert server.command[-2:] == ("--data", str(tmp_path / "nats-3" / "data"))
    configuration = Path(server.command[server.command.index("--config") + 1]).read_text(encoding="utf-8")
    assert 'listen: "127.9.9.13:6222"' in configuration
    balancer = Path(services["balancer"].command[-1]).read_text(encoding="utf-8")
    assert "server hub-3 127.9.9.33:8080" in balancer
