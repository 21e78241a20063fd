"""What a run came to, for people and programs; and the command that asks for it."""

import json

import pytest
from rich.console import Console

from hub.cli import main
from hub.kit.run import Result
from hub.kit.table import as_json, as_markdown, as_table

RESULTS = [
    Result("arrives", "It arrives", "held", 3),
    Result("repeats", "Once", "failed", because="texts of a|b: [bold] more than once"),
    Result("busy", "Waits", "exempt", because="it is never busy"),
    Result("lost-cursor", "Comes again", "does not apply", because="it is not asked"),
]


def test_a_page_has_a_row_for_each_check() -> None:
    assert as_markdown(RESULTS).splitlines()[2:] == [
        "| `arrives` | It arrives | 3 | held |",
        "| `repeats` | Once |  | FAILED because texts of a\\|b: [bold] more than once |",
        "| `busy` | Waits |  | exempt because it is never busy |",
        "| `lost-cursor` | Comes again |  | does not apply: it is not asked |",
    ]


def test_a_terminal_shows_reasons_as_they_are() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(as_table(RESULTS))
    assert "texts of a|b: [bold] more than once" in shown.get()
    assert "1 held, 1 failed, 1 exempt, 1 does not apply" in shown.get()


def test_a_program_gets_all_fields() -> None:
    first = json.loads(as_json(RESULTS))[0]
    assert first == {
        "id": "arrives", "says": "It arrives", "outcome": "held", "tried": 3, "because": "", "took_s": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wecom", "--only", "arives"], "no check is called arives: arrives, bursts"),
        (["smoke_signals"], "channels.smoke_signals: no such channel"),
    ],
)
def test_what_there_is_not_is_said_with_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["connectors", "test", *words])
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_a_channel_that_holds_ends_with_status_0(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["connectors", "test", "h5", "--only", "nonsense"])
    assert ended.value.code == 0
    assert "nonsense" in capsys.readouterr().out
