"""docs/protocol.md says what the gateway does: its codes, limits and kinds of event."""

import re
from pathlib import Path

import pytest

from hub.domain import views
from hub.domain.conversation.state import WINDOW
from hub.gateway import heartbeat, sessions, socket
from hub.gateway.codes import CODES
from hub.gateway.frames import MAX_FRAME_BYTES, MAX_TEXT_CHARS

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """The cells of the table whose first line is `header`."""
    lines = PAGE[PAGE.index(header) :].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_codes_is_the_list_in_the_code() -> None:
    printed = [tuple(cells) for cells in rows("| code | do |")]
    assert printed == [(str(code.number), code.do, code.way, code.meaning) for code in CODES]


def test_each_code_lies_in_its_range() -> None:
    for code in CODES:
        match code.number:
            case number if 4100 <= number < 4200:
                assert code.way == "frame"
            case number if 4000 <= number < 4500:
                assert (code.way, code.do in {"resume", "renew"}) == ("close", True)
            case number if 4500 <= number < 5000:
                assert (code.way, code.do) == ("close", "stop")
            case number:
                assert 1000 <= number < 1016  # RFC 6455's own
    assert len({code.number for code in CODES}) == len(CODES)


@pytest.mark.parametrize(
    "sentence",
    [
        f"at most {MAX_FRAME_BYTES // 1024} KiB long",
        f"says hello within {heartbeat.HELLO_S:.0f} s",
        f"A text is 1 to {MAX_TEXT_CHARS:,} characters",
        f'"window": {WINDOW}',
        f"among the last {WINDOW} of its tab",
        f"sends a WebSocket ping every {heartbeat.PING_EVERY_S:.0f} s",
        f"answer within {heartbeat.PONG_S:.0f} s",
        f"too slow: too much waits to be read ({sessions.MAX_WAITING_BYTES // 2**20} MiB,",
        f"more than {socket.FRAMES_PER_S} frames a second, with {socket.FRAMES_BURST} in reserve",
    ],
)
def test_the_page_names_the_limits(sentence: str) -> None:
    assert sentence in " ".join(PAGE.split())


def test_the_table_of_kinds_is_what_the_views_make() -> None:
    source = Path(views.__file__).read_text(encoding="utf-8")
    made = set(re.findall(r'_frame\(\s*record,\s*(?:record\.)?prev,\s*"(\w+)"', source))
    printed = {kind for cells in rows("| kind | visitor |") for kind in re.findall(r"`(\w+)`", cells[0])}
    assert printed == made
    for_visitors = source[source.index("def visitor_view") : source.index("def agent_view")]
    seen = {
        kind for cells in rows("| kind | visitor |") if cells[1] == "yes" for kind in re.findall(r"`(\w+)`", cells[0])
    }
    assert seen == set(re.findall(r'_frame\(record, record\.prev, "(\w+)"', for_visitors))
