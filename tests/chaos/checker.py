"""Decides from ledgers and the history alone whether anything was lost, doubled, out of order or hidden.

In the manner of Jepsen and of Maelstrom's kafka workload: what was acknowledged must stand in the history once, and be
seen once by everybody who should see it; what was not acknowledged is unknown, may be there or not, but then for
everybody alike. This module knows the ledgers' words (ledger.py) and the history's rows (stored.py), and nothing of
the hub.

    lost         acknowledged, and missing in the history or with somebody who should have it
    duplicated   in two places of the order, shown twice, or acknowledged twice differently
    reordered    behind a text of the same sender that was handed over later, or only after this one was acknowledged
    holes        the history's numbers have a gap; an event that somebody was told does not exist, or never got
    misdelivered in another conversation than it was written to
    diverged     two observers saw different things at one place of the order
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.chaos.stored import VISITOR_SEES, Stored

Line = Mapping[str, Any]
History = Mapping[str, Sequence[Stored]]
SHOWN_AT_MOST = 20
"""So many findings of a kind are kept as sentences."""


class Text(NamedTuple):
    """Something that somebody wrote. `sender` is the person, `way` one of their pages' outbox for one conversation."""

    text: str
    sender: str
    way: tuple[str, str, str]
    c: str
    at: int
    place: int
    """Its line in the ledger: the order in which things were handed over."""


@dataclass
class Verdict:
    """The counts, and sentences for people."""

    acknowledged: int = 0
    in_doubt: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0
    holes: int = 0
    misdelivered: int = 0
    diverged: int = 0
    troubles: int = 0
    findings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(
            (self.lost, self.duplicated, self.reordered, self.holes, self.misdelivered, self.diverged, self.troubles)
        )


class Observer:
    """One client's sight of one conversation."""

    def __init__(self, role: str) -> None:
        self.role = role
        self.watching = True
        self.now: set[int] = set()
        """What it has, since it last dropped all."""
        self.claims: set[tuple[int, int]] = set()
        """(after, before): what it was told to contain nothing."""


def read_lines(files: Iterable[Path]) -> Iterator[Line]:
    """The lines of the ledgers."""
    for file in files:
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def check(lines: Iterable[Line], history: History) -> Verdict:
    """Compare everything with everything."""
    books = _Books(history)
    for line in lines:
        books.take(line)
    return books.verdict()


class _Books:
    def __init__(self, history: History) -> None:
        self._history = history
        self._texts: dict[str, Text] = {}
        self._acked: dict[str, tuple[int, set[int]]] = {}
        """By text: when it was acknowledged first, and all the places that were named."""
        self._dropped: set[str] = set()
        self._observers: dict[tuple[str, str], Observer] = {}
        self._sightings: dict[str, dict[int, set[tuple[str, str]]]] = defaultdict(lambda: defaultdict(set))
        """By conversation and seq: kinds and texts that were seen there."""
        self._phones: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self._lost: set[str] = set()
        self._verdict = Verdict()
        self._noted: Counter[str] = Counter()

    # --- reading the ledgers -----------------------------------------------------------------------------------------

    def take(self, line: Line) -> None:
        match line["e"]:
            case "watch":
                observer = self._observers.setdefault((line["by"], line["c"]), Observer(line["role"]))
                observer.watching = True
            case "unwatch":
                self._observers[line["by"], line["c"]].watching = False
            case "reset":
                self._observers[line["by"], line["c"]].now.clear()
            case "sent":
                self._note_sent(line)
            case "acked":
                acked = self._acked.setdefault(line["text"], (line["at"], set()))
                acked[1].update({line["seq"]} - {0})
            case "dropped":
                self._dropped.add(line["text"])
            case "saw":
                self._note_sight(line)
            case "nothing":
                self._observers[line["by"], line["c"]].claims.add((line["after"], line["before"]))
            case "shown":
                self._phones[line["by"]].append((line["no"], line["seq"], line["text"]))
            case "trouble":
                self._count("troubles", f"{line['by']}: {line['what']}")

    def _note_sent(self, line: Line) -> None:
        text, by = line["text"], line["by"]
        c = line["c"] or self._texts[line["to"]].c
        way = (by, c, line["id"].partition(".")[0])
        if text in self._texts:
            raise ValueError(f"the ledgers are no good: {text!r} was sent twice")
        self._texts[text] = Text(text, by.partition("/")[0], way, c, line["at"], len(self._texts))

    def _note_sight(self, line: Line) -> None:
        observer = self._observers[line["by"], line["c"]]
        observer.now.add(line["seq"])
        observer.claims.add((line["prev"], line["seq"]))
        self._sightings[line["c"]][line["seq"]].add((line["kind"], line["text"]))

    # --- deciding ----------------------------------------------------------------------------------------------------

    def verdict(self) -> Verdict:
        places = self._places()
        self._verdict.acknowledged = len(self._acked)
        self._verdict.in_doubt = len(self._texts.keys() - self._acked.keys() - self._dropped)
        self._check_places(places)
        self._check_order(places)
        self._check_history()
        for (by, c), observer in self._observers.items():
            self._check_observer(by, c, observer)
        self._check_assignees()
        for by, shown in self._phones.items():
            self._check_phone(by, shown)
        return self._verdict

    def _places(self) -> dict[str, set[tuple[str, int]]]:
        """Where each text stands, by anybody's word."""
        places: dict[str, set[tuple[str, int]]] = defaultdict(set)
        for c, rows in self._history.items():
            for row in rows:
                if row.kind in ("message", "answer"):
                    places[row.text].add((c, row.seq))
        for c, sights in self._sightings.items():
            for seq, seen in sights.items():
                for kind, text in seen:
                    if kind in ("message", "answer"):
                        places[text].add((c, seq))
        for text, (_, seqs) in self._acked.items():
            places[text].update((self._texts[text].c, seq) for seq in seqs)
        return places

    def _check_places(self, places: Mapping[str, set[tuple[str, int]]]) -> None:
        for text, found in places.items():
            known = self._texts.get(text)
            if known is None:
                self._count("diverged", f"{text!r} at {sorted(found)}: nobody has written it")
                continue
            if len(found) > 1:
                self._count("duplicated", f"{text!r} stands at {sorted(found)}", len(found) - 1)
            if any(c != known.c for c, _ in found):
                self._count("misdelivered", f"{text!r} was written to {known.c} and stands at {sorted(found)}")
            if text in self._dropped:
                self._count("duplicated", f"{text!r} was refused, and stands at {sorted(found)} all the same")
        stored = {(row.text, c) for c, rows in self._history.items() for row in rows}
        for text in self._acked:
            if (text, self._texts[text].c) not in stored and text not in self._dropped:
                self._lose(text, f"{text!r} was acknowledged, and {self._texts[text].c} in the history lacks it")
        for c, sights in self._sightings.items():
            rows = {row.seq: row for row in self._history.get(c, ())}
            for seq, seen in sights.items():
                self._check_sight(c, seq, seen, rows.get(seq))

    def _check_sight(self, c: str, seq: int, seen: set[tuple[str, str]], row: Stored | None) -> None:
        if row is None:
            acked = any(text in self._acked for _, text in seen)
            if not acked:  # else it counts as lost
                self._count("holes", f"{c} {seq}: {sorted(seen)} was seen, and the history has nothing there")
            return
        alike = {(row.kind, row.text if row.kind in ("message", "answer") else "")}
        differing = {(kind, text if kind in ("message", "answer") else "") for kind, text in seen} | alike
        if len(differing) > 1:
            self._count("diverged", f"{c} {seq}: seen as {sorted(differing)}")

    def _check_order(self, places: Mapping[str, set[tuple[str, int]]]) -> None:
        """Against acceptance, per sender and conversation."""
        senders: dict[tuple[str, str], list[tuple[Text, int]]] = defaultdict(list)
        for text in self._texts.values():
            seqs = [seq for c, seq in places.get(text.text, ()) if c == text.c]
            if seqs:
                senders[text.sender, text.c].append((text, min(seqs)))
        for written in senders.values():
            written.sort(key=lambda pair: (pair[0].at, pair[0].place))
            self._check_ways(written)
            self._check_acceptance(written)

    def _check_ways(self, written: list[tuple[Text, int]]) -> None:
        """What one page numbers stands in the order of its numbers."""
        last: dict[tuple[str, str, str], int] = {}
        for text, seq in sorted(written, key=lambda pair: pair[0].place):
            if text.way[2] and seq < last.get(text.way, 0):
                self._count("reordered", f"{text.text!r} stands at {seq}, one before it at {last[text.way]}")
            last[text.way] = max(seq, last.get(text.way, 0))

    def _check_acceptance(self, written: list[tuple[Text, int]]) -> None:
        """What was written when another text had been acknowledged stands behind that one."""
        accepted = sorted((self._acked[text.text][0], seq) for text, seq in written if text.text in self._acked)
        highest, place = 0, 0
        for text, seq in written:
            while place < len(accepted) and accepted[place][0] < text.at:
                highest = max(highest, accepted[place][1])
                place += 1
            if seq < highest:
                self._count("reordered", f"{text.text!r} at {seq} was sent when {highest} was acknowledged")

    def _check_history(self) -> None:
        for c, rows in self._history.items():
            seqs = [row.seq for row in rows]
            missing = sorted(set(range(1, (seqs[-1] if seqs else 0) + 1)) - set(seqs))
            if missing:
                self._count("holes", f"{c}: the history lacks {missing[:9]}", len(missing))
            if len(set(seqs)) < len(seqs):
                self._count("duplicated", f"{c}: the history has a number twice", len(seqs) - len(set(seqs)))

    def _check_observer(self, by: str, c: str, observer: Observer) -> None:
        rows = [row for row in self._history.get(c, ()) if observer.role == "agent" or row.kind in VISITOR_SEES]
        visible = {row.seq for row in rows}
        # A claim says less than a client that has the event in hand: one it holds itself it was not denied.
        for after, before in observer.claims:
            denied = [seq for seq in range(after + 1, before) if seq in visible]
            if denied:
                self._count("holes", f"{by}: was told of nothing in {c} between {after} and {before}: {denied[:9]} is")
        if not observer.watching:
            return
        for row in rows:
            if row.seq not in observer.now:
                self._lose(row.text, f"{by}: never got {c} {row.seq} ({row.kind} {row.text!r})")

    def _check_assignees(self) -> None:
        for c, rows in self._history.items():
            agent = next((row.agent for row in reversed(rows) if row.kind == "assigned"), "")
            if not agent or (agent, c) in self._observers:
                continue
            shown = {text for _, _, text in self._phones.get(agent, ())}
            missing = [row for row in rows if row.kind == "message" and row.text not in shown]
            for row in missing:
                self._lose(row.text, f"{agent}: was never shown {c} {row.seq} ({row.text!r})")

    def _check_phone(self, by: str, shown: list[tuple[int, int, str]]) -> None:
        numbers: dict[int, str] = {}
        last: dict[int, int] = {}
        for text, times in Counter(text for _, _, text in shown).items():
            if times > 1:
                self._count("duplicated", f"{by}: was shown {text!r} {times} times", times - 1)
        for no, seq, text in shown:
            known = self._texts.get(text)
            if known is None:
                self._count("diverged", f"{by}: was shown {text!r}, which nobody has written")
                continue
            if numbers.setdefault(no, known.c) != known.c:
                self._count("misdelivered", f"{by}: #{no} is {numbers[no]}, and shows {text!r} of {known.c}")
            if seq < last.get(no, 0):
                self._count("reordered", f"{by}: {text!r} ({seq}) was shown after {last[no]}")
            last[no] = max(seq, last.get(no, 0))

    def _lose(self, text: str, finding: str) -> None:
        """Something is missing: a message that was acknowledged is lost, and counts once; anything else is a hole."""
        if text not in self._acked:
            self._count("holes", finding)
        else:
            self._count("lost", finding, text not in self._lost)
            self._lost.add(text)

    def _count(self, what: str, finding: str, times: int = 1) -> None:
        setattr(self._verdict, what, getattr(self._verdict, what) + times)
        self._noted[what] += 1
        if self._noted[what] <= SHOWN_AT_MOST:
            self._verdict.findings.append(f"{what}: {finding}")
