"""What the bench itself must not get wrong: frames, flame graphs, verdicts. Nothing here measures."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import client, figures, flame, frames, hub, quick, table, take_over, watched
from tests.bench.client import Link, Visitor


def unmasked(payload: bytes) -> bytes:
    """As a hub would send it."""
    head = bytes((0x81, len(payload))) if len(payload) < 126 else b"\x81\x7e" + len(payload).to_bytes(2, "big")
    return head + payload


@pytest.mark.parametrize("size", [2, 125, 126, 200])
def test_frames_are_found_however_they_are_cut(size: int) -> None:
    payload = b'{"t":"ack"' + b"x" * size
    data = unmasked(payload) * 3
    for cut in range(len(data) + 1):
        reader = frames.Reader()
        assert [*reader.feed(data[:cut]), *reader.feed(data[cut:])] == [(1, payload)] * 3


class Heard:
    """A share of the crowd that only counts."""

    def __init__(self) -> None:
        self.acks = 0
        self.others: list[bytes] = []
        self.link = Link(lambda link, opcode, payload: self.others.append(payload), self._acked)
        self.link._reader = frames.Reader()
        Visitor(self.link, "token", "c0-a", 0)

    def _acked(self, visitor: Visitor) -> None:
        self.acks += 1


@pytest.mark.parametrize("size", [60, 300])
def test_each_ack_counts_once_however_the_reads_fall(size: int) -> None:
    ack, event = unmasked(b'{"t":"ack"' + b"x" * size), unmasked(b'{"t":"event"}')
    data = ack + event + ack + ack
    for cut in range(len(data) + 1):
        heard = Heard()
        for part in (data[:cut], data[cut:]):
            if part:
                heard.link.data_received(part)
        assert (heard.acks, heard.others) == (3, [b'{"t":"event"}'])


class Written:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.frames.append(data)


def test_visitors_number_their_messages_and_begin_with_their_teams_word() -> None:
    for worker in (0, 1):
        heard = Heard()
        visitor = Visitor(heard.link, "token", "c0-a", worker)
        transport = visitor.link.transport = Written()  # type: ignore[assignment]
        for _ in range(7):
            visitor.send()
        sent = [json.loads(frame[6:] if frame[1] & 0x7F < 126 else frame[8:]) for frame in transport.frames]
        assert [frame["id"] for frame in sent] == [f"bench.{n}" for n in range(1, 8)]
        assert sent[0]["text"] == hub.KEYWORDS[hub.TEAMS[worker]]
        assert {frame["text"] for frame in sent[1:]} == set(client.TEXTS)


def test_exchanged_visitors_have_the_conversation_of_another_worker() -> None:
    visitors = [Visitor(Heard().link, f"t{n}", f"c{n % 3}-{n}", n % 3) for n in range(9)]
    homes = [0, 1, 2]
    for visitor in client.exchange(visitors, 3):
        assert homes.index(client.partition_of(visitor.conversation)) != visitor.worker
        assert visitor.token == "t" + visitor.conversation.partition("-")[2]


def test_a_flame_graph_holds_the_loops_work_and_nothing_else() -> None:
    root = flame.read(
        "main (w.py:9);uv_run (core.c);uv__read (stream.c);data_received (hub/gateway/socket.py:7);0x1 (c) 3\n"
        "main (w.py:9);uv_run (core.c);uv__read (stream.c);data_received (hub/gateway/socket.py:8);dump (c) 1\n"
        "main (w.py:9);uv_run (core.c);epoll_pwait (libc.so.6) 5\n"
        "_bootstrap (threading.py:1);wait (queue.py:2) 9\n"
    )
    (read,) = root.calls.values()
    (received,) = read.calls.values()
    assert (root.samples, received.samples, received.name) == (4, 4, "data_received (hub/gateway/socket.py)")
    assert [called.name for called in received.calls.values()] == ["dump (c)"]
    assert 'width="1200.0"' in flame.draw(root, "a <title>")
    assert "a &lt;title&gt;" in flame.draw(root, "a <title>")


def test_a_ratio_that_has_grown_by_half_is_told() -> None:
    committed = {"message": 1.0, "p99": 2.0}
    assert quick.compare({"message": 1.5, "p99": 1.0}, committed) == []
    assert [line.split(":")[0] for line in quick.compare({"message": 1.6, "p99": 2.0}, committed)] == ["message"]
    assert [line.split(":")[0] for line in quick.compare({"message": 1.0}, committed)] == ["p99"]


def test_what_is_missing_is_not_made_up_and_what_is_missed_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    assert set(table.budget(table.results()).splitlines()[2:]) == {
        f"| {row.what} | {row.target} | {table.NOT_YET} |  | {row.go} |" for row in table.BUDGET
    }
    figures.write("core", {"core_us_per_message": [29.0, 31.5, 40.0], "core_us_history": [9.5]})
    told = table.budget(table.results())
    assert "| core time a delivered message | ≤ 30 µs | 31.5 (29.0 – 40.0) µs | **no** | 50 µs |" in told
    assert "| – history, apart | ≤ 10 µs | 9.50 µs | yes | – |" in told


def test_the_watch_keeps_the_longest_turn(tmp_path: Path) -> None:
    (tmp_path / "watch").write_bytes(bytes(8))
    written, read = watched.Watch(tmp_path / "watch"), watched.Watch(tmp_path / "watch")
    for late_s in (0.002, 0.007, 0.001):
        written.note(late_s)
    assert read.longest_s == 0.007
    read.begin()
    assert written.longest_s == 0.0


def test_a_part_runs_on_a_whole_hub_and_prints_its_figures() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.bench", "own", "--small"], capture_output=True, text=True, check=True, timeout=180
    )
    shown = {line[:72].strip(): float(line[72:].split()[0].replace(",", "")) for line in ran.stdout.splitlines()[3:]}
    assert shown["core-µs a message, worker + nats-server"] > 0
    assert shown["messages/s, conversation on the socket's worker"] > 0


def test_a_filled_store_is_taken_over() -> None:
    plan = dataclasses.replace(figures.SMALL, stored=(5,), tails=(10, 20))
    found = take_over.run(plan)
    assert set(found) == {f"take_over_5_{tail}_ms{end}" for tail in (10, 20) for end in ("", "_first")}
    assert all(found[f"take_over_5_{tail}_ms"] < found[f"take_over_5_{tail}_ms_first"] for tail in (10, 20))
