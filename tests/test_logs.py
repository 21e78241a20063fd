"""Log lines: JSON away from a terminal, from structlog and from packages alike, and never a secret."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from hub import logs


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_line_is_json_with_process_time_and_level(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker-1")
    structlog.get_logger("rules").error("rules refused", findings=["第 3 行"])
    line = capsys.readouterr().err
    said = json.loads(line)
    assert said.pop("timestamp").endswith("Z")
    assert said == {
        "event": "rules refused", "findings": ["第 3 行"], "level": "error", "logger": "rules", "process": "worker-1",
    }  # fmt: skip
    assert "第" in line


def test_a_packages_line_and_its_traceback_come_out_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker-1")
    try:
        raise ValueError("GET /cgi-bin/message/send?access_token=s3cret&debug=1")
    except ValueError:
        logging.getLogger("somebody").exception("failed at %s", "corpsecret=s3cret")
    line = capsys.readouterr().err
    said = json.loads(line)
    assert (said["event"], said["process"]) == ("failed at corpsecret=***", "worker-1")
    assert "ValueError" in said["exception"]
    assert "s3cret" not in line


def test_a_client_that_logs_every_url_is_kept_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("worker-1")
    logging.getLogger("httpx").info("HTTP Request: GET /gettoken?corpsecret=s3cret")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"access_token": "s3cret", "n": 1}, {"access_token": "***", "n": 1}),
        ({"aes_key": b"s3cret", "Password": 7}, {"aes_key": "***", "Password": "***"}),
        ({"url": "/x?token=s3cret&page=2"}, {"url": "/x?token=***&page=2"}),
        ({"because": "Authorization: Bearer s3cret"}, {"because": "Authorization: Bearer ***"}),
        ({"url": "nats://s3cret@127.0.0.1:4222"}, {"url": "nats://***@127.0.0.1:4222"}),
        ({"event": "the token has expired"}, {"event": "the token has expired"}),
    ],
)
def test_secrets_are_blanked(event: dict[str, object], shown: dict[str, object]) -> None:
    assert logs.hide_secrets(None, "", dict(event)) == shown
