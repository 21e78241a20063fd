"""Channels are found by name, and a connector that promises what cannot be is named with its fault."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
import pytest

from hub.channels import faults, guide, load_connectors
from hub.contract import Capabilities, Connector, Delivery, Route, Sent, Verdict
from hub.errors import SettingsError
from hub.settings import Settings, load


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path("hub.yaml")


def load_text(file: Path, text: str, **environ: str) -> Settings:
    file.write_text(text, encoding="utf-8")
    return load(file, environ)


class Account(pydantic.BaseModel):
    """Settings inside a connector's own."""

    name: str


class PigeonSettings(pydantic.BaseModel):
    """Says nothing about unknown keys: the hub refuses them all the same."""

    loft: Account
    secret: pydantic.SecretStr
    rings: int = 1


class Pigeon(Connector):
    """A channel for these tests."""

    Settings = PigeonSettings
    can = Capabilities(role="visitor")

    async def deliver(self, delivery: Delivery) -> Verdict:
        return Sent()


READS: dict[str, Any] = {"parse": lambda *_: None, "verify": lambda *_: None}


@pytest.fixture
def pigeon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder `connectors` that has one channel; its module is this one's class."""
    import connectors

    folder = tmp_path / "connectors" / "pigeon"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "connector.py").write_text("import builtins\nCONNECTOR = builtins.Pigeon\n")
    monkeypatch.setattr("builtins.Pigeon", Pigeon, raising=False)
    monkeypatch.setattr(connectors, "__path__", [str(folder.parent)])
    yield
    for name in ("connectors.pigeon", "connectors.pigeon.connector"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("pigeon")
def test_a_connector_gets_its_own_settings(file: Path) -> None:
    found = load_text(file, "channels:\n  pigeon: {loft: {name: a}, secret: s}\n", HUB_CHANNELS__PIGEON__RINGS="3")
    (connector,) = load_connectors(found).values()
    assert isinstance(connector, Pigeon)
    assert connector.settings == PigeonSettings(loft=Account(name="a"), secret=pydantic.SecretStr("s"), rings=3)


@pytest.mark.usefixtures("pigeon")
@pytest.mark.parametrize(
    ("text", "environ", "said"),
    [
        ("channels:\n  pigoen:\n", {}, 'hub.yaml:2: channels.pigoen: no such channel, did you mean "pigeon"?'),
        ("channels:\n  fax:\n", {}, "hub.yaml:2: channels.fax: no such channel; there are pigeon"),
        ("channels:\n  pigeon:\n    secret: s\n", {}, "hub.yaml:2: channels.pigeon.loft: must be set"),
        ("channels:\n  pigeon:\n    secret: s\n    loft:\n      nam: a\n      name: a\n", {},
         'hub.yaml:5: channels.pigeon.loft.nam: unknown setting, did you mean "name"?'),
        ("channels:\n  pigeon:\n    loft: {name: a}\n    secret: s\n    ring: 3\n", {},
         'hub.yaml:5: channels.pigeon.ring: unknown setting, did you mean "rings"?'),
        ("channels:\n  pigeon:\n    loft: {name: a}\n    secret: [s]\n", {},
         "hub.yaml:4: channels.pigeon.secret: input should be a valid string"),
        ("channels:\n  pigeon: {loft: {name: a}, secret: s}\n", {"HUB_CHANNELS__PIGEON__RINGS": "x"},
         "HUB_CHANNELS__PIGEON__RINGS: channels.pigeon.rings: input should be a valid integer, unable to parse string"
         " as an integer"),
    ],
)  # fmt: skip
def test_what_a_connector_does_not_take_is_named(file: Path, text: str, environ: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_connectors(load_text(file, text, **environ))
    assert str(refused.value) == said


@pytest.mark.usefixtures("pigeon")
def test_two_accounts_on_one_platform_are_two_channels(file: Path) -> None:
    text = (
        "channels:\n  north: {connector: pigeon, loft: {name: n}, secret: s}\n  pigeon: {loft: {name: s}, secret: s}\n"
    )
    found = load_connectors(load_text(file, text))
    assert {name: connector.settings.loft.name for name, connector in found.items()} == {"north": "n", "pigeon": "s"}  # type: ignore[attr-defined]


@pytest.mark.usefixtures("pigeon")
def test_what_a_channel_of_another_name_does_not_take_is_named_too(file: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        load_connectors(load_text(file, "channels:\n  north:\n    connector: pigeon\n    loft: {name: n}\n"))
    assert str(refused.value) == "hub.yaml:2: channels.north.secret: must be set"


@pytest.mark.usefixtures("pigeon")
def test_settings_from_another_process_still_load_connectors() -> None:
    with pytest.raises(SettingsError, match=r"channels\.pigeon\.secret: must be set"):
        load_connectors(Settings(channels={"pigeon": {"loft": {"name": "a"}}}))


# --- what cannot be --------------------------------------------------------------------------------------------------


def with_(**attributes: Any) -> Connector:
    kind = type("Odd", (Pigeon,), attributes)
    made: Connector = kind(PigeonSettings(loft=Account(name="a"), secret=pydantic.SecretStr("s")))
    return made


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({}, []),
        ({"contract": 2}, ["Odd is written for contract 2, this hub has 1: install the one that fits"]),
        ({"can": None}, ["Odd.can must be Capabilities"]),
        ({"can": Capabilities(role="visitor", max_text=10)},
         ["max_text is 10: below 128 not even the head of a message fits"]),
        ({"can": Capabilities(role="visitor", per_minute=-1)}, ["per_minute is -1: it cannot be less than 0"]),
        ({"can": Capabilities(role="visitor", recognises="text", recognises_s=60)},
         ['a visitor may get the same text twice on purpose: recognises must be "key"']),
        ({"can": Capabilities(role="agent", unit="utf16")},
         ['an agents\' channel counts in unit "bytes", and has no files_with_text and no choices']),
        ({"can": Capabilities(role="agent", recalls_s=60)},
         ["what went to an agent is never changed: edits_s and recalls_s must be 0"]),
        ({"can": Capabilities(role="both", recognises="text")},
         ["where agents and visitors are, nothing has a socket, and a repeat is known by its key"]),
        ({"can": Capabilities(role="visitor", edits_s=-1)}, ["edits_s is -1: it cannot be less than 0"]),
        ({"deliver": Connector.deliver}, ["Odd has no deliver"]),
        ({"routes": (Route("in", ("POST",)),)},
         ["Odd declares routes and has no parse", "Odd declares routes and has no verify: anybody could write there"]),
        ({"pulls": True}, ["Odd declares that it pulls and has no pull"]),
        ({"routes": (Route("in", ("POST",)), Route("in", ("GET",))), **READS},
         ["the route 'in' is declared twice"]),
        ({"routes": (Route("in", ("POST",), 1 << 30),), **READS},
         ["the route 'in' takes 1073741824 bytes: the hub takes 33554432"]),
        ({"routes": (Route("in", ("PUT",)),), **READS},
         ["the route 'in' takes ('PUT',): only GET and POST are called back"]),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named(attributes: dict[str, Any], said: list[str]) -> None:
    assert list(faults("pigeon", with_(**attributes))) == said


@pytest.mark.parametrize("name", ["agent", "api", "Pigeon", "pi-geon", "callbacks"])
def test_a_channel_may_not_hide_the_hubs_own_pages(name: str) -> None:
    assert list(faults(name, with_())) == [
        "a channel's name is a word of a-z, 0-9 and _, and none of agent, api, callbacks, chat, client, files, schema"
    ]


@pytest.mark.usefixtures("pigeon")
def test_a_connector_that_cannot_be_imported_is_named(file: Path, tmp_path: Path) -> None:
    (tmp_path / "connectors" / "pigeon" / "connector.py").write_text("import no_such_module\n")
    with pytest.raises(SettingsError, match=r"hub.yaml:2: channels.pigeon: connectors/pigeon/connector.py cannot be "):
        load_connectors(load_text(file, "channels:\n  pigeon: {loft: {name: a}, secret: s}\n"))


# --- from a package of somebody else's --------------------------------------------------------------------------------

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "kefu-hub-carrier"
version = "1.0"

[project.entry-points."kefu_hub.connectors"]
carrier = "kefu_hub_carrier:Carrier"

[tool.setuptools]
py-modules = ["kefu_hub_carrier"]
"""
MODULE = """
from hub.contract import Capabilities, Connector, Sent


class Carrier(Connector):
    contract = 1
    can = Capabilities(role="visitor")

    async def deliver(self, delivery):
        return Sent()
"""


def run(*words: str | Path, **environ: str) -> str:
    return subprocess.run(
        [sys.executable, *map(str, words)], env=os.environ | environ, check=True, capture_output=True, text=True
    ).stdout


def test_a_connector_from_a_wheel_is_found_by_its_entry_point(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "kefu_hub_carrier.py").write_text(MODULE)
    pip = ("-m", "pip", "--disable-pip-version-check", "--no-input")
    run(*pip, "wheel", "--no-build-isolation", "--no-deps", "-q", "-w", tmp_path, source)
    (wheel,) = tmp_path.glob("*.whl")
    run(*pip, "install", "--no-deps", "-q", "--target", tmp_path / "site", wheel)
    (tmp_path / "hub.yaml").write_text("channels: {carrier: }\n")
    found = run(
        "-c",
        "from hub import channels, settings; from pathlib import Path; import sys;"
        "print(channels.load_connectors(settings.load(Path(sys.argv[1]))))",
        tmp_path / "hub.yaml",
        PYTHONPATH=os.pathsep.join([str(tmp_path / "site"), str(Path(__file__).parents[1])]),
    )
    assert "'carrier': <kefu_hub_carrier.Carrier object" in found


def test_a_channel_is_described_where_its_connector_lies(file: Path) -> None:
    (chat,) = load_connectors(load_text(file, "channels: {h5: {}}")).values()
    assert guide(chat) == "connectors/h5/README.md"
    assert (Path(__file__).parent.parent / guide(chat)).is_file()
    assert guide(Pigeon(PigeonSettings(loft=Account(name="x"), secret=pydantic.SecretStr("s")))) == (
        "the documentation of the package tests"
    )
