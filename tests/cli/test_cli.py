"""The `hub` command as a person types it."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.cli import app, main
from hub.cli.doctor import Finding, _channels_of, examine
from hub.data_folder import DataFolder
from hub.domain.events import AnyEvent, Attempted, AttemptRefused, Record, Unparsed
from hub.engine.calls import ChannelHealth, Health
from hub.errors import BusError
from hub.history import database, schema
from hub.history.projector import project
from hub.history.writer import Writer
from hub.settings import Settings
from tests.history.batches import batch

ROOT = Path(__file__).parent.parent.parent
BIG = {"litestar", "sqlmodel", "sqlalchemy", "nats", "pydantic", "wechatpy", "httpx", "uvicorn", "websockets", "opencc"}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a hub that was never started, with the project's own rules."""
    file = tmp_path / "hub.yaml"
    file.write_text(f"data: {tmp_path / 'data'}\nrules: {ROOT / 'rules'}\nlisten: 127.0.0.1:0\n")
    return file


def run(*arguments: str) -> int:
    """The exit status of `hub ARGUMENTS`."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_help_imports_none_of_the_big_packages() -> None:
    code = "import sys\nfrom hub.cli import app\napp(['--help'], exit_on_error=False, result_action='return_value')"
    said = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport json; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Start the hub" in said
    assert not BIG & set(json.loads(said.splitlines()[-1]))


@pytest.mark.parametrize("command", sorted(name for name in app if not name.startswith("-")))
def test_every_command_has_a_help_page(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_a_refusal_is_a_line_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("up", "--config", "nowhere.yaml") == 2
    said = capsys.readouterr()
    assert said.err == "hub: nowhere.yaml: no such file; name the right one with --config or HUB_CONFIG\n"
    assert said.out == ""


def test_a_config_can_be_named_by_a_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HUB_CONFIG", "elsewhere.yaml")
    assert run("up") == 2
    assert "hub: elsewhere.yaml: no such file" in capsys.readouterr().err


def test_broken_rules_are_told_before_anything_is_started(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config.write_text(f"data: {tmp_path / 'data'}\nrules: {tmp_path / 'none'}\n")
    assert run("up", "--config", str(config)) == 2
    assert "none: no such folder" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_rules_check_counts_what_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("rules", "check", str(ROOT / "rules")) == 0
    assert "files are right" in capsys.readouterr().out


def test_rules_check_says_where_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (ROOT / "rules").glob("*.yaml"):
        text = file.read_text(encoding="utf-8")
        (tmp_path / file.name).write_text(text + ("\nrulez: []\n" if file.name == "routing.yaml" else ""))
    assert run("rules", "check", str(tmp_path)) == 2
    line = f"routing.yaml:{len((tmp_path / 'routing.yaml').read_text().splitlines())}:1"
    assert line in capsys.readouterr().err


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("version") == 0
    assert run("--version") == 0
    first, second = capsys.readouterr().out.split()
    assert first == second
    assert f'version = "{first}"' in (ROOT / "pyproject.toml").read_text()


def found(config: Path, subject: str) -> Finding:
    """What the doctor says of one subject."""
    return {finding.subject: finding for finding in examine(config)}[subject]


def test_the_doctor_looks_at_everything_and_finds_a_new_set_up_well(config: Path) -> None:
    config.write_text(config.read_text() + "channels: {h5: }\n")
    findings = list(examine(config))
    assert [finding.subject for finding in findings] == [
        "python", "nats-server", "settings", "channels", "rules", "agents", "hub", "data", "clock", "port",
    ]  # fmt: skip
    assert [finding for finding in findings if finding.cure] == []


def test_the_doctor_names_agents_whose_channel_is_not_on(config: Path) -> None:
    config.write_text(config.read_text() + "channels: {h5: }\n")
    says = (
        "not reached by wecom, which is not on, but on the page /agent: wangfang, lilei, hanmeimei, chenjing, zhaomin"
    )
    assert found(config, "agents") == Finding("agents", says)


def test_the_doctor_names_the_cure_and_exits_with_1(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("doctor", "--config", str(config)) == 1
    said = capsys.readouterr().out
    assert "WRONG channels     none is on\n" in said
    assert "cure: switch one on below `channels`, for instance h5\n" in said
    assert "ok    rules" in said


@pytest.mark.parametrize(
    ("settings", "subject", "says", "cure"),
    [
        ("wokers: 1", "settings", 'hub.yaml:1: wokers: unknown setting, did you mean "workers"?', "correct"),
        ("channels: {fax: }", "channels", "hub.yaml:1: channels.fax: no such channel", "correct the channel's"),
        ("rules: nowhere", "rules", "nowhere: no such folder", "correct the file"),
        ("data: /proc/version/data", "data", "/proc/version cannot be written", "set `data`"),
    ],
)
def test_the_doctor_finds(config: Path, settings: str, subject: str, says: str, cure: str) -> None:
    config.write_text(settings)
    finding = found(config, subject)
    assert says in finding.says
    assert cure in finding.cure


def test_the_doctor_sees_a_full_disk(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 29))
    finding = found(config, "data")
    assert finding.says.endswith("0.5 GiB free")
    assert finding.cure.startswith("make room")


def test_the_doctor_sees_a_clock_that_went_back(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "watermark.json").touch()
    monkeypatch.setattr("time.time", lambda: 1_740_000_000.0)
    finding = found(config, "clock")
    assert finding.says == "2025-02-19 21:20:00 UTC is before what has already been written"


def test_the_doctor_sees_a_used_port(config: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config.write_text(config.read_text().replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        finding = found(config, "port")
    assert finding.says.startswith(f"listen 127.0.0.1:{port}: address already in use")
    assert "set another `listen`" in finding.cure


def test_the_doctor_sees_a_running_hub(config: Path, tmp_path: Path) -> None:
    folder = DataFolder.take(tmp_path / "data")
    hub, port = found(config, "hub"), found(config, "port")
    folder.release()
    assert hub.says.startswith("runs, pid ")
    assert port.says.endswith("is this hub's")


def test_the_doctor_tells_of_a_channel_what_all_workers_say_together() -> None:
    told = {"troubles": ("the token is refused",), "guide": "connectors/telegram/README.md"}
    one = ChannelHealth(faults=1, left_out={"said in a group": 2, "a sticker": 7}, **told)  # type: ignore[arg-type]
    other = ChannelHealth(stalls=1, left_out={"said in a group": 6}, **told)  # type: ignore[arg-type]
    found = list(_channels_of([Health("w1", channels={"telegram": one}), Health("w2", channels={"telegram": other})]))
    assert found == [
        Finding("channel", "telegram: the token is refused", "see connectors/telegram/README.md"),
        Finding("channel", "telegram: left out since the start, 8 times: said in a group"),
        Finding("channel", "telegram: left out since the start, 7 times: a sticker"),
        Finding("channel", "telegram: its connector went wrong 1 times and held up a worker 1 times",
                "see the hub's log, and report it to whoever wrote it (connectors/telegram/README.md)"),
    ]  # fmt: skip


def test_the_doctor_misses_nats_server(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise BusError("no nats-server")

    monkeypatch.setattr("hub.bus.server.binary", missing)
    finding = found(config, "nats-server")
    assert finding.says == "no nats-server"
    assert finding.cure.startswith("install it again")


def test_the_doctor_asks_the_database_and_keeps_its_password(config: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        config.write_text(config.read_text() + f"history: {{url: 'postgresql://hub:geheim@127.0.0.1:{port}/chats'}}\n")
        finding = found(config, "history")
    assert finding.says.startswith(f"PostgreSQL chats at 127.0.0.1:{port}: ")
    assert "correct `history.url`" in finding.cure
    assert "geheim" not in str(list(examine(config)))


def written(data: Path, *events: tuple[str, float, AnyEvent]) -> None:
    """The history knows these events of entities, so many days ago."""
    data.mkdir(exist_ok=True)
    where = database.url(Settings(data=data))
    schema.migrate(where)
    now_ms = int(time.time() * 1000)
    records = [
        Record(entity, seq, seq - 1, now_ms - int(days * 86_400_000), event)
        for seq, (entity, days, event) in enumerate(events, 1)
    ]

    async def write() -> None:
        engine = database.writer(where)
        writer = Writer(engine, 1)
        await writer.load()
        await writer.store(project(0, 1, batch(*records)))
        await engine.dispose()

    asyncio.run(write())


def test_the_doctor_counts_dead_letters_and_unread_input_of_a_week(config: Path, tmp_path: Path) -> None:
    carried = Attempted(1, "phone", "wang", "hi", 1, carries=(("c0-a", 4),))
    old = Attempted(2, "phone", "wang", "hi", 1, carries=(("c0-a", 5),))
    written(
        tmp_path / "data",
        ("a0-wang", 6.1, carried), ("a0-wang", 6, AttemptRefused(1, "no", "hi")),
        ("a0-wang", 9, old), ("a0-wang", 8, AttemptRefused(2, "no", "hi")),
        ("i0-phone", 1, Unparsed("type 7", "{}")), ("i0-phone", 8, Unparsed("type 8", "{}")),
    )  # fmt: skip
    letters, inputs = found(config, "deliveries"), found(config, "unparsed")
    assert letters.says == "dead letters of the last 7 days: 1"
    assert letters.cure == "look at them: hub deliveries list --state refused,unknown"
    assert inputs.says == "inputs of the last 7 days that nobody could read: 1"
    assert inputs.cure == "look at them: hub unparsed list"


def test_the_doctor_finds_nothing_undelivered_well(config: Path, tmp_path: Path) -> None:
    written(tmp_path / "data", ("a0-wang", 0, Attempted(1, "phone", "wang", "hi")))
    assert [found(config, subject).cure for subject in ("deliveries", "unparsed")] == ["", ""]


def test_the_doctor_does_not_take_a_history_that_it_cannot_read_for_an_empty_one(config: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / database.FILE).write_bytes(b"no database at all" * 99)
    finding = found(config, "history")
    assert finding.says.startswith("what was not delivered is not known: the history cannot be read at this moment: ")
    assert finding.cure.startswith("start the hub")
