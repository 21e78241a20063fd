"""What clients write down while they run: one JSON object a line, in the words below. The checker reads nothing else.

Times (`at`) are milliseconds of this machine's monotonic clock. `by` names a client: a visitor's page `v17/1`, an
agent's desk `desk3`, an agent's phone `phone2`. `c` is a conversation.

| e | fields | meaning |
|---|---|---|
| watch | by, c, role | from now on this client should see all of `c` that a visitor (an agent) may see |
| unwatch | by, c | it should not any more |
| sent | by, c, id, text, at | handed over for the first time; texts are unique. A phone's: `to`, what it answers |
| acked | by, c, id, seq, text, at | the hub has promised to keep it; `seq` 0: it did not say where |
| dropped | by, c, id, text, why | the hub has promised *not* to keep it |
| saw | by, c, seq, prev, kind, text, at | an event; between `prev` and it lies nothing that this client may see |
| nothing | by, c, after, before | the hub said that nothing which this client may see lies between |
| reset | by, c | the client has dropped all it had seen |
| shown | by, no, seq, text, at | a phone shows a visitor's message under the number `no` |
| trouble | by, what | something that must not happen to a client |
| fault | name, target, began, ended, bitten, why | something was done to the hub |
"""

import json
import time
from pathlib import Path
from typing import Any, Literal

Role = Literal["visitor", "agent"]


def now_ms() -> int:
    """This machine's monotonic clock: the same in all its processes, and no fault moves it."""
    return time.monotonic_ns() // 1_000_000


class Ledger:
    """Writes one ledger, and knows when the last acknowledgement came. Close it, or the last lines are missing."""

    def __init__(self, path: Path) -> None:
        self.acked_at = 0
        self.sent_count = self.acked = self.dropped_count = 0
        self.heard_at = 0
        """When any client last saw something new."""
        self.troubles: list[str] = []
        self._file = path.open("a", encoding="utf-8", buffering=1 << 18)
        self._encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

    def close(self) -> None:
        """Bring the last lines to the file."""
        self._file.close()

    def watch(self, by: str, c: str, role: Role) -> None:
        self._write({"e": "watch", "by": by, "c": c, "role": role})

    def unwatch(self, by: str, c: str) -> None:
        self._write({"e": "unwatch", "by": by, "c": c})

    def sent(self, by: str, c: str, id: str, text: str, to: str = "") -> None:
        self.sent_count += 1
        line = {"e": "sent", "by": by, "c": c, "id": id, "text": text, "at": now_ms()}
        self._write(line | ({"to": to} if to else {}))

    def acknowledged(self, by: str, c: str, id: str, seq: int, text: str) -> None:
        self.acked_at, self.acked = now_ms(), self.acked + 1
        line = {"e": "acked", "by": by, "c": c, "id": id, "seq": seq, "text": text, "at": self.acked_at}
        self._write(line)

    @property
    def in_flight(self) -> int:
        """How many texts wait for their answer."""
        return self.sent_count - self.acked - self.dropped_count

    def dropped(self, by: str, c: str, id: str, text: str, why: str) -> None:
        self.dropped_count += 1
        self._write({"e": "dropped", "by": by, "c": c, "id": id, "text": text, "why": why})

    def saw(self, by: str, c: str, seq: int, prev: int, kind: str, text: str) -> None:
        self.heard_at = now_ms()
        line = {"e": "saw", "by": by, "c": c, "seq": seq, "prev": prev, "kind": kind, "text": text, "at": self.heard_at}
        self._write(line)

    def nothing(self, by: str, c: str, after: int, before: int) -> None:
        if before - after > 1:
            self._write({"e": "nothing", "by": by, "c": c, "after": after, "before": before})

    def reset(self, by: str, c: str) -> None:
        self._write({"e": "reset", "by": by, "c": c})

    def shown(self, by: str, no: int, seq: int, text: str) -> None:
        self.heard_at = now_ms()
        self._write({"e": "shown", "by": by, "no": no, "seq": seq, "text": text, "at": self.heard_at})

    def trouble(self, by: str, what: str) -> None:
        self.troubles.append(f"{by}: {what}")
        self._write({"e": "trouble", "by": by, "what": what})

    def fault(self, name: str, target: str, began: int, ended: int, *, bitten: bool, why: str) -> None:
        line = {"e": "fault", "name": name, "target": target, "began": began, "ended": ended, "bitten": bitten}
        self._write(line | {"why": why})

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(self._encode(line) + "\n")
